// What a volume of immutable files looks like from outside: files, drafts, figures, reports.
//
// - A number is that of the file's inode: 1 to `inodes`; 0 is the volume itself.
// - Positions and lengths are bytes, and may be beyond 2^32. Buffers that are handed out belong
//   to the cache: they are read, never written.
// - What is given to `write` and `insert` has been taken when the call has ended.

import type { BlockDevice } from "../../../../drivers/block.js";
import type { After } from "../../../group/timer.js";
import type { NewContentHash } from "./hash.js";

/** A committed file. It never changes; its generation and its age do. */
export interface FileEntry {
  /** 1 to the inodes of the volume. */
  readonly number: number;
  readonly bytes: number;
  /** Eight bytes that vouch for the capabilities to it. */
  readonly generation: Uint8Array;
  /** SHA-256 of the content. */
  readonly hash: Uint8Array;
  /** AGEs since it was made or touched; kept in memory, 0 when the volume is opened. */
  readonly age: number;
}

/** A file that is not committed. Its calls are done one after another, in the order they came. */
export interface Draft {
  /** Its inode is reserved: the file that it becomes has this number. */
  readonly number: number;
  /** That of the file that it becomes. */
  readonly generation: Uint8Array;
  readonly bytes: number;
  /** Writes over what is there, and behind it; `position` is at most `bytes`. */
  write(position: number, data: Uint8Array): Promise<void>;
  /** Puts data in; what stood at `position` stands behind it. */
  insert(position: number, data: Uint8Array): Promise<void>;
  /** Takes bytes out; those behind them move up. */
  cut(position: number, count: number): Promise<void>;
  /**
   * Makes it a file. Durable: it survives a power cut once this has ended; otherwise it is
   * visible at once, and on the medium soon or at the next `sync`. The draft ends; after
   * VOLUME_FULL or VOLUME_BUSY it is as it was and may be committed again.
   */
  commit(options: { readonly durable: boolean }): Promise<FileEntry>;
  /** Gives up everything. Harmless after a commit. */
  discard(): void;
}

export interface FormatOptions {
  /** Files that it can hold: at most 16,777,215. */
  readonly inodes: number;
  /** So many random bytes. */
  readonly random: (bytes: number) => Uint8Array;
  /** For messages. */
  readonly name?: string;
}

export interface VolumeOptions {
  readonly device: BlockDevice;
  /** For messages: the path of the medium. */
  readonly name: string;
  /** Memory for file contents, drafts included; at least 1 MiB. Larger files stream. */
  readonly cacheBytes: number;
  readonly random: (bytes: number) => Uint8Array;
  /** Makes a SHA-256; default a pure one. */
  readonly newHash?: NewContentHash;
  /** Calls later: then slots are settled in the background; without it with later ones, and by `close`. */
  readonly after?: After;
  /** Drafts at one time; default 1024. */
  readonly draftsMax?: number;
}

export interface VolumeUsage {
  readonly files: number;
  /** Of all files, as if none shared its blocks. */
  readonly bytes: number;
  /** Of the medium behind the tables. */
  readonly capacityBytes: number;
  readonly freeBytes: number;
  /** The longest free extent: what one file can take without a compaction. */
  readonly largestFreeBytes: number;
  readonly inodes: number;
  readonly freeInodes: number;
  /** That the files would take and do not, since the same content lies there once. */
  readonly sharedBytes: number;
  readonly drafts: number;
  readonly cachedBytes: number;
}

/** A file that cannot be read whole. */
export interface CorruptFile {
  readonly number: number;
  readonly bytes: number;
  /** Block of the file, from 0; -1 when all blocks are good and the content is not. */
  readonly block: number;
  /** Block of the device. */
  readonly deviceBlock: number;
  readonly why: string;
}

/** What a check found; the one at the start reads the tables, and only contents that may be unfinished. */
export interface CheckReport {
  readonly files: number;
  /** Of contents that were read and verified. */
  readonly checkedBytes: number;
  readonly corrupt: readonly CorruptFile[];
  /** Inodes whose two copies are both broken: what they named is lost. */
  readonly lostInodes: readonly number[];
  /** Inodes and superblocks of which one copy was broken or stale. */
  readonly brokenCopies: number;
  /** Files whose blocks another file has as well, or that lie outside of the volume. */
  readonly misplaced: readonly number[];
  /**
   * Files that were being made when the power went, and were given up when the volume was
   * opened: nobody had been told that they are there.
   */
  readonly unfinished: readonly number[];
  /** Whether broken copies were written anew, and lost inodes and misplaced files given up. */
  readonly repaired: boolean;
  /** Nothing is wrong any more. */
  readonly clean: boolean;
}

export interface CompactReport {
  readonly movedFiles: number;
  /** All that was copied: some contents move twice. */
  readonly movedBytes: number;
  readonly largestFreeBytesBefore: number;
  readonly largestFreeBytes: number;
  /** Files that could not be moved, since they cannot be read. */
  readonly skipped: readonly number[];
}

/** What FileVolume is; its static `format(device, FormatOptions)` and `open(VolumeOptions)` make one. */
export interface Volume {
  /** What was found and repaired when it was opened. */
  readonly report: CheckReport;
  readonly inodes: number;
  /** Eight bytes that vouch for the capabilities to the volume itself; renewed by `renew(0)`. */
  readonly generation: Uint8Array;
  entry(number: number): FileEntry | undefined;
  /** In the order of their numbers. */
  files(): Iterable<FileEntry>;
  /** An empty draft, or one that begins with the content of a file. */
  draft(from?: number): Promise<Draft>;
  /** Verified bytes; fewer than `length` at the end of the file, none behind it. */
  read(number: number, position: number, length: number): Promise<Uint8Array>;
  /** The same bytes when they are in memory, at once; undefined: read() has to fetch them. */
  cached(number: number, position: number, length: number): Uint8Array | undefined;
  /**
   * What is wrong with a file's content, or null. With `read` all of it is read from the medium,
   * past the cache; otherwise it is what reads before have found.
   */
  verify(number: number, options: { readonly read: boolean }): Promise<CorruptFile | null>;
  /** The file is gone for all at once, and for good when this has ended. */
  remove(number: number): Promise<void>;
  /** A new generation: it counts at once, and for good when this has ended. */
  renew(number: number): Promise<Uint8Array>;
  setAge(number: number, age: number): void;
  usage(): VolumeUsage;
  compact(): Promise<CompactReport>;
  check(options: { readonly repair: boolean }): Promise<CheckReport>;
  /** Ends when all that was done before is on the medium. */
  sync(): Promise<void>;
  /** Syncs; afterwards everything is refused with VOLUME_GONE. */
  close(): Promise<void>;
}
