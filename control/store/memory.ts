// A store in memory, gone with its process: for tests, and for programs that need not remember.
//
// - Nothing of it waits: what was asked is done when the call returns its promise.

import { BatchStore } from "./batch-store.js";
import {
  checkBatch,
  checkCompaction,
  checkKey,
  checkRange,
  checkRangeOptions,
  checkRevision,
} from "./check.js";
import { decide } from "./decide.js";
import { closed } from "./errors.js";
import { HistoryWatches } from "./history-watch.js";
import type { HistoryLimits } from "./retention.js";
import type { Batch, BatchResult, Entry, KeyRange, RangeOptions, RangeResult, Watch } from "./store.js";
import { Table } from "./table.js";

export class MemoryStore extends BatchStore {
  readonly #table: Table;
  readonly #watches: HistoryWatches;
  #isClosed = false;

  constructor(history?: HistoryLimits) {
    super();
    this.#table = new Table(history);
    this.#watches = new HistoryWatches(this.#table);
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    return this.#opened().get(checkKey(key));
  }

  async batch(batch: Batch): Promise<BatchResult> {
    const table = this.#opened();
    const { result, change } = decide(checkBatch(batch), table.revision, (key) => table.revisionOf(key));
    if (change !== null) table.apply(change);
    this.#watches.wake();
    return result;
  }

  async range(range: KeyRange, options?: RangeOptions): Promise<RangeResult> {
    return this.#opened().range(checkRange(range), checkRangeOptions(options));
  }

  async watch(range: KeyRange, after?: number): Promise<Watch> {
    this.#opened();
    return this.#watches.watch(checkRange(range), after === undefined ? undefined : checkRevision(after));
  }

  async compact(revision: number): Promise<void> {
    const table = this.#opened();
    table.compact(checkCompaction(revision, table.revision));
    this.#watches.wake();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watches.end();
  }

  #opened(): Table {
    if (this.#isClosed) throw closed();
    return this.#table;
  }
}
