// Changes as bytes, for a history on a disk: of EmbeddedStore's database and DiskStore's log.
//
// - revision (two u32, the high one first), count, then of each operation 1 for put or 0 for
//   delete, key, and value of a put. control/group/encoding.ts says how numbers and bytes lie.

import { Reader, Writer } from "../group/encoding.js";
import type { Change, Operation } from "./store.js";

const half = 2 ** 32;

export function writeRevision(writer: Writer, revision: number): void {
  writer.number(Math.floor(revision / half));
  writer.number(revision % half);
}

export function readRevision(reader: Reader): number {
  return reader.number() * half + reader.number();
}

export function writeChange(writer: Writer, { revision, operations }: Change): void {
  writeRevision(writer, revision);
  writer.number(operations.length);
  for (const operation of operations) {
    writer.number(operation.kind === "put" ? 1 : 0);
    writer.bytes(operation.key);
    if (operation.kind === "put") writer.bytes(operation.value);
  }
}

/** Throws RangeError where the bytes are no change. */
export function readChange(reader: Reader): Change {
  const revision = readRevision(reader);
  const operations: Operation[] = [];
  for (let left = reader.number(); left > 0; left--) {
    const isPut = reader.number() === 1;
    const key = reader.bytes();
    operations.push(isPut ? { kind: "put", key, value: reader.bytes() } : { kind: "delete", key });
  }
  return { revision, operations };
}

export function encodeChange(change: Change): Uint8Array {
  const writer = new Writer();
  writeChange(writer, change);
  return writer.all();
}

export function decodeChange(bytes: Uint8Array): Change {
  return readChange(new Reader(bytes));
}
