// The content of a draft too large for memory: an extent of the medium that grows as it must, seen
// through a window of memory.
//
// - The window is the only place where bytes change; it goes to the medium when another part is
//   needed. The checksum of each block that went there is kept, and compared when it comes back.
// - Grows in place while the blocks behind it are free, else by a copy to a longer extent.
// - Written in order, its hash is made on the way; otherwise by reading it once more.
// - Inserting and cutting move what stands behind, a window at a time.

import { crc32c } from "../../../store/disk/crc32c.js";
import { type Content, type ContentsHost, type Placed, spaceWaitsMax } from "./contents.js";
import { corruptBlock, noMemory } from "./errors.js";
import type { ContentHash } from "./hash.js";
import { checksumsPerBlock, contentBlocks, encodeChecksums, extentBlocks, INLINE_BLOCKS } from "./layout.js";

/** Bytes of the window, and of a step when content moves. */
export const WINDOW_BYTES = 256 * 1024;

export class MediumContent implements Content {
  readonly #host: ContentsHost;
  readonly #number: number;
  readonly #blockBytes: number;
  readonly #window: Uint8Array;
  #windowAt = 0; // bytes; a multiple of the window's length
  #isDirty = false;
  #start = 0;
  #blocks = 0; // allocated
  #bytes = 0;
  #checksums = new Uint32Array(64);
  /** Blocks from 0 on that have been on the medium at some time, the window's own not counted. */
  #seen = 0;
  #hash: ContentHash | null = null;
  #hashed = 0;
  #isDropped = false;

  private constructor(host: ContentsHost, number: number, windowBytes: number) {
    this.#host = host;
    this.#number = number;
    this.#blockBytes = host.medium.blockBytes;
    this.#window = new Uint8Array(windowBytes);
  }

  /** An empty one that can take so many bytes: VOLUME_FULL, VOLUME_NOMEM. */
  static async begin(
    host: ContentsHost,
    number: number,
    bytes: number,
    drafts: number,
  ): Promise<MediumContent> {
    const { medium, memory } = host;
    const blocks = Math.max(1, Math.min(WINDOW_BYTES, memory.contentMax / 4) / medium.blockBytes);
    const windowBytes = Math.floor(blocks) * medium.blockBytes;
    if (!memory.reserve(windowBytes)) throw noMemory(medium.name, drafts);
    const content = new MediumContent(host, number, windowBytes);
    try {
      await content.#grow(bytes);
      content.#hash = await host.newHash();
    } catch (error) {
      content.drop();
      throw error;
    }
    return content;
  }

  get bytes(): number {
    return this.#bytes;
  }

  async write(position: number, data: Uint8Array): Promise<void> {
    await this.#grow(position + data.length);
    await this.#put(position, data);
  }

  async insert(position: number, data: Uint8Array): Promise<void> {
    const before = this.#bytes;
    await this.#grow(before + data.length);
    const step = this.#window.length;
    const zeros = new Uint8Array(Math.min(step, data.length));
    for (let left = data.length; left > 0; left -= step)
      await this.#put(this.#bytes, zeros.subarray(0, Math.min(step, left)));
    for (let end = before; end > position; end -= step) {
      const from = Math.max(position, end - step);
      await this.#put(from + data.length, await this.#get(from, end - from));
    }
    await this.#put(position, data);
  }

  async cut(position: number, count: number): Promise<void> {
    const step = this.#window.length;
    for (let from = position + count; from < this.#bytes; from += step)
      await this.#put(from - count, await this.#get(from, Math.min(step, this.#bytes - from)));
    this.#bytes -= count;
    if (this.#hashed > this.#bytes) this.#hash = null;
  }

  async hash(): Promise<Uint8Array> {
    if (this.#hash !== null && this.#hashed === this.#bytes) {
      const hash = this.#hash;
      this.#hash = null; // its end is its last use
      return hash.digest();
    }
    const hash = await this.#host.newHash();
    const step = this.#window.length;
    for (let at = 0; at < this.#bytes; at += step)
      hash.update(await this.#get(at, Math.min(step, this.#bytes - at)));
    return hash.digest();
  }

  async place(hash: Uint8Array): Promise<Placed> {
    if (this.#bytes > 0) {
      await this.#show(this.#bytes - 1); // what stood behind a cut is zeros now
      this.#isDirty = true;
      await this.#leave();
    }
    const blocks = contentBlocks(this.#bytes, this.#blockBytes);
    const all = extentBlocks(this.#bytes, this.#blockBytes);
    const checksums = this.#checksums.subarray(0, blocks);
    if (blocks > INLINE_BLOCKS) await this.#writeChecksums(checksums);
    this.#host.space.release(this.#start + all, this.#blocks - all);
    this.#blocks = 0; // the extent's now
    const kept = blocks > INLINE_BLOCKS ? new Uint32Array(0) : checksums.slice();
    const facts = { bytes: this.#bytes, hash, contentBlocks: blocks, blocks: all, checksums: kept };
    return { start: all === 0 ? 0 : this.#start, facts, bytes: null };
  }

  async #writeChecksums(checksums: Uint32Array): Promise<void> {
    const count = Math.ceil(checksums.length / checksumsPerBlock(this.#blockBytes));
    const first = this.#start + checksums.length;
    const each = this.#window.length / this.#blockBytes;
    for (let index = 0; index < count; index += each)
      await this.#host.medium.write(first + index, encodeChecksums(checksums, this.#blockBytes, index, each));
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#host.memory.release(this.#window.length);
    this.#host.space.release(this.#start, this.#blocks);
    this.#blocks = 0;
  }

  // ---- bytes through the window --------------------------------------------------------

  /** Writes where there is room; `position` is at most the bytes. */
  async #put(position: number, data: Uint8Array): Promise<void> {
    for (let done = 0; done < data.length; ) {
      const at = position + done;
      await this.#show(at);
      const offset = at - this.#windowAt;
      const part = data.subarray(done, done + this.#window.length - offset);
      this.#window.set(part, offset);
      this.#isDirty = true;
      done += part.length;
      this.#bytes = Math.max(this.#bytes, at + part.length);
      this.#addToHash(at, part);
    }
  }

  #addToHash(position: number, data: Uint8Array): void {
    if (this.#hash === null) return;
    if (position === this.#hashed) {
      this.#hash.update(data);
      this.#hashed += data.length;
    } else this.#hash = null;
  }

  async #get(position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      await this.#show(position + done);
      const offset = position + done - this.#windowAt;
      const part = this.#window.subarray(offset, offset + length - done);
      bytes.set(part, done);
      done += part.length;
    }
    return bytes;
  }

  /** Moves the window to where a position lies. */
  async #show(position: number): Promise<void> {
    const at = position - (position % this.#window.length);
    if (at === this.#windowAt) return;
    await this.#leave();
    this.#window.fill(0);
    this.#windowAt = at;
    const first = at / this.#blockBytes;
    const count = Math.min(this.#seen - first, this.#window.length / this.#blockBytes);
    if (count <= 0) return;
    await this.#load(this.#start, first, this.#window.subarray(0, count * this.#blockBytes));
  }

  /** Brings the window to the medium, zeros behind the content. */
  async #leave(): Promise<void> {
    if (!this.#isDirty) return;
    const first = this.#windowAt / this.#blockBytes;
    const inWindow = Math.min(this.#window.length, Math.max(0, this.#bytes - this.#windowAt));
    this.#window.fill(0, inWindow);
    const count = contentBlocks(inWindow, this.#blockBytes);
    const blocks = this.#window.subarray(0, count * this.#blockBytes);
    await this.#host.medium.write(this.#start + first, blocks);
    this.#keepChecksums(first, blocks);
    this.#seen = Math.max(this.#seen, first + count);
    this.#isDirty = false;
  }

  #keepChecksums(first: number, blocks: Uint8Array): void {
    const count = blocks.length / this.#blockBytes;
    if (first + count > this.#checksums.length) {
      const longer = new Uint32Array(Math.max(first + count, 2 * this.#checksums.length));
      longer.set(this.#checksums);
      this.#checksums = longer;
    }
    for (let index = 0; index < count; index++) {
      const block = blocks.subarray(index * this.#blockBytes, (index + 1) * this.#blockBytes);
      this.#checksums[first + index] = crc32c(block);
    }
  }

  /** Reads blocks that have been on the medium, and compares them with their checksums. */
  async #load(start: number, first: number, buffer: Uint8Array): Promise<void> {
    const { medium } = this.#host;
    const [unreadable] = await medium.read(start + first, buffer);
    if (unreadable !== undefined)
      throw corruptBlock(medium.name, this.#number, unreadable - start, unreadable, "cannot be read");
    for (let index = 0; index * this.#blockBytes < buffer.length; index++) {
      const block = first + index;
      const bytes = buffer.subarray(index * this.#blockBytes, (index + 1) * this.#blockBytes);
      if (crc32c(bytes) !== this.#checksums[block])
        throw corruptBlock(medium.name, this.#number, block, start + block, "is not what was written");
    }
  }

  // ---- room ----------------------------------------------------------------------------

  /** Sees to room for so many bytes, and for their checksums. */
  async #grow(bytes: number): Promise<void> {
    const wanted = extentBlocks(bytes, this.#blockBytes);
    if (wanted <= this.#blocks) return;
    const { space } = this.#host;
    for (let wait = 0; ; wait++) {
      for (const blocks of [Math.max(wanted, 2 * this.#blocks), wanted]) {
        if (this.#blocks > 0 && space.take(this.#start + this.#blocks, blocks - this.#blocks)) {
          this.#blocks = blocks;
          return;
        }
        const start = space.allocateInLargest(blocks);
        if (start === undefined) continue;
        await this.#moveTo(start, blocks);
        return;
      }
      if (wait === spaceWaitsMax || !(await this.#host.awaitSpace())) throw this.#host.full(bytes);
    }
  }

  async #moveTo(start: number, blocks: number): Promise<void> {
    const { medium, space } = this.#host;
    const step = this.#window.length / this.#blockBytes;
    try {
      for (let first = 0; first < this.#seen; first += step) {
        const bytes = new Uint8Array(Math.min(step, this.#seen - first) * this.#blockBytes);
        await this.#load(this.#start, first, bytes);
        await medium.write(start + first, bytes);
      }
    } catch (error) {
      space.release(start, blocks);
      throw error;
    }
    space.release(this.#start, this.#blocks);
    [this.#start, this.#blocks] = [start, blocks];
  }
}
