// The linear storage: its members one behind the other; no copy of anything.
//
// - Proof of isWhole: each block is on exactly one member, so all of them are needed; the storage waits
//   for a member that is down, and takes none out.
// - Proof of parts: the members' ranges are disjoint and cover the storage in the list's order; a range
//   is cut where they meet. Source: DST, storage.md A1.1.

import type { Algorithm, Part } from "./algorithm.js";

export const linear: Algorithm = {
  name: "linear",
  parts(members, block, blocks) {
    const parts: Part[] = [];
    let start = 0;
    members.forEach((member, place) => {
      if (member.isWitness) return;
      const from = Math.max(block, start);
      const to = Math.min(block + blocks, start + member.blocks);
      if (from < to)
        parts.push({ block: from, blocks: to - from, memberBlock: from - start, members: [place] });
      start += member.blocks;
    });
    return parts;
  },
  isWhole: (members, has) => members.every((member, place) => member.isWitness || has(place)),
  blocksOn: (memberBlocks) => memberBlocks.reduce((sum, each) => sum + each, 0),
  memberBlocks: (members, place) => members[place]?.blocks ?? 0,
};
