// Gives a member what it lacks, in the background, while it gets every new write.
//
// - What is known to be lacking is copied; what may be is compared by digests first, those that the target
//   has and those computed anew from its bytes. A run is held against writers while it is copied.
// - A target that was just made a member of a blank medium holds zeros but for what it got since: it need
//   not be asked, and what is zeros need not be copied.
// - Nothing is latched: what is left is what the maps say. A source that goes is replaced by another; when
//   the target goes, the maps stay, and its own activity says what was not flushed.
// - While others use the disk it takes small chunks, one at a time, and rests in between; a limit in
//   bytes a second counts at all times (policy.ts).
// - The member is in sync once its maps are empty, it was flushed, and no write is under way that was
//   begun before: only then may others count on it.

import { BLOCK_BYTES } from "../disk.js";
import { DiskError } from "../errors.js";
import { DIGEST_BYTES } from "../member/port.js";
import type { Part } from "./algorithm.js";
import type { Core } from "./core.js";
import { differingRuns } from "./digest-runs.js";
import type { Run } from "./dirty-map.js";
import type { MemberLink } from "./member-link.js";
import { CHUNK_BLOCKS_BUSY, CHUNK_BLOCKS_IDLE, LANES_MAX } from "./policy.js";
import { readPart, storedDigests } from "./reads.js";
import { store } from "./repair.js";
import { settleSources } from "./settle.js";

/** Of the largest chunk, as a medium has them that holds nothing. */
const zeroDigests = new Uint8Array(CHUNK_BLOCKS_IDLE * DIGEST_BYTES);

const isGoing = (core: Core, member: MemberLink): boolean =>
  core.ended === null && member.entry.state === "syncing" && member.link === "up" && !member.isRemoved;

/** Goes on until the member is in sync, or down; one at a time. */
export async function resync(core: Core, member: MemberLink): Promise<void> {
  if (member.isResyncing) return;
  member.isResyncing = true;
  try {
    while (isGoing(core, member)) {
      try {
        if (await pass(core, member)) break;
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        if (error.code !== "DISK_SILENT" && core.ended === null) core.log(`resync: ${error.message}`);
        // The member may have gone and come back meanwhile, or a source is away: what is left is left.
        await core.pause(core.policy.retryMinMs);
      }
    }
  } finally {
    member.isResyncing = false;
    core.changed.fire();
  }
}

/** Once through the maps. True when the member is in sync. */
async function pass(core: Core, member: MemberLink): Promise<boolean> {
  const total = Math.max(1, member.dirtyBlocks);
  const lowest = member.percent;
  const under = new Set<Promise<void>>();
  let mayGoAt = core.now();
  let savedAt = core.now();
  let failure: unknown = null;
  for (const isCopy of [true, false])
    for (let from = 0; isGoing(core, member) && failure === null; ) {
      const isBusy = core.isUsed;
      const run = (isCopy ? member.copy : member.check).next(
        from,
        isBusy ? CHUNK_BLOCKS_BUSY : CHUNK_BLOCKS_IDLE,
      );
      if (run === null) break;
      from = run.block + run.blocks;
      const beganAt = core.now();
      const work = chunk(core, member, run, isCopy)
        .catch((error: unknown) => {
          failure ??= error;
        })
        .finally(() => under.delete(work));
      under.add(work);
      while (under.size >= (isBusy ? 1 : LANES_MAX)) await Promise.race(under);
      const share = 1 - member.dirtyBlocks / total;
      member.percent = Math.max(member.percent, Math.min(99, Math.floor(lowest + (100 - lowest) * share)));
      if (isBusy) await core.pause(Math.max(1, (core.now() - beganAt) * core.policy.resyncRest));
      const { resyncBytesPerSecond: rate } = core.policy;
      if (rate > 0) mayGoAt = Math.max(mayGoAt, beganAt) + (run.blocks * BLOCK_BYTES * 1000) / rate;
      if (rate > 0 && mayGoAt > core.now()) await core.pause(mayGoAt - core.now());
      if (core.now() - savedAt > core.policy.progressMs) {
        savedAt = core.now();
        core.records.progress();
      }
    }
  await Promise.all(under);
  if (failure !== null) throw failure;
  return finish(core, member);
}

async function chunk(core: Core, member: MemberLink, run: Run, isCopy: boolean): Promise<void> {
  const release = await core.locks.acquire(run.block, run.blocks, false);
  try {
    if (!isGoing(core, member)) return;
    const { doubts } = core;
    const part = partOf(core, member, run);
    if (isCopy) await copyRun(core, member, part);
    else {
      await settleSources(core, part);
      for (const differing of await differingOf(core, member, part, run))
        await copyRun(core, member, partOf(core, member, differing));
    }
    if (core.doubts !== doubts) return; // the source has lost what it was compared by: once more
    member.copy.clear(run.block, run.blocks);
    member.check.clear(run.block, run.blocks);
  } finally {
    release();
  }
}

/** What it has not, by digests: those that it has stored, and those computed anew from its bytes. */
async function differingOf(core: Core, member: MemberLink, part: Part, run: Run): Promise<Iterable<Run>> {
  if (member.isEmpty) return differingRuns(await storedDigests(core, part), zeroDigests, run);
  const [ours, its, computed] = await Promise.all([
    storedDigests(core, part),
    ...[false, true].map((isRead) =>
      core.ask(member, (port) => port.digests(core.epoch, run.block, run.blocks, isRead)),
    ),
  ]);
  if (its === undefined || computed === undefined) throw new RangeError("two digests were asked for");
  // Its bytes may be right and its digest not, of which others would be told once it is in sync.
  for (const each of differingRuns(ours, computed, run)) {
    const at = (each.block - run.block) * DIGEST_BYTES;
    its.set(computed.subarray(at, at + each.blocks * DIGEST_BYTES), at);
  }
  return differingRuns(ours, its, run);
}

function partOf(core: Core, member: MemberLink, { block, blocks }: Run): Part {
  const members = core.members.flatMap((each, place) =>
    each === member || each.entry.isWitness ? [] : [place],
  );
  return { block, blocks, memberBlock: block, members };
}

async function copyRun(core: Core, member: MemberLink, part: Part): Promise<void> {
  const data = new Uint8Array(part.blocks * BLOCK_BYTES);
  const digests = await readPart(core, part, data);
  await store(core, member, part.memberBlock, data, digests, false);
}

/** In sync, when nothing is left. */
async function finish(core: Core, member: MemberLink): Promise<boolean> {
  if (!isGoing(core, member) || member.dirtyBlocks > 0) return false;
  await core.ask(member, (port) => port.flush(core.epoch));
  const release = await core.locks.acquire(0, core.facts.blocks, false);
  try {
    if (!isGoing(core, member) || member.dirtyBlocks > 0) return false;
    member.entry = { ...member.entry, state: "in-sync", since: core.generation };
    member.percent = 100;
    member.earlier = null;
  } finally {
    release();
  }
  core.log(`${member.entry.node}:${member.entry.path} is in sync`);
  core.changed.fire();
  void core.records.commit();
  return true;
}
