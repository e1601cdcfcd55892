// What travels in buffers: every value comes back as it was, and no rubbish is taken for one.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as types from "../../../control/interface/types.js";

function written<Value>(type: types.WireType<Value>, value: Value): Uint8Array {
  const bytes = new Uint8Array(type.size(value));
  const cursor = new types.Cursor(bytes);
  type.write(cursor, value);
  expect(cursor.at).toBe(bytes.length);
  return bytes;
}

function comesBack<Value>(type: types.WireType<Value>, values: fc.Arbitrary<Value>): void {
  fc.assert(
    fc.property(values, (value) => {
      const cursor = new types.Cursor(written(type, value));
      expect(type.read(cursor)).toEqual(value);
      expect(cursor.at).toBe(cursor.end);
    }),
  );
}

const word = fc.string({ maxLength: 40 }).filter((each) => !each.includes("\0"));
const rawBytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe("wire types", () => {
  it("bring every value back", () => {
    comesBack(types.uint8, fc.integer({ min: 0, max: 255 }));
    comesBack(types.int16, fc.integer({ min: -32768, max: 32767 }));
    comesBack(types.uint16, fc.integer({ min: 0, max: 65535 }));
    comesBack(types.int32, fc.integer());
    comesBack(types.uint32, fc.integer({ min: 0, max: 2 ** 32 - 1 }));
    comesBack(types.int64, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }));
    comesBack(types.uint64, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
    comesBack(types.boolean, fc.boolean());
    comesBack(types.string(), word);
    comesBack(types.text, fc.string());
    comesBack(types.bytes, fc.uint8Array());
    comesBack(types.blob(100), fc.uint8Array({ maxLength: 100 }));
    comesBack(types.port, rawBytes(6));
    comesBack(types.capability, fc.record({ port: rawBytes(6), private: rawBytes(10) }));
    comesBack(types.list(types.list(types.string())), fc.array(fc.array(word)));
    comesBack(types.sequence(types.int16), fc.array(fc.integer({ min: -32768, max: 32767 })));
    comesBack(types.optional(types.capability), fc.constant(undefined));
    comesBack(
      types.record({ name: types.string(), old: types.boolean, rest: types.bytes }),
      fc.record({ name: word, old: fc.boolean(), rest: fc.uint8Array() }),
    );
  });

  it("are little-endian, strings end with a NUL", () => {
    const type = types.record({ one: types.int32, two: types.string(), three: types.int16 });
    expect([...written(type, { one: -2, two: "ab", three: 0x0102 })]).toEqual([
      ...[0xfe, 0xff, 0xff, 0xff, 0x61, 0x62, 0, 0x02, 0x01],
    ]);
  });

  it("refuse values that they cannot carry", () => {
    const unfit: [types.WireType<never>, unknown][] = [
      ...[-1, 256, 1.5, Number.NaN].map((value) => [types.uint8, value] as [never, unknown]),
      [types.uint64 as never, -1n],
      [types.uint64 as never, 5],
      [types.string(2) as never, "abc"],
      [types.string() as never, "a\0b"],
      [types.blob(2) as never, new Uint8Array(3)],
      [types.port as never, new Uint8Array(5)],
      [types.list(types.uint8, 1) as never, [1, 2]],
    ];
    for (const [type, value] of unfit) expect(() => type.size(value as never)).toThrow(types.Unfit);
  });

  it("take rubbish for what it is, and end", () => {
    const all = types.record({
      count: types.uint16,
      flag: types.boolean,
      names: types.list(types.string(10), 20),
      data: types.blob(50),
      who: types.capability,
      more: types.sequence(types.record({ id: types.int64, name: types.string() })),
    });
    let whole = 0;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          const value = all.read(new types.Cursor(bytes));
          expect(written(all, value)).toEqual(bytes);
          whole++;
        } catch (error) {
          expect(error).toBeInstanceOf(types.Malformed);
        }
      }),
      { numRuns: 2000 },
    );
    expect(whole).toBeLessThan(2000);
  });

  it("refuse tables in which nothing could follow", () => {
    expect(() => types.record({ all: types.bytes, more: types.uint8 })).toThrow("nothing can follow all");
    expect(() => types.list(types.text)).toThrow("each would take the whole buffer");
    const empty = types.sequence(types.record({}));
    expect(() => empty.read(new types.Cursor(new Uint8Array(1)))).toThrow(types.Malformed);
  });
});
