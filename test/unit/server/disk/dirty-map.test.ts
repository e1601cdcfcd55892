// If one of these fails, a resync leaves blocks behind, or copies the whole disk.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DirtyMap } from "../../../../control/server/disk/dirty-map.js";
import { kernel } from "./kernel.js";

const size = 333;
const range = fc
  .tuple(fc.nat({ max: size }), fc.nat({ max: size }))
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

/** Runs of a model, as a map should find them. */
function runsOf(bits: readonly boolean[], most: number): [number, number][] {
  const runs: [number, number][] = [];
  for (let bit = 0; bit < bits.length; bit++) {
    const run = runs.at(-1);
    if (bits[bit] !== true) continue;
    if (run !== undefined && run[0] + run[1] === bit && run[1] < most) run[1]++;
    else runs.push([bit, 1]);
  }
  return runs;
}

function foundIn(map: DirtyMap, most: number): [number, number][] {
  const runs: [number, number][] = [];
  for (let run = map.next(0, most); run !== null; run = map.next(run.first + run.count, most))
    runs.push([run.first, run.count]);
  return runs;
}

describe("a dirty map", () => {
  it("is what a list of booleans would be", () => {
    const steps = fc.array(fc.tuple(fc.boolean(), range), { maxLength: 30 });
    const property = fc.property(
      steps,
      range,
      fc.integer({ min: 1, max: 400 }),
      (changes, [from, to], most) => {
        const map = new DirtyMap(kernel, size);
        const model = Array.from({ length: size }, () => false);
        for (const [isSet, [first, end]] of changes) {
          if (isSet) map.set(first, end - first);
          else map.clear(first, end - first);
          model.fill(isSet, first, end);
        }
        expect(map.count()).toBe(model.filter((bit) => bit).length);
        expect(map.count(from, to - from)).toBe(model.slice(from, to).filter((bit) => bit).length);
        expect(foundIn(map, most)).toEqual(runsOf(model, most));
        if (from < size) expect(map.has(from)).toBe(model[from]);
        const copy = new DirtyMap(kernel, size);
        copy.addBytes(map.toBytes());
        expect(foundIn(copy, size)).toEqual(foundIn(map, size));
        copy.clear(0, size);
        copy.set(from, to - from);
        copy.unite(map);
        expect(copy.count()).toBe(model.filter((bit, at) => bit || (at >= from && at < to)).length);
        map.close();
        copy.close();
      },
    );
    fc.assert(property, { numRuns: 150, seed: 3 });
  });

  it("refuses bits that it has not, and ignores them in bytes from elsewhere", () => {
    const map = new DirtyMap(kernel, 10);
    for (const [first, count] of [
      [10, 1],
      [-1, 1],
      [0, 11],
      [0.5, 1],
      [3, -1],
    ] as const) {
      expect(() => map.set(first, count)).toThrow(RangeError);
      expect(() => map.clear(first, count)).toThrow(RangeError);
    }
    expect(() => map.has(10)).toThrow(RangeError);
    expect(() => map.unite(new DirtyMap(kernel, 11))).toThrow(RangeError);
    map.addBytes(new Uint8Array(9).fill(0xff));
    expect([map.count(), [...map.toBytes()]]).toEqual([10, [0xff, 3]]);
    expect(map.next(10)).toBeNull();
  });
});
