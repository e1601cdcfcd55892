// Watches a volume's writes, and says when one comes too early for the power to go.
//
// - It knows what the medium has for sure (all that a flush has ended for) and what it may have
//   besides (writes since, in any order). Wrong is: a settled slot written while blocks that it names
//   are not for sure on the medium; an unsettled one written over a file; a content written over
//   blocks that a slot on the medium names or may name; a file acknowledged that is not for sure
//   on the medium. All are bugs at once: no power has to go at the right moment to see them.
// - It reads slots itself, from layout.ts; it asks the volume nothing.

import {
  contentArea,
  decodeSlot,
  decodeSuperblock,
  extentBlocks,
  type Geometry,
  SLOT_BYTES,
  type Slot,
  slotSeed,
  tableBlocks,
  tableStarts,
} from "../../control/server/bullet/volume/layout.js";
import type { BlockDevice } from "../../drivers/block.js";

interface Numbered extends Slot {
  readonly number: number;
}

interface Pending {
  readonly block: number;
  /** Those that it holds, if it is a block of a table. */
  readonly slots: readonly Numbered[];
  isDone: boolean;
}

export class WriteOrder implements BlockDevice {
  readonly blockBytes: number;
  readonly blocks: number;
  /** What came too early, the first few. */
  readonly wrong: string[] = [];
  /** Slots and blocks of contents that it has looked at. */
  readonly seen = { slots: 0, unsettled: 0, blocks: 0 };
  readonly #device: BlockDevice;
  readonly #geometry: Geometry;
  readonly #sure = new Map<number, readonly Numbered[]>(); // by block of a table
  #pending: Pending[] = [];

  private constructor(device: BlockDevice, geometry: Geometry) {
    this.#device = device;
    this.#geometry = geometry;
    this.blockBytes = device.blockBytes;
    this.blocks = device.blocks;
  }

  /** Watches a device that has an empty volume. */
  static async of(device: BlockDevice): Promise<WriteOrder> {
    const first = new Uint8Array(device.blockBytes);
    await device.read(0, first);
    const found = decodeSuperblock(first);
    if (found.kind !== "good") throw new Error("no volume");
    return new WriteOrder(device, found.geometry);
  }

  read(block: number, buffer: Uint8Array): Promise<void> {
    return this.#device.read(block, buffer);
  }

  async write(block: number, data: Uint8Array): Promise<void> {
    const writes: Pending[] = [];
    for (let at = 0; at * this.blockBytes < data.length; at++) {
      const bytes = data.subarray(at * this.blockBytes, (at + 1) * this.blockBytes);
      writes.push({ block: block + at, slots: this.#look(block + at, bytes), isDone: false });
    }
    this.#pending.push(...writes);
    await this.#device.write(block, data);
    for (const write of writes) write.isDone = true;
  }

  async flush(): Promise<void> {
    const covered = new Set(this.#pending.filter(({ isDone }) => isDone));
    await this.#device.flush();
    for (const { block, slots } of covered) if (slots.length > 0) this.#sure.set(block, slots);
    this.#pending = this.#pending.filter((each) => !covered.has(each));
  }

  /** Somebody was told that a file is on the medium: both its slots, and all that they name. */
  acknowledged(number: number): void {
    for (const start of tableStarts(this.#geometry)) {
      const perBlock = this.blockBytes / SLOT_BYTES;
      const slot = this.#sure.get(start + Math.floor(number / perBlock))?.[number % perBlock];
      if (slot === undefined || slot.kind === "free") this.#say(`file ${number} has no slot on the medium`);
      else if (this.#pending.some(({ block }) => isIn(slot, block, this.blockBytes)))
        this.#say(`file ${number} was acknowledged before its content was flushed`);
    }
  }

  /** The first block of a file; undefined when it has none, or no slot for sure. */
  startOf(number: number): number | undefined {
    const slot = [...this.#named()].find((each) => each.number === number && each.bytes > 0);
    return slot?.start;
  }

  #look(block: number, bytes: Uint8Array): Numbered[] {
    const [first, end] = contentArea(this.#geometry);
    if (block >= first && block < end) {
      this.#lookAtContent(block);
      return [];
    }
    const slots = this.#slots(block, bytes);
    for (const slot of slots) this.#lookAtSlot(slot);
    return slots;
  }

  #lookAtSlot(slot: Numbered): void {
    this.seen.slots++;
    if (slot.kind === "unsettled") {
      this.seen.unsettled++;
      for (const { number, sequence, kind } of this.#named())
        if (number === slot.number && sequence < slot.sequence && kind !== "free")
          this.#say(`an unsettled slot was written over file ${number}`);
      return;
    }
    const early = this.#pending.find(({ block }) => isIn(slot, block, this.blockBytes));
    if (early !== undefined) this.#say(`a slot was written that names block ${early.block}, not yet flushed`);
  }

  #lookAtContent(block: number): void {
    this.seen.blocks++;
    for (const slot of this.#named())
      if (isIn(slot, block, this.blockBytes))
        this.#say(`block ${block} was written, and a slot on the medium names it, or may`);
  }

  /** What a recovery would take for a file, whatever of the writes is on the medium by then. */
  *#named(): Generator<Numbered> {
    const count = tableBlocks(this.#geometry);
    const starts = tableStarts(this.#geometry);
    for (let table = 0; table < count; table++) {
      const [one = [], other = []] = starts.map((start) => this.#sure.get(start + table));
      for (let index = 0; index < Math.max(one.length, other.length); index++) {
        const [mine, twin] = [one[index], other[index]];
        if (mine !== undefined && mine.sequence >= (twin?.sequence ?? 0)) yield mine;
        else if (twin !== undefined) yield twin;
      }
    }
    for (const { slots } of this.#pending) yield* slots;
  }

  /** The slots in a block; none when it is no block of a table. */
  #slots(block: number, bytes: Uint8Array): Numbered[] {
    const start = tableStarts(this.#geometry).find(
      (each) => block >= each && block < each + tableBlocks(this.#geometry),
    );
    if (start === undefined) return [];
    const perBlock = this.blockBytes / SLOT_BYTES;
    const seed = slotSeed(this.#geometry.id);
    return Array.from({ length: perBlock }, (_, index) => {
      const number = (block - start) * perBlock + index;
      const raw = bytes.subarray(index * SLOT_BYTES, (index + 1) * SLOT_BYTES);
      const slot = decodeSlot(raw, number, this.#geometry, seed);
      if (slot === null) throw new Error(`slot ${number} was written broken`);
      return { ...slot, number };
    });
  }

  #say(what: string): void {
    if (this.wrong.length < 5) this.wrong.push(what);
  }
}

const isIn = ({ kind, start, bytes }: Slot, block: number, blockBytes: number): boolean =>
  (kind === "file" || kind === "unsettled") &&
  block >= start &&
  block < start + extentBlocks(bytes, blockBytes);
