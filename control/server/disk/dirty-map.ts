// Which blocks, or extents, of a disk somebody lacks: a bit each, in the kernel's memory.
//
// - Runs of bits are set, counted and found 64 at a time by the kernel (core-wasm/mirror/bits.ts).
// - Bits outside of the map are a bug of the caller: a RangeError, nothing was touched.
// - `close` gives the memory back; the map is of no use afterwards.

import type { DigestHost } from "../../kernel/digests.js";

/** Bits in a row that are set. */
export interface DirtyRun {
  readonly first: number;
  readonly count: number;
}

export class DirtyMap {
  /** How many bits it has. */
  readonly size: number;
  readonly #host: DigestHost;
  readonly #at: number;

  /** A map of so many bits, none of them set. Throws KERNEL_NOMEMORY when there is no room. */
  constructor(host: DigestHost, size: number) {
    if (!Number.isInteger(size) || size < 0) throw new RangeError(`a map of ${size} bits`);
    this.size = size;
    this.#host = host;
    const bytes = Math.max(8, Math.ceil(size / 64) * 8);
    this.#at = host.buffers.take(bytes);
    host.bytes.fill(0, this.#at, this.#at + bytes);
  }

  has(bit: number): boolean {
    this.#check(bit, 1);
    return (((this.#host.bytes[this.#at + (bit >> 3)] ?? 0) >> (bit & 7)) & 1) === 1;
  }

  set(first: number, count = 1): void {
    this.#check(first, count);
    this.#host.mirror.fillBits(this.#at, first, first + count, true);
  }

  clear(first: number, count = 1): void {
    this.#check(first, count);
    this.#host.mirror.fillBits(this.#at, first, first + count, false);
  }

  /** How many are set, of all or of a range. */
  count(first = 0, count = this.size - first): number {
    this.#check(first, count);
    return this.#host.mirror.countBits(this.#at, first, first + count);
  }

  /** The next run of set bits from `from` on, cut to `most` bits; null when there is none. */
  next(from = 0, most = this.size): DirtyRun | null {
    this.#check(from, 0);
    const { mirror } = this.#host;
    const first = mirror.findBit(this.#at, from, this.size, true);
    if (first === this.size) return null;
    const limit = Math.min(this.size, first + most);
    return { first, count: mirror.findBit(this.#at, first, limit, false) - first };
  }

  /** Sets what another map of the same size has set. */
  unite(other: DirtyMap): void {
    if (other.size !== this.size || other.#host !== this.#host)
      throw new RangeError(`a map of ${other.size} bits beside one of ${this.size}`);
    this.#host.mirror.uniteBits(this.#at, other.#at, this.size);
  }

  /** A copy of the bits, as on a medium and on the wire: bit i is bit i & 7 of byte i >> 3. */
  toBytes(): Uint8Array {
    return this.#host.bytes.slice(this.#at, this.#at + Math.ceil(this.size / 8));
  }

  /** Sets the bits that such bytes have; those behind the map's end are ignored. */
  addBytes(bytes: Uint8Array): void {
    const { bytes: memory } = this.#host;
    const whole = Math.ceil(this.size / 8);
    for (const [index, byte] of bytes.subarray(0, whole).entries()) {
      const kept = index === whole - 1 && this.size % 8 !== 0 ? byte & ((1 << (this.size % 8)) - 1) : byte;
      memory[this.#at + index] = (memory[this.#at + index] ?? 0) | kept;
    }
  }

  close(): void {
    this.#host.buffers.give(this.#at);
  }

  #check(first: number, count: number): void {
    const isGood = Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count >= 0;
    if (!isGood || first + count > this.size)
      throw new RangeError(`${count} bits from ${first} on, of a map of ${this.size}`);
  }
}
