// Two histories: the loser's blocks are saved as a branch before it becomes a copy of the winner.
//
// - The side that serves wins. A person says otherwise with heal, which opens the storage anew with a
//   member named (operations.ts); so it works from any side.
// - Without a place for branches, or when the storage's policy is `ask`, the loser is left as it is, and
//   DISK_SPLIT says so, until a person heals it.
// - A branch holds the blocks that the loser has, and that the winner has not or has otherwise.

import { BLOCK_BYTES } from "../disk.js";
import { DiskError } from "../errors.js";
import type { MemberRecord } from "../member/record.js";
import type { Core } from "./core.js";
import { differingRuns } from "./digest-runs.js";
import type { MemberLink } from "./member-link.js";
import { isHoleAt, storedDigests } from "./reads.js";

const chunkBlocks = 256;

/** Saves what a member has of its own. Rejects with DISK_SPLIT when a person has to decide first. */
export async function saveBranch(core: Core, member: MemberLink, record: MemberRecord): Promise<void> {
  const { branches } = core.options;
  const isAllowed = core.facts.onSplit === "keep" || member.isHealing;
  if (branches === undefined || !isAllowed)
    throw new DiskError("DISK_SPLIT", "it has a history of its own; say which side counts with heal");
  const { age, name, blocks } = core.facts;
  const { generation } = record;
  const branch = await branches.create({ age, name, member: member.entry.id, generation, blocks });
  const members = core.members.flatMap((each, place) =>
    each === member || each.entry.isWitness ? [] : [place],
  );
  let saved = 0;
  for (let block = 0; block < blocks; block += chunkBlocks) {
    const run = { block, blocks: Math.min(chunkBlocks, blocks - block) };
    const ours = await storedDigests(core, { ...run, memberBlock: block, members });
    const its = await member.port.digests(core.epoch, block, run.blocks, true);
    for (const differing of differingRuns(ours, its, run))
      for (let at = differing.block; at < differing.block + differing.blocks; at++) {
        if (isHoleAt(its, at - block)) continue;
        const data = new Uint8Array(BLOCK_BYTES);
        await member.port.read(core.epoch, at, data, true);
        await branch.add(at, data);
        saved++;
      }
  }
  await branch.close();
  member.isHealing = false;
  core.log(`split brain: ${saved} blocks of generation ${generation.toString(16)} are kept as a branch`);
}
