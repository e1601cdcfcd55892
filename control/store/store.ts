// The store: keys and values with revisions, where the control plane keeps what must outlive
// a process. The interface only; MemoryStore, DiskStore (control/store) and EmbeddedStore,
// EtcdStore (control/node/store) pass one suite of tests.
//
// - Every batch that changes something is one change with a revision of its own, greater than
//   all before; nothing else is promised about the numbers. A put of the same value is a
//   change, a delete of an absent key is none.
// - What was acknowledged is durable, and visible to every get and range that begins later.
// - A batch happens whole or not at all: for readers, for watches, after a crash.
// - Keys are bytes in the order of memcmp. Bytes that are handed in or out are the receiver's.
// - A call rejects with ProteusError (errors.ts). STORE_OUTCOME_UNKNOWN is the only code of a
//   change that leaves open whether it has happened.

export interface Entry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** Of the change that wrote it. */
  readonly revision: number;
}

export type Operation =
  | { readonly kind: "put"; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly kind: "delete"; readonly key: Uint8Array };

/** Holds while the key's entry is the one of that revision; 0: while there is none. */
export interface Condition {
  readonly key: Uint8Array;
  readonly revision: number;
}

export interface Batch {
  /** All must hold, or nothing happens. */
  readonly conditions?: readonly Condition[];
  /** In this order; no key twice. */
  readonly operations: readonly Operation[];
}

export type BatchResult =
  /** Of the change, or the store's latest when nothing was to change. */
  | { readonly committed: true; readonly revision: number }
  /** What each condition's key has instead, 0 for absent; in the order of the conditions. */
  | { readonly committed: false; readonly found: readonly number[] };

/** Keys from `from` on, and before `to`; both may be left out. */
export interface KeyRange {
  readonly from?: Uint8Array | undefined;
  readonly to?: Uint8Array | undefined;
}

export interface RangeOptions {
  /** At most so many entries: 1 to rangeLimitMax, default rangeLimitDefault. */
  readonly limit?: number;
  /** From the last key down. */
  readonly reverse?: boolean;
}

export interface RangeResult {
  readonly entries: readonly Entry[];
  /** There are more than the limit allowed. */
  readonly more: boolean;
  /** The store's latest when it was read: a watch after it misses nothing. */
  readonly revision: number;
}

/** What one batch did to the watched keys, in the order of the batch. */
export interface Change {
  readonly revision: number;
  readonly operations: readonly Operation[];
}

/** The changes of a range of keys, each once and in order. One `next` at a time. */
export interface Watch extends AsyncIterableIterator<Change> {
  /** Ends it: a `next` that waits says done. It ends by itself when the store is closed. */
  close(): void;
}

export interface Store {
  get(key: Uint8Array): Promise<Entry | null>;
  /** Its revision. */
  put(key: Uint8Array, value: Uint8Array): Promise<number>;
  /** The revision of the change, or the store's latest when there was no such key. */
  delete(key: Uint8Array): Promise<number>;
  /** Writes, or with null deletes, if the key's entry is still the one of that revision; 0: if there is none. */
  compareAndSwap(key: Uint8Array, expected: number, value: Uint8Array | null): Promise<BatchResult>;
  batch(batch: Batch): Promise<BatchResult>;
  range(range: KeyRange, options?: RangeOptions): Promise<RangeResult>;
  /**
   * All changes after a revision; without one, after the store's latest. Its `next` rejects with
   * STORE_COMPACTED when some of them are not kept any more: read the range and watch anew.
   */
  watch(range: KeyRange, after?: number): Promise<Watch>;
  /** Forgets the changes up to a revision: watches after an earlier one are over. Entries stay. */
  compact(revision: number): Promise<void>;
  /** Ends all watches. What was acknowledged stays; what waits to be written is still written. */
  close(): Promise<void>;
}

/** The keys that begin with some bytes. */
export function prefixRange(prefix: Uint8Array): KeyRange {
  return { from: prefix, to: afterPrefix(prefix) };
}

/** The first key after all that begin with some bytes; undefined when there is none. */
export function afterPrefix(prefix: Uint8Array): Uint8Array | undefined {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return undefined;
  const next = Uint8Array.from(prefix.subarray(0, length)); // slice of a Buffer is no copy
  next[length - 1] = (next[length - 1] ?? 0) + 1;
  return next;
}

/** The order of keys: negative when `a` comes first, 0 when they are equal. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

export function isInRange(key: Uint8Array, { from, to }: KeyRange): boolean {
  if (from !== undefined && compareKeys(key, from) < 0) return false;
  return to === undefined || compareKeys(key, to) < 0;
}
