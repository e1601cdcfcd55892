// Block copy and checksums as the kernel offers them: core-wasm/mirror/calls.ts in TypeScript's
// terms.
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

/** Copies and checksums in the memory of one kernel. */
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
    const low = Number(seed & 0xffff_ffffn);
    const high = Number((seed >> 32n) & 0xffff_ffffn);
    this.#host.exports.mirror_xxh3(address, bytes, low, high, SCRATCH_ADDRESS);
    return this.#host.view.getBigUint64(SCRATCH_ADDRESS, true);
  }

  /** CRC-32C of `bytes` bytes; with `before`, of those behind what had that CRC. */
  crc32c(address: number, bytes: number, before = 0): number {
    this.#check(address, bytes);
    this.#host.exports.mirror_crc32c(address, bytes, before, SCRATCH_ADDRESS);
    return this.#host.view.getUint32(SCRATCH_ADDRESS, true);
  }

  #check(address: number, bytes: number): void {
    const end = this.#host.view.byteLength;
    const good = Number.isInteger(address) && Number.isInteger(bytes);
    // Below the scratch area nothing is anybody's.
    if (!good || bytes < 0 || address < SCRATCH_ADDRESS || address + bytes > end)
      throw new RangeError(`${bytes} bytes at ${address} are not in the kernel's memory of ${end} bytes`);
  }
}
