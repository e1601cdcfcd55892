// Turns the values of an operation into a message, and back: header fields and buffer, as the
// operation's table says.
//
// - measure() comes before put(): it throws Unfit for a value that does not fit its field.
// - take() throws Malformed for a buffer that ends early, holds rubbish, or goes on behind the
//   last field. Bytes that it answers are views of `data`.

import type { Capability } from "../capability/capability.js";
import type { Field, Fields } from "../interface/operation.js";
import { Cursor, Malformed, Unfit } from "../interface/types.js";
import type { Header } from "../kernel/calls.js";

type Values = Readonly<Record<string, unknown>>;

/** The header fields that a message's values take. */
export type HeaderValues = Partial<Pick<Header, "offset" | "size" | "extra" | "private">>;

const given = (values: Values, name: string, field: Field<unknown>): unknown =>
  values[name] === undefined ? field.otherwise : values[name];

const entriesOf = new WeakMap<Fields, readonly (readonly [string, Field<unknown>])[]>();

/** The fields in their order: looked up once for each operation, as every call needs them. */
function entries(fields: Fields): readonly (readonly [string, Field<unknown>])[] {
  const known = entriesOf.get(fields);
  if (known !== undefined) return known;
  const all = Object.entries(fields);
  entriesOf.set(fields, all);
  return all;
}

/** What went wrong, with the field that it was. */
function within(name: string, error: unknown): unknown {
  if (error instanceof Unfit) return new Unfit(`${name}: ${error.message}`);
  if (error instanceof Malformed) return new Malformed(`${name}: ${error.message}`);
  return error;
}

/** Bytes of data that these values take. Throws Unfit. */
export function measure(fields: Fields, values: Values): number {
  let sum = 0;
  for (const [name, field] of entries(fields)) {
    const value = given(values, name, field);
    try {
      if (value === undefined && !field.type?.greedy) throw new Unfit("is missing");
      if (field.type !== undefined) sum += field.type.size(value);
      else field.toHeader?.(value);
    } catch (error) {
      throw within(name, error);
    }
  }
  return sum;
}

/** Writes the data into `to`, as long as measure() said; answers the header's fields. */
export function put(fields: Fields, values: Values, to: Uint8Array): HeaderValues {
  const cursor = new Cursor(to);
  const header: { -readonly [Name in keyof HeaderValues]: HeaderValues[Name] } = {
    size: to.length & 0xffff,
  };
  for (const [name, field] of entries(fields)) {
    const value = given(values, name, field);
    if (field.place === "buffer") field.type?.write(cursor, value);
    else if (field.place === "private") header.private = (value as Capability).private;
    else header[field.place] = field.toHeader?.(value) ?? 0;
  }
  return header;
}

/** The values of a message that came from, or for, the server at `port`. Throws Malformed. */
export function take(fields: Fields, header: Header, data: Uint8Array, port: Uint8Array): Values {
  const cursor = new Cursor(data);
  const values: Record<string, unknown> = {};
  for (const [name, field] of entries(fields)) {
    if (field.place === "private") values[name] = { port, private: header.private };
    else if (field.place !== "buffer") values[name] = field.fromHeader?.(header[field.place]);
    else
      try {
        values[name] = field.type?.read(cursor);
      } catch (error) {
        throw within(name, error);
      }
  }
  if (cursor.at !== cursor.end) throw new Malformed(`${cursor.end - cursor.at} bytes are left over`);
  return values;
}

/** Whether anything of these fields travels in the buffer. */
export function hasData(fields: Fields): boolean {
  for (const [, { place }] of entries(fields)) if (place === "buffer") return true;
  return false;
}
