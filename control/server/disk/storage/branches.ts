// Where the blocks of a history that lost are kept: a branch, on its medium before they are overwritten.
//
// - A branch is kept by the machine that serves the storage, not by the members: the loser's medium
//   is about to become a copy of the winner's, and has no room beside it. What keeps it comes in.
// - It holds what the loser may have written since the split, whatever the winner has there, and what
//   else differs; and the digest of every block that the loser had, so that whoever puts the loser's
//   disk together again can tell whether the rest is still as it was.
// - It counts once `close` has ended. One that was cut short goes on where it was, after what is there was
//   compared with the member; one that is closed and differs is left as it is, and another one begun.

export interface BranchFacts {
  /** Of the storage. */
  readonly age: Uint8Array;
  readonly name: string;
  /** Whose history it is. */
  readonly member: Uint8Array;
  readonly node: string;
  readonly path: string;
  readonly generation: bigint;
  /** The generation that goes on. */
  readonly other: bigint;
  /** Of the disk as the member has it. */
  readonly blocks: number;
}

/** Blocks that follow each other: at most BRANCH_PIECE_BLOCKS, from a multiple of it on. */
export interface BranchPiece {
  readonly block: number;
  /** What becomes of each: branchBlock of branch/layout.ts. */
  readonly states: Uint8Array;
  /** Of each, as the member has it. */
  readonly digests: Uint8Array;
  /** Of all of them; only those that are kept count. */
  readonly data: Uint8Array;
}

export const BRANCH_PIECE_BLOCKS = 256;

export interface Branch {
  /** For people, and files. */
  readonly id: string;
  /** It was closed by an earlier try. */
  readonly isKept: boolean;
  /** Whether a piece with these digests is on the medium, and keeps the blocks that `mustKeep` marks. */
  has(block: number, digests: Uint8Array, mustKeep: Uint8Array): Promise<boolean>;
  put(piece: BranchPiece): Promise<void>;
  /** The piece that begins with this block is there: put, or had. Called in order. */
  passed(block: number): Promise<void>;
  /** Ends when all of it is on its medium. */
  close(): Promise<void>;
}

export interface Branches {
  /**
   * The branch of these facts: one that was begun or closed before, else a new one.
   * `isAnew`: not one that was closed. Rejects with DISK_FULL or DISK_MEDIUM.
   */
  create(facts: BranchFacts, isAnew?: boolean): Promise<Branch>;
  /** Lets go of a branch, closed or not. */
  release(branch: Branch): Promise<void>;
}
