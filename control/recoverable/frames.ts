// Frames of a journal: a body of JSON with its length, a CRC-32C, and how far the file was durable when
// the frame was written.
//
//   0 length of the body   4 CRC-32C of all that follows   8 durable bytes   12 number in the file
//   16 the body
//
// - Frames are appended without waiting, so the end of the power may leave any of them out that were
//   not synced. What stands behind the first broken one was not acknowledged, and is cut off: unless a
//   whole frame behind it says that the broken one's place had been durable. That is damage.
// - Pure: bytes in, bytes out.

import { crc32c } from "../store/disk/crc32c.js";

export const FRAME_HEAD_BYTES = 16;
/** A body has at most so many bytes. */
export const BODY_BYTES_MAX = 16 * 1024 * 1024;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The frame of a body. */
export function frameOf(body: unknown, number: number, durable: number): Uint8Array {
  const text = JSON.stringify(body);
  const room = new Uint8Array(FRAME_HEAD_BYTES + 3 * text.length);
  const { written } = encoder.encodeInto(text, room.subarray(FRAME_HEAD_BYTES));
  if (written > BODY_BYTES_MAX) throw new RangeError(`a step of ${written} bytes`);
  const frame = room.subarray(0, FRAME_HEAD_BYTES + written);
  const view = new DataView(room.buffer);
  view.setUint32(0, written, true);
  view.setUint32(8, durable, true);
  view.setUint32(12, number, true);
  view.setUint32(4, crc32c(frame.subarray(8)), true);
  return frame;
}

export interface Frames {
  readonly bodies: readonly unknown[];
  /** Where the next frame goes; what is behind it is to be cut off. */
  readonly end: number;
  /** Where a frame is broken that had been durable. */
  readonly damagedAt: number | null;
}

/** The body of a frame that is whole, of that number; undefined when it is not. */
function bodyAt(bytes: Uint8Array, view: DataView, at: number, number: number): unknown {
  if (at + FRAME_HEAD_BYTES > bytes.length || view.getUint32(at + 12, true) !== number) return undefined;
  const end = at + FRAME_HEAD_BYTES + view.getUint32(at, true);
  if (end > bytes.length || end - at - FRAME_HEAD_BYTES > BODY_BYTES_MAX) return undefined;
  if (crc32c(bytes.subarray(at + 8, end)) !== view.getUint32(at + 4, true)) return undefined;
  try {
    return JSON.parse(decoder.decode(bytes.subarray(at + FRAME_HEAD_BYTES, end)));
  } catch {
    return undefined;
  }
}

/** Whether a whole frame behind `at` says that the file was durable beyond it. */
function wasDurable(bytes: Uint8Array, view: DataView, at: number, number: number): boolean {
  const most = number + Math.ceil((bytes.length - at) / FRAME_HEAD_BYTES);
  for (let here = at + 1; here + FRAME_HEAD_BYTES <= bytes.length; here++) {
    const claimed = view.getUint32(here + 12, true);
    if (claimed <= number || claimed > most || view.getUint32(here + 8, true) <= at) continue;
    if (bodyAt(bytes, view, here, claimed) !== undefined) return true;
  }
  return false;
}

/** Every whole frame from the begin on. */
export function readFrames(bytes: Uint8Array): Frames {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bodies: unknown[] = [];
  let at = 0;
  for (;;) {
    const body = bodyAt(bytes, view, at, bodies.length);
    if (body === undefined) break;
    bodies.push(body);
    at += FRAME_HEAD_BYTES + view.getUint32(at, true);
  }
  return { bodies, end: at, damagedAt: wasDurable(bytes, view, at, bodies.length) ? at : null };
}
