// A watch on a store that keeps its own history: it holds a place in it and reads on.
//
// - Pulled, not pushed: a slow reader costs nothing but its place, until that is compacted.
// - Revisions of such a store have no gaps; changes that do not touch the range are passed over.

import { compacted } from "./errors.js";
import { type Change, isInRange, type KeyRange, type Watch } from "./store.js";

/** What a watch reads. */
export interface History {
  /** The latest change that is durable. */
  readonly revision: number;
  /** Changes up to this one are not kept. */
  readonly compacted: number;
  /** The change of a revision after `compacted` and up to `revision`. */
  changeAt(revision: number): Change;
}

/** The watches of one store. */
export class HistoryWatches {
  readonly #open = new Set<HistoryWatch>();
  readonly #history: History;

  constructor(history: History) {
    this.#history = history;
  }

  watch(range: KeyRange, after = this.#history.revision): Watch {
    const watch = new HistoryWatch(this.#history, range, after, () => this.#open.delete(watch));
    this.#open.add(watch);
    return watch;
  }

  /** To be called when there are new changes. */
  wake(): void {
    for (const watch of this.#open) watch.wake();
  }

  /** Ends all: with an error where the store has failed. */
  end(error?: Error): void {
    for (const watch of [...this.#open]) watch.end(error);
  }
}

interface Waiting {
  readonly resolve: (result: IteratorResult<Change>) => void;
  readonly reject: (error: unknown) => void;
}

class HistoryWatch implements Watch {
  #after: number;
  #waiting: Waiting | null = null;
  #ended: { readonly error?: Error } | null = null;
  readonly #history: History;
  readonly #range: KeyRange;
  readonly #forget: () => void;

  constructor(history: History, range: KeyRange, after: number, forget: () => void) {
    this.#history = history;
    this.#range = range;
    this.#after = after;
    this.#forget = forget;
  }

  next(): Promise<IteratorResult<Change>> {
    if (this.#waiting !== null) return Promise.reject(new Error("a watch has one next at a time"));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.wake();
    });
  }

  return(): Promise<IteratorResult<Change>> {
    this.close();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  close(): void {
    this.end();
  }

  end(error?: Error): void {
    this.#ended ??= error === undefined ? {} : { error };
    this.#forget();
    this.wake();
  }

  /** Answers the `next` that waits, if it can be answered. */
  wake(): void {
    const waiting = this.#waiting;
    if (waiting === null) return;
    try {
      const result = this.#take();
      if (result === null) return;
      this.#waiting = null;
      waiting.resolve(result);
    } catch (error) {
      this.#waiting = null;
      waiting.reject(error);
    }
  }

  #take(): IteratorResult<Change> | null {
    if (this.#ended !== null) {
      const { error } = this.#ended;
      this.#ended = {}; // an error is told once
      if (error !== undefined) throw error;
      return { done: true, value: undefined };
    }
    const history = this.#history;
    if (this.#after < history.compacted) {
      const error = compacted(this.#after, history.compacted);
      this.#ended = {};
      this.#forget();
      throw error;
    }
    while (this.#after < history.revision) {
      const { revision, operations } = history.changeAt(++this.#after);
      const seen = operations.filter(({ key }) => isInRange(key, this.#range));
      if (seen.length > 0) return { done: false, value: { revision, operations: seen } };
    }
    return null;
  }
}
