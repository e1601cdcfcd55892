// What a member says of itself and of its storage, on its own medium: enough to serve the storage
// from the media alone, and to tell a blank, a stale and a diverged member apart.
//
// - Kept twice in the medium's last blocks, written in turn (layout.ts); the higher sequence counts.
// - `storage`, `members`, `generation`, `history`, `isClean` are given by the server of the storage,
//   the same on every member. `epoch` and `server` are changed by a fence as well. `activity` and the
//   maps of what others lack are the member's own business (member.ts says when bits come and go).
// - One bit of a map is an extent: `extentBlocks` blocks, 4 MiB or as much more as makes it fit.
// - Source: the age of DST; generation ids and the activity log of DRBD (storage.md A1.6, A5).

import type { Capability } from "../../../capability/capability.js";

export const AGE_BYTES = 16;
export const MEMBER_ID_BYTES = 16;
export const MEMBERS_MAX = 8;
/** Generations that a member remembers behind the current one. */
export const HISTORY_MAX = 16;
/** Bits of a map of extents. */
export const EXTENTS_MAX = 8192;
/** Blocks of an extent at least: 4 MiB. */
export const EXTENT_BLOCKS_MIN = 1024;

/** How a storage is to be treated; the same for its whole life but for what `grow` changes. */
export interface StorageFacts {
  /** 128 random bits, given when it is made. */
  readonly age: Uint8Array;
  /** 32 secret bytes: its port and its capabilities follow from them. */
  readonly secret: Uint8Array;
  readonly name: string;
  readonly algorithm: string;
  readonly blocks: number;
  /** Who has to have a write before it is acknowledged: every in-sync member, most of all, or one. */
  readonly ack: "all" | "quorum" | "one";
  /** Who may serve: most of the members, or whoever has a valid copy. */
  readonly serve: "majority" | "any";
  /** What is done about two histories: `keep` saves the loser's blocks as a branch, `ask` waits for a person. */
  readonly onSplit: "keep" | "ask";
}

/** The scrub under way, the last one and the next; times are milliseconds since 1970, 0: none. */
export interface ScrubState {
  readonly beganAt: number;
  /** Of the one under way: what it looks at next, how many blocks it has mended, its own rate or 0. */
  readonly block: number;
  readonly mended: number;
  readonly bytesPerSecond: number;
  readonly endedAt: number;
  readonly lastMended: number;
  readonly dueAt: number;
}

/** How patient a storage is, and what goes on in its background (storage/upkeep.ts has the defaults). */
export interface Upkeep {
  /** A member that is silent for so long is down. */
  readonly memberTimeoutMs: number;
  /** While others use the disk, resync rests so many times as long as it works. */
  readonly resyncRest: number;
  /** 0: as many as it can. */
  readonly resyncBytesPerSecond: number;
  /** Between two scrubs; 0: only when somebody asks for one. */
  readonly scrubEveryMs: number;
  readonly scrubBytesPerSecond: number;
  readonly scrub: ScrubState;
}

/** Of a member, as the storage sees it. */
export type MemberState =
  /** It has all that was acknowledged. */
  | "in-sync"
  /** It gets every write, and what it lacks in the background. */
  | "syncing"
  /** It gets nothing. */
  | "out";

export interface MemberEntry {
  readonly id: Uint8Array;
  /** Machine and place, for people; a witness or a member elsewhere may have any text. */
  readonly node: string;
  readonly path: string;
  /** Its object on that machine's disk server. */
  readonly capability: Capability;
  /** A witness has a vote and this record, and no data. */
  readonly isWitness: boolean;
  /** Blocks of the storage that it has; of a mirror all, of a linear storage its part. */
  readonly blocks: number;
  readonly state: MemberState;
  /** The generation that it had when it was last in sync; 0n: never. */
  readonly since: bigint;
  /** Extents that it lacks, or may; null: none, it is in sync. */
  readonly lacks: Uint8Array | null;
}

export interface MemberRecord {
  readonly storage: StorageFacts;
  /** Which of `members` this is. */
  readonly member: Uint8Array;
  readonly members: readonly MemberEntry[];
  /** Rises with every server; the id of the server that has it. */
  readonly epoch: number;
  readonly server: bigint;
  /** Ids; another one begins with the first write without somebody (generationIn of storage/decision.ts). */
  readonly generation: bigint;
  /** Earlier ones, newest first. */
  readonly history: readonly bigint[];
  /** Closed in order: nothing was under way. */
  readonly isClean: boolean;
  /**
   * Extents in which writes may be under way. In a server's update: those of earlier epochs or lives
   * (as a fence answered them) that it has not settled yet; the member forgets its others of these.
   */
  readonly activity: Uint8Array;
  /** Missing in records of before there was any: the defaults. */
  readonly upkeep?: Upkeep | undefined;
}

/** Blocks that one bit of a storage's maps stands for: a power of two, at least 1024. */
export function extentBlocksOf(blocks: number): number {
  let extent = EXTENT_BLOCKS_MIN;
  while (extent * EXTENTS_MAX < blocks) extent *= 2;
  return extent;
}

/** Bytes of a map of a storage's extents. */
export const mapBytesOf = (blocks: number): number =>
  Math.ceil(Math.ceil(blocks / extentBlocksOf(blocks)) / 8);
