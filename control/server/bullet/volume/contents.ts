// What a draft holds, in one of two places: memory, or, when it is larger, an extent of the medium.
//
// - Positions are checked by the draft. A call that fails with VOLUME_FULL or VOLUME_NOMEM has
//   changed nothing.
// - `place` puts a content where it stays and answers its extent; what was allocated before goes
//   on being the content's until it is dropped.

import { VolumeError } from "./errors.js";
import type { ExtentFacts } from "./extent.js";
import type { NewContentHash } from "./hash.js";
import { checksumsOf, contentBlocks, encodeChecksums, extentBlocks, INLINE_BLOCKS } from "./layout.js";
import type { Medium } from "./medium.js";
import type { Memory } from "./memory.js";
import type { Space } from "./space.js";

/** What contents share. */
export interface ContentsHost {
  readonly medium: Medium;
  readonly memory: Memory;
  readonly space: Space;
  readonly newHash: NewContentHash;
  /** VOLUME_FULL for a content of so many bytes. */
  full(bytes: number): Error;
  /** Waits for blocks that are about to be free; false: there are none. */
  awaitSpace(): Promise<boolean>;
  /** A flush that is due waits for such a write of so many bytes if it is short. */
  during(write: Promise<void>, bytes: number): Promise<void>;
}

/** Where a content has been put. */
export interface Placed {
  readonly start: number;
  readonly facts: ExtentFacts;
  /** Its bytes, if they are in memory. */
  readonly bytes: Uint8Array | null;
}

export interface Content {
  readonly bytes: number;
  write(position: number, data: Uint8Array): Promise<void>;
  insert(position: number, data: Uint8Array): Promise<void>;
  cut(position: number, count: number): Promise<void>;
  /** SHA-256 of it. */
  hash(): Promise<Uint8Array>;
  /** Writes what is not yet on the medium. Not flushed. */
  place(hash: Uint8Array): Promise<Placed>;
  /** Gives back what was not placed: memory and blocks. */
  drop(): void;
}

/** Blocks for a content of so many bytes: best fit. */
export async function allocate(host: ContentsHost, bytes: number): Promise<number> {
  const blocks = extentBlocks(bytes, host.medium.blockBytes);
  if (blocks === 0) return 0;
  for (let wait = 0; ; wait++) {
    const start = host.space.allocate(blocks);
    if (start !== undefined) return start;
    if (wait === spaceWaitsMax || !(await host.awaitSpace())) throw host.full(bytes);
  }
}

/** How often blocks of removed files are waited for; others may be quicker to take them. */
export const spaceWaitsMax = 4;

const nothing: Uint8Array = new Uint8Array(0);
const placeAttempts = 3;

/** A content in memory. Its buffer is whole blocks, with zeros behind the content. */
export class MemoryContent implements Content {
  readonly #host: ContentsHost;
  #buffer: Uint8Array = nothing;
  #bytes = 0;
  /** The buffer is a cached file's, and nobody's to write. */
  #isShared = false;

  constructor(host: ContentsHost, from: Uint8Array = nothing) {
    this.#host = host;
    this.#buffer = from;
    this.#bytes = from.length;
    this.#isShared = true;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get content(): Uint8Array {
    return this.#buffer.subarray(0, this.#bytes);
  }

  /** Whether it can grow to so many bytes here; if so, it can be written that far. */
  makeRoom(bytes: number): boolean {
    const { blockBytes } = this.#host.medium;
    const held = this.#isShared ? 0 : this.#buffer.length;
    if (!this.#isShared && bytes <= held) return true;
    if (bytes > this.#host.memory.contentMax) return false;
    // The first write is often the only one: just long enough; then twice as long each time.
    const wanted = held === 0 ? bytes : Math.min(Math.max(bytes, 2 * held), this.#host.memory.contentMax);
    const length = Math.max(1, contentBlocks(wanted, blockBytes)) * blockBytes;
    if (!this.#host.memory.reserve(length - held)) return false;
    const buffer = new Uint8Array(length);
    buffer.set(this.content);
    this.#buffer = buffer;
    this.#isShared = false;
    return true;
  }

  async write(position: number, data: Uint8Array): Promise<void> {
    this.#buffer.set(data, position);
    this.#bytes = Math.max(this.#bytes, position + data.length);
  }

  async insert(position: number, data: Uint8Array): Promise<void> {
    this.#buffer.copyWithin(position + data.length, position, this.#bytes);
    this.#buffer.set(data, position);
    this.#bytes += data.length;
  }

  async cut(position: number, count: number): Promise<void> {
    this.#buffer.copyWithin(position, position + count, this.#bytes);
    this.#bytes -= count;
    this.#buffer.fill(0, this.#bytes, this.#bytes + count);
  }

  async hash(): Promise<Uint8Array> {
    const hash = await this.#host.newHash();
    hash.update(this.content);
    return hash.digest();
  }

  async place(hash: Uint8Array): Promise<Placed> {
    const { blockBytes } = this.#host.medium;
    const blocks = contentBlocks(this.#bytes, blockBytes);
    const padded = this.#padded(blocks * blockBytes);
    const checksums = checksumsOf(padded, blockBytes);
    const facts: ExtentFacts = {
      ...{ bytes: this.#bytes, hash, contentBlocks: blocks },
      blocks: extentBlocks(this.#bytes, blockBytes),
      checksums: blocks > INLINE_BLOCKS ? new Uint32Array(0) : checksums,
    };
    const start = await this.#writeSomewhere(facts, padded, checksums);
    return { start, facts, bytes: this.content };
  }

  /** Blocks that cannot be written stay taken until the volume is opened again. */
  async #writeSomewhere(facts: ExtentFacts, padded: Uint8Array, checksums: Uint32Array): Promise<number> {
    const { medium, space } = this.#host;
    for (let attempt = 1; ; attempt++) {
      const start = await allocate(this.#host, facts.bytes);
      try {
        const writes = [medium.write(start, padded)];
        if (facts.contentBlocks > INLINE_BLOCKS)
          writes.push(
            medium.write(start + facts.contentBlocks, encodeChecksums(checksums, medium.blockBytes)),
          );
        // Not around the waiting for space: that waits for a flush itself.
        await this.#host.during(settled(writes), facts.bytes);
        return start;
      } catch (error) {
        const isUnwritable = error instanceof VolumeError && error.code === "VOLUME_CORRUPT";
        if (!isUnwritable) space.release(start, facts.blocks);
        if (!isUnwritable || attempt === placeAttempts) throw error;
      }
    }
  }

  #padded(length: number): Uint8Array {
    if (!this.#isShared || this.#buffer.length === length) return this.#buffer.subarray(0, length);
    const padded = new Uint8Array(length);
    padded.set(this.content);
    return padded;
  }

  drop(): void {
    if (!this.#isShared) this.#host.memory.release(this.#buffer.length);
    this.#isShared = true;
    this.#buffer = nothing;
    this.#bytes = 0;
  }
}

/** Ends when all have ended, and fails when one failed. */
export async function settled(writes: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(writes))
    if (result.status === "rejected") throw result.reason;
}
