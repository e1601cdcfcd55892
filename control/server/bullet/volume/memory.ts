// The memory of a volume for contents: what drafts hold, and a cache of what was used last.
//
// - Drafts may have half of it, and take it from the cache; a content is cached whole or not.
// - Its contents are never written: they are handed out as they are.

import type { Extent } from "./extent.js";

export class Memory {
  readonly #limit: number;
  readonly #cached = new Map<Extent, Uint8Array>(); // the one used last is the last
  #cachedBytes = 0;
  #draftBytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The largest content that is kept in memory. */
  get contentMax(): number {
    return Math.floor(this.#limit / 4);
  }

  get cachedBytes(): number {
    return this.#cachedBytes;
  }

  /** So many bytes more for a draft; false when it cannot have them. */
  reserve(bytes: number): boolean {
    if (this.#draftBytes + bytes > this.#limit / 2) return false;
    this.#draftBytes += bytes;
    this.#evict();
    return true;
  }

  release(bytes: number): void {
    this.#draftBytes -= bytes;
  }

  get(extent: Extent): Uint8Array | undefined {
    const content = this.#cached.get(extent);
    if (content === undefined) return undefined;
    this.#cached.delete(extent);
    this.#cached.set(extent, content);
    return content;
  }

  put(extent: Extent, content: Uint8Array): void {
    if (extent.isReleased || content.buffer.byteLength > this.contentMax * 2) return;
    this.forget(extent);
    this.#cached.set(extent, content);
    this.#cachedBytes += content.buffer.byteLength;
    this.#evict();
  }

  forget(extent: Extent): void {
    const content = this.#cached.get(extent);
    if (content === undefined) return;
    this.#cached.delete(extent);
    this.#cachedBytes -= content.buffer.byteLength;
  }

  #evict(): void {
    for (const extent of this.#cached.keys()) {
      if (this.#cachedBytes + this.#draftBytes <= this.#limit) return;
      this.forget(extent);
    }
  }
}
