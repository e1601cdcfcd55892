// `proteus disk attach`, `detach`, `replace`, `grow`, `move`, `scrub`, `verify`, `resync`, `heal`, `mark`:
// what is done to a disk that is there, while it is used.
//
// - A member is named NODE, when the disk has one there, or NODE:PATH.
// - What takes a new medium attaches it first, and detaches it when the disk does not take it.

import { setTimeout as pause } from "node:timers/promises";
import type { GivenMember } from "../../interface/disk.js";
import { changedSchema, type StorageChange, type StorageJob } from "../../interface/storage.js";
import { exitCodes, ProteusError, usageError } from "../../kernel/errors.js";
import { emit } from "../output.js";
import { parseRate, parseSize } from "../quantity.js";
import { findBranches } from "./branches.js";
import { confirm } from "./confirm.js";
import { attachMedium, detachMedia, parsePlace, type RoomOptions, roomOf, sizeMost } from "./create.js";
import { withLoop } from "./loop.js";
import {
  capabilityOfStorage,
  type DiskOptions,
  type DiskSession,
  describe,
  type FoundStorage,
  findStorage,
  onDisks,
  patiently,
  storageCalls,
} from "./session.js";
import { untilWhole } from "./show.js";

/** A change waits for members. */
const changeMs = 60_000;
/** Between two looks at what has come of one. */
const againMs = 300;

export interface ChangeOptions extends DiskOptions, RoomOptions {
  readonly yes?: boolean;
  readonly wait?: boolean;
}

interface Wanted {
  readonly command: string;
  readonly name: string;
  readonly said: string;
  readonly options: ChangeOptions;
}

/** NODE:PATH of the member that a text names. */
async function memberOf(session: DiskSession, storage: FoundStorage, text: string): Promise<string> {
  const { storage: document, witnesses } = await describe(session, storage);
  const all = [...document.members, ...witnesses].map(({ node, path }) => ({
    node,
    name: `${node}:${path}`,
  }));
  const found = all.filter(({ node, name }) => name === text || node === text);
  const [only, second] = found;
  if (only !== undefined && second === undefined) return only.name;
  throw new ProteusError({
    code: "DISK_MEMBER",
    exit: only === undefined ? exitCodes.notFound : exitCodes.usage,
    message:
      only === undefined ? `${text} is no member of ${document.name}` : `${text} is more than one member`,
    why: `its members are ${all.map(({ name }) => name).join(", ")}`,
    unchanged: "nothing was done",
    hint: "name one as NODE:PATH",
  });
}

/** Has something done, and waits for it; answers what came of it. */
export async function send(
  session: DiskSession,
  storage: FoundStorage,
  change: StorageChange,
): Promise<object> {
  const calls = storageCalls(session, capabilityOfStorage(storage));
  const { result } = await patiently(session, () => calls.change({ change }, { deadMs: changeMs }));
  return ended(session, storage, changedSchema.parse(result).job);
}

/** What came of an operation, when it has ended; it is waited for as long as the session waits. */
async function ended(session: DiskSession, storage: FoundStorage, begun: StorageJob): Promise<object> {
  const end = Date.now() + session.patienceMs;
  let job = begun;
  while (job.state === "running" && job.operation !== "scrub" && Date.now() < end) {
    await pause(againMs);
    const { jobs } = await describe(session, storage);
    job = jobs.find(({ number }) => number === begun.number) ?? job;
  }
  const { operation, state, result } = job;
  if (state === "done") return result;
  if (state === "running") return { ...result, running: true };
  throw new ProteusError({
    code: typeof result.code === "string" ? result.code : "DISK_GONE",
    exit: exitCodes.degraded,
    message: `${operation} of ${storage.name} did not succeed`,
    why: typeof result.why === "string" ? result.why : undefined,
    hint: `proteus disk show ${storage.name} says how it is now`,
  });
}

async function done(
  { command, name, said, options }: Wanted,
  work: (session: DiskSession, storage: FoundStorage) => Promise<object>,
): Promise<void> {
  await onDisks(options, async (session) => {
    const result = await work(session, await findStorage(session, name));
    if (options.wait === true) await untilWhole(session, name);
    emit(`disk ${command}`, options.json, { name, ...result }, () => textOf(said, result));
  });
}

/** What was done, and what came of it as far as there is something to tell. */
function textOf(said: string, result: object): string {
  const told = Object.entries(result).map(([key, value]) => `  ${key}: ${JSON.stringify(value)}`);
  return [said, ...told].join("\n");
}

/** Does something with a new medium; when it is not taken the medium is detached again. */
async function withMedium(
  session: DiskSession,
  storage: FoundStorage,
  text: string,
  options: RoomOptions,
  work: (member: GivenMember) => Promise<object>,
): Promise<object> {
  const { storage: document } = await describe(session, storage);
  const place = parsePlace(text);
  const member = await attachMedium(session, place, roomOf(options, document.size));
  try {
    return await work(member);
  } catch (error) {
    await detachMedia(session, [member]);
    throw await withLoop(session, document.name, place.path, error);
  }
}

export const attach = (name: string, place: string, options: ChangeOptions): Promise<void> =>
  done({ command: "attach", name, said: `${place} is a member of ${name}`, options }, (session, storage) =>
    withMedium(session, storage, place, options, (member) =>
      send(session, storage, { operation: "attach", member }),
    ),
  );

export const detach = (name: string, text: string, options: ChangeOptions): Promise<void> =>
  done(
    { command: "detach", name, said: `${text} is no member of ${name} any more`, options },
    async (session, storage) => {
      const member = await memberOf(session, storage, text);
      return send(session, storage, { operation: "detach", member });
    },
  );

export const replace = (name: string, text: string, place: string, options: ChangeOptions): Promise<void> =>
  done(
    { command: "replace", name, said: `${place} takes the place of ${text}`, options },
    async (session, storage) => {
      const member = await memberOf(session, storage, text);
      return withMedium(session, storage, place, options, (by) =>
        send(session, storage, { operation: "replace", member, by }),
      );
    },
  );

export const grow = (name: string, options: ChangeOptions & { readonly size: string }): Promise<void> =>
  done({ command: "grow", name, said: `${name} has ${options.size} now`, options }, (session, storage) =>
    send(session, storage, { operation: "grow", size: parseSize(options.size, sizeMost) }),
  );

/** Ends when the other machine serves it. */
async function untilServedBy(session: DiskSession, storage: FoundStorage, node: string): Promise<object> {
  const end = Date.now() + session.patienceMs;
  let at = "nobody";
  while (Date.now() < end) {
    const left = Math.max(1, Math.min(2000, end - Date.now()));
    const found = await describe({ ...session, patienceMs: left }, storage).catch((error: unknown) => {
      if (error instanceof ProteusError) return null; // between the two
      throw error;
    });
    at = found?.node ?? "nobody";
    if (at === node) return { node };
    await pause(againMs);
  }
  throw new ProteusError({
    code: "DISK_WAIT",
    exit: exitCodes.degraded,
    message: `${storage.name} is not served by ${node}`,
    why: `${at} serves it`,
    unchanged: "what is on it",
    hint: `proteus disk show ${storage.name}; then try again`,
  });
}

export const move = (name: string, node: string, options: ChangeOptions): Promise<void> =>
  done({ command: "move", name, said: `${node} serves ${name}`, options }, async (session, storage) => {
    const { storage: document, witnesses } = await describe(session, storage);
    const nodes = [...document.members, ...witnesses].map((each) => each.node);
    if (!nodes.includes(node))
      throw new ProteusError({
        code: "DISK_MEMBER",
        exit: exitCodes.notFound,
        message: `${node} has no member of ${name}`,
        why: `its members are on ${[...new Set(nodes)].join(", ")}, and one of these serves it`,
        unchanged: "nothing was done",
        hint: `proteus disk attach ${name} ${node}:/PATH, then move it`,
      });
    await send(session, storage, { operation: "move", node });
    return untilServedBy(session, storage, node);
  });

export const scrub = (name: string, options: ChangeOptions & { readonly rate?: string }): Promise<void> => {
  const rate = options.rate === undefined ? {} : { bytesPerSecond: parseRate(options.rate) };
  return done({ command: "scrub", name, said: `${name} is being scrubbed`, options }, (session, storage) =>
    send(session, storage, { operation: "scrub", ...rate }),
  );
};

export const verify = (name: string, options: ChangeOptions): Promise<void> =>
  done(
    { command: "verify", name, said: `the members of ${name} were compared`, options },
    (session, storage) => send(session, storage, { operation: "verify" }),
  );

export const resync = (name: string, text: string, options: ChangeOptions): Promise<void> =>
  done(
    { command: "resync", name, said: `${text} is compared with the others from end to end`, options },
    async (session, storage) => {
      const member = await memberOf(session, storage, text);
      return send(session, storage, { operation: "resync", member });
    },
  );

export interface HealOptions extends ChangeOptions {
  readonly keep?: string | undefined;
}

export async function heal(name: string, options: HealOptions): Promise<void> {
  const { keep, yes = false } = options;
  const said = keep === undefined ? `${name} has one history` : `${name} has one history: ${keep}'s`;
  await done({ command: "heal", name, said, options }, async (session, storage) => {
    const member = keep === undefined ? undefined : await memberOf(session, storage, keep);
    const what = member === undefined ? "the one that is served" : `that of ${member}`;
    await confirm(name, `Of two histories of ${name} ${what} counts from now on`, yes);
    if (member !== undefined) await checkNotGone(session, storage, member);
    return send(session, storage, { operation: "heal", ...(member === undefined ? {} : { keep: member }) });
  });
}

/** A history that went already cannot be kept; it lies in a branch. */
async function checkNotGone(session: DiskSession, storage: FoundStorage, member: string): Promise<void> {
  const { storage: document } = await describe(session, storage);
  if (document.state === "split-brain" || document.state === "failed") return;
  const branches = await findBranches(session);
  const kept = branches.findLast(
    ({ age, node, path, state }) => age === storage.age && `${node}:${path}` === member && state === "kept",
  );
  if (kept === undefined) return;
  throw new ProteusError({
    code: "DISK_BRANCH",
    exit: exitCodes.failed,
    message: `${storage.name} is healed already, and goes on with another history than that of ${member}`,
    why: `what ${member} had of its own is kept as branch ${kept.id} on ${kept.holder.node}`,
    unchanged: "nothing was done",
    hint: `proteus disk branch export ${storage.name} ${kept.id} -o FILE; take files from it, or write it to the disk`,
  });
}

export async function mark(name: string, text: string, as: string, options: ChangeOptions): Promise<void> {
  if (as !== "clean" && as !== "dirty")
    throw usageError(`a member cannot be marked "${as}"`, "clean or dirty");
  await done(
    { command: "mark", name, said: `${text} is marked ${as}`, options },
    async (session, storage) => {
      const member = await memberOf(session, storage, text);
      if (as === "clean")
        await confirm(
          name,
          `${member} is taken to have all of ${name}, whatever it has`,
          options.yes ?? false,
        );
      return send(session, storage, { operation: "mark", member, as });
    },
  );
}
