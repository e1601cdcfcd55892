// Contents of files in the simulator: told apart by a hash that is quick and pure, and compared.
//
// - Nothing here tries to find two contents that are alike.

import { toHex } from "../../control/kernel/bytes.js";
import type { ContentHash } from "../../control/server/bullet/volume/hash.js";

/** 32 bytes that tell contents of a run apart: four sums of 64 bits, each mixed in its own way. */
export class QuickHash implements ContentHash {
  readonly #lanes = Uint32Array.from({ length: 8 }, (_, lane) => 0x811c9dc5 ^ (lane * 0x9e3779b9));
  #at = 0;

  update(data: Uint8Array): void {
    for (const byte of data) {
      const lane = this.#at++ & 7;
      this.#lanes[lane] = Math.imul((this.#lanes[lane] ?? 0) ^ byte, 0x01000193);
    }
  }

  digest(): Uint8Array {
    const bytes = new Uint8Array(32);
    const view = new DataView(bytes.buffer);
    for (const [lane, sum] of this.#lanes.entries()) view.setUint32(4 * lane, (sum ^ this.#at) >>> 0);
    return bytes;
  }
}

/** Of a whole content, as hex. */
export function hashOf(content: Uint8Array): string {
  const hash = new QuickHash();
  hash.update(content);
  return toHex(hash.digest());
}

/** Pieces behind each other. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

export const same = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, at) => byte === other[at]);
