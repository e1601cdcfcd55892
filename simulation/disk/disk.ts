// A disk in virtual time, with a write cache that a power cut empties, and a medium that lies.
//
// - A write ends when the cache has it; a flush brings the cache to the medium in the order of
//   the writes. At a power cut each block of the cache is kept, dropped or torn by itself: so
//   writes between two flushes are reordered as well.
// - After a cut nothing that was under way ever ends: the machine that asked is off too. A cut
//   can be armed for any write or flush that is to come, before or after it.
// - Blocks that were never written read as zeros. Only written blocks take memory.
// - Faults of the medium: faults.ts. Everything random comes from the generator given.

import { type BlockDevice, BlockError, checkBlocks, SECTOR_BYTES } from "../../drivers/block.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { type DiskFaults, noDiskCounts, noDiskFaults } from "./faults.js";

/** What a disk needs of its world. */
export interface DiskClock {
  after(microseconds: number, action: () => void): void;
}

export interface DiskOptions {
  /** Default 4096. */
  readonly blockBytes?: number;
  readonly blocks: number;
  readonly random: SeededRandom;
  readonly clock: DiskClock;
  /** How long an operation takes, at least and at most; a flush takes ten times as long. */
  readonly microseconds?: { readonly min: number; readonly max: number };
}

interface CachedWrite {
  readonly block: number;
  readonly data: Uint8Array;
}

export class VirtualDisk implements BlockDevice {
  readonly blockBytes: number;
  readonly blocks: number;
  readonly counts = noDiskCounts();
  faults: DiskFaults = noDiskFaults;
  /** Writes and flushes since it was made. */
  operations = 0;
  readonly #medium = new Map<number, Uint8Array>();
  readonly #bad = new Set<number>();
  readonly #random: SeededRandom;
  readonly #clock: DiskClock;
  readonly #microseconds: { readonly min: number; readonly max: number };
  #cache: CachedWrite[] = [];
  #power = 1; // counts: what began under an earlier power never ends
  #on = true;
  #cutAt: { readonly operation: number; readonly after: boolean; readonly hit: () => void } | null = null;

  constructor({
    blockBytes = 4096,
    blocks,
    random,
    clock,
    microseconds = { min: 60, max: 200 },
  }: DiskOptions) {
    if (blockBytes < SECTOR_BYTES || (blockBytes & (blockBytes - 1)) !== 0)
      throw new RangeError(`a block of ${blockBytes} bytes`);
    this.blockBytes = blockBytes;
    this.blocks = blocks;
    this.#random = random;
    this.#clock = clock;
    this.#microseconds = microseconds;
  }

  // ---- the device ------------------------------------------------------------------

  read(block: number, buffer: Uint8Array): Promise<void> {
    return this.#timed(1, () => {
      checkBlocks(this, block, buffer.length);
      for (let i = 0; i * this.blockBytes < buffer.length; i++) this.#readBlock(block + i, buffer, i);
    });
  }

  write(block: number, data: Uint8Array): Promise<void> {
    return this.#counted(1, () => {
      checkBlocks(this, block, data.length);
      const own = new Uint8Array(data); // a copy: what a Buffer's slice is not
      for (let i = 0; i * this.blockBytes < own.length; i++)
        this.#writeBlock(block + i, own.slice(i * this.blockBytes, (i + 1) * this.blockBytes));
    });
  }

  flush(): Promise<void> {
    return this.#counted(10, () => {
      for (const { block, data } of this.#cache) this.#store(block, data);
      this.#cache = [];
    });
  }

  /** An operation that a power cut may be armed for. */
  #counted(length: number, work: () => void): Promise<void> {
    const operation = this.operations++;
    return this.#timed(length, () => {
      if (this.#isCut(operation, false)) return;
      work();
      this.#isCut(operation, true);
    });
  }

  #timed(length: number, work: () => void): Promise<void> {
    const power = this.#power;
    if (!this.#on) return Promise.reject(new BlockError("BLOCK_GONE", "the disk has no power", 0));
    const { min, max } = this.#microseconds;
    const lasting = length * (min + this.#random.below(max - min + 1));
    return new Promise((resolve, reject) => {
      this.#clock.after(lasting, () => {
        if (power !== this.#power) return;
        try {
          work();
        } catch (error) {
          reject(error);
          return;
        }
        if (power === this.#power) resolve();
      });
    });
  }

  #readBlock(block: number, buffer: Uint8Array, index: number): void {
    const { faults, counts } = this;
    const random = this.#random;
    if (random.chance(faults.badBlock)) {
      counts.badBlock++;
      this.#bad.add(block);
    }
    const failsOnce = random.chance(faults.readError);
    if (failsOnce) counts.readError++;
    if (failsOnce || this.#bad.has(block))
      throw new BlockError("BLOCK_UNREADABLE", `block ${block} cannot be read`, block);
    if (random.chance(faults.bitRot)) this.#rot(block);
    const content = this.#content(block);
    if (content === undefined) buffer.fill(0, index * this.blockBytes, (index + 1) * this.blockBytes);
    else buffer.set(content, index * this.blockBytes);
  }

  #content(block: number): Uint8Array | undefined {
    return this.#cache.findLast((write) => write.block === block)?.data ?? this.#medium.get(block);
  }

  #rot(block: number): void {
    const bit = this.#random.below(this.blockBytes * 8);
    const data = this.#medium.get(block)?.slice() ?? new Uint8Array(this.blockBytes);
    data[bit >> 3] = (data[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    this.#medium.set(block, data);
    this.counts.bitRot++;
  }

  #writeBlock(block: number, data: Uint8Array): void {
    const { faults, counts } = this;
    if (this.#random.chance(faults.lostWrite)) {
      counts.lostWrite++;
      return;
    }
    if (this.blocks > 1 && this.#random.chance(faults.misdirectedWrite)) {
      counts.misdirectedWrite++;
      const other = this.#random.below(this.blocks - 1);
      this.#cache.push({ block: other < block ? other : other + 1, data });
      return;
    }
    this.#cache.push({ block, data });
  }

  #store(block: number, data: Uint8Array): void {
    this.#bad.delete(block);
    this.#medium.set(block, data);
  }

  // ---- power and media -------------------------------------------------------------

  /** The power goes at the write or flush with this number, just before it or just after; `hit` hears of it. */
  armCut(operation: number, after: boolean, hit: () => void = () => undefined): void {
    this.#cutAt = { operation, after, hit };
  }

  #isCut(operation: number, after: boolean): boolean {
    const armed = this.#cutAt;
    if (armed === null || armed.operation !== operation || armed.after !== after) return false;
    this.#cutAt = null;
    this.cut();
    armed.hit();
    return true;
  }

  /** The power goes now. */
  cut(): void {
    if (!this.#on) return;
    this.#on = false;
    this.#power++;
    this.counts.powerCut++;
    const cache = this.#cache;
    this.#cache = [];
    // Drives keep all, nothing, or some of it; each sort of drive is met often.
    const kept = [0, 1, 0.5, 0.5][this.#random.below(4)] ?? 0.5;
    let dropped = false;
    for (const { block, data } of cache) {
      if (!this.#random.chance(kept)) {
        this.counts.dropped++;
        dropped = true;
      } else if (this.blockBytes > SECTOR_BYTES && this.#random.chance(0.1)) this.#tear(block, data);
      else {
        if (dropped) this.counts.reordered++;
        this.#store(block, data);
      }
    }
  }

  /** Some of the sectors of a block, not all and not none. */
  #tear(block: number, data: Uint8Array): void {
    const sectors = this.blockBytes / SECTOR_BYTES;
    const torn = this.#medium.get(block)?.slice() ?? new Uint8Array(this.blockBytes);
    const [always, never] = [this.#random.below(sectors), this.#random.below(sectors - 1)];
    const left = never < always ? never : never + 1;
    for (let sector = 0; sector < sectors; sector++) {
      if (sector === left || (sector !== always && this.#random.chance(0.5))) continue;
      const at = sector * SECTOR_BYTES;
      torn.set(data.subarray(at, at + SECTOR_BYTES), at);
    }
    this.#medium.set(block, torn);
    this.counts.torn++;
  }

  /** The power is back. */
  restore(): void {
    this.#on = true;
  }

  /** Somebody puts a blank medium in its place. */
  replace(): void {
    this.#medium.clear();
    this.#bad.clear();
    this.#cache = [];
    this.#power++;
    this.counts.replaced++;
  }

  /** What is on the medium, for a judge; zeros where nothing was written. */
  onMedium(block: number): Uint8Array {
    return this.#medium.get(block)?.slice() ?? new Uint8Array(this.blockBytes);
  }
}
