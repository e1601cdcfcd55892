// What can travel in the buffer of a request or reply, and how: the wire types of servers'
// tables.
//
// - Integers are little-endian, strings UTF-8 with a NUL, raw bytes as they are; a list
//   begins with a count of 16 bits, a sequence goes on to the end of the buffer.
// - size() is asked before write() and throws Unfit for a value that the type cannot carry.
//   read() throws Malformed when the buffer ends early or holds what nobody could have
//   written; it never reads beyond the end. Bytes that it answers are views of the buffer.
// - Source: Amoeba 5 buf_put_*, buf_get_*.

import { CAPABILITY_BYTES, FLIP_ADDRESS, PORT_BYTES, PRIVATE_BYTES } from "../../core-wasm/wire/formats.js";
import type { Capability } from "../capability/capability.js";
import { type CapabilitySet, type CapabilitySetMember, MEMBERS_MAX } from "../capability/set.js";
import { putBytes, takeBytes } from "../kernel/bytes.js";
import { putText, textBytes, textOf } from "./utf8.js";

/** A value that a type cannot carry. */
export class Unfit extends RangeError {
  override readonly name = "Unfit";
}

/** A buffer that is not what the table says. */
export class Malformed extends Error {
  override readonly name = "Malformed";
}

/** A place in a buffer that is read or written. */
export class Cursor {
  #view: DataView | null = null;

  constructor(
    readonly bytes: Uint8Array,
    public at = 0,
    readonly end = bytes.length,
  ) {}

  get view(): DataView {
    const { buffer, byteOffset, byteLength } = this.bytes;
    this.#view ??= new DataView(buffer, byteOffset, byteLength);
    return this.#view;
  }

  /** Moves on by so many bytes and answers where they begin. */
  take(count: number): number {
    const { at } = this;
    if (count > this.end - at) throw new Malformed(`${count} bytes are due where ${this.end - at} are left`);
    this.at = at + count;
    return at;
  }
}

/** What values of a type are: numbers, bigints, booleans, texts, bytes, capabilities, or made of such. */
export type Kind = "number" | "long" | "boolean" | "text" | "bytes" | "capability" | "compound";

/** How values of one kind travel. */
export interface WireType<Value> {
  /** For people: `uint16`, `list of string`. */
  readonly name: string;
  readonly kind: Kind;
  /** It takes whatever is left of the buffer: nothing can follow it. */
  readonly greedy?: boolean;
  /** It may be left out: optional(). */
  readonly optional?: boolean;
  /** Bytes that it takes. Throws Unfit. */
  size(value: Value): number;
  write(to: Cursor, value: Value): void;
  /** Throws Malformed. */
  read(from: Cursor): Value;
}

/** Byte by byte: a DataView of a short array makes the engine move it out of its heap first. */
function integer(name: string, bits: number, signed: boolean): WireType<number> {
  const least = signed ? -(2 ** (bits - 1)) : 0;
  const most = 2 ** (signed ? bits - 1 : bits) - 1;
  const length = bits / 8;
  const unused = 32 - bits;
  return {
    name,
    kind: "number",
    size(value) {
      if (Number.isInteger(value) && value >= least && value <= most) return length;
      throw new Unfit(`${value} is not a whole number from ${least} to ${most}`);
    },
    write(to, value) {
      const at = to.take(length);
      for (let index = 0; index < length; index++) to.bytes[at + index] = value >>> (8 * index);
    },
    read(from) {
      const at = from.take(length);
      let value = 0;
      for (let index = 0; index < length; index++) value |= (from.bytes[at + index] as number) << (8 * index);
      return signed ? (value << unused) >> unused : value >>> 0;
    },
  };
}

function long(name: string, signed: boolean): WireType<bigint> {
  const wrap = signed ? BigInt.asIntN : BigInt.asUintN;
  return {
    name,
    kind: "long",
    size(value) {
      if (typeof value === "bigint" && wrap(64, value) === value) return 8;
      throw new Unfit(`${value} does not fit 64 bits`);
    },
    write: (to, value) => to.view.setBigUint64(to.take(8), BigInt.asUintN(64, value), true),
    read: (from) => wrap(64, from.view.getBigUint64(from.take(8), true)),
  };
}

export const uint8 = integer("uint8", 8, false);
export const int16 = integer("int16", 16, true);
export const uint16 = integer("uint16", 16, false);
export const int32 = integer("int32", 32, true);
export const uint32 = integer("uint32", 32, false);
export const int64 = long("int64", true);
export const uint64 = long("uint64", false);

/** One byte, 0 or 1. */
export const boolean: WireType<boolean> = {
  name: "boolean",
  kind: "boolean",
  size: () => 1,
  write: (to, value) => uint8.write(to, value ? 1 : 0),
  read(from) {
    const value = uint8.read(from);
    if (value > 1) throw new Malformed(`${value} is neither 0 nor 1`);
    return value === 1;
  },
};

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });

const put = (to: Cursor, bytes: Uint8Array): void => putBytes(to.bytes, to.take(bytes.length), bytes);

/** Text of at most so many bytes, with a NUL at its end. */
export function string(bytesMax = 255): WireType<string> {
  return {
    name: `string of at most ${bytesMax} bytes`,
    kind: "text",
    size(value) {
      const length = textBytes(value);
      if (value.includes("\0")) throw new Unfit("a string holds no NUL");
      if (length > bytesMax) throw new Unfit(`a string of ${length} bytes; at most ${bytesMax} are allowed`);
      return length + 1;
    },
    write(to, value) {
      const length = textBytes(value);
      putText(to.bytes, to.take(length), value, length);
      uint8.write(to, 0);
    },
    read(from) {
      const last = Math.min(from.end, from.at + bytesMax + 1);
      let end = from.at; // most are short: a search by the engine would cost more
      while (end < last && from.bytes[end] !== 0) end++;
      if (end === last) throw new Malformed("a string has no end");
      const at = from.take(end + 1 - from.at);
      try {
        return textOf(from.bytes, at, end);
      } catch {
        throw new Malformed("a string is not UTF-8");
      }
    },
  };
}

/** Bytes to the end of the buffer. */
export const bytes: WireType<Uint8Array> = {
  name: "bytes",
  kind: "bytes",
  greedy: true,
  size: (value) => value.length,
  write: put,
  read(from) {
    const at = from.take(from.end - from.at);
    return at === 0 && from.end === from.bytes.length ? from.bytes : from.bytes.subarray(at, from.end);
  },
};

/** Text to the end of the buffer, without a NUL. What is not UTF-8 in it is shown as such. */
export const text: WireType<string> = {
  name: "text",
  kind: "text",
  greedy: true,
  size: (value) => encoder.encode(value).length,
  write: (to, value) => put(to, encoder.encode(value)),
  read: (from) => lenient.decode(bytes.read(from)),
};

/** A JSON document to the end of the buffer. */
export const document: WireType<object> = {
  name: "JSON document",
  kind: "compound",
  greedy: true,
  size: (value) => encoder.encode(JSON.stringify(value)).length,
  write: (to, value) => put(to, encoder.encode(JSON.stringify(value))),
  read(from) {
    try {
      const value: unknown = JSON.parse(strict.decode(bytes.read(from)));
      if (typeof value === "object" && value !== null) return value;
    } catch {
      // said below
    }
    throw new Malformed("it is no JSON document");
  },
};

/** Bytes with their length (32 bits) in front. */
export function blob(bytesMax: number): WireType<Uint8Array> {
  return {
    name: `at most ${bytesMax} bytes`,
    kind: "bytes",
    size(value) {
      if (value.length > bytesMax) throw new Unfit(`${value.length} bytes; at most ${bytesMax} are allowed`);
      return 4 + value.length;
    },
    write(to, value) {
      uint32.write(to, value.length);
      put(to, value);
    },
    read(from) {
      const length = uint32.read(from);
      if (length > bytesMax) throw new Malformed(`${length} bytes where at most ${bytesMax} are allowed`);
      const at = from.take(length);
      return from.bytes.subarray(at, at + length);
    },
  };
}

/** Exactly so many bytes. */
export function raw(length: number, name = `${length} bytes`): WireType<Uint8Array> {
  return {
    name,
    kind: "bytes",
    size(value) {
      if (value.length !== length) throw new Unfit(`${value.length} bytes where ${length} are due`);
      return length;
    },
    write: put,
    read(from) {
      const at = from.take(length);
      return from.bytes.subarray(at, at + length);
    },
  };
}

export const port = raw(PORT_BYTES, "port");
export const privatePart = raw(PRIVATE_BYTES, "private part");
export const flipAddress = raw(FLIP_ADDRESS, "FLIP address");

/** Port and private part. */
export const capability: WireType<Capability> = {
  name: "capability",
  kind: "capability",
  size: (value) => port.size(value.port) + privatePart.size(value.private),
  write(to, value) {
    put(to, value.port);
    put(to, value.private);
  },
  read(from) {
    const at = from.take(CAPABILITY_BYTES);
    return {
      port: takeBytes(from.bytes, at, PORT_BYTES),
      private: takeBytes(from.bytes, at + PORT_BYTES, PRIVATE_BYTES),
    };
  },
};

/** Two counts of 16 bits, then each capability with 16 bits that say whether it is current. */
export const capabilitySet: WireType<CapabilitySet> = {
  name: "capability set",
  kind: "compound",
  size({ initial, final, members }) {
    if (final !== members.length) throw new Unfit(`a set of ${members.length} says that it has ${final}`);
    if (final > MEMBERS_MAX || initial < 0 || initial > MEMBERS_MAX)
      throw new Unfit(`a set has at most ${MEMBERS_MAX} members`);
    let bytes = 4;
    for (const member of members) bytes += capability.size(member.capability) + 2;
    return bytes;
  },
  write(to, { initial, final, members }) {
    int16.write(to, initial);
    int16.write(to, final);
    for (const member of members) {
      capability.write(to, member.capability);
      int16.write(to, member.current ? 1 : 0);
    }
  },
  read(from) {
    const initial = int16.read(from);
    const final = int16.read(from);
    if (initial < 0 || initial > MEMBERS_MAX || final < 0 || final > MEMBERS_MAX)
      throw new Malformed(`a set has 0 to ${MEMBERS_MAX} members, not ${final} of ${initial}`);
    const members: CapabilitySetMember[] = [];
    for (let index = 0; index < final; index++)
      members.push({ capability: capability.read(from), current: int16.read(from) !== 0 });
    return { initial, final, members };
  },
};

/** At most so many values of one type, their number (16 bits) in front. */
export function list<Value>(of: WireType<Value>, most = 65535): WireType<readonly Value[]> {
  if (of.greedy) throw new Error(`no list of ${of.name}: each would take the whole buffer`);
  return {
    name: `list of ${of.name}`,
    kind: "compound",
    size(values) {
      if (values.length > most) throw new Unfit(`${values.length} entries; at most ${most} are allowed`);
      return values.reduce((sum, value) => sum + of.size(value), 2);
    },
    write(to, values) {
      uint16.write(to, values.length);
      for (const value of values) of.write(to, value);
    },
    read(from) {
      const count = uint16.read(from);
      if (count > most) throw new Malformed(`${count} entries where at most ${most} are allowed`);
      return Array.from({ length: count }, () => of.read(from));
    },
  };
}

/** Values of one type to the end of the buffer. */
export function sequence<Value>(of: WireType<Value>): WireType<readonly Value[]> {
  if (of.greedy) throw new Error(`no sequence of ${of.name}: each would take the whole buffer`);
  return {
    name: `${of.name}, repeated`,
    kind: "compound",
    greedy: true,
    size: (values) => values.reduce((sum, value) => sum + of.size(value), 0),
    write(to, values) {
      for (const value of values) of.write(to, value);
    },
    read(from) {
      const values: Value[] = [];
      while (from.at < from.end) {
        const before = from.at;
        values.push(of.read(from));
        if (from.at === before) throw new Malformed("an entry takes no room");
      }
      return values;
    },
  };
}

type Parts = Readonly<Record<string, WireType<unknown>>>;
/** The value of a record of these parts. */
export type RecordOf<P extends Parts> = {
  readonly [Name in keyof P]: P[Name] extends WireType<infer Value> ? Value : never;
};

/** Several values one behind the other. */
export function record<P extends Parts>(parts: P): WireType<RecordOf<P>> {
  const entries = Object.entries(parts);
  const early = entries.slice(0, -1).find(([, part]) => part.greedy);
  if (early !== undefined) throw new Error(`nothing can follow ${early[0]}: it takes the whole buffer`);
  return {
    name: `{${entries.map(([name, part]) => `${name}: ${part.name}`).join(", ")}}`,
    kind: "compound",
    greedy: entries.at(-1)?.[1].greedy ?? false,
    size(value) {
      let sum = 0;
      for (const [name, part] of entries) sum += part.size(value[name]);
      return sum;
    },
    write(to, value) {
      for (const [name, part] of entries) part.write(to, value[name]);
    },
    read(from) {
      const value: Record<string, unknown> = {};
      for (const [name, part] of entries) value[name] = part.read(from);
      return value as RecordOf<P>;
    },
  };
}

/** A value at the end of the buffer that may be left out. */
export function optional<Value>(of: WireType<Value>): WireType<Value | undefined> {
  return {
    name: `${of.name}, may be left out`,
    kind: of.kind,
    optional: true,
    greedy: true,
    size: (value) => (value === undefined ? 0 : of.size(value)),
    write(to, value) {
      if (value !== undefined) of.write(to, value);
    },
    read: (from) => (from.at === from.end ? undefined : of.read(from)),
  };
}
