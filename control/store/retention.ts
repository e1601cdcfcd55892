// How many changes a store keeps for its watches: bounded in count and in bytes.
//
// - Knows only the sizes of what is kept, oldest first. The store forgets what is due.

import { historyBytesMax, historyChangesMax } from "./limits.js";

export interface HistoryLimits {
  /** Default historyChangesMax. */
  readonly changes?: number;
  /** Default historyBytesMax. */
  readonly bytes?: number;
}

export class Retention {
  #sizes: number[] = [];
  #bytes = 0;
  readonly #limits: Required<HistoryLimits>;

  constructor({ changes = historyChangesMax, bytes = historyBytesMax }: HistoryLimits = {}) {
    this.#limits = { changes, bytes };
  }

  add(bytes: number): void {
    this.#sizes.push(bytes);
    this.#bytes += bytes;
  }

  /** How many of the oldest are too many now: none, or some more than must be, so that it is rarely due. */
  get due(): number {
    const excess = this.#sizes.length - this.#limits.changes;
    if (excess <= 0 && this.#bytes <= this.#limits.bytes) return 0;
    let [count, bytes] = [0, this.#bytes];
    for (const size of this.#sizes) {
      if (count >= excess && bytes <= this.#limits.bytes) break;
      bytes -= size;
      count++;
    }
    return Math.max(count, this.#sizes.length >> 2);
  }

  forget(count: number): void {
    for (const size of this.#sizes.splice(0, count)) this.#bytes -= size;
  }

  clear(): void {
    this.forget(this.#sizes.length);
  }
}
