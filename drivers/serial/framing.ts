// Messages on a serial line: each with its CRC-32 behind it, in SLIP (RFC 1055) as the package
// serialport makes and reads it.
//
// - A message that was damaged on its way, cut, or is longer than any can be, is thrown away and
//   counted; the next one begins at the next END, which stands in front of every message too.
// - Whatever the other end sends, no more than one message of the greatest length is kept: the
//   decoder of serialport has no limit of its own, so a gate in front of it has.
// - CRC-32 as in Ethernet and zlib, its least significant byte first.

import { crc32 } from "node:zlib";
import type { SlipDecoder, SlipEncoder } from "serialport";

const end = 0xc0;
const escaped = 0xdb;
const checkBytes = 4;

/**
 * The decoder of serialport, with the bytes between two that mean something added at once: it adds
 * each of them by a copy of all before it, which takes a core at 3 Mbit/s already.
 */
function runsAtOnce(decoder: SlipDecoder): void {
  const each = decoder._transform.bind(decoder);
  const none = (): void => {};
  decoder._transform = (bytes, encoding, done) => {
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] !== end && bytes[at] !== escaped && !decoder.escape) continue;
      if (at > from) decoder.buffer = Buffer.concat([decoder.buffer, bytes.subarray(from, at)]);
      each(bytes.subarray(at, at + 1), encoding, none);
      from = at + 1;
    }
    if (from < bytes.length) decoder.buffer = Buffer.concat([decoder.buffer, bytes.subarray(from)]);
    done();
  };
}

/** The two parts of serialport that are used here. */
export interface Slip {
  readonly SlipEncoder: typeof SlipEncoder;
  readonly SlipDecoder: typeof SlipDecoder;
}

export interface FramingOptions {
  /** The longest message, without its check. */
  readonly messageBytesMax: number;
  /** Bytes for the line. */
  readonly send: (bytes: Buffer) => void;
  /** A message that came whole. */
  readonly received: (message: Buffer) => void;
}

/** See the head of this file. */
export class SerialFraming {
  readonly #encoder: SlipEncoder;
  readonly #decoder: SlipDecoder;
  readonly #messageBytesMax: number;
  /** Bytes on the line between two ENDs, when each one is escaped. */
  readonly #lineBytesMax: number;
  #sinceEnd = 0;
  #skipping = false;
  #damaged = 0;

  constructor({ SlipEncoder, SlipDecoder }: Slip, options: FramingOptions) {
    this.#messageBytesMax = options.messageBytesMax;
    this.#lineBytesMax = 2 * (options.messageBytesMax + checkBytes);
    // The quirk is the END in front: noise between two messages becomes a message of its own.
    this.#encoder = new SlipEncoder({ bluetoothQuirk: true });
    this.#encoder.on("data", options.send);
    this.#decoder = new SlipDecoder({ readableObjectMode: true });
    runsAtOnce(this.#decoder);
    this.#decoder.on("data", (bytes: Buffer) => this.#check(bytes, options.received));
  }

  /** Messages thrown away. */
  get damaged(): number {
    return this.#damaged;
  }

  /** Sends a message. */
  write(message: Uint8Array): void {
    const framed = Buffer.allocUnsafe(message.length + checkBytes);
    framed.set(message);
    framed.writeUInt32LE(crc32(message), message.length);
    this.#encoder.write(framed);
  }

  /** Bytes came over the line. */
  push(bytes: Buffer): void {
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      if (bytes[at] === end) {
        if (this.#skipping) from = at;
        this.#skipping = false;
        this.#sinceEnd = 0;
      } else if (!this.#skipping && ++this.#sinceEnd > this.#lineBytesMax) {
        if (at > from) this.#decoder.write(bytes.subarray(from, at));
        this.#skipping = true; // what the decoder has of it fails its check at the next END
      }
    }
    if (!this.#skipping && from < bytes.length) this.#decoder.write(bytes.subarray(from));
  }

  #check(bytes: Buffer, received: (message: Buffer) => void): void {
    if (bytes.length === 0) return; // two ENDs in a row
    const length = bytes.length - checkBytes;
    const whole =
      length > 0 &&
      length <= this.#messageBytesMax &&
      bytes.readUInt32LE(length) === crc32(bytes.subarray(0, length));
    if (whole) received(bytes.subarray(0, length));
    else this.#damaged++;
  }

  close(): void {
    this.#encoder.destroy();
    this.#decoder.destroy();
  }
}
