// How a command finds a control daemon: --control, else PROTEUS_CONTROL, else the daemons of
// the lab that is named or runs, else the system's.
//
// - Several daemons are tried in turn (control/node/control/client.ts).
// - Without a daemon there may still be a network: whoever can do without one asks `ownKernel`
//   first, which commands given an interface, and those inside a lab's machine, have.
// - What a lab has switched off is down, whether its daemons have noticed or not.

import { existsSync, readFileSync } from "node:fs";
import type { Command } from "@commander-js/extra-typings";
import type { PoolNode } from "../interface/pool.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import { unreadable } from "../kernel/file-errors.js";
import { daemonSockets } from "../lab/daemons.js";
import { tags } from "../lab/exec.js";
import { requireLab, runningLabs } from "../lab/lab.js";
import { type LabState, readNode } from "../lab/state.js";
import { ControlClient } from "../node/control/client.js";
import { type Endpoint, parseEndpoints, systemSocket } from "../node/control/places.js";
import { readToken } from "../node/control/token.js";

/** Which daemon, as options say it. */
export interface Access {
  readonly control?: string | undefined;
  readonly controlCa?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly lab?: string | undefined;
}

/** Daemons, and the lab that they are of. */
export interface Found {
  readonly client: ControlClient;
  readonly lab: LabState | null;
}

/** For the help of commands that ask a daemon. */
export const accessHelp = `
The daemon: --control or PROTEUS_CONTROL (a socket, or https://HOST:PORT with --control-ca and
--token-file; several with commas are tried in turn), else that of the lab that runs, else
this machine's.`;

/** Adds the options that say which daemon is asked. */
export function withAccess(command: Command): Command {
  return command
    .option("--control <place>", "control daemon to ask: its socket, or https://HOST:PORT")
    .option("--control-ca <file>", "PEM file with whose certificates of daemons are believed")
    .option("--token-file <file>", "file with the token of a daemon at an https address")
    .option("--lab <name>", "which lab, when several are running") as unknown as Command;
}

function readAuthority(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw unreadable(`the file of certificates ${path}`, cause, {
      code: "CONTROL_CA",
      unchanged: "nothing was sent",
      hint: "give another file: --control-ca FILE, or PROTEUS_CONTROL_CA",
    });
  }
}

function clientOf(
  endpoints: readonly Endpoint[],
  access: Access,
  timeoutMs: number | undefined,
  hint?: string,
): ControlClient {
  const authority = access.controlCa ?? (process.env.PROTEUS_CONTROL_CA || undefined);
  const tokenFile = access.tokenFile ?? (process.env.PROTEUS_CONTROL_TOKEN_FILE || undefined);
  const remote = endpoints.some(({ kind }) => kind === "tls");
  if (remote && tokenFile === undefined)
    throw new ProteusError({
      code: "CONTROL_TOKEN",
      exit: exitCodes.usage,
      message: "a control daemon at an https address wants a token",
      unchanged: "nothing was sent",
      hint: "give the file that holds it: --token-file FILE, or PROTEUS_CONTROL_TOKEN_FILE",
    });
  return new ControlClient({
    endpoints,
    ...(remote && tokenFile !== undefined ? { token: readToken(tokenFile) } : {}),
    ...(remote && authority !== undefined ? { authority: readAuthority(authority) } : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** The lab that is meant when no daemon is named: the one of --lab or PROTEUS_LAB, or the only one. */
function labMeant({ lab }: Access): LabState | null {
  if (lab !== undefined || process.env.PROTEUS_LAB || runningLabs().length > 0) return requireLab(lab);
  return null;
}

const inLab = (lab: LabState, access: Access, timeoutMs?: number): Found => {
  const { name } = lab.topology;
  const endpoints = daemonSockets(lab.topology).map((path): Endpoint => ({ kind: "unix", path }));
  const hint =
    endpoints.length === 0
      ? `lab ${name} was made without one: control: { daemons: 1 } in its file, then proteus lab apply`
      : `proteus lab start control_1 --lab ${name}`;
  return { client: clientOf(endpoints, access, timeoutMs, hint), lab };
};

/** The daemons to ask. Throws LAB_AMBIGUOUS, LAB_NOT_FOUND, CONTROL_INVALID, CONTROL_TOKEN …. */
export function findControl(access: Access, timeoutMs?: number): Found {
  const named =
    access.control ?? (access.lab === undefined ? process.env.PROTEUS_CONTROL || undefined : undefined);
  if (named !== undefined) return { client: clientOf(parseEndpoints(named), access, timeoutMs), lab: null };
  const lab = labMeant(access);
  if (lab !== null) return inLab(lab, access, timeoutMs);
  const system: Endpoint = { kind: "unix", path: systemSocket() };
  return { client: clientOf([system], access, timeoutMs), lab: null };
}

/** Daemons, if any is named or can be there: else null. */
export function findAnyControl(access: Access, timeoutMs?: number): Found | null {
  if (access.control !== undefined || (access.lab === undefined && process.env.PROTEUS_CONTROL))
    return findControl(access, timeoutMs);
  const lab = labMeant(access);
  if (lab !== null) return (lab.topology.daemons ?? 0) > 0 ? inLab(lab, access, timeoutMs) : null;
  return existsSync(systemSocket()) ? findControl(access, timeoutMs) : null;
}

/** Does this command have a network of its own: interfaces that were named, or a machine of a lab? */
export function ownNetwork(interfaces: readonly string[], access: Access): boolean {
  if (interfaces.length > 0) return true;
  if (access.control !== undefined) return false;
  return Boolean(process.env.PROTEUS_INTERFACE || (process.env[tags.id] && process.env[tags.node]));
}

/** What the lab knows better than its daemons: machines that it has switched off are down. */
export function overlaid(nodes: readonly PoolNode[], lab: LabState | null): readonly PoolNode[] {
  if (lab === null) return nodes;
  const off = lab.topology.nodes.filter(
    ({ name, kind }) => kind !== "host" && readNode(lab.topology.name, name).power === "off",
  );
  const isOff = ({ name }: PoolNode): boolean => off.some((node) => node.name === name);
  const unheard = off.filter(({ name }) => !nodes.some((node) => node.name === name));
  const facts = { state: "down" as const, draining: false, address: "", version: null };
  return [
    ...nodes.map((node): PoolNode => (isOff(node) ? { ...node, state: "down" } : node)),
    ...unheard.map(
      ({ name, kind }): PoolNode => ({ ...facts, name, kind, servers: {}, silentMs: null, status: null }),
    ),
  ];
}
