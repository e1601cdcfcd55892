// Replies of the transmission phase, written into an outbox: simple, structured or extended.
//
// - With structured replies a read and a block status are answered by chunks, and errors have a text;
//   what succeeds and has no data is answered simply, which is shorter. With extended headers
//   everything is a chunk.
// - A read is one chunk, whatever its length: so no client's "do not fragment" is refused.

import type { Run } from "./contexts.js";
import { MESSAGE_BYTES_MAX } from "./limits.js";
import type { Outbox } from "./outbox.js";
import * as nbd from "./protocol.js";
import type { Request } from "./request.js";

const word = 0x1_0000_0000;
const SIMPLE_BYTES = 16;

/** The runs of one context. */
export interface Status {
  readonly context: number;
  readonly runs: readonly Run[];
}

export class Replies {
  readonly #outbox: Outbox;
  readonly #isStructured: boolean;
  readonly #isExtended: boolean;

  constructor(outbox: Outbox, isStructured: boolean, isExtended: boolean) {
    this.#outbox = outbox;
    this.#isStructured = isStructured;
    this.#isExtended = isExtended;
  }

  done(request: Request): void {
    if (this.#isExtended) this.#chunk(request, nbd.REPLY_TYPE_NONE, true, 0, 0);
    else this.#simple(request, 0);
  }

  /** Of a read. `left` is called when the data is not needed any more. */
  data(request: Request, data: Buffer, left?: () => void): void {
    if (!this.#isStructured) this.#simple(request, 0);
    else if (data.length === 0) {
      this.#chunk(request, nbd.REPLY_TYPE_NONE, true, 0, 0);
    } else {
      const at = this.#chunk(request, nbd.REPLY_TYPE_OFFSET_DATA, true, 8 + data.length, 8);
      this.#outbox.buffer.writeUInt32BE(request.offsetHigh, at);
      this.#outbox.buffer.writeUInt32BE(request.offsetLow, at + 4);
    }
    this.#outbox.add(data, left);
  }

  error(request: Request, error: number, message: string): void {
    if (!this.#isStructured) {
      this.#simple(request, error);
      return;
    }
    const text = Buffer.from(message).subarray(0, MESSAGE_BYTES_MAX);
    const bytes = 6 + text.length;
    const at = this.#chunk(request, nbd.REPLY_TYPE_ERROR, true, bytes, bytes);
    this.#outbox.buffer.writeUInt32BE(error, at);
    this.#outbox.buffer.writeUInt16BE(text.length, at + 4);
    this.#outbox.buffer.set(text, at + 6);
  }

  status(request: Request, found: readonly Status[]): void {
    const isExtended = this.#isExtended;
    for (const [index, { context, runs }] of found.entries()) {
      const bytes = isExtended ? 8 + 16 * runs.length : 4 + 8 * runs.length;
      const type = isExtended ? nbd.REPLY_TYPE_BLOCK_STATUS_EXT : nbd.REPLY_TYPE_BLOCK_STATUS;
      let at = this.#chunk(request, type, index === found.length - 1, bytes, bytes);
      const { buffer } = this.#outbox;
      at = buffer.writeUInt32BE(context, at);
      if (isExtended) at = buffer.writeUInt32BE(runs.length, at);
      for (const run of runs) {
        if (isExtended) at = buffer.writeUInt32BE(Math.floor(run.bytes / word), at);
        at = buffer.writeUInt32BE(run.bytes >>> 0, at);
        if (isExtended) at = buffer.writeUInt32BE(0, at);
        at = buffer.writeUInt32BE(run.flags, at);
      }
    }
  }

  #simple({ cookieHigh, cookieLow }: Request, error: number): void {
    const at = this.#outbox.reserve(SIMPLE_BYTES);
    const { buffer } = this.#outbox;
    buffer.writeUInt32BE(nbd.SIMPLE_REPLY_MAGIC, at);
    buffer.writeUInt32BE(error, at + 4);
    buffer.writeUInt32BE(cookieHigh, at + 8);
    buffer.writeUInt32BE(cookieLow, at + 12);
  }

  /** A chunk's header, with room behind it for what is written here; answers where that begins. */
  #chunk(request: Request, type: number, isLast: boolean, bytes: number, room: number): number {
    const headerBytes = this.#isExtended ? 32 : 20;
    const from = this.#outbox.reserve(headerBytes + room);
    const { buffer } = this.#outbox;
    buffer.writeUInt32BE(this.#isExtended ? nbd.EXTENDED_REPLY_MAGIC : nbd.STRUCTURED_REPLY_MAGIC, from);
    buffer.writeUInt16BE(isLast ? nbd.REPLY_FLAG_DONE : 0, from + 4);
    buffer.writeUInt16BE(type, from + 6);
    buffer.writeUInt32BE(request.cookieHigh, from + 8);
    let at = buffer.writeUInt32BE(request.cookieLow, from + 12);
    if (this.#isExtended) {
      at = buffer.writeUInt32BE(request.offsetHigh, at);
      at = buffer.writeUInt32BE(request.offsetLow, at);
      at = buffer.writeUInt32BE(0, at);
    }
    return buffer.writeUInt32BE(bytes, at);
  }
}
