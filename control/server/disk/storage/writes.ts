// Writes, zeros and flushes: to every member that is in sync or on its way there, acknowledged as the
// storage's facts say.
//
// - A write holds its range until every member has answered or is out; so overlapping writes happen in
//   one order everywhere, also when the first was acknowledged by a few.
// - With `quorum` and `one` the first in the list of those in sync have to have it, not any: the next
//   server takes the first in the list for the one that counts (decision.ts).
// - What a member has missed is marked in its map before the write ends, and acknowledged only when the
//   records say that the member is out.
// - The only copy may have lost what it has done when it is started anew: what is not acknowledged yet is
//   then sent to it again.
// - A flush that failed is a failed member. On the last copy it is the caller's error instead.

import { BLOCK_BYTES, TRANSFER_BYTES, type WriteOptions, type ZeroOptions } from "../disk.js";
import { DiskError } from "../errors.js";
import type { MemberPort, Sequenced } from "../member/port.js";
import type { Part } from "./algorithm.js";
import type { Core } from "./core.js";
import { acksNeeded } from "./decision.js";
import type { MemberLink } from "./member-link.js";

/** Errors of a request rather than of a member, when nobody else can take it. */
const own = new Set(["DISK_MEDIUM", "DISK_FULL", "DISK_ROT", "DISK_RANGE", "DISK_READ_ONLY", "DISK_SHORT"]);

export function checkRange(core: Core, block: number, blocks: number): void {
  const isWhole = Number.isInteger(block) && Number.isInteger(blocks) && block >= 0 && blocks >= 0;
  if (isWhole && block + blocks <= core.facts.blocks) return;
  throw new DiskError(
    "DISK_RANGE",
    `${blocks} blocks from ${block} on are not whole blocks among ${core.facts.blocks}`,
  );
}

/**
 * Sends until the member has done it, or is out: then `missed` is called before anything else can happen.
 * Rejects for the last copy's own errors, and at the end.
 */
async function deliver<T>(
  core: Core,
  member: MemberLink,
  send: (port: MemberPort) => Promise<T>,
  missed: () => void,
): Promise<boolean> {
  for (;;) {
    if (core.ended !== null) throw core.ended;
    if (!member.isAttached) {
      missed();
      return false;
    }
    if (member.link === "down") {
      await core.changed.wait();
      continue;
    }
    try {
      await core.ask(member, send);
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (core.ended !== null) throw core.ended;
      if (error.code === "DISK_SILENT") continue;
      const isLast = member.entry.state === "in-sync" && !core.isWholeWithout(member);
      if (isLast && own.has(error.code)) throw error;
      core.lose(member, error);
    }
  }
}

type Send = (part: Part, port: MemberPort) => Promise<unknown>;

/** Delivers to the members of the parts; `acked` ends when it may be acknowledged, `ended` when all have answered. */
function spread(
  core: Core,
  parts: readonly Part[],
  send: Send,
  missed: (part: Part, member: MemberLink) => void,
): { readonly acked: Promise<void>; readonly ended: Promise<unknown> } {
  const done = new Map<Part, Set<MemberLink>>(parts.map((part) => [part, new Set()]));
  const isAcked = (): boolean =>
    (core.facts.ack !== "all" || running === 0) &&
    parts.every((part) => {
      const inSync = part.members.flatMap((place) => {
        const member = core.members[place];
        return member?.entry.state === "in-sync" ? [member] : [];
      });
      const first = inSync.slice(0, acksNeeded(core.facts.ack, inSync.length, core.members.length));
      return first.length > 0 && first.every((member) => done.get(part)?.has(member) === true);
    });
  let running = 0;
  let isOver = false;
  let failure: unknown = null;
  let wake = (): void => undefined;
  let finish = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const look = (): void => {
    wake();
    if (running === 0 && isOver) finish();
  };
  const start = (part: Part, member: MemberLink): void => {
    running++;
    const toMember = (port: MemberPort) => send(part, port);
    deliver(core, member, toMember, () => missed(part, member))
      .then(
        (isDone) => {
          if (isDone) done.get(part)?.add(member);
        },
        (error: unknown) => {
          failure ??= error;
        },
      )
      .finally(() => {
        running--;
        look();
      });
  };
  const again = (member: MemberLink): void => {
    for (const part of parts) if (done.get(part)?.delete(member)) start(part, member);
  };
  const acknowledge = async (): Promise<void> => {
    while (failure === null) {
      if (!isAcked()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      if (core.records.isSettled) return;
      await core.records.settled();
    }
    throw failure;
  };
  for (const part of parts)
    for (const place of part.members) {
      const member = core.members[place];
      if (member !== undefined) start(part, member);
    }
  core.unacked.add(again);
  const acked = acknowledge().finally(() => {
    core.unacked.delete(again);
    isOver = true;
    look();
  });
  return { acked, ended };
}

interface Change {
  readonly block: number;
  readonly blocks: number;
  readonly durable: boolean;
  readonly send: (part: Part, port: MemberPort, sequenced: Sequenced) => Promise<void>;
}

/** Until a write may be sent: served, and in a generation that its absent members do not have. */
async function readyToWrite(core: Core): Promise<void> {
  for (;;) {
    await core.gate();
    if (!core.isTurnDue) return;
    core.turnSoon(true);
    await core.records.commit();
  }
}

async function change(core: Core, { block, blocks, durable, send }: Change): Promise<void> {
  const release = await core.locks.acquire(block, blocks, true);
  let sequence: number | null = null;
  let ended: Promise<unknown> = Promise.resolve();
  try {
    await readyToWrite(core);
    sequence = core.begin(durable);
    const sequenced = { epoch: core.epoch, sequence, done: core.done };
    const missed = (part: Part, member: MemberLink) => member.copy.set(part.memberBlock, part.blocks);
    const parts = core.algorithm.parts(core.entries, block, blocks);
    const under = spread(core, parts, (part, port) => send(part, port, sequenced), missed);
    ended = under.ended;
    await under.acked;
  } finally {
    const all = ended.then(() => {
      if (sequence !== null) core.finish(sequence);
      release();
    });
    if (core.facts.ack === "all") await all;
  }
}

export function write(core: Core, block: number, data: Uint8Array, { durable }: WriteOptions): Promise<void> {
  if (data.length > TRANSFER_BYTES) throw new DiskError("DISK_RANGE", "a call writes 1 MiB at most");
  const blocks = data.length / BLOCK_BYTES;
  checkRange(core, block, blocks);
  if (blocks === 0) return Promise.resolve();
  const digests = core.options.digests(data);
  return core.request(() =>
    change(core, {
      ...{ block, blocks, durable },
      send(part, port, sequenced) {
        const at = part.block - block;
        const isAll = part.blocks === blocks;
        return port.write({
          ...sequenced,
          block: part.memberBlock,
          data: isAll ? data : data.subarray(at * BLOCK_BYTES, (at + part.blocks) * BLOCK_BYTES),
          digests: isAll ? digests : digests.subarray(at * 8, (at + part.blocks) * 8),
          durable,
        });
      },
    }),
  );
}

export function zero(core: Core, block: number, blocks: number, options: ZeroOptions): Promise<void> {
  checkRange(core, block, blocks);
  if (blocks === 0) return Promise.resolve();
  const { durable, punch } = options;
  return core.request(() =>
    change(core, {
      ...{ block, blocks, durable },
      send: (part, port, sequenced) =>
        port.zero({ ...sequenced, block: part.memberBlock, blocks: part.blocks, durable, punch }),
    }),
  );
}

/** What has ended before is on the media of those that have to have it. */
export function flush(core: Core): Promise<void> {
  return core.request(async () => {
    // What an absent copy may have lost is not said to be kept while that copy would still be taken for valid.
    await (core.isUnflushed ? readyToWrite(core) : core.gate());
    const { done } = core;
    const parts = core.algorithm.parts(core.entries, 0, core.facts.blocks);
    const { acked, ended } = spread(
      core,
      parts,
      (_part, port) => port.flush(core.epoch),
      () => undefined,
    );
    await acked;
    if (core.isCacheLost) {
      core.isCacheLost = false;
      throw new DiskError(
        "DISK_MEDIUM",
        "the only copy was started anew: writes since the last flush are lost",
      );
    }
    void ended.then(() => core.flushed(done));
  });
}
