// Looks through the extents in which writes were under way when the last server, or the only copy, ended:
// what disagrees with its digest is given a copy that agrees, or is taken as it is.
//
// - Until it is done the records keep the extents (`unsure`), so that the next server does the same.
// - In the background; readers who come first do it for their own blocks (reads.ts).

import { BLOCK_BYTES } from "../disk.js";
import { DiskError } from "../errors.js";
import { hasBit } from "../member/maps.js";
import { extentBlocksOf } from "../member/record.js";
import type { Part } from "./algorithm.js";
import type { Core } from "./core.js";
import { differingRuns } from "./digest-runs.js";
import { emptyMap, isEmptyMap, runsOf } from "./extents.js";
import type { MemberLink } from "./member-link.js";
import { readPart, sourcesOf } from "./reads.js";
import { repair } from "./repair.js";

const chunkBlocks = 256;

/** The parts of the storage that some extents of its members are. */
function* partsIn(core: Core, map: Uint8Array): Generator<Part> {
  const { blocks } = core.facts;
  for (const part of core.algorithm.parts(core.entries, 0, blocks))
    for (const run of runsOf(map, blocks)) {
      const end = Math.min(run.block + run.blocks, part.memberBlock + part.blocks);
      for (let at = Math.max(run.block, part.memberBlock); at < end; at += chunkBlocks) {
        const block = part.block + at - part.memberBlock;
        yield { block, blocks: Math.min(chunkBlocks, end - at), memberBlock: at, members: part.members };
      }
    }
}

export async function settleUnsure(core: Core): Promise<void> {
  const map = core.unsure;
  while (core.ended === null && core.unsure === map && !isEmptyMap(map)) {
    try {
      for (const part of partsIn(core, map)) await settlePart(core, part);
      // A member that went on has in its cache what an earlier server's clients wrote: not on its medium yet.
      const sources = core.members.filter(({ isSource }) => isSource);
      await Promise.all(sources.map((each) => core.ask(each, (port) => port.flush(core.epoch))));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      await core.pause(core.policy.retryMaxMs);
      continue;
    }
    // More may have come meanwhile: then another one is at it.
    if (core.unsure === map) core.unsure = emptyMap(core.facts.blocks);
    core.records.progress();
  }
}

async function settlePart(core: Core, part: Part): Promise<void> {
  const release = await core.locks.acquire(part.block, part.blocks, false);
  try {
    await core.gate();
    for (const member of sourcesOf(core, part)) await settleOn(core, part, member);
  } finally {
    release();
  }
}

/** Before others are compared with the copies in sync. The part must be held against writers. */
export async function settleSources(core: Core, part: Part): Promise<void> {
  const size = extentBlocksOf(core.facts.blocks);
  const first = Math.floor(part.memberBlock / size);
  const last = Math.floor((part.memberBlock + part.blocks - 1) / size);
  for (let extent = first; extent <= last; extent++)
    if (hasBit(core.unsure, extent)) {
      for (const member of sourcesOf(core, part)) await settleOn(core, part, member);
      return;
    }
}

async function settleOn(core: Core, part: Part, member: MemberLink): Promise<void> {
  const [stored, computed] = await Promise.all(
    [false, true].map((isRead) =>
      core.ask(member, (port) => port.digests(core.epoch, part.memberBlock, part.blocks, isRead)),
    ),
  );
  if (stored === undefined || computed === undefined) return;
  for (const { block, blocks } of differingRuns(stored, computed, part))
    for (let at = block; at < block + blocks; at++) {
      const memberBlock = part.memberBlock + at - part.block;
      const one = { ...part, block: at, memberBlock, blocks: 1 };
      if (sourcesOf(core, part).length > 1) repair(core, member, one, []);
      else await readPart(core, one, new Uint8Array(BLOCK_BYTES));
    }
}
