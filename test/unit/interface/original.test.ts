// The original's commands of the directory and the Bullet server, bit by bit: a program of the
// original's that speaks to ours must find them, with their numbers, rights and layouts.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { capabilityOf } from "../../../control/capability/capability.js";
import { packageRoot } from "../../../control/cli/package-files.js";
import { bulletTable } from "../../../control/interface/bullet.js";
import { directoryTable } from "../../../control/interface/directory.js";
import { allOperations, rightsMask, type ServerTable } from "../../../control/interface/table.js";
import { toHex } from "../../../control/kernel/bytes.js";
import { measure, put, take } from "../../../control/stub/messages.js";
import * as statuses from "../../../core-wasm/status.js";
import { bytes } from "../wire/golden.js";

interface Golden {
  readonly operation: string;
  readonly command: number;
  readonly message: "request" | "reply";
  readonly values: Readonly<Record<string, unknown>>;
  readonly header: { readonly offset: number; readonly size: number; readonly extra: number };
  readonly private?: string;
  readonly data: string;
}

/** Of the server that replies come from. */
const port = bytes("f7366c86e5ce");
const all = 0xff;
/** Number, and rights that it takes: those of the original's rights for a directory or a file. */
const originals: readonly (readonly [ServerTable, Readonly<Record<string, readonly [number, number]>>])[] = [
  [
    directoryTable,
    {
      ...{ create: [2100, 0x40], discard: [2101, 0x80], list: [2102, 0], append: [2103, 0x40] },
      ...{ chmod: [2104, 0x40], delete: [2105, 0x40], lookup: [2106, 0], setlookup: [2107, 0] },
      ...{ install: [2108, 0], puttype: [2109, 0x40], replace: [2110, 0x40], getmasks: [2111, 0] },
      ...{ getseqnr: [2112, 0] },
    },
  ],
  [
    bulletTable,
    {
      ...{ create: [2001, 0x01], delete: [2002, 0x06], check: [2003, 0x8f], insert: [2004, 0x06] },
      ...{ modify: [2005, 0x06], read: [2006, 0x02], size: [2007, 0x02], compact: [2008, 0x8f] },
      ...{ sync: [2009, 0], read64: [2050, 0x02], modify64: [2051, 0x06], size64: [2052, 0x02] },
    },
  ],
];

describe.each(originals)("$name", (table, operations) => {
  it("has the original's operations, with their numbers and rights", () => {
    const known = allOperations(table);
    const own = Object.entries(operations).map(([name]) => {
      const operation = known.get(name);
      const rights = operation?.rights === "anyone" ? [] : (operation?.rights ?? []);
      return [name, [operation?.number, rightsMask(table, rights) & all]];
    });
    expect(Object.fromEntries(own)).toEqual(operations);
    const standard = ["age", "copy", "destroy", "info", "restrict", "status", "touch"];
    const numbers = [...standard, "getparams", "setparams", "ntouch"].map((name) => known.get(name)?.number);
    expect(numbers).toEqual([1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010]);
  });

  const text = readFileSync(join(packageRoot, "test", "vectors", `${table.name}.json`), "utf8");
  const { messages } = JSON.parse(text, revive) as { readonly messages: readonly Golden[] };

  it.each(messages)("$operation: its $message", (golden) => {
    const operation = allOperations(table).get(golden.operation);
    if (operation === undefined) throw new Error("there is no such operation");
    expect(operation.number).toBe(golden.command);
    const fields = golden.message === "request" ? operation.arguments : operation.reply;
    const data = new Uint8Array(measure(fields, golden.values));
    const header = put(fields, golden.values, data);
    expect(toHex(data)).toBe(golden.data);
    expect({ offset: 0, extra: 0, ...header, private: undefined }).toEqual({ ...golden.header });
    if (golden.private !== undefined) expect(toHex(header.private ?? data)).toBe(golden.private);
    const blank = { port: bytes("000000000000"), private: bytes("00000000000000000000"), command: 0 };
    const whole = { ...blank, status: 0, offset: 0, extra: 0, size: 0, ...header };
    const back = take(fields, whole as Parameters<typeof take>[1], data, port);
    for (const [name, value] of Object.entries(golden.values)) expect(back[name], name).toEqual(value);
  });
});

it("statuses have the original's numbers", () => {
  const { SP_UNAVAIL, SP_NOTEMPTY, SP_UNREACH, SP_CLASH } = statuses;
  expect([SP_UNAVAIL, SP_NOTEMPTY, SP_UNREACH, SP_CLASH]).toEqual([-2101, -2102, -2103, -2104]);
  const standard = ["CAPBAD", "COMBAD", "ARGBAD", "NOTNOW", "NOSPACE", "DENIED", "NOMEM", "EXISTS"];
  const more = ["NOTFOUND", "SYSERR", "INTR", "OVERFLOW", "WRITEPROT", "NOMEDIUM"];
  for (const [index, name] of [...standard, ...more].entries())
    expect((statuses as Readonly<Record<string, unknown>>)[`STD_${name}`], name).toBe(-1000 - index);
});

/** Values in the files: capabilities, bytes and long numbers are text. */
function revive(_key: string, value: unknown): unknown {
  if (typeof value !== "string") return value;
  if (value.startsWith("cap:")) return capabilityOf(bytes(value.slice(4)));
  if (value.startsWith("hex:")) return bytes(value.slice(4));
  return value.startsWith("int:") ? BigInt(value.slice(4)) : value;
}
