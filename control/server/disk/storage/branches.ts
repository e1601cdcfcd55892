// Where the blocks of a history that lost are kept: a branch, made before they are overwritten.
//
// - A branch is kept by the machine that serves the storage, not by the members: the loser's medium
//   is about to become a copy of the winner's, and has no room beside it. What keeps it comes in.
// - A branch holds the blocks that the loser has and the winner has not, and says of which storage,
//   member and generation they are. It counts once `close` has ended; one that was not closed is of no
//   use, and is begun anew by the next try.

export interface BranchFacts {
  readonly age: Uint8Array;
  readonly name: string;
  readonly member: Uint8Array;
  readonly generation: bigint;
  readonly blocks: number;
}

export interface Branch {
  /** Keeps whole blocks from a block of the storage on. */
  add(block: number, data: Uint8Array): Promise<void>;
  /** Ends when all of it is on its medium. */
  close(): Promise<void>;
}

export interface Branches {
  /** Begins one; one of the same facts that was not closed is replaced, a closed one is kept beside. */
  create(facts: BranchFacts): Promise<Branch>;
}
