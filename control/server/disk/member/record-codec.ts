// A member's record as bytes: on its medium, format 1, and on the wire.
//
//      0 u32 magic "PMBR"      4 u32 format        8 u64 sequence
//     16 u32 bytes of record  20 u32 flags        24 the record, as `memberRecord` writes it
//     …  zeros, or at 16316 what a metal machine keeps there (boot/metal/member-rights.ts)
//  16380 u32 CRC-32C of the 16380 bytes in front of it
//
// - `memberRecord` is a wire type: whoever sends records (remote.ts) uses the same.
// - Bytes that are no record, or a torn one, are null: nothing is thrown for what a medium holds.
//   A record that does not fit is a bug of the caller's: Unfit.
// - Flag 1, bound: a server has fenced the member, and has not closed the storage in order since.

import * as types from "../../../interface/types.js";
import { Cursor, Malformed, Unfit, type WireType } from "../../../interface/types.js";
import { view } from "../../../kernel/bytes.js";
import { crc32c } from "../../../store/disk/crc32c.js";
import { RECORD_BYTES } from "./layout.js";
import {
  AGE_BYTES,
  EXTENTS_MAX,
  HISTORY_MAX,
  MEMBER_ID_BYTES,
  MEMBERS_MAX,
  type MemberEntry,
  type MemberRecord,
  mapBytesOf,
  type StorageFacts,
  type Upkeep,
} from "./record.js";

/** Bytes of text at most; a node's path is the longest that fits for eight members. */
export const NAME_BYTES_MAX = 255;
export const NODE_BYTES_MAX = 128;
export const PATH_BYTES_MAX = 400;
const algorithmBytesMax = 32;
/** Blocks of a storage at most: 4 PiB. */
const blocksMax = 2 ** 40;

/** What a type reads and writes, as another type carries it. `back` throws Malformed. */
function through<Value, Carried>(
  of: WireType<Carried>,
  there: (value: Value) => Carried,
  back: (carried: Carried) => Value,
): WireType<Value> {
  return {
    name: of.name,
    kind: of.kind,
    size: (value) => of.size(there(value)),
    write: (to, value) => of.write(to, there(value)),
    read: (from) => back(of.read(from)),
  };
}

/** Whole numbers up to a limit, in 64 bits. */
const whole = (most: number): WireType<number> =>
  through(
    types.uint64,
    (value) => {
      if (Number.isInteger(value) && value >= 0 && value <= most) return BigInt(value);
      throw new Unfit(`${value} is not a whole number up to ${most}`);
    },
    (value) => {
      if (value <= BigInt(most)) return Number(value);
      throw new Malformed(`${value} is more than ${most}`);
    },
  );

/** One of some words. */
const oneOf = <const Words extends readonly string[]>(words: Words): WireType<Words[number]> =>
  through(
    types.uint8,
    (word) => words.indexOf(word),
    (index) => {
      const word = words[index];
      if (word !== undefined) return word;
      throw new Malformed(`${index} is none of ${words.join(", ")}`);
    },
  );

const copied = (of: WireType<Uint8Array>): WireType<Uint8Array> =>
  through(
    of,
    (value) => value,
    (value) => value.slice(),
  );

const map = copied(types.blob(EXTENTS_MAX / 8));

/** A map, or null: one byte says which. */
const mapOrNull: WireType<Uint8Array | null> = {
  name: `${map.name}, or null`,
  kind: "compound",
  size: (value) => 1 + (value === null ? 0 : map.size(value)),
  write(to, value) {
    types.boolean.write(to, value !== null);
    if (value !== null) map.write(to, value);
  },
  read: (from) => (types.boolean.read(from) ? map.read(from) : null),
};

const storageFacts: WireType<StorageFacts> = types.record({
  age: copied(types.raw(AGE_BYTES)),
  secret: copied(types.raw(32)),
  name: types.string(NAME_BYTES_MAX),
  algorithm: types.string(algorithmBytesMax),
  blocks: whole(blocksMax),
  ack: oneOf(["all", "quorum", "one"]),
  serve: oneOf(["majority", "any"]),
  onSplit: oneOf(["keep", "ask"]),
});

const memberEntry: WireType<MemberEntry> = types.record({
  id: copied(types.raw(MEMBER_ID_BYTES)),
  node: types.string(NODE_BYTES_MAX),
  path: types.string(PATH_BYTES_MAX),
  capability: types.capability,
  isWitness: types.boolean,
  blocks: whole(blocksMax),
  state: oneOf(["in-sync", "syncing", "out"]),
  since: types.uint64,
  lacks: mapOrNull,
});

const counted = whole(Number.MAX_SAFE_INTEGER);
const upkeep: WireType<Upkeep> = types.record({
  memberTimeoutMs: counted,
  resyncRest: counted,
  resyncBytesPerSecond: counted,
  scrubEveryMs: counted,
  scrubBytesPerSecond: counted,
  scrub: types.record({
    ...{ beganAt: counted, block: counted, mended: counted, bytesPerSecond: counted },
    ...{ endedAt: counted, lastMended: counted, dueAt: counted },
  }),
});

/** A record on the wire and on a medium. Bytes that it reads are copies. */
export const memberRecord: WireType<MemberRecord> = types.record({
  storage: storageFacts,
  member: copied(types.raw(MEMBER_ID_BYTES)),
  members: types.list(memberEntry, MEMBERS_MAX),
  epoch: whole(Number.MAX_SAFE_INTEGER),
  server: types.uint64,
  generation: types.uint64,
  history: types.list(types.uint64, HISTORY_MAX),
  isClean: types.boolean,
  activity: map,
  upkeep: types.optional(upkeep),
});

/** A record as a medium keeps it. */
export interface StoredRecord {
  readonly record: MemberRecord;
  /** Of two copies the one with the higher counts. */
  readonly sequence: number;
  readonly isBound: boolean;
}

/** "PMBR" in memory. */
export const RECORD_MAGIC = 0x52424d50;
export const RECORD_FORMAT = 1;
const bodyAt = 24;
const checkAt = RECORD_BYTES - 4;
const flagBound = 1;

/** A copy of the record. Throws Unfit when it does not fit. */
export function encodeRecord({ record, sequence, isBound }: StoredRecord): Uint8Array {
  const length = memberRecord.size(record);
  if (length > checkAt - bodyAt) throw new Unfit(`a record of ${length} bytes`);
  const bytes = new Uint8Array(RECORD_BYTES);
  const fields = view(bytes);
  fields.setUint32(0, RECORD_MAGIC, true);
  fields.setUint32(4, RECORD_FORMAT, true);
  fields.setBigUint64(8, BigInt(sequence), true);
  fields.setUint32(16, length, true);
  fields.setUint32(20, isBound ? flagBound : 0, true);
  memberRecord.write(new Cursor(bytes, bodyAt, bodyAt + length), record);
  fields.setUint32(checkAt, crc32c(bytes.subarray(0, checkAt)), true);
  return bytes;
}

/** The record in a copy; null when there is none, or it is torn. */
export function decodeRecord(bytes: Uint8Array): StoredRecord | null {
  if (bytes.length !== RECORD_BYTES) return null;
  const fields = view(bytes);
  if (fields.getUint32(0, true) !== RECORD_MAGIC || fields.getUint32(4, true) !== RECORD_FORMAT) return null;
  if (fields.getUint32(checkAt, true) !== crc32c(bytes.subarray(0, checkAt))) return null;
  const sequence = fields.getBigUint64(8, true);
  const end = bodyAt + fields.getUint32(16, true);
  if (end > checkAt || sequence > BigInt(Number.MAX_SAFE_INTEGER)) return null;
  try {
    const record = memberRecord.read(new Cursor(bytes, bodyAt, end));
    if (!isSound(record)) return null;
    return { record, sequence: Number(sequence), isBound: (fields.getUint32(20, true) & flagBound) !== 0 };
  } catch (error) {
    if (error instanceof Malformed) return null;
    throw error;
  }
}

/** Whether all maps are of the storage's size. */
export function isSound(record: MemberRecord): boolean {
  const bytes = mapBytesOf(record.storage.blocks);
  const isMap = (lacks: Uint8Array | null) => lacks === null || lacks.length === bytes;
  return record.activity.length === bytes && record.members.every(({ lacks }) => isMap(lacks));
}
