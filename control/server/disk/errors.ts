// What can go wrong with disks, members and storages, each with a stable code.
//
// - DISK_ROT and DISK_MEDIUM are of one copy: a storage answers from another one. Users of a disk
//   see them only when no good copy is left.
// - DISK_FENCED ends a server of a storage for good: another one has the storage.
// - DISK_SILENT says nothing of whether it has happened; the same request may be sent again.

/** Stable codes. */
export type DiskErrorCode =
  /** Outside the disk, or not whole blocks: a bug of the caller. */
  | "DISK_RANGE"
  /** The disk, or this way to it, is read-only. */
  | "DISK_READ_ONLY"
  /** Stored bytes are not those that were written. */
  | "DISK_ROT"
  /** The medium cannot read or write, or a flush has failed: the member is of no use until it is opened anew. */
  | "DISK_MEDIUM"
  /** What the medium lies on is full. */
  | "DISK_FULL"
  /** The medium is smaller than the storage. */
  | "DISK_SHORT"
  /** The medium is not of this storage, or of none. */
  | "DISK_FOREIGN"
  /** A member knows a later epoch, or another server has it still. */
  | "DISK_FENCED"
  /** Bytes changed on their way. */
  | "DISK_TRANSFER"
  /** No answer in time. */
  | "DISK_SILENT"
  /** Closed, or taken away. */
  | "DISK_GONE"
  /** Too few members, or none with a valid copy: nothing is served rather than something wrong. */
  | "DISK_NO_QUORUM"
  | "DISK_NO_COPY"
  /** Two histories, and the policy says that a person decides. */
  | "DISK_SPLIT"
  /** A storage would be a member of itself. */
  | "DISK_LOOP";

export class DiskError extends Error {
  override readonly name = "DiskError";

  constructor(
    readonly code: DiskErrorCode,
    message: string,
    /** Blocks that it concerns, where it concerns some. */
    readonly blocks: readonly number[] = [],
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
