// How long a storage waits for what, and how fast its background work goes; the limits of one page.
//
// - How a storage is to be treated (acks, votes, splits) is in its own records (StorageFacts), and so is
//   what a person may change of this page (Upkeep, upkeep.ts).
// - Milliseconds and bytes; each may be given anew when a storage is opened.

export interface StoragePolicy {
  /** A member is down when nothing was heard of it for so long. */
  readonly memberTimeoutMs: number;
  /** One request to a member may take so long while the member says that it lives. */
  readonly operationLimitMs: number;
  /** A request to the storage waits at most so long for members. */
  readonly requestLimitMs: number;
  /** Between two renewals, and between two looks at what was not answered. */
  readonly renewMs: number;
  /** A request that was not answered for so long is sent again. */
  readonly resendMs: number;
  /** Between two tries to reach a member, or to open: at first and at most. */
  readonly retryMinMs: number;
  readonly retryMaxMs: number;
  /** What resync still has to do is written down so often. */
  readonly progressMs: number;
  /** While others use the disk, resync rests so many times as long as it works. */
  readonly resyncRest: number;
  /** The disk is idle when nobody has used it for so long. */
  readonly idleMs: number;
  /** Resync copies and compares no more than that; 0: as much as it can. */
  readonly resyncBytesPerSecond: number;
  /** How far a scrub is, is written down so often. */
  readonly scrubSavedMs: number;
}

export const defaultPolicy: StoragePolicy = {
  memberTimeoutMs: 2000,
  operationLimitMs: 20_000,
  requestLimitMs: 30_000,
  renewMs: 400,
  resendMs: 600,
  retryMinMs: 100,
  retryMaxMs: 5000,
  progressMs: 3000,
  resyncRest: 3,
  idleMs: 200,
  resyncBytesPerSecond: 0,
  scrubSavedMs: 20_000,
};

/** Chunks that resync has under way: one when others use the disk, several when it is idle. */
export const LANES_MAX = 3;
/** Blocks that resync and scrub take at a time, when others use the disk and when it is idle. */
export const CHUNK_BLOCKS_BUSY = 32;
export const CHUNK_BLOCKS_IDLE = 256;
