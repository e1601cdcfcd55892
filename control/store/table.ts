// Entries and history in memory: what MemoryStore is, and what DiskStore reads from.
//
// - Applies changes that were decided elsewhere; everything in it is visible to readers.
// - Keeps the latest changes for watches, bounded in count and bytes; older ones are compacted.
// - Bytes go in as they are and come out as copies.

import { bytesOf } from "./check.js";
import type { History } from "./history-watch.js";
import { type HistoryLimits, Retention } from "./retention.js";
import {
  type Change,
  compareKeys,
  type Entry,
  type KeyRange,
  type Operation,
  type RangeOptions,
  type RangeResult,
} from "./store.js";

/** All that a table holds, in the order of keys and of revisions. */
export interface TableContents {
  readonly revision: number;
  readonly compacted: number;
  readonly entries: readonly Entry[];
  readonly changes: readonly Change[];
}

export class Table implements History {
  #revision = 0;
  #compacted = 0;
  #entries: Entry[] = [];
  #changes: Change[] = []; // of the revisions after #compacted
  readonly #retention: Retention;

  constructor(limits?: HistoryLimits) {
    this.#retention = new Retention(limits);
  }

  get revision(): number {
    return this.#revision;
  }

  get compacted(): number {
    return this.#compacted;
  }

  get contents(): TableContents {
    const { revision, compacted } = this;
    return { revision, compacted, entries: this.#entries, changes: this.#changes };
  }

  /** Takes what another table held. */
  load({ revision, compacted, entries, changes }: TableContents): void {
    this.#revision = revision;
    this.#compacted = compacted;
    this.#entries = [...entries];
    this.#changes = [...changes];
    this.#retention.clear();
    for (const { operations } of changes) this.#retention.add(bytesOf(operations));
    this.#forget(this.#retention.due);
  }

  /** Where the key is, or would be. */
  #placeOf(key: Uint8Array): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && compareKeys(entry.key, key) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #entryOf(key: Uint8Array): Entry | undefined {
    const entry = this.#entries[this.#placeOf(key)];
    return entry !== undefined && compareKeys(entry.key, key) === 0 ? entry : undefined;
  }

  revisionOf(key: Uint8Array): number {
    return this.#entryOf(key)?.revision ?? 0;
  }

  get(key: Uint8Array): Entry | null {
    const entry = this.#entryOf(key);
    return entry === undefined ? null : copyOf(entry);
  }

  range({ from, to }: KeyRange, { limit, reverse }: Required<RangeOptions>): RangeResult {
    const first = from === undefined ? 0 : this.#placeOf(from);
    const end = Math.max(first, to === undefined ? this.#entries.length : this.#placeOf(to));
    const entries = reverse
      ? this.#entries.slice(Math.max(first, end - limit), end).reverse()
      : this.#entries.slice(first, Math.min(end, first + limit));
    return { entries: entries.map(copyOf), more: end - first > limit, revision: this.#revision };
  }

  /** The next change. */
  apply(change: Change): void {
    if (change.revision !== this.#revision + 1)
      throw new Error(`change ${change.revision} after ${this.#revision}`);
    this.#revision = change.revision;
    for (const operation of change.operations) this.#applyOne(operation, change.revision);
    this.#changes.push(change);
    this.#retention.add(bytesOf(change.operations));
    this.#forget(this.#retention.due);
  }

  #applyOne(operation: Operation, revision: number): void {
    const { key } = operation;
    const place = this.#placeOf(key);
    const there = this.#entries[place];
    const has = there !== undefined && compareKeys(there.key, key) === 0 ? 1 : 0;
    if (operation.kind === "delete") this.#entries.splice(place, has);
    else this.#entries.splice(place, has, { key, value: operation.value, revision });
  }

  changeAt(revision: number): Change {
    const change = this.#changes[revision - this.#compacted - 1];
    if (change === undefined) throw new Error(`change ${revision} is not kept`);
    return { revision, operations: change.operations.map(copyOf) };
  }

  /** Forgets the changes up to a revision that is not after the latest. */
  compact(revision: number): void {
    this.#forget(Math.max(0, revision - this.#compacted));
  }

  #forget(count: number): void {
    if (count === 0) return;
    this.#changes.splice(0, count);
    this.#retention.forget(count);
    this.#compacted += count;
  }
}

function copyOf<Bytes extends { readonly key: Uint8Array; readonly value?: Uint8Array }>(of: Bytes): Bytes {
  const { key, value } = of;
  return { ...of, key: key.slice(), ...(value === undefined ? {} : { value: value.slice() }) };
}
