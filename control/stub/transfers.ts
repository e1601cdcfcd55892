// What reading and writing files on Bullet servers share: contents, options, who watches, and how
// much goes into one call and how many calls are under way.
//
// - `watch` sees every piece in order, and the end: what it throws ends the transfer. It is for
//   checksums and for progress. Before a file is committed its end can still say no.
// - pieceBytes of at most BULLET_TRANSFER_BYTES: only what the original's servers understand.

import { BULLET_PIECE_BYTES } from "../interface/bullet.js";
import type { CallOptions } from "../kernel/calls.js";
import { ProteusError } from "../kernel/errors.js";

/** Bytes in one piece, or in chunks of any length, at once or as they come. */
export type Content = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/** Who looks at a transfer. What it throws ends it. */
export interface TransferWatch {
  /** Called with every piece, in order; the bytes are the transfer's own afterwards. */
  piece?(data: Uint8Array, position: number): void;
  /** Called when all have come, before a new file is committed. */
  end?(bytes: number): void | Promise<void>;
}

export interface TransferOptions extends CallOptions {
  /** Most bytes of one call; default 1 MiB. */
  readonly pieceBytes?: number;
  /** Calls under way at a time; default 2 for writing, 4 for reading. */
  readonly window?: number;
  readonly watch?: TransferWatch;
}

/**
 * Measured with 64 MiB over a bridge, 1, 2, 4, 8 and 16 pieces: reading is quickest with 4 (one takes a
 * fifth longer, 16 more than twice as long); writing with 2 to 4, and a third slower with 8 and more.
 */
export const writeWindow = 2;
export const readWindow = 4;
/** Positions that the original's operations cannot say. */
export const longFrom = 2 ** 31;

/** Only what a call takes: a control daemon refuses what it does not know. */
export function callOptions({ locateTimeoutMs, pollMs, deadMs, replyBytesMax }: CallOptions): CallOptions {
  return {
    ...(locateTimeoutMs === undefined ? {} : { locateTimeoutMs }),
    ...(pollMs === undefined ? {} : { pollMs }),
    ...(deadMs === undefined ? {} : { deadMs }),
    ...(replyBytesMax === undefined ? {} : { replyBytesMax }),
  };
}

export function pieceOf({ pieceBytes = BULLET_PIECE_BYTES }: TransferOptions): number {
  if (Number.isInteger(pieceBytes) && pieceBytes > 0 && pieceBytes <= BULLET_PIECE_BYTES) return pieceBytes;
  throw new RangeError(`pieces of ${pieceBytes} bytes`);
}

export const isCode = (error: unknown, code: string): boolean =>
  error instanceof ProteusError && error.code === code;
