// What every command for files has: the root, the Bullet servers, and a way to call them.
//
// - New files go to --server (several with commas), else PROTEUS_BULLET, else what stands in
//   /profile/cap/bulletsvr (a server, or a directory of some), else to the Bullet servers of the
//   lab's machines. A server may be given as a path, a capability or NODE.
// - Servers that do not answer are waited for, --timeout at most for each thing that is asked.

import { randomBytes } from "node:crypto";
import type { Command } from "@commander-js/extra-typings";
import { type Capability, capabilityHex } from "../../capability/capability.js";
import { inOrder } from "../../capability/set.js";
import { BulletContents } from "../../files/contents.js";
import { Files } from "../../files/files.js";
import { serversAt } from "../../files/servers.js";
import { replicationTable } from "../../interface/replication.js";
import { toHex } from "../../kernel/bytes.js";
import type { CallOptions, Transact } from "../../kernel/calls.js";
import { ProteusError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { requireLab, runningLabs } from "../../lab/lab.js";
import { after } from "../../node/timer.js";
import { stub } from "../../stub/client.js";
import { Directories } from "../../stub/directories.js";
import { type CallingOptions, calling } from "../calling.js";
import { withAccess } from "../control-access.js";
import { collect } from "../foreground.js";
import { narrate } from "../output.js";
import { parseCount, parseDuration } from "../quantity.js";
import { findRoot, rootHelp } from "../root.js";
import { givenInLab, parseTarget, type TargetAccess } from "../target.js";

export interface FilesOptions extends CallingOptions {
  readonly root?: string | undefined;
}

export interface StoringOptions extends FilesOptions {
  readonly server?: string | undefined;
  readonly copies?: string | undefined;
}

/** Where the name space keeps the Bullet servers, as the original's does. */
export const serversPath = "/profile/cap/bulletsvr";
/** Where it keeps the replication servers. */
const replicationPath = "/profile/cap/replicationsvr";

export const filesHelp = `${rootHelp}
The calls go through the control daemon; with --interface, inside a lab's machine, or without a
daemon they need no one's help.`;

export const storingHelp = `
New files go to the Bullet servers of --server, else of PROTEUS_BULLET, else those that stand in
${serversPath}, else those of the lab's machines. A server that is full or
does not answer is passed over.`;

export const exitHelp = `
Exit codes: 1 when something was not done, 2 usage, 3 when a name is not there, 4 when a
capability does not allow it, 5 when no server answers.`;

/** Adds the options of all commands for files. */
export function withFiles(command: Command): Command {
  command
    .option("--root <capability>", "where paths begin: its capability; several of one set with commas")
    .option("--interface <name>", "network to call on, without a daemon; may be repeated", collect, []);
  return withAccess(command)
    .option("--timeout <duration>", "how long servers that do not answer are waited for", "15s")
    .option("--json", "one JSON document on stdout", false) as unknown as Command;
}

/** Adds those of commands that store files. */
export function withStoring(command: Command): Command {
  return withFiles(
    command
      .option(
        "--server <place>",
        "Bullet server for new files: NODE, path or capability; several with commas",
      )
      .option("--copies <count>", "store each file on so many servers", "1") as unknown as Command,
  );
}

const locateMs = 1500;
const copiesMax = 8;
const tellMs = 500;
const toldMax = 64;
const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    after(milliseconds, resolve);
  });

/** What calls of servers and names need. */
export interface Session {
  readonly via: Kernel | Transact;
  readonly names: Directories;
  readonly pause: (milliseconds: number) => Promise<void>;
  readonly patienceMs: number;
  readonly call: CallOptions;
}

/** Runs `work` with the names of the pool. */
export async function onNames<Result>(
  options: FilesOptions,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const patienceMs = Math.ceil(parseDuration(options.timeout));
  const root = await findRoot(options);
  const call = { locateTimeoutMs: Math.min(locateMs, patienceMs) };
  return calling(options, (via) => {
    const how = { pause, patienceMs, call };
    const names = new Directories(via, root, { ...how, random: (count) => randomBytes(count) });
    return work({ via, names, ...how });
  });
}

/** Runs `work` with the files of the pool. */
export async function onFiles<Result>(
  options: StoringOptions,
  work: (files: Files) => Promise<Result>,
): Promise<Result> {
  const copies = parseCount(options.copies ?? "1", copiesMax);
  return onNames(options, async ({ via, names, ...how }) => {
    const damaged = new Map<string, Capability>();
    const contents = new BulletContents(via, {
      ...{ ...how, copies },
      servers: () => bulletServers(options, names),
      damaged: (copy) => void damaged.set(capabilityHex(copy), copy),
    });
    try {
      return await work(new Files(names, contents));
    } finally {
      if (damaged.size > 0) await tellDamaged([...damaged.values()], options, via, names);
    }
  });
}

/** Tells a replication server of copies that could not be read; the rest is its business. */
async function tellDamaged(
  copies: readonly Capability[],
  options: StoringOptions,
  via: Kernel | Transact,
  names: Directories,
): Promise<void> {
  let told = 0;
  try {
    for (const server of await serversIn(options, names, replicationPath, "replication")) {
      const calls = stub(via, replicationTable, server, { locateTimeoutMs: tellMs });
      for (const file of copies.slice(0, toldMax)) await calls.damaged({ file });
      told++;
    }
  } catch (error) {
    if (!(error instanceof ProteusError)) throw error; // what was asked for has been done
  }
  const what = copies.length === 1 ? "one copy of a file" : `${copies.length} copies of files`;
  const next = told > 0 ? "it will be mended" : "no replication server knows: proteus bullet check NODE";
  narrate(`${what} could not be read on ${portsText(copies)}, and another was read; ${next}`);
}

const portsText = (copies: readonly Capability[]): string =>
  [...new Set(copies.map(({ port }) => toHex(port)))].join(", ");

/** The Bullet servers for new files; none when none is known. */
async function bulletServers(options: StoringOptions, names: Directories): Promise<readonly Capability[]> {
  const named = options.server ?? (process.env.PROTEUS_BULLET || undefined);
  if (named !== undefined) {
    const servers: Capability[] = [];
    for (const each of named.split(",").map((text) => text.trim()))
      if (each.startsWith("/")) servers.push(...inOrder(await names.lookup(each)));
      else servers.push(await parseTarget(each, "bullet", options));
    return servers;
  }
  return serversIn(options, names, serversPath, "bullet");
}

/** Servers of a kind: those that stand at a path, else those of the lab's machines. */
async function serversIn(
  options: StoringOptions,
  names: Directories,
  path: string,
  server: string,
): Promise<readonly Capability[]> {
  const known = await serversAt(path, names);
  if (known.length > 0) return known;
  const hasLab = options.lab !== undefined || process.env.PROTEUS_LAB || runningLabs().length > 0;
  return hasLab ? givenInLab(requireLab(options.lab), server).map(({ capability }) => capability) : [];
}

/** The capability that a path stands for, as a target of any command. */
export async function lookUp(path: string, access: TargetAccess): Promise<Capability> {
  const defaults = { interface: [], timeout: "15s", json: false };
  const [first] = await onFiles({ ...defaults, ...access }, async (files) =>
    inOrder(await files.names.lookup(path)),
  );
  if (first !== undefined) return first;
  throw new Error(`${path} stands for nothing`);
}
