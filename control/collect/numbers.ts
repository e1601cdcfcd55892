// A set of object numbers, a bit each.
//
// - Of all objects that a server can have it takes two megabytes; of a few, a kilobyte for each
//   8,192 numbers that are near each other. What is no object's number is left out.

import { OBJECT_MAX } from "../../core-wasm/wire/formats.js";

const chunkBits = 8192;

export class ObjectNumbers {
  readonly #chunks = new Map<number, Uint8Array>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  has(object: number): boolean {
    const chunk = this.#chunks.get(Math.floor(object / chunkBits));
    const bit = object % chunkBits;
    return chunk !== undefined && ((chunk[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  }

  add(object: number): void {
    if (object < 0 || object > OBJECT_MAX || this.has(object)) return;
    const at = Math.floor(object / chunkBits);
    const chunk = this.#chunks.get(at) ?? new Uint8Array(chunkBits / 8);
    this.#chunks.set(at, chunk);
    const bit = object % chunkBits;
    chunk[bit >> 3] = (chunk[bit >> 3] ?? 0) | (1 << (bit & 7));
    this.#count++;
  }
}
