// What the Bullet server needs of the files below it: committed ones, drafts, the medium.
//
// - Numbers are from 1 on; 0 is the server itself. Positions and lengths are bytes and may be
//   beyond 2^32. Buffers that are handed out are read, never written.
// - It rejects with errors that have a `code` VOLUME_*; the server turns these into statuses.
// - A volume on a block device is one; the tests have another, in memory.

/** A committed file. It never changes; its generation and its age do. */
export interface FileEntry {
  readonly number: number;
  readonly bytes: number;
  /** Eight bytes that vouch for the capabilities to it. */
  readonly generation: Uint8Array;
  /** Of the content: the same for the same bytes. */
  readonly hash: Uint8Array;
  /** AGEs since it was made or touched. */
  readonly age: number;
}

/** A file that is not committed. Its calls are done one after another, in the order they came. */
export interface Draft {
  /** The file that it becomes has this number, and this generation. */
  readonly number: number;
  readonly generation: Uint8Array;
  readonly bytes: number;
  /** Writes over what is there, and behind it; `position` is at most `bytes`. */
  write(position: number, data: Uint8Array): Promise<void>;
  /** Puts data in; what stood at `position` stands behind it. */
  insert(position: number, data: Uint8Array): Promise<void>;
  /** Takes bytes out; those behind them move up. */
  cut(position: number, count: number): Promise<void>;
  /** Makes it a file; durable: one that survives a power cut once this has ended. */
  commit(options: { readonly durable: boolean }): Promise<FileEntry>;
  /** Gives up everything. */
  discard(): void;
}

/** What the server tells of its files. */
export interface FileUsage {
  readonly files: number;
  /** Of all files, as if none shared its place. */
  readonly bytes: number;
  readonly freeBytes: number;
  /** What one file can take at most without a compaction. */
  readonly largestFreeBytes: number;
  readonly inodes: number;
  readonly freeInodes: number;
  /** That files would take and do not, since the same content lies there once. */
  readonly sharedBytes: number;
  readonly drafts: number;
  readonly cachedBytes: number;
}

/** The files of one server. */
export interface FileEngine {
  /** Eight bytes that vouch for the capabilities to the server itself; renewed by `renew(0)`. */
  readonly generation: Uint8Array;
  entry(number: number): FileEntry | undefined;
  files(): Iterable<FileEntry>;
  /** An empty draft, or one that begins with the content of a file. */
  draft(from?: number): Promise<Draft>;
  /** Verified bytes; fewer than `length` at the end of the file, none behind it. */
  read(number: number, position: number, length: number): Promise<Uint8Array>;
  remove(number: number): Promise<void>;
  renew(number: number): Promise<Uint8Array>;
  setAge(number: number, age: number): void;
  usage(): FileUsage;
  compact(): Promise<object>;
  check(options: { readonly repair: boolean }): Promise<object>;
  /** Ends when all that was done before is on the medium. */
  sync(): Promise<void>;
}
