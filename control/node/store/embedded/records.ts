// How EmbeddedStore lies in its database: three kinds of records, told apart by the first byte.
//
//     'c' revision (8 bytes, big-endian)    the change of that revision (control/store/changes.ts)
//     'e' key                               revision (8 bytes, big-endian), value
//     's'                                   format, latest revision, compacted revision (8 bytes each)
//
// - Every write renews the state record in the same atomic batch: so the three always agree.

import type { Entry } from "../../../store/store.js";

/** Raised when an older version could not read what this one writes. */
export const format = 1;

const revisionBytes = 8;
const [changeTag, entryTag, stateTag] = [0x63, 0x65, 0x73];

export interface State {
  readonly format: number;
  readonly revision: number;
  readonly compacted: number;
}

function numbers(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * revisionBytes);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) view.setBigUint64(index * revisionBytes, BigInt(value));
  return bytes;
}

function numberAt(bytes: Uint8Array, at: number): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(at));
}

function joined(tag: number, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(1 + rest.length);
  bytes[0] = tag;
  bytes.set(rest, 1);
  return bytes;
}

export const stateKey = Uint8Array.of(stateTag);

export const encodeState = ({ revision, compacted }: Omit<State, "format">): Uint8Array =>
  numbers(format, revision, compacted);

/** null when the bytes cannot be a state. */
export function decodeState(bytes: Uint8Array): State | null {
  if (bytes.length !== 3 * revisionBytes) return null;
  return {
    format: numberAt(bytes, 0),
    revision: numberAt(bytes, revisionBytes),
    compacted: numberAt(bytes, 2 * revisionBytes),
  };
}

export const changeKey = (revision: number): Uint8Array => joined(changeTag, numbers(revision));
export const changeRevision = (record: Uint8Array): number => numberAt(record, 1);
/** The keys of all changes. */
export const allChanges = { gte: Uint8Array.of(changeTag), lt: Uint8Array.of(changeTag + 1) };

export const entryKey = (key: Uint8Array): Uint8Array => joined(entryTag, key);
/** After the last entry. */
export const entriesEnd = Uint8Array.of(entryTag + 1);

export function encodeEntry(revision: number, value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(revisionBytes + value.length);
  bytes.set(numbers(revision));
  bytes.set(value, revisionBytes);
  return bytes;
}

export const entryRevision = (bytes: Uint8Array): number => numberAt(bytes, 0);

export function decodeEntry(key: Uint8Array, bytes: Uint8Array): Entry {
  // Copies: the database hands out Buffers that may be pieces of something larger.
  return {
    key: Uint8Array.from(key),
    value: Uint8Array.from(bytes.subarray(revisionBytes)),
    revision: entryRevision(bytes),
  };
}
