// Contents from the medium, each block compared with its checksum before anyone sees it.
//
// - A block whose checksum is wrong is read again before it is called corrupt: the fault may
//   have been on the way. Then: VOLUME_CORRUPT, with the file and the block.
// - Contents that fit are read whole, once for all who wait, and cached. Of larger ones the
//   blocks asked for are read.

import { crc32c } from "../../../store/disk/crc32c.js";
import { corruptBlock, VolumeError } from "./errors.js";
import type { Corruption, Extent } from "./extent.js";
import { checksumsPerBlock, decodeChecksums } from "./layout.js";
import { type Medium, PIECE_BYTES } from "./medium.js";
import type { Memory } from "./memory.js";

const checksumAttempts = 3;
/** Checksum blocks that are kept in memory. */
const checksumCacheBlocks = 64;

export class Reader {
  readonly #medium: Medium;
  readonly #memory: Memory;
  readonly #loading = new Map<Extent, Promise<Uint8Array>>();
  readonly #checksums = new Map<string, Uint32Array>();

  constructor(medium: Medium, memory: Memory) {
    this.#medium = medium;
    this.#memory = memory;
  }

  /** The bytes from `position` on. They belong to the cache. The caller holds a pin. */
  async read(extent: Extent, position: number, length: number): Promise<Uint8Array> {
    const end = Math.min(extent.bytes, position + length);
    if (end <= position) return new Uint8Array(0);
    if (extent.bytes <= this.#memory.contentMax) {
      const content = this.#memory.get(extent) ?? (await this.#load(extent));
      return content.subarray(position, end);
    }
    const { blockBytes } = this.#medium;
    const first = Math.floor(position / blockBytes);
    const blocks = await this.blocks(extent, first, Math.ceil(end / blockBytes) - first);
    return blocks.subarray(position - first * blockBytes, end - first * blockBytes);
  }

  /** The bytes from `position` on, which belong to the cache; undefined when they are not in it. */
  cached(extent: Extent, position: number, length: number): Uint8Array | undefined {
    return this.#memory.get(extent)?.subarray(position, Math.min(extent.bytes, position + length));
  }

  /** The content, padded to blocks, in pieces of at most PIECE_BYTES; not through the cache. */
  async *pieces(extent: Extent): AsyncGenerator<Uint8Array> {
    const each = PIECE_BYTES / this.#medium.blockBytes;
    for (let block = 0; block < extent.contentBlocks; block += each)
      yield await this.blocks(extent, block, Math.min(each, extent.contentBlocks - block));
  }

  /** Reads all of it: is it what was written? */
  async isWhole(extent: Extent): Promise<boolean> {
    try {
      for await (const _ of this.pieces(extent));
      return true;
    } catch (error) {
      if (error instanceof VolumeError && error.code === "VOLUME_CORRUPT") return false;
      throw error;
    } finally {
      this.forget(extent); // another may seem to lie at the same place
    }
  }

  #load(extent: Extent): Promise<Uint8Array> {
    const under = this.#loading.get(extent);
    if (under !== undefined) return under;
    const loading = this.blocks(extent, 0, extent.contentBlocks)
      .then((blocks) => {
        const content = blocks.subarray(0, extent.bytes);
        this.#memory.put(extent, content);
        return content;
      })
      .finally(() => this.#loading.delete(extent));
    this.#loading.set(extent, loading);
    return loading;
  }

  /** So many blocks of the content from `first` on, verified. */
  async blocks(extent: Extent, first: number, count: number): Promise<Uint8Array> {
    const { blockBytes } = this.#medium;
    const bytes = new Uint8Array(count * blockBytes);
    const unreadable = await this.#medium.read(extent.start + first, bytes);
    const [bad] = unreadable;
    if (bad !== undefined) throw this.#corrupt(extent, bad - extent.start, "cannot be read");
    for (let index = 0; index < count; index++) {
      const block = bytes.subarray(index * blockBytes, (index + 1) * blockBytes);
      await this.#verify(extent, first + index, block);
    }
    return bytes;
  }

  async #verify(extent: Extent, block: number, bytes: Uint8Array): Promise<void> {
    const each = checksumsPerBlock(this.#medium.blockBytes);
    const isInline = extent.checksums.length > 0;
    const place = isInline ? block : block % each;
    const known = isInline ? extent.checksums : this.#knownChecksums(extent, block);
    const checksums = known ?? (await this.#checksumBlock(extent, Math.floor(block / each)));
    for (let attempt = 1; crc32c(bytes) !== checksums[place]; attempt++) {
      if (attempt === checksumAttempts) throw this.#corrupt(extent, block, "is not what was written");
      const unreadable = await this.#medium.read(extent.start + block, bytes);
      if (unreadable.length > 0) throw this.#corrupt(extent, block, "cannot be read");
    }
  }

  #knownChecksums(extent: Extent, block: number): Uint32Array | undefined {
    const each = checksumsPerBlock(this.#medium.blockBytes);
    return this.#checksums.get(`${extent.start}:${Math.floor(block / each)}`);
  }

  async #checksumBlock(extent: Extent, index: number): Promise<Uint32Array> {
    const block = extent.contentBlocks + index;
    const bytes = new Uint8Array(this.#medium.blockBytes);
    for (let attempt = 1; ; attempt++) {
      const unreadable = await this.#medium.read(extent.start + block, bytes);
      const checksums = unreadable.length > 0 ? null : decodeChecksums(bytes, index);
      if (checksums !== null) {
        this.#checksums.set(`${extent.start}:${index}`, checksums);
        const [oldest] = this.#checksums.keys();
        if (this.#checksums.size > checksumCacheBlocks && oldest !== undefined)
          this.#checksums.delete(oldest);
        return checksums;
      }
      if (attempt === checksumAttempts)
        throw this.#corrupt(
          extent,
          block,
          unreadable.length > 0 ? "cannot be read" : "is not what was written",
        );
    }
  }

  /** Forgets what it knows of an extent whose blocks are going to be used again. */
  forget(extent: Extent): void {
    this.#memory.forget(extent);
    const each = checksumsPerBlock(this.#medium.blockBytes);
    if (this.#checksums.size === 0 || extent.checksums.length > 0) return;
    for (let index = 0; index * each < extent.contentBlocks; index++)
      this.#checksums.delete(`${extent.start}:${index}`);
  }

  #corrupt(extent: Extent, block: number, what: string): Error {
    const isContent = block < extent.contentBlocks;
    const why = isContent ? what : `(checksums) ${what}`;
    const corruption: Corruption = { block, deviceBlock: extent.start + block, why };
    extent.corruption = corruption;
    return corruptBlock(this.#medium.name, extent.file, block, corruption.deviceBlock, why);
  }
}
