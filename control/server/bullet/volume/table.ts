// The inode table in memory and its two copies on the medium.
//
// - The image is what the medium has, or is about to have, block by block. Blocks that hold
//   only zeros are not kept.
// - Slots are changed in the image, then `write` brings their blocks to both copies; durable
//   after the flush that follows. `read` puts the two copies together: the good slot with the
//   higher sequence counts.

import {
  decodeSlot,
  encodeSlot,
  freeSlot,
  type Geometry,
  isBlank,
  SLOT_BYTES,
  type Slot,
  slotSeed,
  tableBlocks,
  tableStarts,
} from "./layout.js";
import { type Medium, PIECE_BYTES } from "./medium.js";

/** What a slot is filled with that is broken in both copies: so it stays broken until it is repaired. */
const brokenFill = 0xff;

export interface FoundTable {
  /** All slots that are not free. */
  readonly slots: ReadonlyMap<number, Slot>;
  /** Numbers of those that are broken in both copies. */
  readonly lost: readonly number[];
  /** Slots of which a copy is broken or stale. */
  readonly brokenCopies: number;
}

export class Table {
  readonly #medium: Medium;
  readonly #geometry: Geometry;
  readonly #seed: number;
  readonly #image = new Map<number, Uint8Array>(); // by block of the table
  readonly #stale: [Set<number>, Set<number>] = [new Set(), new Set()]; // blocks, by copy
  readonly #slotsPerBlock: number;
  #sequence = 0;

  constructor(medium: Medium, geometry: Geometry) {
    this.#medium = medium;
    this.#geometry = geometry;
    this.#seed = slotSeed(geometry.id);
    this.#slotsPerBlock = geometry.blockBytes / SLOT_BYTES;
  }

  // ---- reading -----------------------------------------------------------------------

  async read(): Promise<FoundTable> {
    const slots = new Map<number, Slot>();
    const lost: number[] = [];
    let brokenCopies = 0;
    const { blockBytes } = this.#geometry;
    const blocks = tableBlocks(this.#geometry);
    const each = PIECE_BYTES / blockBytes;
    for (let from = 0; from < blocks; from += each) {
      const count = Math.min(each, blocks - from);
      const copies = await this.#readCopies(from, count);
      for (let index = 0; index < count; index++) {
        const block = from + index;
        const found = this.#merge(
          block,
          copies.map((copy) => copy(index)),
        );
        for (const slot of found.slots) slots.set(...slot);
        lost.push(...found.lost);
        brokenCopies += found.brokenCopies;
      }
    }
    return { slots, lost, brokenCopies };
  }

  /** Two functions that give a block of the table's copies; null: it cannot be read. */
  async #readCopies(from: number, count: number): Promise<((index: number) => Uint8Array | null)[]> {
    const { blockBytes } = this.#geometry;
    return Promise.all(
      tableStarts(this.#geometry).map(async (start) => {
        const bytes = new Uint8Array(count * blockBytes);
        const unreadable = new Set(await this.#medium.read(start + from, bytes));
        return (index: number) =>
          unreadable.has(start + from + index)
            ? null
            : bytes.subarray(index * blockBytes, (index + 1) * blockBytes);
      }),
    );
  }

  #merge(
    block: number,
    copies: readonly (Uint8Array | null)[],
  ): { slots: [number, Slot][]; lost: number[]; brokenCopies: number } {
    const slots: [number, Slot][] = [];
    const lost: number[] = [];
    let brokenCopies = 0;
    if (copies.every((copy) => copy !== null && isBlank(copy))) return { slots, lost, brokenCopies };
    const image = new Uint8Array(this.#geometry.blockBytes);
    this.#image.set(block, image);
    for (let index = 0; index < this.#slotsPerBlock; index++) {
      const number = block * this.#slotsPerBlock + index;
      const at = index * SLOT_BYTES;
      const raw = copies.map((copy) => copy?.subarray(at, at + SLOT_BYTES) ?? null);
      const decoded = raw.map((bytes) => bytes && decodeSlot(bytes, number, this.#geometry, this.#seed));
      const best = decoded.reduce(
        (a, b) => (b !== null && (a === null || b.sequence > a.sequence) ? b : a),
        null,
      );
      if (best === null) {
        if (number <= this.#geometry.inodes) lost.push(number);
        image.fill(brokenFill, at, at + SLOT_BYTES);
        continue;
      }
      image.set(raw[decoded.indexOf(best)] ?? [], at);
      this.#sequence = Math.max(this.#sequence, best.sequence);
      if (best.kind !== "free") slots.push([number, best]);
      for (const [copy, slot] of decoded.entries()) {
        if (slot !== null && slot.sequence === best.sequence) continue;
        brokenCopies++;
        this.#stale[copy === 0 ? 0 : 1].add(block);
      }
    }
    return { slots, lost, brokenCopies };
  }

  /** Writes the copies anew that `read` or `compare` found broken or stale; one copy after the other. */
  async repair(): Promise<void> {
    for (const [copy, blocks] of this.#stale.entries()) {
      if (blocks.size === 0) continue;
      const start = tableStarts(this.#geometry)[copy === 0 ? 0 : 1];
      for (const block of blocks) await this.#medium.write(start + block, this.#blockImage(block).slice());
      await this.#medium.flush();
      blocks.clear();
    }
  }

  /** Compares the medium with the image; answers how many slots of a copy differ. Nothing may be written meanwhile. */
  async compare(from: number, count: number): Promise<number> {
    const copies = await this.#readCopies(from, count);
    let brokenCopies = 0;
    for (let index = 0; index < count; index++) {
      const image = this.#image.get(from + index);
      for (const [copy, of] of copies.entries()) {
        const bytes = of(index);
        let differing = 0;
        for (let at = 0; at < this.#geometry.blockBytes; at += SLOT_BYTES) {
          const slot = bytes?.subarray(at, at + SLOT_BYTES);
          if (slot === undefined || !isSame(slot, image?.subarray(at, at + SLOT_BYTES))) differing++;
        }
        if (differing > 0) this.#stale[copy === 0 ? 0 : 1].add(from + index);
        brokenCopies += differing;
      }
    }
    return brokenCopies;
  }

  get blocks(): number {
    return tableBlocks(this.#geometry);
  }

  // ---- changes -----------------------------------------------------------------------

  /** Changes slots in the image; answers the blocks to write. */
  change(slots: Iterable<readonly [number, Omit<Slot, "sequence"> | null]>): Set<number> {
    const blocks = new Set<number>();
    for (const [number, slot] of slots) {
      const block = this.blockOf(number);
      const at = (number % this.#slotsPerBlock) * SLOT_BYTES;
      const sequence = ++this.#sequence;
      const bytes = this.#blockImage(block).subarray(at, at + SLOT_BYTES);
      encodeSlot(bytes, number, slot === null ? freeSlot(sequence) : { ...slot, sequence }, this.#seed);
      blocks.add(block);
    }
    return blocks;
  }

  /** The block of the table that a slot lies in. */
  blockOf(number: number): number {
    return Math.floor(number / this.#slotsPerBlock);
  }

  /** Brings blocks to both copies; durable after the next flush. */
  async write(blocks: Iterable<number>): Promise<void> {
    const writes: Promise<void>[] = [];
    for (const block of blocks) {
      const bytes = this.#blockImage(block).slice();
      for (const start of tableStarts(this.#geometry)) writes.push(this.#medium.write(start + block, bytes));
    }
    await Promise.all(writes);
  }

  #blockImage(block: number): Uint8Array {
    const image = this.#image.get(block) ?? new Uint8Array(this.#geometry.blockBytes);
    this.#image.set(block, image);
    return image;
  }
}

/** The same bytes; no image: zeros. */
function isSame(slot: Uint8Array, image: Uint8Array | undefined): boolean {
  if (image === undefined) return isBlank(slot);
  return slot.every((byte, index) => byte === image[index]);
}
