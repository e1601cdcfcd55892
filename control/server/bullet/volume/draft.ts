// A draft: what is done to a file before it is one.
//
// - Its calls are done one after another. It begins in memory, and moves to the medium when
//   it becomes too large, or memory is short.
// - A failure in the middle of a change ends the draft for all but `discard`; one that changed
//   nothing (VOLUME_FULL, VOLUME_NOMEM) leaves it as it was.

import { type Content, type ContentsHost, MemoryContent } from "./contents.js";
import { draftEnded, VolumeError } from "./errors.js";
import type { Inode } from "./extent.js";
import { MediumContent } from "./medium-content.js";
import type { Draft, FileEntry } from "./types.js";

/** What a draft needs of its volume. */
export interface DraftHost extends ContentsHost {
  readonly draftCount: number;
  /** Makes it a file; takes the content. */
  commit(inode: Inode, content: Content, durable: boolean): Promise<FileEntry>;
  /** The number is free again. */
  discarded(inode: Inode): void;
}

const isHarmless = (error: unknown): boolean =>
  error instanceof VolumeError &&
  (error.code === "VOLUME_NOMEM" || (error.code === "VOLUME_FULL" && error.cause === undefined));

export class VolumeDraft implements Draft {
  readonly number: number;
  readonly generation: Uint8Array;
  readonly #host: DraftHost;
  readonly #inode: Inode;
  #content: Content;
  #calls: Promise<unknown> = Promise.resolve();
  #hasEnded = false;
  #damage: unknown = null;

  constructor(host: DraftHost, inode: Inode, content: Content) {
    this.#host = host;
    this.#inode = inode;
    this.#content = content;
    this.number = inode.number;
    this.generation = inode.generation;
  }

  get bytes(): number {
    return this.#content.bytes;
  }

  write(position: number, data: Uint8Array): Promise<void> {
    return this.#change(async () => {
      this.#check(position, 0);
      await this.#makeRoom(Math.max(this.bytes, position + data.length));
      await this.#content.write(position, data);
    });
  }

  insert(position: number, data: Uint8Array): Promise<void> {
    return this.#change(async () => {
      this.#check(position, 0);
      await this.#makeRoom(this.bytes + data.length);
      await this.#content.insert(position, data);
    });
  }

  cut(position: number, count: number): Promise<void> {
    return this.#change(async () => {
      this.#check(position, count);
      await this.#makeRoom(this.bytes);
      await this.#content.cut(position, count);
    });
  }

  commit({ durable }: { readonly durable: boolean }): Promise<FileEntry> {
    return this.#next(async () => {
      const entry = await this.#host.commit(this.#inode, this.#content, durable).finally(() => {
        // A file already, also when its slot could not be made durable.
        if (!this.#inode.isDraft) this.#hasEnded = true;
      });
      return entry;
    });
  }

  discard(): void {
    void this.#next(async () => {
      this.#hasEnded = true;
      this.#content.drop();
      this.#host.discarded(this.#inode);
    }, true).catch(() => undefined);
  }

  #check(position: number, count: number): void {
    const isGood =
      Number.isSafeInteger(position) && Number.isSafeInteger(count) && position >= 0 && count >= 0;
    if (isGood && position + count <= this.bytes) return;
    throw new RangeError(`${count} bytes at ${position} are not within a draft of ${this.bytes}`);
  }

  /** Sees that the content can be changed, and that memory holds so many bytes if it is there. */
  async #makeRoom(bytes: number): Promise<void> {
    const content = this.#content;
    if (!(content instanceof MemoryContent) || content.makeRoom(bytes)) return;
    const larger = await MediumContent.begin(this.#host, this.number, bytes, this.#host.draftCount);
    try {
      await larger.write(0, content.content);
    } catch (error) {
      larger.drop();
      throw error;
    }
    content.drop();
    this.#content = larger;
  }

  #change(work: () => Promise<void>): Promise<void> {
    return this.#next(async () => {
      try {
        await work();
      } catch (error) {
        if (!(error instanceof RangeError) && !isHarmless(error)) this.#damage = error;
        throw error;
      }
    });
  }

  /** Does one thing after another. */
  #next<T>(work: () => Promise<T>, evenDamaged = false): Promise<T> {
    const result = this.#calls.then(() => {
      if (this.#hasEnded) throw draftEnded(this.#host.medium.name, this.number);
      if (this.#damage !== null && !evenDamaged) throw this.#damage;
      return work();
    });
    this.#calls = result.catch(() => undefined);
    return result;
  }
}
