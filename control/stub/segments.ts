// Segments of any size through calls of at most 1 MiB: reads and writes in pieces, for a stub's
// user and for the command line.
//
// - One piece is under way at a time, and one is held: memory does not grow with the segment.
// - Pieces are calls of their own. Another writer may come between two of them, and what was
//   written before a failure stays written: the error's `unchanged` says how far that is.
// - Ends are checked before the first piece where the length is known: a write that cannot fit
//   changes nothing.

import type { Capability } from "../capability/capability.js";
import { SEGMENT_PIECE_BYTES, segmentTable } from "../interface/segment.js";
import type { CallOptions, Transact } from "../kernel/calls.js";
import { ProteusError } from "../kernel/errors.js";
import type { Kernel } from "../kernel/kernel.js";
import { stub } from "./client.js";

/** Bytes in chunks of any length, at once or as they come. */
export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * The bytes of a segment from `position` on, piece by piece: `length` of them, or to the end when
 * it is left out; fewer when the segment ends before.
 *
 * @example for await (const piece of readSegment(kernel, segment)) file.write(piece);
 */
export async function* readSegment(
  via: Kernel | Transact,
  segment: Capability,
  { position = 0, length = Number.POSITIVE_INFINITY, ...options }: ReadOptions = {},
): AsyncGenerator<Uint8Array, void, void> {
  const { read } = stub(via, segmentTable, segment, options);
  for (let at = position; at < position + length; ) {
    const wanted = Math.min(SEGMENT_PIECE_BYTES, position + length - at);
    const { data } = await read({ position: at, length: wanted });
    if (data.length > 0) yield data;
    if (data.length < wanted) return;
    at += data.length;
  }
}

export interface ReadOptions extends CallOptions {
  /** First byte; default 0. */
  readonly position?: number;
  readonly length?: number;
}

export interface WriteOptions extends CallOptions {
  /** Where the first byte goes; default 0. */
  readonly position?: number;
  /** How many bytes will come, where that is known: whether they fit is asked first. */
  readonly length?: number;
  /** Told after each piece how many bytes are written. */
  readonly written?: (bytes: number) => void;
}

/** Puts chunks of less than a piece together; what is longer is cut. The last may be shorter. */
async function* pieces(chunks: Chunks): AsyncGenerator<Uint8Array, void, void> {
  let held = new Uint8Array(SEGMENT_PIECE_BYTES);
  let used = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + held.length - used);
      held.set(part, used);
      at += part.length;
      used += part.length;
      if (used < held.length) continue;
      yield held;
      held = new Uint8Array(SEGMENT_PIECE_BYTES);
      used = 0;
    }
  }
  if (used > 0) yield held.subarray(0, used);
}

/**
 * Writes chunks into a segment one behind the other; answers how many bytes that were. Rejects as
 * a stub does, and with what `chunks` throws.
 *
 * @example await writeSegment(kernel, segment, createReadStream("image"), { length: size });
 */
export async function writeSegment(
  via: Kernel | Transact,
  segment: Capability,
  chunks: Chunks,
  { position = 0, length, written, ...options }: WriteOptions = {},
): Promise<number> {
  const { write } = stub(via, segmentTable, segment, options);
  if (length !== undefined) await write({ position: position + length, data: new Uint8Array(0) });
  let done = 0;
  for await (const data of pieces(chunks)) {
    try {
      await write({ position: position + done, data });
    } catch (error) {
      throw afterSome(error, done);
    }
    done += data.length;
    written?.(done);
  }
  return done;
}

/** The same failure, with how far the write had come. */
function afterSome(error: unknown, done: number): unknown {
  if (!(error instanceof ProteusError) || done === 0) return error;
  const { code, exit, message, why, hint } = error;
  const unchanged = `${done} bytes are written; what lies behind them is as it was, or part of the next piece`;
  return new ProteusError({ code, exit, message, why, unchanged, hint, cause: error });
}
