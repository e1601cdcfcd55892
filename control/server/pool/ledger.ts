// What a control daemon knows that must outlive it: the records, in its store.
//
// - Written behind the group's order, the latest version of each record, many in one batch.
//   `stored` waits until a version is durable.
// - A store that several daemons share (etcd) takes a record only when it is newer than what is
//   there: every write is conditional.
// - A store that fails is tried again, ever more rarely; whoever waits gets its error at once
//   when time does not mend it.

import { type After, pause } from "../../group/timer.js";
import { ProteusError } from "../../kernel/errors.js";
import { type Condition, type Operation, prefixRange, type Store } from "../../store/store.js";
import { decode, encode, keyOf, type PoolRecord, recordSchema, supersedes } from "./records.js";

const batchRecords = 24;
const againMs = 200;
const againMsMax = 10_000;
const patienceMs = 10_000;
const rangeRecords = 500;
/** Codes of failures that pass by themselves. */
const passing = new Set(["STORE_UNREACHABLE", "STORE_OUTCOME_UNKNOWN", "STORE_OVERLOADED"]);

export interface LedgerOptions {
  readonly store: Store;
  readonly after: After;
  readonly pool: string;
  readonly failed: (error: unknown) => void;
}

interface Waiter {
  readonly key: string;
  readonly version: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const text = new TextEncoder();

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #prefix: string;
  /** As they are to be in the store. */
  readonly #wanted = new Map<string, PoolRecord>();
  readonly #storedVersions = new Map<string, number>();
  readonly #dirty = new Set<string>();
  readonly #dropped = new Set<string>();
  #waiters: Waiter[] = [];
  #writing = false;
  #closed = false;
  #troubles = 0;

  private constructor(options: LedgerOptions) {
    this.#options = options;
    this.#prefix = `pool/${options.pool}/`;
  }

  /** Reads what the store holds of this pool. Rejects with the store's error. */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const ledger = new Ledger(options);
    await ledger.#load();
    return ledger;
  }

  async #load(): Promise<void> {
    const range = prefixRange(text.encode(this.#prefix));
    let from = range.from;
    for (;;) {
      const { entries, more } = await this.#options.store.range({ ...range, from }, { limit: rangeRecords });
      for (const { value } of entries) {
        const record = decode(recordSchema, value);
        if (record === null) continue; // of a later version of this program
        this.#wanted.set(keyOf(record), record);
        this.#storedVersions.set(keyOf(record), record.version);
      }
      const last = entries[entries.length - 1];
      if (!more || last === undefined) return;
      from = Uint8Array.from([...last.key, 0]);
    }
  }

  records(): PoolRecord[] {
    return [...this.#wanted.values()];
  }

  /** Takes a record that is newer than the one of its key. */
  put(record: PoolRecord): void {
    const key = keyOf(record);
    if (!supersedes(record, this.#wanted.get(key))) return;
    this.#wanted.set(key, record);
    this.#dropped.delete(key);
    this.#dirty.add(key);
    this.#write();
  }

  /** Forgets a record for good. */
  drop(record: PoolRecord): void {
    const key = keyOf(record);
    this.#wanted.delete(key);
    this.#storedVersions.delete(key);
    this.#dirty.delete(key);
    this.#dropped.add(key);
    this.#write();
  }

  /** Resolves when the store has that version, or a later one. Rejects with the store's error. */
  stored(key: string, version: number): Promise<void> {
    if ((this.#storedVersions.get(key) ?? -1) >= version) return Promise.resolve();
    return new Promise((resolve, reject) => {
      let forget: () => void = () => undefined;
      const waiter: Waiter = {
        ...{ key, version },
        resolve: () => {
          forget();
          resolve();
        },
        reject: (error) => {
          forget();
          this.#waiters = this.#waiters.filter((other) => other !== waiter);
          reject(error);
        },
      };
      forget = this.#options.after(patienceMs, () =>
        waiter.reject(new Error(`the store has not taken it for ${patienceMs / 1000} s`)),
      );
      this.#waiters.push(waiter);
    });
  }

  /** Nothing waits to be written. */
  get idle(): boolean {
    return this.#dirty.size === 0 && this.#dropped.size === 0 && !this.#writing;
  }

  #write(): void {
    if (this.#writing || this.#closed) return;
    this.#writing = true;
    this.#run()
      .catch((error: unknown) => this.#options.failed(error))
      .finally(() => {
        this.#writing = false;
      });
  }

  async #run(): Promise<void> {
    while (!this.#closed && this.#dirty.size + this.#dropped.size > 0) {
      try {
        await this.#writeSome();
        this.#troubles = 0;
      } catch (error) {
        if (this.#closed) return;
        const lasting = !(error instanceof ProteusError) || !passing.has(error.code);
        if (lasting) for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
        if (this.#troubles === 0) this.#options.failed(error);
        await pause(this.#options.after, Math.min(againMs * 2 ** Math.min(this.#troubles++, 8), againMsMax));
      }
    }
  }

  /** Writes some of what is to be written; a write that another daemon came before is tried again. */
  async #writeSome(): Promise<void> {
    const { store } = this.#options;
    const keys = [...this.#dropped, ...this.#dirty].slice(0, batchRecords);
    const conditions: Condition[] = [];
    const operations: Operation[] = [];
    const written = new Map<string, number>();
    for (const name of keys) {
      const key = text.encode(this.#prefix + name);
      const wanted = this.#dropped.has(name) ? undefined : this.#wanted.get(name);
      const found = await store.get(key);
      const there = found === null ? null : decode(recordSchema, found.value);
      if (wanted === undefined) {
        if (found !== null) operations.push({ kind: "delete", key });
        written.set(name, -1);
        continue;
      }
      // What another daemon has put there is newer, or the same.
      written.set(name, Math.max(wanted.version, there?.version ?? 0));
      if (there !== null && !supersedes(wanted, there)) continue;
      conditions.push({ key, revision: found?.revision ?? 0 });
      operations.push({ kind: "put", key, value: encode(wanted) });
    }
    if (operations.length > 0) {
      const result = await store.batch({ conditions, operations });
      if (!result.committed) return;
    }
    for (const [name, version] of written) this.#done(name, version);
  }

  #done(key: string, version: number): void {
    if (version < 0) {
      this.#dropped.delete(key);
      return;
    }
    this.#storedVersions.set(key, version);
    const wanted = this.#wanted.get(key);
    if (wanted === undefined || wanted.version <= version) this.#dirty.delete(key);
    const done = this.#waiters.filter((waiter) => waiter.key === key && waiter.version <= version);
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter));
    for (const { resolve } of done) resolve();
  }

  /** Writes no more; whoever waits hears why. */
  close(why: unknown): void {
    this.#closed = true;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(why);
  }
}
