// Digests of blocks for whoever has bytes: computed where they lie when that is the kernel's
// memory, and through a piece of that memory when it is not.
//
// - A digest is XXH3-64 with the disk's seed, 8 bytes, little-endian; a block of zeros has 0.
// - Many at a time: one call of the kernel for up to 1 MiB of blocks.
// - One of these serves any number of disks: nothing is kept between calls.

import type { LinearMemory } from "./linear-memory.js";
import type { Mirror } from "./mirror.js";

/** What digests need of a kernel: a Kernel has all of it. */
export interface DigestHost {
  readonly mirror: Mirror;
  readonly bytes: Uint8Array;
  readonly buffers: LinearMemory;
}

const digestBytes = 8;
const batchBytes = 1024 * 1024;

export class Digests {
  readonly blockBytes: number;
  readonly #host: DigestHost;
  readonly #batch: number;
  /** Pieces of the kernel's memory: blocks that lie elsewhere, their digests, a map of them. */
  readonly #blocksAt: number;
  readonly #digestsAt: number;
  readonly #mapAt: number;

  constructor(host: DigestHost, blockBytes = 4096) {
    if (blockBytes % 16 !== 0 || blockBytes <= 0 || blockBytes > batchBytes)
      throw new RangeError(`a block of ${blockBytes} bytes`);
    this.#host = host;
    this.blockBytes = blockBytes;
    this.#batch = Math.floor(batchBytes / blockBytes);
    this.#blocksAt = host.buffers.take(batchBytes);
    this.#digestsAt = host.buffers.take(this.#batch * digestBytes);
    this.#mapAt = host.buffers.take(Math.ceil(this.#batch / 8));
  }

  /** The digests of whole blocks, 8 bytes each. */
  of(data: Uint8Array, seed: bigint): Uint8Array {
    const out = new Uint8Array(this.#blocksOf(data) * digestBytes);
    this.#inBatches(data, (at, first, blocks) => {
      this.#host.mirror.digests(at, blocks, this.blockBytes, seed, this.#digestsAt);
      const end = this.#digestsAt + blocks * digestBytes;
      out.set(this.#host.bytes.subarray(this.#digestsAt, end), first * digestBytes);
    });
    return out;
  }

  /** Which of the blocks in `data`, counted from 0, have another digest than is given for them. */
  differing(data: Uint8Array, digests: Uint8Array, seed: bigint): number[] {
    if (digests.length !== this.#blocksOf(data) * digestBytes)
      throw new RangeError(`${digests.length} bytes of digests for ${data.length} bytes`);
    const found: number[] = [];
    const { mirror, bytes } = this.#host;
    this.#inBatches(data, (at, first, blocks) => {
      bytes.set(digests.subarray(first * digestBytes, (first + blocks) * digestBytes), this.#digestsAt);
      if (mirror.differ(at, blocks, this.blockBytes, seed, this.#digestsAt, this.#mapAt) === 0) return;
      for (let i = 0; i < blocks; i++)
        if ((((bytes[this.#mapAt + (i >> 3)] ?? 0) >> (i & 7)) & 1) === 1) found.push(first + i);
    });
    return found;
  }

  /** Gives its pieces of the kernel's memory back. */
  close(): void {
    for (const at of [this.#blocksAt, this.#digestsAt, this.#mapAt]) this.#host.buffers.give(at);
  }

  #blocksOf(data: Uint8Array): number {
    if (data.length % this.blockBytes === 0) return data.length / this.blockBytes;
    throw new RangeError(`${data.length} bytes are not whole blocks`);
  }

  /** Calls `work` with where blocks lie in the kernel's memory, the index of the first, and how many. */
  #inBatches(data: Uint8Array, work: (at: number, first: number, blocks: number) => void): void {
    const { bytes } = this.#host;
    const isInside = data.buffer === bytes.buffer;
    const blocks = this.#blocksOf(data);
    for (let first = 0; first < blocks; first += this.#batch) {
      const count = Math.min(this.#batch, blocks - first);
      const from = first * this.blockBytes;
      if (isInside) work(data.byteOffset + from, first, count);
      else {
        bytes.set(data.subarray(from, from + count * this.blockBytes), this.#blocksAt);
        work(this.#blocksAt, first, count);
      }
    }
  }
}
