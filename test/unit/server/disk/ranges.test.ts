// Who may change which blocks: if one of these fails, two writes of one block undo each other, or a
// write waits for ever.

import { describe, expect, it } from "vitest";
import { Range, RangeLock } from "../../../../../control/server/disk/nbd/range-lock.js";
import { SeededRandom } from "../../../../../drivers/fault/random.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("a lock of ranges", () => {
  it("lets shared ranges pass, and those that do not touch one that is alone", () => {
    const lock = new RangeLock();
    expect(lock.take(new Range(0, 4, false))).toBeNull();
    expect(lock.take(new Range(2, 6, false))).toBeNull();
    expect(lock.take(new Range(6, 7, true))).toBeNull();
    expect(lock.take(new Range(7, 9, false))).toBeNull();
  });

  it("serves in order: behind one that waits nobody overtakes", async () => {
    const lock = new RangeLock();
    const [first, second, third] = [new Range(0, 1, false), new Range(0, 1, true), new Range(0, 1, false)];
    const order: number[] = [];
    expect(lock.take(first)).toBeNull();
    lock.take(second)?.then(() => order.push(2));
    lock.take(third)?.then(() => order.push(3));
    lock.give(first);
    await turn();
    expect(order).toEqual([2]);
    lock.give(second);
    await turn();
    expect(order).toEqual([2, 3]);
  });

  it.each([1, 2, 3, 4, 5])("never has two in conflict, and everybody gets in (seed %i)", async (seed) => {
    const random = new SeededRandom(seed);
    const lock = new RangeLock();
    const inside = new Set<Range>();
    let entered = 0;
    const visit = async (): Promise<void> => {
      const first = random.below(12);
      const range = new Range(first, first + 1 + random.below(4), random.chance(0.3));
      const free = lock.take(range);
      if (free !== null) await free;
      for (const other of inside)
        if (range.isAlone || other.isAlone)
          expect(range.first < other.end && other.first < range.end, `seed ${seed}`).toBe(false);
      inside.add(range);
      entered++;
      for (let turns = random.below(5); turns > 0; turns--) await Promise.resolve();
      inside.delete(range);
      lock.give(range);
    };
    const visitors: Promise<void>[] = [];
    for (let count = 0; count < 200; count++) {
      visitors.push(visit());
      if (random.chance(0.3)) await Promise.resolve();
    }
    await Promise.all(visitors);
    expect(entered).toBe(200);
    expect(lock.take(new Range(0, 100, true))).toBeNull();
  });
});
