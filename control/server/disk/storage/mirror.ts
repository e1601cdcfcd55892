// The mirror: every member has every block, at the same place.
//
// - Proof of isWhole: each block is on each member, so one member with a valid copy has them all.
// - Proof of parts: one part, the range itself, on all members with data. Source: DST, storage.md A1.1.

import type { MemberEntry } from "../member/record.js";
import type { Algorithm } from "./algorithm.js";

const withData = (members: readonly MemberEntry[]): number[] =>
  members.flatMap((member, place) => (member.isWitness ? [] : [place]));

export const mirror: Algorithm = {
  name: "mirror",
  parts: (members, block, blocks) => [{ block, blocks, memberBlock: block, members: withData(members) }],
  isWhole: (members, has) => withData(members).some(has),
  blocksOn: (memberBlocks) => (memberBlocks.length === 0 ? 0 : Math.min(...memberBlocks)),
  memberBlocks: (_members, _place, storageBlocks) => storageBlocks,
};
