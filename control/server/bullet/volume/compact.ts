// Compaction: contents move towards the beginning, so that what is free lies in one piece.
//
// - Crash-safe: the content is copied, verified on the way, and flushed; then its slots name the
//   copy, and are flushed; only then are the old blocks free. Other calls go on meanwhile.
// - A content longer than the hole in front of it first moves out of the way, to where there is
//   room, and from there into what is then free. Where there is no such room, the longest
//   content that fits the hole comes from further back.
// - Drafts on the medium and what cannot be read stay where they are.

import { settled } from "./contents.js";
import { VolumeError } from "./errors.js";
import { Extent } from "./extent.js";
import { type Medium, PIECE_BYTES } from "./medium.js";
import type { Reader } from "./reader.js";
import type { FreeExtent, Space } from "./space.js";
import type { CompactReport } from "./types.js";
import type { Writer } from "./writer.js";

export interface CompactHost {
  readonly medium: Medium;
  readonly reader: Reader;
  readonly space: Space;
  readonly writer: Writer;
  readonly extents: ReadonlySet<Extent>;
  readonly firstBlock: number;
  add(extent: Extent): void;
  replace(old: Extent, by: Extent): Promise<void>;
  release(extent: Extent): void;
}

/** Moves that are under way at one time, and their bytes. */
const movesMax = 16;
const movingBytesMax = 16 * 1024 * 1024;
/** How often a hole is filled from further back: each time all contents are looked at. */
const fillsMax = 1000;

/** A hole that one pass had to leave may be filled by the next. */
const passesMax = 4;

export async function compact(host: CompactHost): Promise<CompactReport> {
  const { space, medium } = host;
  const before = space.largest;
  const [moved, skipped] = [new Set<number>(), new Set<number>()];
  let movedBytes = 0;
  for (let pass = 0; pass < passesMax && space.largest < space.free; pass++) {
    const compaction = new Compaction(host, moved, skipped);
    await compaction.run();
    movedBytes += compaction.movedBytes;
    if (compaction.movedBytes === 0) break;
  }
  return {
    ...{ movedFiles: moved.size, movedBytes, skipped: [...skipped].sort((a, b) => a - b) },
    largestFreeBytesBefore: before * medium.blockBytes,
    largestFreeBytes: space.largest * medium.blockBytes,
  };
}

class Compaction {
  readonly #host: CompactHost;
  /** Contents that are not yet where they stay, in the order of their places. */
  readonly #queue: Extent[];
  readonly #movedAway = new Set<Extent>();
  readonly #moved: Set<number>;
  readonly #skipped: Set<number>;
  readonly #underWay = new Set<Promise<void>>();
  #movingBytes = 0;
  movedBytes = 0;
  #fills = 0;
  /** Everything before this block stays as it is. */
  #from: number;

  /** `moved` and `skipped` gather the numbers of files. */
  constructor(host: CompactHost, moved: Set<number>, skipped: Set<number>) {
    this.#host = host;
    this.#moved = moved;
    this.#skipped = skipped;
    this.#from = host.firstBlock;
    // The first is the last: it is taken off the end.
    this.#queue = [...host.extents].filter(({ blocks }) => blocks > 0).sort((a, b) => b.start - a.start);
  }

  async run(): Promise<void> {
    // A content is passed, moved, or moved away once: three turns each, and a wait for each.
    const turnsMax = 8 * this.#queue.length + 8;
    try {
      for (let turn = 0; turn < turnsMax && this.#next() !== undefined; turn++) await this.#turn();
    } finally {
      await this.#settle();
    }
  }

  /** The first content that still is one. */
  #next(): Extent | undefined {
    for (let next = this.#queue.at(-1); next !== undefined; next = this.#queue.at(-1)) {
      if (next.owners.size > 0) return next;
      this.#queue.pop();
    }
    return undefined;
  }

  async #turn(): Promise<void> {
    const next = this.#next();
    if (next === undefined) return;
    const { space } = this.#host;
    const found = space.from(this.#from);
    const hole = found !== undefined && found.start < next.start ? found : undefined;
    if (hole !== undefined && next.blocks <= hole.blocks) await this.#moveDown(next, hole);
    else if (this.#underWay.size > 0) await this.#settle();
    else if (hole === undefined) this.#pass(next);
    else if (!(await this.#moveAway(next, hole)) && !(await this.#fill(hole))) this.#pass(next);
  }

  /** It stays where it is. */
  #pass(next: Extent): void {
    this.#queue.pop();
    this.#from = next.start + next.blocks;
  }

  /** `hole`: found in this turn, or still free; otherwise nothing moves, and the next turn looks again. */
  async #moveDown(extent: Extent, hole: FreeExtent): Promise<void> {
    if (!this.#host.space.take(hole.start, extent.blocks)) return;
    this.#queue.splice(this.#queue.indexOf(extent), 1);
    this.#from = hole.start + extent.blocks;
    const moving: Promise<void> = this.#move(extent, hole.start)
      .then(() => undefined)
      .finally(() => {
        this.#underWay.delete(moving);
        this.#movingBytes -= extent.bytes;
      });
    moving.catch(() => undefined); // #settle hears of it
    this.#underWay.add(moving);
    this.#movingBytes += extent.bytes;
    if (this.#underWay.size >= movesMax || this.#movingBytes >= movingBytesMax) await this.#settle();
  }

  /** Makes the hole in front of a content longer than it. */
  async #moveAway(next: Extent, hole: FreeExtent): Promise<boolean> {
    const { space } = this.#host;
    if (hole.start + hole.blocks !== next.start || this.#movedAway.has(next)) return false;
    const start = space.lastBehind(next.start + next.blocks, next.blocks);
    if (start === undefined || !space.take(start, next.blocks)) return false;
    this.#queue.pop();
    const moved = await this.#move(next, start);
    if (moved === null) {
      this.#from = next.start + next.blocks;
      return true;
    }
    this.#movedAway.add(moved);
    const place = this.#queue.findIndex((extent) => extent.start < moved.start);
    this.#queue.splice(place < 0 ? this.#queue.length : place, 0, moved);
    return true;
  }

  /** The longest content behind a hole that fits it; others may have taken the hole meanwhile. */
  async #fill(hole: FreeExtent): Promise<boolean> {
    if (this.#fills++ >= fillsMax) return false;
    let best: Extent | undefined;
    for (const extent of this.#queue)
      if (extent.owners.size > 0 && extent.blocks <= hole.blocks && extent.blocks > (best?.blocks ?? 0))
        best = extent;
    if (best === undefined) return false;
    await this.#moveDown(best, hole);
    return true;
  }

  async #settle(): Promise<void> {
    await settled([...this.#underWay]);
  }

  /** Copies a content to blocks that were taken for it; null: it cannot be read, or is gone. */
  async #move(old: Extent, start: number): Promise<Extent | null> {
    const { space, writer, reader, add, replace, release } = this.#host;
    old.pins++;
    const moved = new Extent(start, old);
    moved.pins++;
    try {
      let block = 0;
      for await (const piece of reader.pieces(old)) {
        await this.#write(start + block, piece);
        block += piece.length / this.#host.medium.blockBytes;
      }
      await this.#copyChecksums(old, start);
      writer.written(moved);
      await writer.covered(moved);
    } catch (error) {
      space.release(start, old.blocks);
      if (!(error instanceof VolumeError) || error.code !== "VOLUME_CORRUPT") throw error;
      for (const { number } of old.owners) this.#skipped.add(number);
      return null;
    } finally {
      old.pins--;
      release(old);
    }
    const files = [...old.owners];
    if (files.length === 0) {
      space.release(start, old.blocks); // removed meanwhile
      return null;
    }
    add(moved);
    await replace(old, moved);
    moved.pins--;
    release(moved);
    for (const { number } of files) this.#moved.add(number);
    this.movedBytes += old.bytes;
    return moved;
  }

  #write(block: number, bytes: Uint8Array): Promise<void> {
    return this.#host.medium.write(block, bytes);
  }

  async #copyChecksums(old: Extent, start: number): Promise<void> {
    const { blockBytes } = this.#host.medium;
    const step = PIECE_BYTES / blockBytes;
    for (let block = old.contentBlocks; block < old.blocks; block += step) {
      const bytes = new Uint8Array(Math.min(step, old.blocks - block) * blockBytes);
      await this.#host.medium.read(old.start + block, bytes);
      await this.#write(start + block, bytes);
    }
  }
}
