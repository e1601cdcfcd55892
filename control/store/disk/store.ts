// A store on a block device, for machines and simulations that have a disk and nothing else.
//
// - Entries and history are in memory; the device has a snapshot and a log of changes
//   (volume.ts). Readers see only what is durable.
// - The device is the store's alone. When the log is full a snapshot begins a new one, in the
//   other half of the device: a store holds less than half of its device's bytes.
// - A write that fails leaves the outcome of its batches open, and the store refuses everything
//   until it is opened again.

import type { BlockDevice } from "../../../drivers/block.js";
import { BatchStore } from "../batch-store.js";
import {
  type CheckedBatch,
  checkBatch,
  checkCompaction,
  checkKey,
  checkRange,
  checkRangeOptions,
  checkRevision,
} from "../check.js";
import { CommitQueue } from "../commit-queue.js";
import { decideGroup } from "../decide.js";
import { closed, damaged, failed, full, outcomeUnknown } from "../errors.js";
import { HistoryWatches } from "../history-watch.js";
import type { HistoryLimits } from "../retention.js";
import type { Batch, BatchResult, Entry, KeyRange, RangeOptions, RangeResult, Watch } from "../store.js";
import { Table } from "../table.js";
import { decodeChanges, decodeSnapshot, encodeChanges, encodeSnapshot } from "./frames.js";
import { type Recovered, Volume } from "./volume.js";

export interface DiskStoreOptions {
  /** For messages. */
  readonly name?: string;
  readonly history?: HistoryLimits;
}

export class DiskStore extends BatchStore {
  readonly #name: string;
  readonly #volume: Volume;
  readonly #table: Table;
  readonly #watches: HistoryWatches;
  readonly #queue = new CommitQueue((group) => this.#write(group));
  #compacting = 0;
  #failure: Error | null = null;

  private constructor(device: BlockDevice, { name = "a disk", history }: DiskStoreOptions) {
    super();
    this.#name = name;
    this.#volume = new Volume(device, name);
    this.#table = new Table(history);
    this.#watches = new HistoryWatches(this.#table);
  }

  /** Opens the store on a device, or makes it on a blank one: STORE_DAMAGED, _FORMAT, _FULL or _FAILED. */
  static async open(device: BlockDevice, options: DiskStoreOptions = {}): Promise<DiskStore> {
    const store = new DiskStore(device, options);
    await store.#load(await store.#volume.recover());
    return store;
  }

  async #load(recovered: Recovered | null): Promise<void> {
    try {
      if (recovered === null) {
        const empty = encodeSnapshot(this.#table.contents);
        if (this.#volume.blocksFor(empty.length) >= this.#volume.areaBlocks) throw full(this.#name);
        await this.#volume.begin(empty);
        return;
      }
      this.#table.load(decodeSnapshot(recovered.snapshot));
      for (const payload of recovered.frames) {
        const { compacted, changes } = decodeChanges(payload);
        for (const change of changes) this.#table.apply(change);
        this.#table.compact(Math.min(compacted, this.#table.revision));
      }
    } catch (error) {
      if (error instanceof RangeError) throw damaged(this.#name, "a frame is not what a store writes", error);
      throw error;
    }
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    return this.#opened().get(checkKey(key));
  }

  async range(range: KeyRange, options?: RangeOptions): Promise<RangeResult> {
    return this.#opened().range(checkRange(range), checkRangeOptions(options));
  }

  async batch(batch: Batch): Promise<BatchResult> {
    const checked = checkBatch(batch);
    this.#opened();
    return this.#queue.submit(checked);
  }

  async watch(range: KeyRange, after?: number): Promise<Watch> {
    this.#opened();
    return this.#watches.watch(checkRange(range), after === undefined ? undefined : checkRevision(after));
  }

  async compact(revision: number): Promise<void> {
    this.#compacting = Math.max(this.#compacting, checkCompaction(revision, this.#opened().revision));
    await this.batch({ operations: [] }); // a turn of the writer, which forgets what is due
  }

  async close(): Promise<void> {
    await this.#queue.close();
    this.#failure ??= closed();
    this.#watches.end();
  }

  #opened(): Table {
    if (this.#failure !== null) throw this.#failure;
    return this.#table;
  }

  async #write(group: readonly CheckedBatch[]): Promise<readonly BatchResult[]> {
    const table = this.#opened();
    const { results, changes } = decideGroup(group, table.revision, (key) => table.revisionOf(key));
    const compacted = Math.max(this.#compacting, table.compacted);
    if (changes.length === 0 && compacted === table.compacted) return results;
    const payload = encodeChanges({ compacted, changes });
    await this.#makeRoom(this.#volume.blocksFor(payload.length));
    await this.#durably(() => this.#volume.append(payload));
    for (const change of changes) table.apply(change);
    table.compact(compacted);
    this.#watches.wake();
    return results;
  }

  /** Begins a new log when so many blocks are not free in this one. Throws STORE_FULL when that does not help. */
  async #makeRoom(blocks: number): Promise<void> {
    if (blocks <= this.#volume.free) return;
    const { areaBlocks } = this.#volume;
    let snapshot = encodeSnapshot(this.#table.contents);
    // History is kept while it leaves half of the area for what is to come.
    const withHistory = this.#volume.blocksFor(snapshot.length);
    if (withHistory > areaBlocks / 2 || withHistory + blocks > areaBlocks) {
      const { revision, entries } = this.#table.contents;
      snapshot = encodeSnapshot({ revision, compacted: revision, entries, changes: [] });
      if (this.#volume.blocksFor(snapshot.length) + blocks > areaBlocks) throw full(this.#name);
      this.#table.compact(revision);
      this.#watches.wake();
    }
    await this.#durably(() => this.#volume.begin(snapshot));
  }

  async #durably(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#failure = failed(this.#name, error);
      this.#watches.end(this.#failure);
      throw outcomeUnknown(this.#name, error);
    }
  }
}
