// Which contents lie on a volume, and who has them: each extent once, the same content once.
//
// - A content that is being written is waited for by those who have the same one. One that was
//   found corrupt is never shared: when it is written again, all its files get the new blocks.
// - An extent's blocks are given back when nothing has it any more (extent.ts says when).

import type { Content } from "./contents.js";
import { corruptBlock, VolumeError } from "./errors.js";
import { contentKey, Extent } from "./extent.js";
import type { Medium } from "./medium.js";
import type { Memory } from "./memory.js";
import type { Reader } from "./reader.js";
import type { Space } from "./space.js";
import type { Writer } from "./writer.js";

interface Parts {
  readonly medium: Medium;
  readonly memory: Memory;
  readonly reader: Reader;
  readonly space: Space;
  readonly writer: Writer;
  /** What was found on the medium. */
  readonly found: Set<Extent>;
}

export class Extents {
  readonly #medium: Medium;
  readonly #memory: Memory;
  readonly #reader: Reader;
  readonly #space: Space;
  readonly #writer: Writer;
  readonly #extents: Set<Extent>;
  readonly #byContent = new Map<string, Extent>();
  readonly #placing = new Map<string, Promise<unknown>>();

  constructor({ medium, memory, reader, space, writer, found }: Parts) {
    this.#medium = medium;
    this.#memory = memory;
    this.#reader = reader;
    this.#space = space;
    this.#writer = writer;
    this.#extents = found;
  }

  get all(): ReadonlySet<Extent> {
    return this.#extents;
  }

  /** Whether blocks of removed files are still to be given back. */
  get awaitsBlocks(): boolean {
    return [...this.#extents].some(({ owners, slots }) => owners.size === 0 && slots > 0);
  }

  /** Equal contents lie there twice when a compaction was cut off: their files get one of them. */
  async shareEqual(): Promise<void> {
    for (const extent of [...this.#extents]) {
      const key = contentKey(extent.hash, extent.bytes);
      const other = this.#byContent.get(key);
      if (other === undefined) this.#byContent.set(key, extent);
      else if (await this.#reader.isWhole(other)) await this.replace(extent, other);
      else {
        this.#byContent.set(key, extent);
        if (await this.#reader.isWhole(extent)) await this.replace(other, extent);
      }
    }
  }

  /** The extent that holds the content, there already or written now; with a pin for the caller. */
  async settle(content: Content, hash: Uint8Array): Promise<Extent> {
    const key = contentKey(hash, content.bytes);
    for (;;) {
      const there = this.#byContent.get(key);
      if (there !== undefined && there.corruption === null) {
        there.pins++;
        return there;
      }
      const placing = this.#placing.get(key);
      if (placing === undefined) break;
      await placing;
    }
    const placed = this.#place(key, content, hash);
    this.#placing.set(
      key,
      placed.catch(() => undefined),
    );
    return placed.finally(() => this.#placing.delete(key));
  }

  async #place(key: string, content: Content, hash: Uint8Array): Promise<Extent> {
    const { start, facts, bytes } = await content.place(hash);
    const extent = new Extent(start, facts);
    extent.pins = 1;
    const corrupt = this.#byContent.get(key);
    this.add(extent);
    if (bytes !== null) this.#memory.put(extent, isTight(bytes) ? bytes : bytes.slice());
    this.#writer.written(extent);
    if (corrupt !== undefined) void this.replace(corrupt, extent);
    return extent;
  }

  add(extent: Extent): void {
    this.#extents.add(extent);
    this.#byContent.set(contentKey(extent.hash, extent.bytes), extent);
  }

  /** The files of an extent get another with the same content; ends when that is durable. */
  async replace(old: Extent, by: Extent): Promise<void> {
    const owners = [...old.owners];
    old.owners.clear();
    const content = this.#memory.get(old);
    if (content !== undefined && old.corruption === null) this.#memory.put(by, content);
    const stored = owners.map((inode) => {
      inode.extent = by;
      by.owners.add(inode);
      return this.#writer.submit(inode);
    });
    this.releaseIdle(old);
    await Promise.all(stored).catch(() => undefined); // the writer has failed, and says so to all
  }

  async pinned<T>(extent: Extent, number: number, work: () => Promise<T>): Promise<T> {
    extent.pins++;
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof VolumeError) || error.code !== "VOLUME_CORRUPT") throw error;
      if (extent.corruption === null) throw error;
      const { block, deviceBlock, why } = extent.corruption;
      throw corruptBlock(this.#medium.name, number, block, deviceBlock, why);
    } finally {
      extent.pins--;
      this.releaseIdle(extent);
    }
  }

  releaseIdle(extent: Extent): void {
    if (!extent.isIdle || extent.isReleased) return;
    extent.isReleased = true;
    const key = contentKey(extent.hash, extent.bytes);
    if (this.#byContent.get(key) === extent) this.#byContent.delete(key);
    this.#extents.delete(extent);
    this.#reader.forget(extent);
    this.#space.release(extent.start, extent.blocks);
  }
}

/** Whether a content's buffer is hardly longer than it. */
const isTight = (content: Uint8Array): boolean => content.buffer.byteLength <= content.length * 1.25 + 4096;
