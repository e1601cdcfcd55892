// Why something cannot be mounted, with a stable code and what to do.
//
// - Errors of a file system in use are numbers (errno), never these.

export type FuseErrorCode =
  | "FUSE_UNAVAILABLE"
  | "FUSE_DENIED"
  | "FUSE_MOUNTPOINT"
  | "FUSE_MOUNTED"
  | "FUSE_SYSTEM";

export class FuseError extends Error {
  override readonly name = "FuseError";

  constructor(
    readonly code: FuseErrorCode,
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}
