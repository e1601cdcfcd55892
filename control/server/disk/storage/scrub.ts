// Looks at every block of every copy: scrub repairs what it finds from a good copy, verify only says it.
//
// - Nothing moves but digests: each member computes its own from the bytes, and says what it has stored.
//   A block whose bytes are not those of its digest is rotten; blocks that are each in order and differ
//   between members are a mismatch, which no fault that is known leaves: of these the first in the list
//   counts.
// - Rate-limited, in bytes a second of the storage; a chunk is held against writers while it is looked at.
// - From any block on: whoever knows where one was goes on with it (scrubbing.ts).

import { BLOCK_BYTES } from "../disk.js";
import { DiskError } from "../errors.js";
import type { Part } from "./algorithm.js";
import type { Core } from "./core.js";
import { differingRuns } from "./digest-runs.js";
import type { Run } from "./dirty-map.js";
import type { MemberLink } from "./member-link.js";
import { CHUNK_BLOCKS_IDLE } from "./policy.js";
import { sourcesOf } from "./reads.js";
import { repair } from "./repair.js";

export interface ScrubReport {
  /** Blocks of the storage that were looked at, those before `from` counted in. */
  blocks: number;
  /** Blocks of members that were bad and are given others' bytes. */
  mended: number;
  readonly members: readonly MemberReport[];
}

export interface MemberReport {
  readonly node: string;
  readonly path: string;
  /** Blocks whose bytes are not what was written. */
  rotten: number;
  /** Blocks that differ from the first copy. */
  differing: number;
}

export interface ScrubOptions {
  readonly repairs: boolean;
  /** Asked for each chunk. */
  readonly bytesPerSecond: () => number;
  readonly from?: number;
  /** Told now and then how far it is. */
  readonly progress?: (report: ScrubReport) => void;
}

export async function scrub(core: Core, options: ScrubOptions): Promise<ScrubReport> {
  const { bytesPerSecond, repairs, progress, from = 0 } = options;
  const reports = new Map<MemberLink, MemberReport>();
  for (const member of core.members) {
    const { node, path, isWitness } = member.entry;
    if (!isWitness) reports.set(member, { node, path, rotten: 0, differing: 0 });
  }
  const report: ScrubReport = { blocks: from, mended: 0, members: [...reports.values()] };
  while (report.blocks < core.facts.blocks) {
    const beganAt = core.now();
    const block = report.blocks;
    const blocks = Math.min(CHUNK_BLOCKS_IDLE, core.facts.blocks - block);
    for (const part of core.algorithm.parts(core.entries, block, blocks))
      report.mended += await lookAt(core, part, reports, repairs);
    report.blocks += blocks;
    progress?.(report);
    const due = (blocks * BLOCK_BYTES * 1000) / bytesPerSecond() - (core.now() - beganAt);
    if (due > 0) await core.pause(due);
  }
  return report;
}

/** One part on every copy, tried again when a member goes meanwhile; answers how many blocks it mends. */
async function lookAt(
  core: Core,
  part: Part,
  reports: ReadonlyMap<MemberLink, MemberReport>,
  repairs: boolean,
): Promise<number> {
  for (;;) {
    await core.gate();
    const release = await core.locks.acquire(part.block, part.blocks, false);
    try {
      return await compare(core, part, reports, repairs);
    } catch (error) {
      if (core.ended !== null || !(error instanceof DiskError) || error.code !== "DISK_SILENT") throw error;
    } finally {
      release();
    }
  }
}

async function compare(
  core: Core,
  part: Part,
  reports: ReadonlyMap<MemberLink, MemberReport>,
  repairs: boolean,
): Promise<number> {
  const members = part.members
    .flatMap((place) => core.members[place] ?? [])
    .filter((member) => sourcesOf(core, part).includes(member));
  const digestsOf = (member: MemberLink, isRead: boolean): Promise<Uint8Array> =>
    core.ask(member, (port) => port.digests(core.epoch, part.memberBlock, part.blocks, isRead));
  const found = await Promise.all(
    members.map(async (member) => {
      const [stored, computed] = await Promise.all([digestsOf(member, false), digestsOf(member, true)]);
      return { member, stored, computed };
    }),
  );
  const first = found[0];
  const run: Run = { block: part.memberBlock, blocks: part.blocks };
  let mended = 0;
  for (const { member, stored, computed } of found) {
    const report = reports.get(member);
    const rotten = blocksOf(differingRuns(stored, computed, run));
    const differing = first === undefined ? [] : blocksOf(differingRuns(first.stored, stored, run));
    if (report !== undefined) {
      report.rotten += rotten.length;
      report.differing += differing.length;
    }
    const bad = [...new Set([...rotten, ...differing])];
    if (!repairs || bad.length === 0 || members.length < 2) continue;
    repair(core, member, part, bad);
    mended += bad.length;
  }
  return mended;
}

const blocksOf = (runs: Iterable<Run>): number[] =>
  [...runs].flatMap(({ block, blocks }) => Array.from({ length: blocks }, (_, at) => block + at));
