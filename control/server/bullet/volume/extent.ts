// A content on the medium, and the inodes that name it; several may, since contents never change.
//
// - Its blocks may be used again only when no inode names it in memory, no slot on the medium
//   does or may, and nothing is reading or writing it.

import type { CorruptFile } from "./types.js";

/** A file, as the volume keeps it in memory. */
export interface Inode {
  readonly number: number;
  generation: Uint8Array;
  age: number;
  /** Its content; null when it is a draft, or removed. */
  extent: Extent | null;
  /** What the slot on the medium names. */
  stored: Extent | null;
  /** Counts changes; `durable` is the one that the medium has. */
  version: number;
  durable: number;
  /** A draft holds the number. */
  isDraft: boolean;
}

export type Corruption = Pick<CorruptFile, "block" | "deviceBlock" | "why">;

export interface ExtentFacts {
  readonly bytes: number;
  readonly hash: Uint8Array;
  /** Blocks of the content, and all that it takes with its checksum blocks. */
  readonly contentBlocks: number;
  readonly blocks: number;
  /** Of its blocks, when they are few enough for a slot; otherwise none. */
  readonly checksums: Uint32Array;
}

export class Extent {
  readonly bytes: number;
  readonly hash: Uint8Array;
  readonly contentBlocks: number;
  readonly blocks: number;
  readonly checksums: Uint32Array;
  /** Inodes that have it in memory. */
  readonly owners = new Set<Inode>();
  /** Slots on the medium that name it, or may. */
  slots = 0;
  /** Whoever reads or writes it. */
  pins = 0;
  /** A flush has ended that began after it was written. */
  isCovered = false;
  /** What was found wrong with it when it was last read. */
  corruption: Corruption | null = null;
  isReleased = false;

  constructor(
    /** The first block. */
    public start: number,
    { bytes, hash, contentBlocks, blocks, checksums }: ExtentFacts,
  ) {
    this.bytes = bytes;
    this.hash = hash;
    this.contentBlocks = contentBlocks;
    this.blocks = blocks;
    this.checksums = checksums;
  }

  get isIdle(): boolean {
    return this.owners.size === 0 && this.slots === 0 && this.pins === 0;
  }

  /** A number of a file that has it, for messages. */
  get file(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { number } of this.owners) least = Math.min(least, number);
    return least === Number.POSITIVE_INFINITY ? 0 : least;
  }
}

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** By what a content is known again. */
export const contentKey = (hash: Uint8Array, bytes: number): string => {
  let text = `${bytes}:`;
  for (const byte of hash) text += hex[byte];
  return text;
};
