// Who may change which blocks: if one of these fails, two writes of one block undo each other, or a
// write waits for ever.

import { describe, expect, it } from "vitest";
import { Ranges } from "../../../../control/server/disk/ranges.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("a lock of ranges", () => {
  it("lets shared ranges pass, and those that do not touch one that is alone", () => {
    const lock = new Ranges();
    expect(lock.take(0, 4, false).ready).toBeNull();
    expect(lock.take(2, 4, false).ready).toBeNull();
    expect(lock.take(6, 1, true).ready).toBeNull();
    expect(lock.take(7, 2, false).ready).toBeNull();
  });

  it("serves in order: behind one that waits nobody overtakes", async () => {
    const lock = new Ranges();
    const [first, second, third] = [lock.take(0, 1, false), lock.take(0, 1, true), lock.take(0, 1, false)];
    const order: number[] = [];
    expect(first.ready).toBeNull();
    second.ready?.then(() => order.push(2));
    third.ready?.then(() => order.push(3));
    first.release();
    await turn();
    expect(order).toEqual([2]);
    second.release();
    await turn();
    expect(order).toEqual([2, 3]);
  });

  it.each([1, 2, 3, 4, 5])("never has two in conflict, and everybody gets in (seed %i)", async (seed) => {
    const random = new SeededRandom(seed);
    const lock = new Ranges();
    const inside = new Set<{ first: number; end: number; isAlone: boolean }>();
    let entered = 0;
    const visit = async (): Promise<void> => {
      const first = random.below(12);
      const range = { first, end: first + 1 + random.below(4), isAlone: random.chance(0.3) };
      const { ready, release } = lock.take(first, range.end - first, range.isAlone);
      if (ready !== null) await ready;
      for (const other of inside)
        if (range.isAlone || other.isAlone)
          expect(range.first < other.end && other.first < range.end, `seed ${seed}`).toBe(false);
      inside.add(range);
      entered++;
      for (let turns = random.below(5); turns > 0; turns--) await Promise.resolve();
      inside.delete(range);
      release();
    };
    const visitors: Promise<void>[] = [];
    for (let count = 0; count < 200; count++) {
      visitors.push(visit());
      if (random.chance(0.3)) await Promise.resolve();
    }
    await Promise.all(visitors);
    expect(entered).toBe(200);
    expect(lock.take(0, 100, true).ready).toBeNull();
  });
});
