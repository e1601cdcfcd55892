// What one directory server has on its store: the state, written update by update, and what
// it has promised in elections.
//
// - Two halves: a state that comes from the group is written beside the one that is there, which
//   counts until the new one is whole. A power cut leaves one of them, never a mixture.
// - Updates are written in their order, many in one flush, and never one without those before.
//   `stored` is the position up to which everything is durable.
// - After a failure nothing more is written: the server is to end.

import { uint32 } from "../../interface/types.js";
import { type Operation, prefixRange, type Store } from "../../store/store.js";
import { type Contents, Gathered, putsOf } from "./contents.js";
import { comparePositions, decodeAs, encodeAs, type Position, rowKey } from "./records.js";
import type { Written } from "./state.js";

const halfKey = Uint8Array.of(0x64, 0x68); // dh
const promiseKey = Uint8Array.of(0x64, 0x70); // dp
const halfPrefix = (half: number): Uint8Array => Uint8Array.of(0x64, 0x30 + half); // d0, d1
const entriesAtOnce = 48;
const bytesAtOnce = 1024 * 1024;

/** A state that is to take the place of all. */
interface Whole {
  readonly contents: Contents;
  readonly done: () => void;
}

interface Waiter {
  readonly position: Position;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const nowhere: Position = { term: 0, view: 0, version: 0 };

export class Journal {
  readonly #store: Store;
  readonly #failed: (error: unknown) => void;
  #half = 0;
  #promised = 0;
  #stored: Position = nowhere;
  #loaded: Contents | null = null;
  #queue: Written[] = [];
  #whole: Whole | null = null;
  #writing = false;
  #failure: unknown = null;
  #waiters: Waiter[] = [];
  #flushes = 0;
  /** Called when more is durable, and when nothing will be any more. */
  progressed: () => void = () => undefined;

  private constructor(store: Store, failed: (error: unknown) => void) {
    this.#store = store;
    this.#failed = failed;
  }

  /**
   * Reads what the store holds. Rejects with the store's error, and with Malformed for what no
   * directory server has written.
   *
   * @param failed hears once that nothing can be written any more
   */
  static async open(store: Store, failed: (error: unknown) => void): Promise<Journal> {
    const journal = new Journal(store, failed);
    const half = await store.get(halfKey);
    const promised = await store.get(promiseKey);
    if (half !== null) journal.#half = half.value[0] === 1 ? 1 : 0;
    if (promised !== null) journal.#promised = decodeAs(uint32, promised.value);
    await journal.#clear(1 - journal.#half);
    await journal.#load();
    return journal;
  }

  async #load(): Promise<void> {
    const gathered = new Gathered();
    const prefix = halfPrefix(this.#half);
    const range = prefixRange(prefix);
    for (let from = range.from; ; ) {
      const { entries, more } = await this.#store.range({ ...range, from }, { limit: 1000 });
      for (const { key, value } of entries) gathered.take(key.subarray(prefix.length), value);
      const last = entries.at(-1);
      if (!more || last === undefined) break;
      from = Uint8Array.from([...last.key, 0]);
    }
    const all = gathered.all();
    if (all === null) return;
    await this.#deleteAll(
      all.orphans.map(({ object, birth, row }) => this.#key(this.#half, rowKey(object, birth, row.name))),
    );
    this.#loaded = all.contents;
    this.#stored = all.contents.standing;
  }

  #key(half: number, key: Uint8Array): Uint8Array {
    return Uint8Array.from([...halfPrefix(half), ...key]);
  }

  async #deleteAll(keys: readonly Uint8Array[]): Promise<void> {
    for (let at = 0; at < keys.length; at += entriesAtOnce)
      await this.#store.batch({
        operations: keys.slice(at, at + entriesAtOnce).map((key) => ({ kind: "delete", key })),
      });
  }

  async #clear(half: number): Promise<void> {
    for (;;) {
      const { entries, more } = await this.#store.range(prefixRange(halfPrefix(half)), { limit: 1000 });
      await this.#deleteAll(entries.map(({ key }) => key));
      if (!more) return;
    }
  }

  /** What the store held when it was opened; null when it held no state. */
  get loaded(): Contents | null {
    return this.#loaded;
  }

  /** Up to where everything is durable. */
  get stored(): Position {
    return this.#stored;
  }

  /** The highest term that was promised to somebody. */
  get promised(): number {
    return this.#promised;
  }

  /** Writes to the store since the start: each costs a flush. */
  get flushes(): number {
    return this.#flushes;
  }

  get failure(): unknown {
    return this.#failure;
  }

  /** Promises to take part in no term below this one any more. Durable when it resolves. */
  async promise(term: number): Promise<void> {
    if (term <= this.#promised) return;
    await this.#store.put(promiseKey, encodeAs(uint32, term));
    this.#promised = Math.max(this.#promised, term);
  }

  /** Writes an update, behind those before it. */
  write(written: Written): void {
    this.#queue.push(written);
    this.#run();
  }

  /** Puts this in the place of everything; what is written afterwards comes behind it. */
  replace(contents: Contents): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    this.#queue = []; // of the state that is to go
    return new Promise((resolve) => {
      this.#whole?.done();
      this.#whole = { contents, done: resolve };
      this.#run();
    });
  }

  /** Resolves when everything up to a position is durable. Rejects when that will not happen any more. */
  whenStored(position: Position): Promise<void> {
    if (comparePositions(this.#stored, position) >= 0) return Promise.resolve();
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => this.#waiters.push({ position, resolve, reject }));
  }

  #run(): void {
    if (this.#writing || this.#failure !== null) return;
    this.#writing = true;
    this.#writeAll().then(
      () => {
        this.#writing = false;
        if (this.#queue.length > 0 || this.#whole !== null) this.#run();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#queue = [];
    this.#whole?.done();
    this.#whole = null;
    for (const { reject } of this.#waiters.splice(0)) reject(error);
    this.#failed(error);
    this.progressed();
  }

  async #writeAll(): Promise<void> {
    while (this.#failure === null && (this.#queue.length > 0 || this.#whole !== null)) {
      if (this.#whole !== null) await this.#writeWhole(this.#whole);
      else await this.#writeSome();
    }
  }

  /** What waits, as batches of one turn, which a store writes and flushes together. */
  async #writeSome(): Promise<void> {
    let bytes = 0;
    let count = 0;
    for (const { operations } of this.#queue) {
      for (const operation of operations)
        bytes += operation.key.length + (operation.kind === "put" ? operation.value.length : 0);
      if (count > 0 && bytes > bytesAtOnce) break;
      count++;
    }
    const some = this.#queue.splice(0, count);
    this.#flushes++;
    await Promise.all(
      some.map(({ operations }) => this.#store.batch({ operations: this.#placed(operations) })),
    );
    const last = some.at(-1);
    if (last !== undefined && this.#whole === null) this.#advance(last);
  }

  #placed(operations: readonly Operation[]): Operation[] {
    return operations.map((operation) => ({ ...operation, key: this.#key(this.#half, operation.key) }));
  }

  async #writeWhole(whole: Whole): Promise<void> {
    const { contents } = whole;
    const half = 1 - this.#half;
    await this.#clear(half);
    const puts = putsOf(contents).map((put) => ({ ...put, key: this.#key(half, put.key) }));
    for (let at = 0; at < puts.length; at += entriesAtOnce)
      await this.#store.batch({ operations: puts.slice(at, at + entriesAtOnce) });
    this.#flushes++;
    await this.#store.put(halfKey, Uint8Array.of(half));
    this.#half = half;
    if (this.#whole === whole) {
      this.#whole = null;
      this.#stored = contents.standing;
      this.#advance(contents.standing);
    }
    whole.done();
    await this.#clear(1 - half);
  }

  #advance({ term, view, version }: Position): void {
    this.#stored = { term, view, version };
    const done = this.#waiters.filter(({ position }) => comparePositions(this.#stored, position) >= 0);
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter));
    for (const { resolve } of done) resolve();
    this.progressed();
  }
}
