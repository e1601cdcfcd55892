// What the directory server keeps, and its form in a store: heads of directories, rows, the
// requests answered last, and where it all stands.
//
// - Keys: h OBJECT, r OBJECT BIRTH NAME, q SLOT, s; behind the half of the store that is in use
//   (journal.ts). BIRTH is the version that made the directory: rows of an earlier one that had
//   the same number are not taken for those of a new one.
// - A position says how far a state is: the term of the group's founding, resets since then,
//   updates since ever. Positions are compared in that order (election.ts says why).
// - An age is counted in eras: AGE begins a new one, TOUCH notes the present one.

import type { CapabilitySet } from "../../capability/set.js";
import { COLUMNS_MAX, NAME_BYTES_MAX } from "../../interface/directory.js";
import {
  Cursor,
  capabilitySet,
  list,
  raw,
  record,
  string,
  uint8,
  uint32,
  uint64,
  type WireType,
} from "../../interface/types.js";

export interface Position {
  readonly term: number;
  readonly view: number;
  readonly version: number;
}

/** Less than zero when `one` is behind `other`. */
export function comparePositions(one: Position, other: Position): number {
  return one.term - other.term || one.view - other.view || one.version - other.version;
}

export interface Row {
  readonly name: string;
  readonly masks: readonly number[];
  readonly set: CapabilitySet;
  /** Seconds since 1970 when it was appended or replaced. */
  readonly time: number;
  /** A capability that says what kind of thing it is, 16 bytes; not given: null. */
  readonly type?: Uint8Array;
}

/** A directory without its rows. */
export interface Head {
  readonly columns: readonly string[];
  readonly generation: Uint8Array;
  /** The version that made it. */
  readonly birth: number;
  /** The version that changed it last. */
  readonly changed: number;
  /** The era of the last touch. */
  readonly touched: number;
}

/** An update that was executed, so that it is not executed again. */
export interface Request {
  /** 6 bytes. */
  readonly id: Uint8Array;
  /** Of what was asked for: an id alone could be somebody else's. */
  readonly digest: number;
  readonly object: number;
}

/** Where a state stands. */
export interface Standing extends Position {
  readonly nextObject: number;
  readonly nextSlot: number;
  readonly era: number;
  readonly lifetime: number;
  /** Of the server itself, object 0. */
  readonly generation: Uint8Array;
}

/** A number up to 2^53 in eight bytes. */
export const long: WireType<number> = {
  name: "uint53",
  kind: "number",
  size: () => 8,
  write: (to, value) => uint64.write(to, BigInt(value)),
  read: (from) => Number(uint64.read(from)),
};

export const nameType = string(NAME_BYTES_MAX);
export const columnsType = list(nameType, COLUMNS_MAX);
export const masksType = list(uint32, COLUMNS_MAX);
export const generationType = raw(8, "generation");
const plainRow = record({ name: nameType, masks: masksType, set: capabilitySet, time: uint32 });
const typeCapability = raw(16);
/** Rows that have no type are as they were before there were any. */
export const rowType: WireType<Row> = {
  name: "row",
  kind: "compound",
  size: (row) => plainRow.size(row) + (row.type === undefined ? 0 : 16),
  write(to, row) {
    plainRow.write(to, row);
    if (row.type !== undefined) typeCapability.write(to, row.type);
  },
  read(from) {
    const row = plainRow.read(from);
    return from.at === from.end ? row : { ...row, type: typeCapability.read(from) };
  },
};
export const headType: WireType<Head> = record({
  columns: columnsType,
  generation: generationType,
  birth: long,
  changed: long,
  touched: uint32,
});
export const requestType: WireType<Request> = record({ id: raw(6), digest: uint32, object: uint32 });
export const standingType: WireType<Standing> = record({
  term: uint32,
  view: uint32,
  version: long,
  nextObject: uint32,
  nextSlot: uint32,
  era: uint32,
  lifetime: uint8,
  generation: generationType,
});

/** The bytes of a value. */
export function encodeAs<Value>(type: WireType<Value>, value: Value): Uint8Array {
  const cursor = new Cursor(new Uint8Array(type.size(value)));
  type.write(cursor, value);
  return cursor.bytes;
}

/** The value of bytes that are nothing else. Throws Malformed. Bytes in it are its own. */
export function decodeAs<Value>(type: WireType<Value>, bytes: Uint8Array): Value {
  return type.read(new Cursor(Uint8Array.from(bytes)));
}

const text = new TextEncoder();
const kinds = { head: 0x68, row: 0x72, request: 0x71, standing: 0x73 } as const;

const bigEndian = (value: number, length: number): number[] =>
  Array.from({ length }, (_, index) => Math.floor(value / 256 ** (length - 1 - index)) % 256);

export const headKey = (object: number): Uint8Array => Uint8Array.of(kinds.head, ...bigEndian(object, 3));
export const rowKey = (object: number, birth: number, name: string): Uint8Array =>
  Uint8Array.of(kinds.row, ...bigEndian(object, 3), ...bigEndian(birth, 7), ...text.encode(name));
export const requestKey = (slot: number): Uint8Array => Uint8Array.of(kinds.request, ...bigEndian(slot, 2));
export const standingKey = Uint8Array.of(kinds.standing);

/** What a key is for; undefined for one of a later version of this program. */
export type KeyPlace =
  | { readonly kind: "head"; readonly object: number }
  | { readonly kind: "row"; readonly object: number; readonly birth: number }
  | { readonly kind: "request"; readonly slot: number }
  | { readonly kind: "standing" };

export function placeOf(key: Uint8Array): KeyPlace | undefined {
  const number = (from: number, to: number) =>
    key.subarray(from, to).reduce((sum, byte) => sum * 256 + byte, 0);
  switch (key[0]) {
    case kinds.head:
      return { kind: "head", object: number(1, 4) };
    case kinds.row:
      return { kind: "row", object: number(1, 4), birth: number(4, 11) };
    case kinds.request:
      return { kind: "request", slot: number(1, 3) };
    case kinds.standing:
      return { kind: "standing" };
    default:
      return undefined;
  }
}
