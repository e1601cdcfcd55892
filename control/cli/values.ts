// Values of operations as people type and read them, by what the table says they are.
//
// - Numbers: decimal, 0x and hex, or with K, M, G. Bytes: the text itself, hex:… for hex digits,
//   @FILE for a file's, - for standard input. Capabilities: target.ts. Compound values: JSON, or
//   NAME=VALUE,… where they are settings.
// - Shown: bytes and capabilities as hex, except that bytes alone go out as they are.

import { readFileSync } from "node:fs";
import { type Capability, capabilityHex, parseCapability } from "../capability/capability.js";
import type { Field } from "../interface/operation.js";
import { fromHex, toHex } from "../kernel/bytes.js";
import { usageError } from "../kernel/errors.js";
import type { OfflineKernel } from "../kernel/offline.js";
import { table } from "./table.js";

const units: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 };

function parseLong(text: string): bigint {
  const match = /^(-?)(\d+|0[xX][0-9a-fA-F]+)([KMG]?)$/.exec(text);
  if (match === null)
    throw usageError(`"${text}" is not a number`, "a number is like 100, 0xff, 64K or 1M", "NUMBER_INVALID");
  const value = BigInt(match[2] ?? 0) * BigInt(units[match[3] ?? ""] ?? 1);
  return match[1] === "-" ? -value : value;
}

function parseBytes(text: string): Uint8Array {
  if (text === "-") return readFileSync(0);
  if (text.startsWith("@")) return readFileSync(text.slice(1));
  if (!text.startsWith("hex:")) return new TextEncoder().encode(text);
  const bytes = fromHex(text.slice(4));
  if (bytes !== undefined) return bytes;
  throw usageError(`"${text}" is not hex`, "hex: takes an even number of hex digits", "HEX_INVALID");
}

function parseCompound(text: string): unknown {
  if (/^[[{]/.test(text)) {
    try {
      return JSON.parse(text);
    } catch {
      throw usageError(`"${text}" is not JSON`, "check its brackets and quotes", "JSON_INVALID");
    }
  }
  return text.split(",").map((each) => {
    const at = each.indexOf("=");
    if (at < 1)
      throw usageError(`"${each}" is not NAME=VALUE`, "settings are like lifetime=7", "SETTING_INVALID");
    return { name: each.slice(0, at), value: each.slice(at + 1) };
  });
}

/** The value that a text stands for. Throws a usage error (exit 2). */
export function parseValue(field: Field<unknown>, text: string, kernel: () => OfflineKernel): unknown {
  switch (field.kind) {
    case "number":
      return Number(parseLong(text));
    case "long":
      return parseLong(text);
    case "boolean":
      if (text === "yes" || text === "no") return text === "yes";
      throw usageError(`"${text}" is neither yes nor no`, "give one of them", "BOOLEAN_INVALID");
    case "text":
      return text;
    case "bytes":
      return parseBytes(text);
    case "capability":
      return parseCapability(kernel(), text);
    case "compound":
      return parseCompound(text);
  }
}

const isCapability = (value: object): value is Capability => "port" in value && "private" in value;

/** A value as JSON can have it. */
export function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  if (isCapability(value)) return capabilityHex(value);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, plain(each)]));
}

function shown(value: unknown): string {
  const simple = plain(value);
  return typeof simple === "object" ? JSON.stringify(simple) : String(simple);
}

/** A document in a text is laid out; any other text is as it came. */
function laidOut(text: string): string {
  try {
    return text.startsWith("{") ? JSON.stringify(JSON.parse(text), null, 2) : text;
  } catch {
    return text;
  }
}

function isTable(value: unknown): value is readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === "object");
}

const isDocument = (value: unknown): value is object =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Uint8Array) &&
  !isCapability(value);

/** A document as lines of name and value. */
function documentText(value: object): string {
  const rows = Object.entries(value);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, each]) => `${name.padEnd(width)} ${shown(each)}`).join("\n");
}

/** A reply for people; one value needs no name. */
export function replyText(reply: Readonly<Record<string, unknown>>): string {
  const entries = Object.entries(reply);
  const [first] = entries;
  if (entries.length === 1 && first !== undefined) {
    const [, value] = first;
    if (isDocument(value)) return documentText(value);
    return typeof value === "string" ? laidOut(value) : shown(value);
  }
  return entries
    .map(([name, value]) => {
      if (!isTable(value)) return `${name} ${shown(value)}`;
      const head = Object.keys(value[0] ?? {});
      return table(
        head.map((each) => each.toUpperCase()),
        value.map((row) => head.map((each) => shown(row[each]))),
      );
    })
    .join("\n");
}
