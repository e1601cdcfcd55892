// What every store checks at its door, and the copies that make the bytes its own.
//
// - Past these functions keys, batches, ranges and revisions are good and belong to the store.

import { afterLatest, badArgument, tooLarge } from "./errors.js";
import {
  batchBytesMax,
  batchConditionsMax,
  batchOperationsMax,
  keyBytesMax,
  rangeLimitDefault,
  rangeLimitMax,
  valueBytesMax,
} from "./limits.js";
import { type Batch, compareKeys, type KeyRange, type Operation, type RangeOptions } from "./store.js";

/** A batch that has passed the door. */
export interface CheckedBatch extends Batch {
  readonly conditions: NonNullable<Batch["conditions"]>;
}

/** The key, copied. */
export function checkKey(key: Uint8Array): Uint8Array {
  if (!(key instanceof Uint8Array)) throw badArgument("a key is bytes");
  if (key.length === 0) throw badArgument("a key has at least one byte");
  if (key.length > keyBytesMax) throw tooLarge(`a key has at most ${keyBytesMax} bytes, not ${key.length}`);
  return Uint8Array.from(key);
}

export function checkRevision(revision: number): number {
  if (!Number.isSafeInteger(revision) || revision < 0)
    throw badArgument(`${revision} is not a revision: they are whole numbers from 0 on`);
  return revision;
}

/** A revision up to which changes may be forgotten. */
export function checkCompaction(revision: number, latest: number): number {
  if (checkRevision(revision) > latest) throw afterLatest(revision);
  return revision;
}

function checkOperation(operation: Operation): Operation {
  const key = checkKey(operation.key);
  if (operation.kind === "delete") return { kind: "delete", key };
  const { value } = operation;
  if (!(value instanceof Uint8Array)) throw badArgument("a value is bytes");
  if (value.length > valueBytesMax)
    throw tooLarge(`a value has at most ${valueBytesMax} bytes, not ${value.length}`);
  return { kind: "put", key, value: Uint8Array.from(value) };
}

/** Bytes of the keys and values of some operations. */
export function bytesOf(operations: readonly Operation[]): number {
  let bytes = 0;
  for (const operation of operations)
    bytes += operation.key.length + (operation.kind === "put" ? operation.value.length : 0);
  return bytes;
}

/** The batch, copied. */
export function checkBatch({ conditions = [], operations }: Batch): CheckedBatch {
  if (operations.length > batchOperationsMax)
    throw tooLarge(`a batch has at most ${batchOperationsMax} operations, not ${operations.length}`);
  if (conditions.length > batchConditionsMax)
    throw tooLarge(`a batch has at most ${batchConditionsMax} conditions, not ${conditions.length}`);
  const checked: CheckedBatch = {
    conditions: conditions.map(({ key, revision }) => ({
      key: checkKey(key),
      revision: checkRevision(revision),
    })),
    operations: operations.map(checkOperation),
  };
  const keys = new Set(checked.operations.map(({ key }) => keyText(key)));
  if (keys.size < operations.length) throw badArgument("a batch has two operations for one key");
  const bytes = bytesOf(checked.operations);
  if (bytes > batchBytesMax) throw tooLarge(`a batch has at most ${batchBytesMax} bytes, not ${bytes}`);
  return checked;
}

/** The range, copied. */
export function checkRange({ from, to }: KeyRange): KeyRange {
  for (const bound of [from, to])
    if (bound !== undefined && bound.length > keyBytesMax + 1)
      throw tooLarge(`a bound of a range has at most ${keyBytesMax + 1} bytes, not ${bound.length}`);
  if (to !== undefined && compareKeys(from ?? new Uint8Array(0), to) >= 0)
    throw badArgument("a range that ends where it begins, or before, holds no key");
  return { from: from && Uint8Array.from(from), to: to && Uint8Array.from(to) };
}

export function checkRangeOptions({ limit, reverse }: RangeOptions = {}): Required<RangeOptions> {
  const entries = limit ?? rangeLimitDefault;
  if (!Number.isInteger(entries) || entries < 1 || entries > rangeLimitMax)
    throw badArgument(`the limit of a range is 1 to ${rangeLimitMax}, not ${entries}`);
  return { limit: entries, reverse: reverse ?? false };
}

/** A key as a string that is the same for equal keys only. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
