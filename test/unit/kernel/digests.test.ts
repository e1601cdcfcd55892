// If one of these fails, a mirror copies blocks that are the same, or leaves some that are not.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Digests } from "../../../control/kernel/digests.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { Room } from "./booted.js";

const kernel = new Room().kernel();
const digests = new Digests(kernel);
const seed = 0x1234_5678_9abc_def0n;
const place = kernel.buffers.take(2 * 1024 * 1024);

/** Blocks, some of zeros, of which few are alike. */
function blocksOf(count: number, from: number): Uint8Array {
  const random = new SeededRandom(from);
  const data = new Uint8Array(count * 4096);
  for (let block = 0; block < count; block++)
    if (random.chance(0.7))
      for (let i = 0; i < 5; i++) data[block * 4096 + random.below(4096)] = random.below(256);
  return data;
}

describe("digests", () => {
  it("are the hash of each block, 0 of a block of zeros, wherever it lies and however many there are", () => {
    for (const count of [0, 1, 3, 256, 300]) {
      const data = blocksOf(count, count);
      kernel.bytes.set(data, place);
      const found = digests.of(data, seed);
      expect(digests.of(kernel.bytes.subarray(place, place + data.length), seed)).toEqual(found);
      const words = new DataView(found.buffer);
      for (let block = 0; block < count; block++) {
        const isZeros = data.subarray(block * 4096, (block + 1) * 4096).every((byte) => byte === 0);
        const hash = kernel.mirror.xxh3(place + block * 4096, 4096, seed);
        expect(words.getBigUint64(block * 8, true)).toBe(isZeros ? 0n : hash);
      }
    }
  });

  it("tell which blocks differ", () => {
    const data = blocksOf(300, 4);
    const given = digests.of(data, seed);
    const property = fc.property(fc.uniqueArray(fc.nat({ max: 299 }), { maxLength: 20 }), (changed) => {
      const other = data.slice();
      for (const block of changed) other[block * 4096 + 77] = (other[block * 4096 + 77] ?? 0) ^ 1;
      expect(digests.differing(other, given, seed)).toEqual(changed.sort((a, b) => a - b));
    });
    fc.assert(property, { numRuns: 20, seed: 1 });
    expect(digests.differing(data, digests.of(data, seed + 1n), seed)).not.toEqual([]);
  });

  it("refuse what is not whole blocks, or outside of the memory", () => {
    expect(() => digests.of(new Uint8Array(100), seed)).toThrow(RangeError);
    expect(() => digests.differing(new Uint8Array(4096), new Uint8Array(7), seed)).toThrow(RangeError);
    expect(() => new Digests(kernel, 100)).toThrow(RangeError);
    const end = kernel.bytes.length;
    expect(() => kernel.mirror.digests(end - 4096, 2, 4096, seed, place)).toThrow(RangeError);
    expect(() => kernel.mirror.digests(place, 1, 4096, seed, end - 4)).toThrow(RangeError);
    expect(() => kernel.mirror.digests(place, 1, 100, seed, place)).toThrow(RangeError);
    expect(() => kernel.mirror.fillBits(place + 4, 0, 10, true)).toThrow(RangeError);
    expect(() => kernel.mirror.countBits(end - 8, 0, 65)).toThrow(RangeError);
    expect(() => kernel.mirror.findBit(place, 5, 4, true)).toThrow(RangeError);
  });

  it("give their memory back", () => {
    const { taken } = kernel.buffers;
    new Digests(kernel).close();
    expect(kernel.buffers.taken).toBe(taken);
  });
});
