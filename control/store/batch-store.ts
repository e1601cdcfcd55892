// What all stores have in common: put, delete and compare-and-swap are batches of one.
//
// - A store brings the rest; it need not care which of them a batch came from.

import type {
  Batch,
  BatchResult,
  Entry,
  KeyRange,
  RangeOptions,
  RangeResult,
  Store,
  Watch,
} from "./store.js";

export abstract class BatchStore implements Store {
  abstract get(key: Uint8Array): Promise<Entry | null>;
  abstract batch(batch: Batch): Promise<BatchResult>;
  abstract range(range: KeyRange, options?: RangeOptions): Promise<RangeResult>;
  abstract watch(range: KeyRange, after?: number): Promise<Watch>;
  abstract compact(revision: number): Promise<void>;
  abstract close(): Promise<void>;

  async put(key: Uint8Array, value: Uint8Array): Promise<number> {
    return revisionOf(await this.batch({ operations: [{ kind: "put", key, value }] }));
  }

  async delete(key: Uint8Array): Promise<number> {
    return revisionOf(await this.batch({ operations: [{ kind: "delete", key }] }));
  }

  compareAndSwap(key: Uint8Array, expected: number, value: Uint8Array | null): Promise<BatchResult> {
    return this.batch({
      conditions: [{ key, revision: expected }],
      operations: [value === null ? { kind: "delete", key } : { kind: "put", key, value }],
    });
  }
}

function revisionOf(result: BatchResult): number {
  if (!result.committed) throw new Error("a batch without conditions was refused");
  return result.revision;
}
