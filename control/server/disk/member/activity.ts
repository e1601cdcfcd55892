// In which extents of a member writes may be under way: what a crash can have left half-done.
//
// - Before the first write into an extent its bit is on the medium; from then on the extent is hot,
//   and further writes cost nothing here.
// - A bit may go again when no write is under way, when every write that there was has ended on all
//   members (its sequence is below `done`), and when a flush has brought them to the medium: for
//   extents that were idle for a while, and when too many are hot for those idle the longest.
// - Earlier bits are those of another epoch or of a life that ended in a crash. Only the server of the
//   storage takes them back, by a record without them, when it has settled what is in them.
// - Pure: times and sequences come in as arguments. Source: the activity log of DRBD (storage.md, A5.2).

import { hasBit, scaled, setBit, shared } from "./maps.js";
import { extentBlocksOf, mapBytesOf } from "./record.js";

/** Idle for so long, an extent may cool. */
export const COOL_MS = 5000;
/** So many may be hot before idle or not does not count. */
export const HOT_MAX = 1024;

interface Hot {
  /** Its bit is on the medium. */
  isSaved: boolean;
  /** Ends when it is; shared by those who came meanwhile. */
  saving: Promise<void> | null;
  running: number;
  /** The highest sequence that wrote there. */
  sequence: number;
  /** When the last write there began or ended. */
  at: number;
  /** Writes that began there: whether one did since somebody looked. */
  begun: number;
}

/** An extent that may cool, as it was when it was chosen. */
export interface Cooling {
  readonly extent: number;
  readonly begun: number;
}

export class Activity {
  #extentBlocks: number;
  #earlier: Uint8Array;
  readonly #hotMax: number;
  /** Earlier bits are on the medium; else the first write into such an extent saves them too. */
  #isSaved = true;
  /** The one idle the longest first. */
  readonly #hot = new Map<number, Hot>();

  /** Of a storage of so many blocks, with the bits that its record has. */
  constructor(blocks: number, earlier: Uint8Array, hotMax = HOT_MAX) {
    this.#extentBlocks = extentBlocksOf(blocks);
    this.#earlier = earlier.slice();
    this.#hotMax = hotMax;
  }

  get hotCount(): number {
    return this.#hot.size;
  }

  /** The extents of some blocks. */
  extentsOf(block: number, blocks: number): number[] {
    const first = Math.floor(block / this.#extentBlocks);
    const last = Math.floor((block + blocks - 1) / this.#extentBlocks);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  }

  /** All bits: of what is hot, and earlier ones. */
  map(): Uint8Array {
    const map = this.#earlier.slice();
    for (const extent of this.#hot.keys()) setBit(map, extent);
    return map;
  }

  /** A write into an extent begins: answers whether its bit has to be saved first. */
  begin(extent: number, sequence: number, now: number): boolean {
    const known = this.#hot.get(extent);
    const hot: Hot = known ?? {
      ...{ isSaved: this.#isSaved && hasBit(this.#earlier, extent), saving: null, running: 0 },
      ...{ sequence, at: now, begun: 0 },
    };
    hot.running++;
    hot.begun++;
    hot.sequence = Math.max(hot.sequence, sequence);
    this.#touch(extent, hot, now);
    return !hot.isSaved;
  }

  /** Ends when an extent's bit is saved; `save` is called by the first who needs it. */
  saved(extents: readonly number[], save: () => Promise<void>): Promise<unknown> {
    const cold = extents.flatMap((extent) => this.#hot.get(extent) ?? []).filter((hot) => !hot.isSaved);
    if (cold.some((hot) => hot.saving === null)) {
      const saving = save().then(() => {
        for (const hot of cold) hot.isSaved = true;
      });
      for (const hot of cold) hot.saving = saving;
    }
    return Promise.all(cold.map((hot) => hot.saving));
  }

  end(extent: number, now: number): void {
    const hot = this.#hot.get(extent);
    if (hot === undefined) return;
    hot.running--;
    this.#touch(extent, hot, now);
  }

  #touch(extent: number, hot: Hot, now: number): void {
    hot.at = now;
    this.#hot.delete(extent);
    this.#hot.set(extent, hot);
  }

  /** Those that may cool: idle for COOL_MS, or idle the longest when too many are hot. */
  coolable(done: number, now: number): Cooling[] {
    const found: Cooling[] = [];
    let excess = this.#hot.size > this.#hotMax ? this.#hot.size - Math.floor(this.#hotMax * 0.75) : 0;
    for (const [extent, { running, sequence, at, begun, isSaved }] of this.#hot) {
      if (at + COOL_MS > now && excess <= 0) break; // those behind it were touched later
      if (running > 0 || sequence >= done || !isSaved) continue;
      found.push({ extent, begun });
      excess--;
    }
    return found;
  }

  /** Takes bits back where nothing has begun since; what they stand for is on the medium. */
  cool(chosen: readonly Cooling[]): void {
    for (const { extent, begun } of chosen)
      if (this.#hot.get(extent)?.begun === begun) this.#hot.delete(extent);
  }

  /** Whatever is hot is of an earlier epoch from now on. Nothing is under way. */
  age(): void {
    this.#earlier = this.map();
    this.#hot.clear();
  }

  /**
   * A record of the server's, of a storage of so many blocks: earlier bits that `left` has not are
   * settled. When an extent has become larger, all that is hot counts as earlier from now on, and
   * nothing as saved.
   */
  settle(blocks: number, left: Uint8Array): void {
    const factor = extentBlocksOf(blocks) / this.#extentBlocks;
    this.#earlier = shared(scaled(this.#earlier, factor, mapBytesOf(blocks)), left);
    if (factor === 1) return;
    for (const extent of this.#hot.keys()) setBit(this.#earlier, Math.floor(extent / factor));
    this.#hot.clear();
    this.#extentBlocks *= factor;
    this.#isSaved = false;
  }

  /** Whether a record with the earlier bits is on the medium, and says that writes may be under way. */
  set isSaved(isSaved: boolean) {
    this.#isSaved = isSaved;
  }
}
