// What somebody has who has a disk: blocks that can be read and written, whatever is below.
//
// - A storage is one, so is the client of a storage that another machine serves; NBD exports one,
//   and a member of another storage can lie on one (control/server/disk/device.ts).
// - Whole blocks only. Calls may overlap in time; of writes that overlap in place the one that
//   began later counts.
// - A write has happened for readers when it has ended. It survives a power cut of everything when
//   it was durable, or after a flush that began later. A write that failed may have happened.
// - A call rejects with DiskError (errors.ts).

/** Bytes of a block. */
export const BLOCK_BYTES = 4096;
/** Bytes that one call moves at most. */
export const TRANSFER_BYTES = 1024 * 1024;

export interface WriteOptions {
  /** Ends when it is on the media. */
  readonly durable: boolean;
}

export interface ZeroOptions extends WriteOptions {
  /** The room may be given back; else it stays reserved. */
  readonly punch: boolean;
}

/** A run of blocks that are alike. */
export interface DiskExtent {
  readonly blocks: number;
  /** Nothing is stored there: it reads as zeros. */
  readonly isHole: boolean;
  /** Some member lacks it, or may. */
  readonly isDirty: boolean;
}

export interface Disk {
  /** How many there are; more after the disk was grown. */
  readonly blocks: number;
  readonly isReadOnly: boolean;
  /** Fills `buffer` with the blocks from `block` on. */
  read(block: number, buffer: Uint8Array): Promise<void>;
  /** Writes the blocks in `data`; the bytes must not change until the call has ended. */
  write(block: number, data: Uint8Array, options: WriteOptions): Promise<void>;
  zero(block: number, blocks: number, options: ZeroOptions): Promise<void>;
  /** Ends when every write that had ended before it began is on the media. */
  flush(): Promise<void>;
  /** What lies in a range, as runs that cover it in order. */
  extents(block: number, blocks: number): Promise<readonly DiskExtent[]>;
}
