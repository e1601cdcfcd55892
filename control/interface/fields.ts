// The fields of requests and replies: where each value of a table's operation travels.
//
// - inBuffer: behind each other, in the order of the table. inOffset, inSize, inExtra: the
//   numbers of the 32-byte header. inPrivate: the header's private part, for a capability of
//   the same server.
// - With `otherwise` a caller may leave an argument out.

import type { Capability } from "../capability/capability.js";
import type { DefaultField, Field } from "./operation.js";
import { Unfit, type WireType } from "./types.js";

/** A value in the buffer. */
export function inBuffer<Value>(type: WireType<Value>, summary: string): Field<Value> {
  return { place: "buffer", type, typeName: type.name, kind: type.kind, summary };
}

function number(place: "offset" | "size" | "extra", name: string, least: number, most: number) {
  const toHeader = (value: number): number => {
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new Unfit(`${value} is not a whole number from ${least} to ${most}`);
  };
  function field(summary: string): Field<number>;
  function field(summary: string, options: { readonly otherwise: number }): DefaultField<number>;
  function field(summary: string, options?: { readonly otherwise: number }): Field<number> {
    return { place, typeName: name, kind: "number", summary, toHeader, fromHeader: (raw) => raw, ...options };
  }
  return field;
}

/** A whole number of 32 bits with a sign. */
export const inOffset = number("offset", "int32", -(2 ** 31), 2 ** 31 - 1);
/** A whole number from 0 to 65535. */
export const inSize = number("size", "uint16", 0, 65535);
/** A whole number from 0 to 65535. */
export const inExtra = number("extra", "uint16", 0, 65535);

/** A whole number from 0 to 4294967295 in the offset. */
export function inOffsetUnsigned(summary: string): Field<number>;
export function inOffsetUnsigned(
  summary: string,
  options: { readonly otherwise: number },
): DefaultField<number>;
export function inOffsetUnsigned(summary: string, options?: { readonly otherwise: number }): Field<number> {
  return {
    place: "offset",
    typeName: "uint32",
    kind: "number",
    summary,
    toHeader(value) {
      if (Number.isInteger(value) && value >= 0 && value < 2 ** 32) return value | 0;
      throw new Unfit(`${value} is not a whole number from 0 to ${2 ** 32 - 1}`);
    },
    fromHeader: (raw) => raw >>> 0,
    ...options,
  };
}

/** One ASCII character in `extra`. */
export function letterInExtra(summary: string): Field<string> {
  return {
    place: "extra",
    typeName: "letter",
    kind: "text",
    summary,
    toHeader(value) {
      if (/^[\x21-\x7e]$/.test(value)) return value.charCodeAt(0);
      throw new Unfit(`"${value}" is not one letter`);
    },
    fromHeader: (raw) => String.fromCharCode(raw),
  };
}

/** The private part of a new capability; the port is that of the server that answers. */
export function inPrivate(summary: string): Field<Capability> {
  return { place: "private", typeName: "capability", kind: "capability", summary };
}
