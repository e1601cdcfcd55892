// What can go wrong with a virtual disk: shares of its operations, and counts of what did.
// How they strike is disk.ts's matter; here are only the options and their defaults.

/** Shares of the blocks that are written or read, 0 to 1. */
export interface DiskFaults {
  /** A write that is reported as done and never reaches the medium. */
  readonly lostWrite: number;
  /** A write that lands on another block, whose content it destroys. */
  readonly misdirectedWrite: number;
  /** A bit of a block on the medium flips for good, found by the read that draws it. */
  readonly bitRot: number;
  /** A read that fails, once. */
  readonly readError: number;
  /** A block that can never be read again until it is written. */
  readonly badBlock: number;
}

export const noDiskFaults: DiskFaults = {
  lostWrite: 0,
  misdirectedWrite: 0,
  bitRot: 0,
  readError: 0,
  badBlock: 0,
};

/** How often each happened; those of a power cut are blocks that were not flushed. */
export interface DiskCounts {
  lostWrite: number;
  misdirectedWrite: number;
  bitRot: number;
  readError: number;
  badBlock: number;
  powerCut: number;
  /** Not flushed, and gone. */
  dropped: number;
  /** Not flushed, and kept though an earlier write was dropped. */
  reordered: number;
  /** Not flushed, and kept in part. */
  torn: number;
  replaced: number;
}

export function noDiskCounts(): DiskCounts {
  return {
    ...{ lostWrite: 0, misdirectedWrite: 0, bitRot: 0, readError: 0, badBlock: 0 },
    ...{ powerCut: 0, dropped: 0, reordered: 0, torn: 0, replaced: 0 },
  };
}
