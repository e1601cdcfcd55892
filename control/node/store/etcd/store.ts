// A store in an etcd cluster that the site runs (version 3.3 or later): for sites with more than
// one control machine. It answers as long as most members of the cluster do.
//
// - Keys lie below a prefix of their own; other users of the cluster are not disturbed, except
//   that `compact` compacts the history of the whole cluster: etcd knows no other.
// - What a request came to is found out when a member dies in the middle of it
//   (transactions.ts); STORE_OUTCOME_UNKNOWN only when nobody answers for so long.
// - Durability is etcd's: a change is on the disks of most members when it is acknowledged.

import { status } from "@grpc/grpc-js";
import { BatchStore } from "../../../store/batch-store.js";
import { checkBatch, checkKey, checkRange, checkRangeOptions, checkRevision } from "../../../store/check.js";
import { afterLatest, closed, overloaded } from "../../../store/errors.js";
import { pendingBatchesMax } from "../../../store/limits.js";
import {
  afterPrefix,
  type Batch,
  type BatchResult,
  type Entry,
  type KeyRange,
  type RangeOptions,
  type RangeResult,
  type Watch,
} from "../../../store/store.js";
import { AttemptError, EtcdConnection, type EtcdTls } from "./connection.js";
import { descending, type KeyValue, methods } from "./protocol.js";
import { Slots } from "./slots.js";
import { Transactions } from "./transactions.js";
import { EtcdWatch, type WatchedKeys } from "./watch.js";

/** A watch outlives an outage of so long: nobody waits for its answer as for that of a request. */
const watchPatienceMs = 60_000;

export interface EtcdOptions {
  /** HOST:PORT of the members; better all of them than one. */
  readonly endpoints: readonly string[];
  readonly tls?: EtcdTls;
  /** In front of every key; default `proteus/`. */
  readonly prefix?: string;
  /** How long a request may take with all its attempts, milliseconds; default 10000. */
  readonly patienceMs?: number;
}

export class EtcdStore extends BatchStore {
  readonly #connection: EtcdConnection;
  readonly #slots: Slots;
  readonly #transactions: Transactions;
  readonly #prefix: Uint8Array;
  readonly #watches = new Set<EtcdWatch>();
  readonly #underWay = new Set<Promise<unknown>>();
  #isClosed = false;

  private constructor({ endpoints, tls, prefix = "proteus/", patienceMs = 10_000 }: EtcdOptions) {
    super();
    this.#connection = new EtcdConnection({ endpoints, patienceMs, ...(tls === undefined ? {} : { tls }) });
    this.#prefix = Buffer.from(`${prefix}data/`);
    this.#slots = new Slots(this.#connection, Buffer.from(`${prefix}slots/`));
    this.#transactions = new Transactions(this.#connection, this.#slots, (key) => this.#keyOf(key));
  }

  /** Opens the store when the cluster answers: STORE_UNREACHABLE or _DENIED when it does not. */
  static async open(options: EtcdOptions): Promise<EtcdStore> {
    const store = new EtcdStore(options);
    try {
      await store.#latest();
      return store;
    } catch (error) {
      store.#connection.close();
      throw error;
    }
  }

  async get(key: Uint8Array): Promise<Entry | null> {
    const checked = checkKey(key);
    const { kvs } = await this.#running(() =>
      this.#connection.call(methods.range, { key: this.#keyOf(checked) }),
    );
    const found = kvs[0];
    return found === undefined ? null : this.#entryOf(found);
  }

  async range(range: KeyRange, options?: RangeOptions): Promise<RangeResult> {
    const { key, rangeEnd } = this.#keysOf(checkRange(range));
    const { limit, reverse } = checkRangeOptions(options);
    const order = reverse ? { sortOrder: descending } : {};
    const { kvs, more, header } = await this.#running(() =>
      this.#connection.call(methods.range, { key, rangeEnd, limit, ...order }),
    );
    return { entries: kvs.map((kv) => this.#entryOf(kv)), more, revision: Number(header.revision) };
  }

  async batch(batch: Batch): Promise<BatchResult> {
    const checked = checkBatch(batch);
    if (this.#slots.waiting >= pendingBatchesMax) throw overloaded(this.#slots.waiting);
    return this.#running(() => this.#transactions.commit(checked));
  }

  async watch(range: KeyRange, after?: number): Promise<Watch> {
    const keys = this.#keysOf(checkRange(range));
    const from = after === undefined ? await this.#latest() : checkRevision(after);
    if (this.#isClosed) throw closed();
    const forget = (watch: EtcdWatch): void => {
      this.#watches.delete(watch);
    };
    const watch = new EtcdWatch(this.#connection, keys, from, watchPatienceMs, forget);
    this.#watches.add(watch);
    return watch;
  }

  async compact(revision: number): Promise<void> {
    const checked = checkRevision(revision);
    await this.#running(async () => {
      try {
        await this.#connection.persist(() =>
          this.#connection.attempt(methods.compact, { revision: checked }),
        );
      } catch (error) {
        const isOutside = error instanceof AttemptError && error.status === status.OUT_OF_RANGE;
        if (!isOutside) throw this.#connection.explain(error);
        if (error.message.includes("future")) throw afterLatest(checked);
        // Compacted already.
      }
    });
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const watch of [...this.#watches]) watch.close();
    await Promise.allSettled([...this.#underWay]);
    await this.#slots.close();
    this.#connection.close();
  }

  /** A request that `close` waits for. */
  async #running<Result>(request: () => Promise<Result>): Promise<Result> {
    if (this.#isClosed) throw closed();
    const running = request();
    this.#underWay.add(running);
    try {
      return await running;
    } finally {
      this.#underWay.delete(running);
    }
  }

  async #latest(): Promise<number> {
    const keys = { ...this.#keysOf({}), countOnly: true };
    const { header } = await this.#running(() => this.#connection.call(methods.range, keys));
    return Number(header.revision);
  }

  #keyOf(key: Uint8Array): Uint8Array {
    return Buffer.concat([this.#prefix, key]);
  }

  #keysOf({ from, to }: KeyRange): WatchedKeys {
    const end = to === undefined ? afterPrefix(this.#prefix) : this.#keyOf(to);
    if (end === undefined) throw new Error("a prefix without an end");
    return {
      key: this.#keyOf(from ?? new Uint8Array(0)),
      rangeEnd: end,
      prefixBytes: this.#prefix.length,
    };
  }

  #entryOf({ key, value, modRevision }: KeyValue): Entry {
    return {
      key: Uint8Array.from(key.subarray(this.#prefix.length)),
      value: Uint8Array.from(value),
      revision: Number(modRevision),
    };
  }
}
