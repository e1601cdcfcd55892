// What may stand where a command takes a value: fixed words, names of what there is now, a file.
//
// - One table, by the command and its argument, or by the option. What is in neither is free: a
//   number, a duration, a text.
// - Read when the program is built (commands.ts), not at a Tab: it loads what it names.

import type { Argument, Option } from "commander";
import { workloadNames } from "../../../simulation/workloads/registry.js";
import { fsSystems, fsTests } from "../../bench/fs/types.js";
import { groupSystems, groupTests, senderChoices } from "../../bench/group/types.js";
import { kernelSystems, kernelTests } from "../../bench/kernel/types.js";
import { links, placements, systems, tests } from "../../bench/types.js";
import { serverTables } from "../../interface/tables.js";
import { formats, levels, schemes } from "../../node/config/settings.js";

/** What there is now, by who is asked for it (names.ts). */
export type Kind =
  | "lab"
  | "node"
  | "tap"
  | "link"
  | "object"
  | "interface"
  | "path"
  /** A disk's name, and NODE:PATH of a member. */
  | "disk"
  | "member";

/** A fixed word, a name of a kind, a file of this machine, or one of the last two; nothing is left to the user. */
export type Value =
  | { readonly words: readonly string[] }
  | { readonly kind: Kind }
  | { readonly path: "file" | "folder" }
  | { readonly kind: Kind; readonly path: "file" | "folder" };

const words = (list: readonly string[]): Value => ({ words: list });
const file: Value = { path: "file" };
const lab: Value = { kind: "lab" };
const node: Value = { kind: "node" };
const poolPath: Value = { kind: "path" };
/** Here or in the pool: which it is, is said by the place among the others. */
const either: Value = { kind: "path", path: "file" };

/** What can be done to a disk that is there. */
const diskCommands = [
  ...["attach", "detach", "replace", "grow", "move", "scrub", "settings", "verify", "resync", "heal", "mark"],
  ...["show", "export", "unexport", "delete"],
];

const ofArguments: Readonly<Record<string, Value>> = {
  "lab up file": file,
  "lab down name": lab,
  "lab exec node": node,
  "lab exec command": file,
  "lab kill node": node,
  "lab start node": node,
  "lab impair link": { kind: "link" },
  "lab apply file": file,
  "lab graph file": file,
  "fs history path": file,
  "put file": either,
  "get path": either,
  ...Object.fromEntries(
    ["cat", "ls", "tree", "find", "du", "stat", "mkdir", "rm", "ln"].map((name) => [
      `${name} path`,
      poolPath,
    ]),
  ),
  "mv from": poolPath,
  "metrics node": node,
  ...Object.fromEntries(diskCommands.map((name) => [`disk ${name} name`, { kind: "disk" } as const])),
  "disk attach place": node,
  "disk replace place": node,
  "disk move node": node,
  "disk detach member": { kind: "member" },
  "disk replace member": { kind: "member" },
  "disk resync member": { kind: "member" },
  "disk mark member": { kind: "member" },
  "disk mark as": words(["clean", "dirty"]),
  "node show name": node,
  "node drain name": node,
  "node undrain name": node,
  "node forget name": node,
  "capture node": { kind: "tap" },
  "bench name": words(tests),
  "bench fs name": words(fsTests),
  "bench group name": words(groupTests),
  "bench kernel name": words(kernelTests),
  ...Object.fromEntries(
    ["mount", "umount", "status", "log", "verify", "disconnect", "connect"].map((name) => [
      `fs ${name} mountpoint`,
      { path: "folder" } as const,
    ]),
  ),
  ...Object.fromEntries(
    ["add", "remove", "list"].map((name) => [`fs hoard ${name} path`, { path: "file" } as const]),
  ),
  "link key file": file,
  "link public file": file,
  "bench compare before": file,
  "bench compare after": file,
};

/** Of one command, or of all that have the option. */
const ofOptions: Readonly<Record<string, Value>> = {
  "--lab": lab,
  "--interface": { kind: "interface" },
  "lab apply --name": lab,
  "put --server": node,
  ...Object.fromEntries([...diskCommands, "create", "list"].map((name) => [`disk ${name} --server`, node])),
  "disk create --member": node,
  "disk create --witness": node,
  "disk create --algorithm": words(["mirror", "linear"]),
  "disk create --ack": words(["all", "quorum", "one"]),
  "disk create --serve": words(["majority", "any"]),
  "disk export --on": node,
  "disk unexport --on": node,
  "disk create --on-split": words(["keep", "ask"]),
  "disk heal --keep": { kind: "member" },
  "disk settings --scrub-every": words(["never"]),
  "disk create --scrub-every": words(["never"]),
  "disk show --wait": words(["in-sync"]),
  "disk export --nbd": words(["unix:", "tcp:"]),
  "fs volume create --conflicts": words(["both", "server", "client", "newest", "program"]),
  "fs volume share --rights": words(["read", "read,write"]),
  "serve vice --merge": file,
  "fs mount --mode": words(["replica", "on-demand"]),
  "fs mount --permit": words(["auto", "never"]),
  "fs volume create --semantics": words(["session", "strict"]),
  "gc --server": { kind: "object" },
  "gc --also": { kind: "object" },
  "find --type": words(["d", "f", "o", "l"]),
  "bench --between": node,
  "bench --system": words(systems),
  "bench --link": words(links),
  "bench --placement": words(placements),
  "bench fs --system": words(fsSystems),
  "bench group --system": words(groupSystems),
  "bench group --senders": words(senderChoices),
  "bench kernel --system": words(kernelSystems),
  "simulate --workload": words(workloadNames),
  "--log-level": words(levels),
  "--log-format": words(formats),
  "--ready-file": file,
  "--state": { path: "folder" },
  "--capabilities": words(schemes),
  "--server": words(serverTables.map(({ name }) => name)),
  "--control": file,
};

/** What an argument of a command takes; `undefined` when it is free. */
export function valueOfArgument(command: string, argument: Argument): Value | undefined {
  if (argument.argChoices !== undefined) return words(argument.argChoices);
  if (["object", "target", "secrets"].includes(argument.name())) return { kind: "object" };
  return ofArguments[`${command} ${argument.name()}`];
}

/** What an option of a command takes; `undefined` when it is free, or takes nothing. */
export function valueOfOption(command: string, option: Option): Value | undefined {
  if (!option.required && !option.optional) return undefined;
  if (option.argChoices !== undefined) return words(option.argChoices);
  const flag = option.long ?? option.flags;
  const path = /[<[](file|folder)[>\]]/.exec(option.flags)?.[1];
  if (path === "file" || path === "folder") return { path };
  return ofOptions[`${command} ${flag}`] ?? ofOptions[flag];
}
