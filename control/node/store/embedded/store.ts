// The store of one machine: a folder with a LevelDB database, durable when acknowledged.
//
// - Batches that wait are written together as one atomic, synchronous write: all of a batch is
//   there after a crash or nothing of it, and what was acknowledged is there.
// - A write that fails leaves the outcome of its batches open, and the store refuses everything
//   until it is opened again: what the medium has is not known before.
// - It keeps some room free, so that a full medium is found before a write is half done.

import { statfs } from "node:fs/promises";
import { BatchStore } from "../../../store/batch-store.js";
import { decodeChange, encodeChange } from "../../../store/changes.js";
import {
  bytesOf,
  type CheckedBatch,
  checkBatch,
  checkCompaction,
  checkKey,
  checkRange,
  checkRangeOptions,
  checkRevision,
  keyText,
} from "../../../store/check.js";
import { CommitQueue } from "../../../store/commit-queue.js";
import { decideGroup } from "../../../store/decide.js";
import { closed, failed, full, outcomeUnknown } from "../../../store/errors.js";
import { type History, HistoryWatches } from "../../../store/history-watch.js";
import { type HistoryLimits, Retention } from "../../../store/retention.js";
import type {
  Batch,
  BatchResult,
  Change,
  Entry,
  KeyRange,
  RangeOptions,
  RangeResult,
  Watch,
} from "../../../store/store.js";
import { type Database, type OpenDatabase, openDatabase } from "./database.js";
import {
  changeKey,
  decodeEntry,
  decodeState,
  encodeEntry,
  encodeState,
  entriesEnd,
  entryKey,
  entryRevision,
  stateKey,
} from "./records.js";

/** Room that stays free: opening it again writes its log, at most 4 MiB and one group, anew. */
const spareBytes = 16 * 1024 * 1024;

type Write = { type: "put"; key: Uint8Array; value: Uint8Array } | { type: "del"; key: Uint8Array };

export class EmbeddedStore extends BatchStore {
  readonly #folder: string;
  readonly #database: Database;
  readonly #retention: Retention;
  readonly #watches: HistoryWatches;
  readonly #queue = new CommitQueue((group) => this.#write(group));
  #revision: number;
  #compacted: number;
  #compacting = 0;
  #failure: Error | null = null;

  private constructor(folder: string, opened: OpenDatabase, limits: HistoryLimits | undefined) {
    super();
    this.#folder = folder;
    this.#database = opened.database;
    this.#revision = opened.state.revision;
    this.#compacted = opened.state.compacted;
    this.#retention = new Retention(limits);
    for (const bytes of opened.changeBytes) this.#retention.add(bytes);
    this.#watches = new HistoryWatches(this.#history());
  }

  /** Opens the store in a folder, or makes it: STORE_LOCKED, _DAMAGED, _FORMAT or _FAILED when it cannot. */
  static async open(folder: string, history?: HistoryLimits): Promise<EmbeddedStore> {
    return new EmbeddedStore(folder, await openDatabase(folder), history);
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    const checked = checkKey(key);
    const record = await this.#read((database) => database.get(entryKey(checked)));
    return record === undefined ? null : decodeEntry(checked, record);
  }

  async range(range: KeyRange, options?: RangeOptions): Promise<RangeResult> {
    const { from, to } = checkRange(range);
    const { limit, reverse } = checkRangeOptions(options);
    return this.#read(async (database) => {
      const snapshot = database.snapshot();
      try {
        const state = decodeState((await database.get(stateKey, { snapshot })) ?? new Uint8Array(0));
        const gte = entryKey(from ?? new Uint8Array(0));
        const lt = to === undefined ? entriesEnd : entryKey(to);
        const found = await database.iterator({ gte, lt, reverse, limit: limit + 1, snapshot }).all();
        const entries = found.slice(0, limit).map(([key, record]) => decodeEntry(key.subarray(1), record));
        return { entries, more: found.length > limit, revision: state?.revision ?? this.#revision };
      } finally {
        await snapshot.close();
      }
    });
  }

  async batch(batch: Batch): Promise<BatchResult> {
    const checked = checkBatch(batch);
    if (this.#failure !== null) throw this.#failure;
    return this.#queue.submit(checked);
  }

  async watch(range: KeyRange, after?: number): Promise<Watch> {
    if (this.#failure !== null) throw this.#failure;
    return this.#watches.watch(checkRange(range), after === undefined ? undefined : checkRevision(after));
  }

  async compact(revision: number): Promise<void> {
    this.#compacting = Math.max(this.#compacting, checkCompaction(revision, this.#revision));
    await this.batch({ operations: [] }); // a turn of the writer, which forgets what is due
  }

  async close(): Promise<void> {
    await this.#queue.close();
    this.#failure ??= closed();
    this.#watches.end();
    await this.#database.close();
  }

  async #read<Result>(read: (database: Database) => Promise<Result>): Promise<Result> {
    if (this.#failure !== null) throw this.#failure;
    try {
      return await read(this.#database);
    } catch (error) {
      throw this.#failure ?? failed(this.#folder, error);
    }
  }

  #history(): History {
    const store = this;
    return {
      get revision() {
        return store.#revision;
      },
      get compacted() {
        return store.#compacted;
      },
      changeAt: (revision) => store.#changeAt(revision),
    };
  }

  #changeAt(revision: number): Change {
    const record = this.#database.getSync(changeKey(revision));
    if (record === undefined) throw failed(this.#folder, new Error(`change ${revision} is gone`));
    return decodeChange(Uint8Array.from(record));
  }

  // ---- writing -----------------------------------------------------------------------

  async #write(group: readonly CheckedBatch[]): Promise<readonly BatchResult[]> {
    if (this.#failure !== null) throw this.#failure;
    const revisions = await this.#revisionsFor(group);
    const { results, changes } = decideGroup(
      group,
      this.#revision,
      (key) => revisions.get(keyText(key)) ?? 0,
    );
    const sizes: number[] = [];
    const writes = changes.flatMap((change) => {
      const record = encodeChange(change);
      sizes.push(record.length);
      return [{ type: "put" as const, key: changeKey(change.revision), value: record }, ...writesOf(change)];
    });
    await this.#checkRoom(changes);
    const forgotten = this.#forgetDue();
    if (writes.length + forgotten.length === 0) return results;
    const revision = this.#revision + changes.length;
    const state = encodeState({ revision, compacted: this.#compacted });
    try {
      const all: Write[] = [...writes, ...forgotten, { type: "put", key: stateKey, value: state }];
      await this.#database.batch(all, { sync: true });
    } catch (error) {
      this.#failure = failed(this.#folder, error);
      this.#watches.end(this.#failure);
      throw outcomeUnknown(this.#folder, error);
    }
    for (const size of sizes) this.#retention.add(size);
    this.#revision = revision;
    this.#watches.wake();
    return results;
  }

  /** The revisions of all keys that the group's outcome depends on. */
  async #revisionsFor(group: readonly CheckedBatch[]): Promise<ReadonlyMap<string, number>> {
    const keys = new Map<string, Uint8Array>();
    for (const { conditions, operations } of group) {
      for (const { key } of conditions) keys.set(keyText(key), key);
      for (const { kind, key } of operations) if (kind === "delete") keys.set(keyText(key), key);
    }
    const records = await this.#read((database) => database.getMany([...keys.values()].map(entryKey)));
    return new Map(
      [...keys.keys()].map((text, index) => {
        const record = records[index];
        return [text, record === undefined ? 0 : entryRevision(record)];
      }),
    );
  }

  /** Throws STORE_FULL when the write could end half done; deletes may use half of the spare room. */
  async #checkRoom(changes: readonly Change[]): Promise<void> {
    if (changes.length === 0) return;
    const operations = changes.flatMap((change) => change.operations);
    const { bavail, bsize } = await this.#read(() => statfs(this.#folder));
    const puts = operations.some(({ kind }) => kind === "put");
    const needed = puts ? spareBytes + 2 * bytesOf(operations) : spareBytes / 2;
    if (bavail * bsize < needed) throw full(this.#folder);
  }

  /** What is to be deleted of the history. Watches may not read it any more from now on. */
  #forgetDue(): Write[] {
    const count = Math.max(this.#retention.due, this.#compacting - this.#compacted);
    if (count <= 0) return [];
    const first = this.#compacted + 1;
    this.#compacted += count;
    this.#retention.forget(count);
    this.#watches.wake();
    return Array.from({ length: count }, (_, index) => ({ type: "del", key: changeKey(first + index) }));
  }
}

function writesOf({ revision, operations }: Change): Write[] {
  return operations.map((operation) =>
    operation.kind === "put"
      ? { type: "put", key: entryKey(operation.key), value: encodeEntry(revision, operation.value) }
      : { type: "del", key: entryKey(operation.key) },
  );
}
