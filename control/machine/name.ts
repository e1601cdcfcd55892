// How a machine is named on the command line. Pure.
//
//   n1, n1:eth0                     a node of the lab that runs
//   ssh:[USER@]HOST[:INTERFACE]     a deployed machine, reached by ssh
//   USER@HOST[:INTERFACE]           the same
//   local, local:eth0               this machine
//
// - HOST is whatever ssh takes, names of its own configuration too; an IPv6 address stands in
//   brackets. It cannot begin with a dash: ssh would take it for an option.

import { usageError } from "../kernel/errors.js";

export interface MachineName {
  readonly kind: "node" | "ssh" | "local";
  /** The node, or what ssh is given: `root@h1`; of this machine `local`. */
  readonly name: string;
  readonly interfaceName?: string;
}

const part = /^[\w][\w.-]*$/;
const address = /^\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]$/;
const interfacePattern = /^[^\s/:]{1,15}$/;

function interfaceOf(text: string | undefined, whole: string): Pick<MachineName, "interfaceName"> {
  if (text === undefined) return {};
  if (interfacePattern.test(text)) return { interfaceName: text };
  throw invalid(whole, `"${text}" is no name of an interface`);
}

function invalid(text: string, why: string) {
  return usageError(
    `"${text}" names no machine: ${why}`,
    "n1 or n1:eth0 of a lab, ssh:HOST, ssh:USER@HOST:eth0, or local",
    "MACHINE_INVALID",
  );
}

/** `[USER@]HOST[:INTERFACE]` */
function sshName(text: string, whole: string): MachineName {
  const at = text.lastIndexOf("@");
  const user = at < 0 ? undefined : text.slice(0, at);
  if (user !== undefined && !part.test(user)) throw invalid(whole, `"${user}" is no user`);
  const match = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/.exec(text.slice(at + 1));
  const [, host = "", rest] = match ?? [];
  const bare = address.exec(host)?.[1] ?? (part.test(host) ? host : undefined);
  if (bare === undefined) throw invalid(whole, host === "" ? "the host is missing" : `"${host}" is no host`);
  return {
    ...{ kind: "ssh", name: user === undefined ? bare : `${user}@${bare}` },
    ...interfaceOf(rest, whole),
  };
}

/** Reads a name. Throws a usage error MACHINE_INVALID. */
export function parseMachine(text: string): MachineName {
  if (text.startsWith("ssh:")) return sshName(text.slice(4), text);
  if (text.includes("@")) return sshName(text, text);
  const [name = "", interfaceName, more] = text.split(":");
  if (name === "" || more !== undefined) throw invalid(text, "it is NAME or NAME:INTERFACE");
  return { kind: name === "local" ? "local" : "node", name, ...interfaceOf(interfaceName, text) };
}
