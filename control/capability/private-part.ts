// Private parts of capabilities on the command line: their bytes, and the numbers that
// go into them.
//
// - A private part is 20 hex digits, or the original's text form 17(FF)/1:2:3:4:5:6.
// - A random number is 6 bytes, written like a port in hex.
// - Every function throws a usage error (exit 2) for a text that is none.
// - Source: Amoeba 5 ar_priv; prv_encode for the ranges.

import { OBJECT_MAX, PORT_BYTES, PRIVATE_BYTES, RIGHTS_ALL } from "../../core-wasm/wire/formats.js";
import { fromHex } from "../kernel/bytes.js";
import { usageError } from "../kernel/errors.js";
import type { OfflineKernel } from "../kernel/offline.js";

/** The object number that a private part claims. */
export const objectOf = (privatePart: Uint8Array): number =>
  (privatePart[0] ?? 0) | ((privatePart[1] ?? 0) << 8) | ((privatePart[2] ?? 0) << 16);

/** The object number and the rights that a private part claims. */
export function claims(privatePart: Uint8Array): { readonly object: number; readonly rights: number } {
  return { object: objectOf(privatePart), rights: privatePart[3] ?? 0 };
}

/** The ten bytes of a private part. */
export function parsePrivatePart(kernel: OfflineKernel, text: string): Uint8Array {
  const hex = fromHex(text);
  const bytes = hex?.length === PRIVATE_BYTES ? hex : kernel.parse("private", text);
  if (bytes !== undefined) return bytes;
  throw usageError(
    `"${text}" is not the private part of a capability`,
    `it is ${2 * PRIVATE_BYTES} hex digits, or text as in 17(FF)/1:2:3:4:5:6`,
    "PRIVATE_INVALID",
  );
}

/** The six bytes of an object's random number. */
export function parseRandom(kernel: OfflineKernel, text: string): Uint8Array {
  const hex = fromHex(text);
  const bytes = hex?.length === PORT_BYTES ? hex : kernel.parse("port", text);
  if (bytes !== undefined) return bytes;
  throw usageError(
    `"${text}" is not a random number`,
    `it is ${2 * PORT_BYTES} hex digits`,
    "RANDOM_INVALID",
  );
}

/** A number between 0 and `max`, decimal or 0x and hex. */
function parseNumber(text: string, max: number, what: string, code: string): number {
  const value = /^(?:\d+|0[xX][0-9a-fA-F]+)$/.test(text) ? Number(text) : Number.NaN;
  if (value <= max) return value;
  throw usageError(
    `"${text}" is not ${what}`,
    `it is a number from 0 to ${max} (0x${max.toString(16)})`,
    code,
  );
}

/** An object number: 24 bits. */
export const parseObject = (text: string): number =>
  parseNumber(text, OBJECT_MAX, "an object number", "OBJECT_INVALID");

/** Rights, or a mask of them: 8 bits. */
export const parseRights = (text: string): number =>
  parseNumber(text, RIGHTS_ALL, "a set of rights", "RIGHTS_INVALID");
