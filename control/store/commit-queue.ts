// The batches that wait to be written: one group at a time, everything that came meanwhile next.
//
// - A group is acknowledged together when the writer has made it durable; so the price of a
//   flush is shared by all who wait.
// - When the writer fails, its group fails with its error, and later groups still get their turn:
//   whether they may be written is the writer's to say.

import { bytesOf, type CheckedBatch } from "./check.js";
import { closed, overloaded } from "./errors.js";
import { batchBytesMax, pendingBatchesMax } from "./limits.js";
import type { BatchResult } from "./store.js";

interface Waiting {
  readonly batch: CheckedBatch;
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Bytes of a group, unless one batch alone has more. */
const groupBytesMax = 4 * batchBytesMax;

export class CommitQueue {
  #waiting: Waiting[] = [];
  #writing = Promise.resolve();
  #isWriting = false;
  #isClosed = false;
  readonly #write: (group: readonly CheckedBatch[]) => Promise<readonly BatchResult[]>;

  /** `write` makes a group durable, and says what each batch came to, in their order. */
  constructor(write: (group: readonly CheckedBatch[]) => Promise<readonly BatchResult[]>) {
    this.#write = write;
  }

  submit(batch: CheckedBatch): Promise<BatchResult> {
    if (this.#isClosed) return Promise.reject(closed());
    if (this.#waiting.length >= pendingBatchesMax) return Promise.reject(overloaded(this.#waiting.length));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, resolve, reject });
      if (this.#isWriting) return;
      this.#isWriting = true;
      this.#writing = this.#writeAll();
    });
  }

  /** Takes no more, and ends when all that were taken have been answered. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    await Promise.resolve(); // what is submitted in the same turn shares the first group
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        const results = await this.#write(group.map(({ batch }) => batch));
        for (const [index, { resolve, reject }] of group.entries()) {
          const result = results[index];
          if (result === undefined) reject(new Error("a batch without a result"));
          else resolve(result);
        }
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#isWriting = false;
  }

  #takeGroup(): Waiting[] {
    let [count, bytes] = [0, 0];
    for (const { batch } of this.#waiting) {
      bytes += bytesOf(batch.operations);
      if (count > 0 && bytes > groupBytesMax) break;
      count++;
    }
    const group = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return group;
  }
}
