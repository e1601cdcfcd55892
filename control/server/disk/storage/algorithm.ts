// Where the blocks of a storage lie on its members: all that tells one kind of storage from another.
//
// - An algorithm is pure: it is asked, and remembers nothing. Epochs, records, resync, reads and
//   writes are the storage's, the same for all.
// - docs/STORAGE-ALGORITHMS.md says what its author must prove. Add yours to `algorithms`.

import type { MemberEntry } from "../member/record.js";
import { linear } from "./linear.js";
import { mirror } from "./mirror.js";

/** A run of blocks that lies on the same members. */
export interface Part {
  /** The first block of it, of the storage. */
  readonly block: number;
  readonly blocks: number;
  /** The same block on each of its members. */
  readonly memberBlock: number;
  /** Places in the list of members; each has, or is to have, all of it. */
  readonly members: readonly number[];
}

export interface Algorithm {
  readonly name: string;
  /** The parts of a range, in order; together they are the range. */
  parts(members: readonly MemberEntry[], block: number, blocks: number): readonly Part[];
  /** Whether every block of the storage is on at least one of the members that `has` says. */
  isWhole(members: readonly MemberEntry[], has: (place: number) => boolean): boolean;
  /** Blocks of a storage on members that can hold so many each; a witness is not among them. */
  blocksOn(memberBlocks: readonly number[]): number;
  /** Blocks that the member at a place has to hold in a storage of so many. */
  memberBlocks(members: readonly MemberEntry[], place: number, storageBlocks: number): number;
}

export const algorithms: readonly Algorithm[] = [mirror, linear];

export const algorithmOf = (name: string): Algorithm | undefined =>
  algorithms.find((each) => each.name === name);
