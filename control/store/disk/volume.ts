// Frames on a block device, and what is found of them after a crash.
//
//     block 0, 1   the superblock, twice: the generation in use
//     two areas    one in use: a snapshot, then frame after frame; the other holds the
//                  generation before it, or the one to come
//
// - A frame is done when the flush after it has ended; only then is the next one begun. So of
//   the frames in an area only the last can be torn, and it was never acknowledged. A broken
//   frame with a good one behind it is damage.
// - A new generation: its snapshot goes to the other area, flush, the superblocks, flush. A
//   snapshot that is there without its superblock says the same as the area before it.
// - Nothing ever overwrites a block with something that was acknowledged and is still needed.
// Protocol-aware recovery (Alagappan and others, FAST 2018) says why torn and damaged differ.

import { type BlockDevice, BlockError, writeThrough } from "../../../drivers/block.js";
import { damaged, failed, unknownFormat } from "../errors.js";
import {
  blocksOf,
  decodeFrameHeader,
  decodeSuperblock,
  encodeFrame,
  encodeSuperblock,
  type FrameHeader,
  format,
  frameHeaderBytes,
  isGoodFrame,
  type Superblock,
} from "./frames.js";

const superblocks = 2;
/** Blocks that are looked at together behind the end of a log. */
const lookBytes = 1024 * 1024;
const readAttempts = 3; // a read may fail once and work the next time

interface FoundFrame {
  readonly header: FrameHeader;
  readonly payload: Uint8Array;
  readonly blocks: number;
}

/** What a volume held when it was opened; null when it was blank. */
export interface Recovered {
  readonly snapshot: Uint8Array;
  /** Payloads of the frames after it. */
  readonly frames: readonly Uint8Array[];
}

export class Volume {
  readonly #device: BlockDevice;
  readonly #name: string;
  #generation = 0;
  #sequence = 0;
  #next = 0; // the block within the area

  constructor(device: BlockDevice, name: string) {
    this.#device = device;
    this.#name = name;
  }

  /** Blocks of each of the two areas. */
  get areaBlocks(): number {
    return Math.floor((this.#device.blocks - superblocks) / 2);
  }

  /** Blocks that a frame with such a payload takes. */
  blocksFor(payloadBytes: number): number {
    return blocksOf(payloadBytes, this.#device.blockBytes);
  }

  /** Blocks that are free in the area in use. */
  get free(): number {
    return this.areaBlocks - this.#next;
  }

  #areaStart(generation: number): number {
    return superblocks + (generation % 2) * this.areaBlocks;
  }

  // ---- recovery ----------------------------------------------------------------------

  async recover(): Promise<Recovered | null> {
    const found = [await this.#superblock(0), await this.#superblock(1)];
    const stated = this.#statedGeneration(found);
    const snapshots = [
      await this.#frameAt(this.#areaStart(0), 0),
      await this.#frameAt(this.#areaStart(1), 0),
    ];
    const best = snapshots
      .filter(
        (frame): frame is FoundFrame => frame?.header.kind === "snapshot" && frame.header.sequence === 0,
      )
      .sort((a, b) => b.header.generation - a.header.generation)[0];
    if (best === undefined && stated === 0 && found.every(({ kind }) => kind === "blank")) return null;
    if (best === undefined || best.header.generation < stated)
      throw damaged(this.#name, `the snapshot of generation ${stated} is gone`);
    this.#generation = best.header.generation;
    this.#next = best.blocks;
    const frames = await this.#readLog();
    if (found.some((block) => block.kind !== "good" || block.generation !== this.#generation))
      await this.#writeSuperblocks();
    return { snapshot: best.payload, frames };
  }

  async #superblock(block: number): Promise<Superblock> {
    const bytes = await this.#read(block, 1);
    return bytes === null ? { kind: "broken" } : decodeSuperblock(bytes);
  }

  #statedGeneration(found: readonly Superblock[]): number {
    let generation = 0;
    for (const block of found) {
      if (block.kind !== "good") continue;
      if (block.format !== format) throw unknownFormat(this.#name, `it has format ${block.format}`);
      generation = Math.max(generation, block.generation);
    }
    if (generation > 0 || found.some(({ kind }) => kind === "blank")) return generation;
    if (found.every(({ kind }) => kind === "foreign")) throw unknownFormat(this.#name, "it is not a store");
    throw damaged(this.#name, "both superblocks are broken");
  }

  /** All frames after the snapshot; leaves `#next` where the next one goes. */
  async #readLog(): Promise<Uint8Array[]> {
    const start = this.#areaStart(this.#generation);
    const frames: Uint8Array[] = [];
    while (this.#next < this.areaBlocks) {
      const frame = await this.#frameAt(start + this.#next, frames.length + 1);
      if (frame === null || frame.header.generation !== this.#generation) break;
      frames.push(frame.payload);
      this.#next += frame.blocks;
    }
    this.#sequence = frames.length;
    const together = Math.ceil(lookBytes / this.#device.blockBytes);
    for (let block = this.#next; block < this.areaBlocks; block += together) {
      const count = Math.min(together, this.areaBlocks - block);
      if (await this.#provesDamage(start + block, count, frames.length + 1))
        throw damaged(this.#name, `frame ${frames.length + 1} of generation ${this.#generation} is broken`);
    }
    return frames;
  }

  /** Among these blocks is one that cannot be read, or a frame that was written after a broken one. */
  async #provesDamage(from: number, count: number, sequence: number): Promise<boolean> {
    const { blockBytes } = this.#device;
    const bytes = await this.#read(from, count);
    for (let index = 0; bytes !== null && index < count; index++) {
      const header = decodeFrameHeader(bytes.subarray(index * blockBytes, (index + 1) * blockBytes));
      // Nothing is awaited for a block that holds no frame: there are thousands.
      if (header === null || header.generation !== this.#generation || header.sequence <= sequence) continue;
      if ((await this.#frameAt(from + index, header.sequence)) !== null) return true;
    }
    return bytes === null;
  }

  /** The good frame of that sequence at a block, or null. */
  async #frameAt(block: number, sequence: number): Promise<FoundFrame | null> {
    const first = await this.#read(block, 1);
    const header = first === null ? null : decodeFrameHeader(first);
    if (header === null || header.sequence !== sequence) return null;
    const blocks = this.blocksFor(header.length);
    const end = superblocks + (block < superblocks + this.areaBlocks ? 1 : 2) * this.areaBlocks;
    if (block + blocks > end) return null;
    const bytes = blocks === 1 ? first : await this.#read(block, blocks);
    if (bytes === null || !isGoodFrame(bytes, header)) return null;
    const payload = bytes.slice(frameHeaderBytes, frameHeaderBytes + header.length);
    return { header, payload, blocks };
  }

  /** The bytes of some blocks; null when the medium cannot read them. */
  async #read(block: number, count: number): Promise<Uint8Array | null> {
    const bytes = new Uint8Array(count * this.#device.blockBytes);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#device.read(block, bytes);
        return bytes;
      } catch (error) {
        if (!(error instanceof BlockError) || error.code !== "BLOCK_UNREADABLE")
          throw failed(this.#name, error);
        if (attempt === readAttempts) return null;
      }
    }
  }

  // ---- writing -----------------------------------------------------------------------

  /** Appends a frame; durable when it ends. The caller has seen to `free`. */
  async append(payload: Uint8Array): Promise<void> {
    const place = { kind: "changes" as const, generation: this.#generation, sequence: this.#sequence + 1 };
    const frame = encodeFrame(place, payload, this.#device.blockBytes);
    await writeThrough(this.#device, this.#areaStart(this.#generation) + this.#next, frame);
    this.#sequence++;
    this.#next += frame.length / this.#device.blockBytes;
  }

  /** Begins a new generation with a snapshot; durable when it ends. */
  async begin(snapshot: Uint8Array): Promise<void> {
    const place = { kind: "snapshot" as const, generation: this.#generation + 1, sequence: 0 };
    const frame = encodeFrame(place, snapshot, this.#device.blockBytes);
    await this.#device.write(this.#areaStart(place.generation), frame);
    await this.#device.flush();
    this.#generation = place.generation;
    this.#sequence = 0;
    this.#next = frame.length / this.#device.blockBytes;
    await this.#writeSuperblocks();
  }

  async #writeSuperblocks(): Promise<void> {
    const block = encodeSuperblock(this.#generation, this.#device.blockBytes);
    for (let copy = 0; copy < superblocks; copy++) await this.#device.write(copy, block);
    await this.#device.flush();
  }
}
