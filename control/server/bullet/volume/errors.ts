// What can go wrong with a volume: one function a code, so that each is said alike.
//
// - The codes are stable. After VOLUME_GONE whatever was under way may have happened or not; all
//   other errors leave the volume as it was.

import { type ErrorFacts, exitCodes, ProteusError } from "../../../kernel/errors.js";

export type VolumeErrorCode =
  /** No room for the content in one piece. */
  | "VOLUME_FULL"
  /** All inodes are taken. */
  | "VOLUME_INODES"
  /** A content, or a table, is not what was written. */
  | "VOLUME_CORRUPT"
  /** The medium does not answer any more, or the volume is closed. */
  | "VOLUME_GONE"
  /** Not a volume, or one of another version. */
  | "VOLUME_FORMAT"
  /** Another compaction or check is under way. */
  | "VOLUME_BUSY"
  /** More drafts than there may be. */
  | "VOLUME_NOMEM"
  /** No file of that number. */
  | "VOLUME_UNKNOWN";

export interface VolumeErrorFacts extends ErrorFacts {
  readonly code: VolumeErrorCode;
  /** Number of the file that it concerns. */
  readonly file?: number;
  /** Block of that file. */
  readonly block?: number;
}

export class VolumeError extends ProteusError {
  declare readonly code: VolumeErrorCode;
  readonly file?: number;
  readonly block?: number;

  constructor(facts: VolumeErrorFacts) {
    super(facts);
    if (facts.file !== undefined) this.file = facts.file;
    if (facts.block !== undefined) this.block = facts.block;
  }
}

const unchanged = "all files are as they were";
const { failed, notFound } = exitCodes;

/** VOLUME_FULL: so many bytes do not fit in one piece. */
export function full(name: string, bytes: number, freeBytes: number, largestBytes: number): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_FULL", exit: failed, unchanged },
    message: `volume ${name} has no room for a file of ${bytes} bytes`,
    why: `${freeBytes} bytes are free, and ${largestBytes} at most in one piece`,
    hint: freeBytes >= bytes ? "compact the volume, then try again" : "remove files, or use a larger medium",
  });
}

/** VOLUME_FULL: what is below the device has no more room. */
export function mediumFull(name: string, cause: unknown): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_FULL", exit: failed, unchanged, cause },
    message: `the medium of volume ${name} has no room`,
    why: "it was made larger than what it lies on",
    hint: "make room on the file system that holds it",
  });
}

/** VOLUME_INODES: as many files as there may be. */
export function noInode(name: string, inodes: number): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_INODES", exit: failed, unchanged },
    message: `volume ${name} has no inode left`,
    why: `all ${inodes} are files or drafts`,
    hint: "remove files, or make the volume anew with more inodes",
  });
}

/** VOLUME_CORRUPT: a block of a file is not what was written. */
export function corruptBlock(
  name: string,
  file: number,
  block: number,
  deviceBlock: number,
  why: string,
): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_CORRUPT", exit: failed, unchanged, file, block },
    message: `file ${file} on volume ${name} is corrupt`,
    why: block < 0 ? why : `block ${block} of it (block ${deviceBlock} of the medium) ${why}`,
    hint: "check the volume for more, and take the file from another copy",
  });
}

/** VOLUME_CORRUPT: the medium takes no writes where the content should go. */
export function unwritable(name: string, cause: unknown): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_CORRUPT", exit: failed, unchanged, cause },
    message: `volume ${name} cannot write the file`,
    why: cause instanceof Error ? cause.message : String(cause),
    hint: "replace the medium",
  });
}

/** VOLUME_CORRUPT: both superblocks are broken. */
export function corruptVolume(name: string, why: string): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_CORRUPT", exit: failed, unchanged: "nothing was written to it" },
    message: `volume ${name} cannot be opened`,
    why,
    hint: "restore the medium from a copy, or make the volume anew",
  });
}

/** VOLUME_GONE: the medium does not answer as it must. */
export function gone(name: string, cause: unknown): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_GONE", exit: failed, cause },
    message: `the medium of volume ${name} cannot be used any more`,
    why: cause instanceof Error ? cause.message : String(cause),
    unchanged: "what was acknowledged as durable",
    hint: "look at the medium, then open the volume again",
  });
}

/** VOLUME_GONE: used after `close`. */
export function closed(name: string): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_GONE", exit: failed, unchanged, message: `volume ${name} is closed` },
    hint: "open it again",
  });
}

/** VOLUME_FORMAT: nothing that this version reads. */
export function unknownFormat(name: string, why: string): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_FORMAT", exit: failed, unchanged: "nothing was written to it", why },
    message: `${name} does not hold a volume that this version reads`,
    hint: "use the version of Proteus that made it, or make a volume there",
  });
}

/** VOLUME_BUSY: one compaction or check at a time. */
export function busy(name: string, what: string): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_BUSY", exit: failed, unchanged },
    message: `volume ${name} is busy`,
    why: `a ${what} is under way`,
    hint: "try again when it has ended",
  });
}

/** VOLUME_NOMEM: no memory for another draft. */
export function noMemory(name: string, drafts: number): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_NOMEM", exit: failed, unchanged },
    message: `volume ${name} has no memory for another draft`,
    why: `${drafts} files are being written`,
    hint: "commit or discard some, then try again",
  });
}

/** VOLUME_UNKNOWN: there is no such file. */
export function unknownFile(name: string, number: number): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_UNKNOWN", exit: notFound, unchanged, file: number },
    message: `volume ${name} has no file ${number}`,
    why: "it was removed, or never was",
    hint: "look it up again",
  });
}

/** VOLUME_UNKNOWN: the draft was committed or discarded. */
export function draftEnded(name: string, number: number): VolumeError {
  return new VolumeError({
    ...{ code: "VOLUME_UNKNOWN", exit: notFound, unchanged, file: number },
    message: `volume ${name} has no draft ${number}`,
    why: "it was committed or discarded",
    hint: "begin another one",
  });
}
