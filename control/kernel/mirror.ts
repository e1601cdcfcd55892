// Block copy, checksums, digests and maps of bits as the kernel offers them:
// core-wasm/mirror/calls.ts in TypeScript's terms. digests.ts makes the digests handy.
//
// - Addresses and lengths are of the kernel's memory. Those outside of it are a bug of the
//   caller: a RangeError, nothing was touched.
// - XXH3-64 where the choice is ours, CRC-32C where others read the record too.

import { SCRATCH_ADDRESS } from "../../core-wasm/layout.js";
import type { KernelExports } from "./exports.js";

/** What the calls need of their kernel. */
export interface MirrorHost {
  readonly exports: KernelExports;
  readonly view: DataView;
}

const halves = (seed: bigint): [number, number] => [
  Number(seed & 0xffff_ffffn),
  Number((seed >> 32n) & 0xffff_ffffn),
];

/** Copies, checksums, digests and maps in the memory of one kernel. */
export class Mirror {
  readonly #host: MirrorHost;

  constructor(host: MirrorHost) {
    this.#host = host;
  }

  /** Copies `bytes` bytes; the two places may overlap. */
  copy(to: number, from: number, bytes: number): void {
    this.#check(from, bytes);
    this.#check(to, bytes);
    this.#host.exports.mirror_copy(to, from, bytes);
  }

  /** XXH3-64 of `bytes` bytes; the seed is 64 bits. */
  xxh3(address: number, bytes: number, seed = 0n): bigint {
    this.#check(address, bytes);
    const [low, high] = halves(seed);
    this.#host.exports.mirror_xxh3(address, bytes, low, high, SCRATCH_ADDRESS);
    return this.#host.view.getBigUint64(SCRATCH_ADDRESS, true);
  }

  /** CRC-32C of `bytes` bytes; with `before`, of those behind what had that CRC. */
  crc32c(address: number, bytes: number, before = 0): number {
    this.#check(address, bytes);
    this.#host.exports.mirror_crc32c(address, bytes, before, SCRATCH_ADDRESS);
    return this.#host.view.getUint32(SCRATCH_ADDRESS, true);
  }

  /** The digests of blocks in a row, 8 bytes each at `out`; a block of zeros has 0. */
  digests(address: number, blocks: number, blockBytes: number, seed: bigint, out: number): void {
    this.#check(address, blocks * blockBytes);
    this.#check(out, blocks * 8);
    const [low, high] = halves(seed);
    this.#good(this.#host.exports.mirror_digests(address, blocks, blockBytes, low, high, out));
  }

  /** How many blocks have another digest than those at `given`; a map of them, a bit each, at `out`. */
  differ(
    address: number,
    blocks: number,
    blockBytes: number,
    seed: bigint,
    given: number,
    out: number,
  ): number {
    this.#check(address, blocks * blockBytes);
    this.#check(given, blocks * 8);
    this.#check(out, Math.ceil(blocks / 8));
    const [low, high] = halves(seed);
    return this.#good(this.#host.exports.mirror_differ(address, blocks, blockBytes, low, high, given, out));
  }

  /** Sets or clears the bits [from, to) of a map; maps lie on 8 bytes and take whole 8 bytes. */
  fillBits(map: number, from: number, to: number, isSet: boolean): void {
    this.#checkBits(map, from, to);
    this.#good(this.#host.exports.mirror_bits_fill(map, from, to, isSet ? 1 : 0));
  }

  /** How many of the bits [from, to) are set. */
  countBits(map: number, from: number, to: number): number {
    this.#checkBits(map, from, to);
    return this.#good(this.#host.exports.mirror_bits_count(map, from, to));
  }

  /** The first of the bits [from, to) that is set, or clear; `to` when there is none. */
  findBit(map: number, from: number, to: number, isSet: boolean): number {
    this.#checkBits(map, from, to);
    return this.#good(this.#host.exports.mirror_bits_find(map, from, to, isSet ? 1 : 0));
  }

  /** Sets the bits of a map that another of as many bits has. */
  uniteBits(map: number, other: number, bits: number): void {
    this.#checkBits(map, 0, bits);
    this.#checkBits(other, 0, bits);
    this.#good(this.#host.exports.mirror_bits_unite(map, other, bits));
  }

  #checkBits(map: number, from: number, to: number): void {
    if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || from > to || map % 8 !== 0)
      throw new RangeError(`bits ${from} to ${to} of the map at ${map}`);
    this.#check(map, Math.ceil(to / 64) * 8);
  }

  /** What a call answered, which is no status: what it was given had been checked. */
  #good(answer: number): number {
    if (answer >= 0) return answer;
    throw new RangeError(`the kernel refused what it was given: status ${answer}`);
  }

  #check(address: number, bytes: number): void {
    const end = this.#host.view.byteLength;
    const good = Number.isInteger(address) && Number.isInteger(bytes);
    // Below the scratch area nothing is anybody's.
    if (!good || bytes < 0 || address < SCRATCH_ADDRESS || address + bytes > end)
      throw new RangeError(`${bytes} bytes at ${address} are not in the kernel's memory of ${end} bytes`);
  }
}
