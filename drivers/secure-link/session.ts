// One agreement of two ends: two keys, the numbers of what was sent, and the window of what came.
//
// - A packet of data, all numbers with their least significant byte first:
//
//     | 3 | 0 0 0 | receiver's index 4 | number 8 | ciphertext … tag 16 |
//
// - Every number is used once with a key. A session that is too old, or has sent too much, seals
//   and opens nothing any more.

import { seal, type TransportKeys, tagBytes, unseal } from "./noise.js";
import { ReplayWindow } from "./window.js";

export const dataType = 3;
const headerBytes = 16;
/** What a packet of data has beyond its message. */
export const dataOverhead = headerBytes + tagBytes;
const nothing = new Uint8Array(0);

/** After this a session is renewed, by its initiator first. */
export const renewAfterMs = 120_000;
/** After this it is of no use. */
export const rejectAfterMs = 180_000;
export const renewAfterMessages = 2 ** 40;
const rejectAfterMessages = 2 ** 50;

export interface SessionOptions {
  readonly keys: TransportKeys;
  /** By which the other end names this session to us. */
  readonly ownIndex: number;
  readonly peerIndex: number;
  readonly initiator: boolean;
  readonly madeAt: number;
}

/** The index of the receiver's session in a packet of data; null when it is none. */
export function indexOf(packet: Buffer): number | null {
  return packet.length >= dataOverhead && packet[0] === dataType ? packet.readUInt32LE(4) : null;
}

/** See the head of this file. */
export class Session {
  readonly ownIndex: number;
  readonly initiator: boolean;
  readonly madeAt: number;
  readonly #peerIndex: number;
  readonly #keys: TransportKeys;
  readonly #window = new ReplayWindow();
  #number = 0;

  constructor(options: SessionOptions) {
    this.ownIndex = options.ownIndex;
    this.initiator = options.initiator;
    this.madeAt = options.madeAt;
    this.#peerIndex = options.peerIndex;
    this.#keys = options.keys;
  }

  /** May it still be used? */
  lives(now: number): boolean {
    return now - this.madeAt < rejectAfterMs && this.#number < rejectAfterMessages;
  }

  /** Is it time for the next one? Its initiator renews it; the other end only when that did not. */
  ages(now: number): boolean {
    const grace = this.initiator ? 0 : 10_000;
    return now - this.madeAt > renewAfterMs + grace || this.#number > renewAfterMessages;
  }

  /** The packet of a message. */
  seal(message: Uint8Array): Buffer {
    const number = this.#number++;
    const header = Buffer.alloc(headerBytes);
    header[0] = dataType;
    header.writeUInt32LE(this.#peerIndex, 4);
    header.writeBigUInt64LE(BigInt(number), 8);
    return Buffer.concat([header, seal(this.#keys.send, number, nothing, message)]);
  }

  /** The message of a packet; null when it is not authentic, or came before. */
  open(packet: Buffer): Buffer | null {
    const number = Number(packet.readBigUInt64LE(8));
    if (number >= rejectAfterMessages || !this.#window.fresh(number)) return null;
    const message = unseal(this.#keys.receive, number, nothing, packet.subarray(headerBytes));
    if (message !== null) this.#window.mark(number);
    return message;
  }
}
