// If one of these fails, a disk written here cannot be checked elsewhere, or a copy of a block
// is not the block.
//
// - The vectors are public (checksums.json says whose); hash-wasm is an implementation of
//   others', asked for random lengths, alignments and seeds.

import { readFileSync } from "node:fs";
import { createCRC32, createXXHash3 } from "hash-wasm";
import { describe, expect, it } from "vitest";
import { fromHex } from "../../../control/kernel/bytes.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { Room } from "./booted.js";

interface Vectors {
  readonly seed: string;
  readonly xxh3: readonly (readonly [number, string, string])[];
  readonly crc32c: readonly (readonly [string, string])[];
}

const vectors = JSON.parse(readFileSync(new URL("./checksums.json", import.meta.url), "utf8")) as Vectors;
const kernel = new Room().kernel();
const { mirror } = kernel;
const base = kernel.buffers.take(1 << 18);
const hex = (value: bigint | number, digits: number) => value.toString(16).padStart(digits, "0");

/** The bytes that xxHash's own sanity check hashes. */
function sanityBytes(length: number): Uint8Array {
  let state = 2_654_435_761n;
  return Uint8Array.from({ length }, () => {
    const byte = Number(state >> 56n);
    state = BigInt.asUintN(64, state * 11_400_714_785_074_694_797n);
    return byte;
  });
}

describe("the public vectors", () => {
  it.each(vectors.xxh3)("of XXH3-64 hold for %i bytes, without and with a seed", (length, plain, seeded) => {
    for (const shift of [0, 1, 7]) {
      kernel.bytes.set(sanityBytes(length), base + shift);
      expect(hex(mirror.xxh3(base + shift, length), 16)).toBe(plain);
      expect(hex(mirror.xxh3(base + shift, length, BigInt(`0x${vectors.seed}`)), 16)).toBe(seeded);
    }
  });

  it.each(vectors.crc32c)("of CRC-32C hold for %s", (bytes, crc) => {
    const data = fromHex(bytes) as Uint8Array;
    kernel.bytes.set(data, base + 3);
    expect(hex(mirror.crc32c(base + 3, data.length), 8)).toBe(crc);
  });
});

describe("another implementation agrees", () => {
  const random = new SeededRandom(4);
  const upTo = (limit: number) => random.next() % limit;
  const fill = () => {
    for (let i = 0; i < 1 << 18; i++) kernel.bytes[base + i] = random.next() >>> 24;
  };
  /** Every length through all ways of the algorithms, then long ones. */
  const lengths = [
    ...Array.from({ length: 1200 }, (_, length) => length),
    ...Array.from({ length: 150 }, () => upTo(70_000)),
    ...[65_536, 131_072],
  ];

  it.each([
    [0, 0],
    [1, 0],
    [0xffff_ffff, 0xffff_ffff],
    [0x1234_5678, 0x9abc_def0],
  ])("on XXH3-64 with seed %i %i, for any length and alignment", async (low, high) => {
    fill();
    const other = await createXXHash3(low, high);
    const seed = (BigInt(high) << 32n) | BigInt(low);
    for (const length of lengths) {
      const at = base + upTo(64);
      const theirs = other
        .init()
        .update(kernel.bytes.subarray(at, at + length))
        .digest();
      const ours = hex(mirror.xxh3(at, length, seed), 16);
      if (ours !== theirs) expect({ length, at: at - base, ours }).toEqual({ length, at: at - base, theirs });
    }
  });

  it("on CRC-32C, for any length and alignment, in one piece and in two", async () => {
    fill();
    const other = await createCRC32(0x82f6_3b78);
    for (const length of lengths) {
      const at = base + upTo(64);
      const theirs = other
        .init()
        .update(kernel.bytes.subarray(at, at + length))
        .digest();
      const cut = upTo(length + 1);
      const ours = hex(mirror.crc32c(at, length), 8);
      const pieces = hex(mirror.crc32c(at + cut, length - cut, mirror.crc32c(at, cut)), 8);
      if (ours !== theirs || pieces !== theirs) expect({ length, ours, pieces }).toEqual({ length, theirs });
    }
  });
});

describe("a block copy", () => {
  it("moves bytes as Uint8Array.copyWithin does", () => {
    const random = new SeededRandom(9);
    const size = 8192;
    for (let round = 0; round < 2000; round++) {
      const model = kernel.bytes.slice(base, base + size);
      const length = random.next() % (round % 2 === 0 ? 64 : 2000);
      const [to, from] = [random.next() % (size - length), random.next() % (size - length)];
      for (let i = 0; i < 16; i++) model[random.next() % size] = kernel.bytes[base + (i % size)] as number;
      kernel.bytes.set(model, base);
      model.copyWithin(to, from, from + length);
      mirror.copy(base + to, base + from, length);
      const differs = kernel.bytes.subarray(base, base + size).findIndex((byte, i) => byte !== model[i]);
      if (differs >= 0) expect({ to, from, length, differs }).toBeNull();
    }
  });

  it("touches nothing outside of the kernel's memory, nor do the checksums", () => {
    const end = kernel.bytes.length;
    const wrong = [
      [end, 1],
      [end - 10, 11],
      [0, 16],
      [-1, 1],
      [base, -1],
      [base + 0.5, 1],
      [Number.NaN, 1],
      [2 ** 32, 1],
    ] as const;
    for (const [at, length] of wrong) {
      expect(() => mirror.copy(at, base, length)).toThrow(RangeError);
      expect(() => mirror.copy(base, at, length)).toThrow(RangeError);
      expect(() => mirror.xxh3(at, length)).toThrow(RangeError);
      expect(() => mirror.crc32c(at, length)).toThrow(RangeError);
    }
    expect(() => mirror.copy(end - 10, base, 10)).not.toThrow();
  });
});
