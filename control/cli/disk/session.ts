// What every command for disks has: the disk servers of the pool, and the storage that a name means.
//
// - Disk servers: --server (a capability, @FILE, or NODE; may be repeated), else those that the
//   machines of the lab gave out. Each is asked which storages it knows; those that do not answer
//   are passed over.
// - A storage is asked under its own port, whichever machine serves it now, and is waited for while
//   that changes: --timeout at most.

import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "@commander-js/extra-typings";
import { type Capability, parseCapability } from "../../capability/capability.js";
import { diskTable, type KnownStorage, knownStoragesSchema } from "../../interface/disk.js";
import { type Described, describedSchema, storageTable } from "../../interface/storage.js";
import type { CallOptions, Transact } from "../../kernel/calls.js";
import { exitCodes, ProteusError, usageError } from "../../kernel/errors.js";
import type { Kernel } from "../../kernel/kernel.js";
import { requireLab, runningLabs } from "../../lab/lab.js";
import { isPassing } from "../../server/disk/statuses.js";
import { stub } from "../../stub/client.js";
import { type CallingOptions, calling } from "../calling.js";
import { withAccess } from "../control-access.js";
import { collect } from "../foreground.js";
import { offlineKernel } from "../package-files.js";
import { parseDuration } from "../quantity.js";
import { givenInLab, parseTarget } from "../target.js";

export interface DiskOptions extends CallingOptions {
  readonly server: readonly string[];
}

export const diskHelp = `
Disk servers: those of the lab's machines, or --server CAPABILITY, @FILE or NODE, once for each.
The calls go through the control daemon; with --interface, inside a lab's machine, or without a
daemon they need no one's help.`;

export const diskExitHelp = `
Exit codes: 1 when it was not done, 2 usage, 3 when there is no such disk, 4 when a capability does
not allow it, 5 when nobody answers, 6 when the disk is not whole.`;

/** Adds the options of all commands for disks. */
export function withDisks(command: Command, timeout = "10s"): Command {
  command
    .option("--server <place>", "a disk server: capability, @FILE or NODE; may be repeated", collect, [])
    .option("--interface <name>", "network to call on, without a daemon; may be repeated", collect, []);
  return withAccess(command)
    .option("--timeout <duration>", "how long what does not answer is waited for", timeout)
    .option("--json", "one JSON document on stdout", false) as unknown as Command;
}

/** A disk server, by the machine that it is of. */
export interface DiskServerAt {
  readonly node: string;
  readonly capability: Capability;
}

export interface DiskSession {
  readonly via: Kernel | Transact;
  readonly servers: readonly DiskServerAt[];
  readonly patienceMs: number;
}

const call: CallOptions = { locateTimeoutMs: 1500, deadMs: 2000, pollMs: 300 };
const againMs = 300;

async function serversOf({ server, ...options }: DiskOptions): Promise<readonly DiskServerAt[]> {
  if (server.length > 0)
    return Promise.all(
      server.map(async (text) => ({ node: text, capability: await parseTarget(text, "disk", options) })),
    );
  const hasLab = options.lab !== undefined || process.env.PROTEUS_LAB || runningLabs().length > 0;
  const found = hasLab ? givenInLab(requireLab(options.lab), "disk") : [];
  if (found.length > 0) return found;
  throw usageError(
    "it is not known where disk servers are",
    "give their capabilities: --server @FILE, once for each machine (proteus node start prints them)",
    "DISK_SERVERS",
  );
}

/** Runs `work` with the disk servers of the pool. */
export async function onDisks<Result>(
  options: DiskOptions,
  work: (session: DiskSession) => Promise<Result>,
): Promise<Result> {
  const patienceMs = Math.ceil(parseDuration(options.timeout));
  const servers = await serversOf(options);
  return calling(options, (via) => work({ via, servers, patienceMs }));
}

export const diskCalls = ({ via }: DiskSession, capability: Capability) =>
  stub(via, diskTable, capability, call);

export const storageCalls = ({ via }: DiskSession, capability: Capability) =>
  stub(via, storageTable, capability, call);

/** The disk server of a machine. */
export function serverOf({ servers }: DiskSession, node: string): DiskServerAt {
  const found = servers.find((each) => each.node === node);
  if (found !== undefined) return found;
  throw new ProteusError({
    code: "DISK_SERVER_UNKNOWN",
    exit: exitCodes.notFound,
    message: `no disk server of ${node} is known`,
    why: `those of ${servers.map((each) => each.node).join(", ")} are`,
    unchanged: "nothing was done",
    hint: "proteus node list shows the machines; one without a state folder has no disk server",
  });
}

/** A storage, and the machines that know it. */
export interface FoundStorage extends KnownStorage {
  readonly nodes: readonly string[];
}

/** All storages that the servers know, each once. */
export async function findStorages(session: DiskSession): Promise<readonly FoundStorage[]> {
  const answers = await Promise.all(
    session.servers.map(async ({ capability }) => {
      try {
        const { storages } = await diskCalls(session, capability).storages();
        return [knownStoragesSchema.parse(storages)];
      } catch (error) {
        if (error instanceof ProteusError && error.code.startsWith("RPC_")) return []; // it is off
        throw error;
      }
    }),
  );
  if (answers.every((each) => each.length === 0)) throw nobodyAnswers(session);
  const found = new Map<string, FoundStorage>();
  for (const { node, storages } of answers.flat())
    for (const storage of storages) {
      const before = found.get(storage.age);
      const nodes = [...(before?.nodes ?? []), node];
      // What keeps it from being served is worth knowing only while nobody serves it.
      const told = before?.served === true ? before : storage;
      found.set(storage.age, { ...told, nodes });
    }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function nobodyAnswers({ servers }: DiskSession): ProteusError {
  return new ProteusError({
    code: "DISK_SERVERS",
    exit: exitCodes.unreachable,
    message: "no disk server answers",
    why: `${servers.map(({ node }) => node).join(", ")} were asked`,
    hint: "proteus node list shows which machines are up",
  });
}

/** The storage of a name, or of the first digits of an age. */
export async function findStorage(session: DiskSession, name: string): Promise<FoundStorage> {
  const all = await findStorages(session);
  const named = all.filter((each) => each.name === name);
  const found = named.length > 0 ? named : all.filter(({ age }) => name.length >= 8 && age.startsWith(name));
  const [only, second] = found;
  if (only !== undefined && second === undefined) return only;
  if (only !== undefined)
    throw new ProteusError({
      code: "DISK_AMBIGUOUS",
      exit: exitCodes.usage,
      message: `several disks are called ${name}`,
      why: `their ages are ${found.map(({ age }) => age).join(", ")}`,
      unchanged: "nothing was done",
      hint: "give the first digits of the age of the one that is meant, at least 8",
    });
  throw new ProteusError({
    code: "DISK_UNKNOWN",
    exit: exitCodes.notFound,
    message: `there is no disk ${name}`,
    why:
      all.length === 0
        ? "no machine that answers has one"
        : `there are ${all.map((each) => each.name).join(", ")}`,
    hint: "proteus disk list; machines that are off are not asked",
  });
}

export const capabilityOfStorage = ({ capability }: Pick<KnownStorage, "capability">): Capability =>
  parseCapability(offlineKernel(), capability);

/** Asks again while the machine that serves is another one, for as long as the session waits. */
export async function patiently<Result>(
  { patienceMs }: DiskSession,
  ask: () => Promise<Result>,
): Promise<Result> {
  const end = Date.now() + patienceMs;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error) || Date.now() + againMs >= end) throw error;
    }
    await pause(againMs);
  }
}

/** What a storage says of itself. */
export async function describe(session: DiskSession, storage: KnownStorage): Promise<Described> {
  const calls = storageCalls(session, capabilityOfStorage(storage));
  try {
    const { storage: document } = await patiently(session, () => calls.describe());
    return describedSchema.parse(document);
  } catch (error) {
    if (!(error instanceof ProteusError)) throw error;
    const { code, exit, hint } = error;
    throw new ProteusError({
      ...{ code, exit: exit === exitCodes.ok ? exitCodes.unreachable : exit, cause: error },
      message: `the disk ${storage.name} is not served`,
      why: storage.why ?? error.why,
      unchanged: "what is on its media",
      hint,
    });
  }
}
