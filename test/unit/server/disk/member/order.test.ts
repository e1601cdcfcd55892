// If one of these fails, two requests touch the same blocks at once, one waits for ever, one is
// executed twice, or somebody is told that a flush has happened which had begun before he asked.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Batches } from "../../../../../control/server/disk/member/batches.js";
import { Sequences } from "../../../../../control/server/disk/member/sequences.js";
import { Turns } from "../../../../../control/server/disk/member/turns.js";
import { Ranges } from "../../../../../control/server/disk/ranges.js";

const turn = (): Promise<void> => new Promise(setImmediate);

describe("ranges", () => {
  it("let nobody in beside a writer, and everybody in the end", () => {
    const request = fc.record({
      first: fc.nat({ max: 20 }),
      count: fc.integer({ min: 1, max: 6 }),
      isAlone: fc.boolean(),
    });
    const property = fc.asyncProperty(fc.array(request, { maxLength: 25 }), async (requests) => {
      const ranges = new Ranges();
      const inside = new Set<(typeof requests)[number]>();
      const entered: number[] = [];
      const all = requests.map(async (each, index) => {
        const hold = ranges.take(each.first, each.count, each.isAlone);
        if (hold.ready !== null) await hold.ready;
        for (const other of inside)
          if (other.first < each.first + each.count && each.first < other.first + other.count)
            expect(other.isAlone || each.isAlone).toBe(false);
        for (const before of entered) {
          const other = requests[before];
          const overlaps =
            other && other.first < each.first + each.count && each.first < other.first + other.count;
          if (overlaps && (other.isAlone || each.isAlone)) expect(before).toBeLessThan(index);
        }
        entered.push(index);
        inside.add(each);
        await turn();
        inside.delete(each);
        hold.release();
      });
      await Promise.all(all);
      expect(entered).toHaveLength(requests.length);
    });
    return fc.assert(property, { numRuns: 60, seed: 1 });
  });
});

describe("batches", () => {
  it("end for those who join a run that began after they came", async () => {
    let begun = 0;
    const batches = new Batches(async () => {
      begun++;
      await turn();
      await turn();
    });
    const seen: number[] = [];
    const one = batches.join().then(() => seen.push(begun));
    await Promise.resolve();
    await Promise.resolve();
    expect([begun, batches.isRunning]).toEqual([1, true]);
    const others = [1, 2, 3].map(() => batches.join().then(() => seen.push(begun)));
    await Promise.all([one, ...others]);
    expect(seen).toEqual([1, 2, 2, 2]);
    await turn();
    expect(batches.isRunning).toBe(false);
  });

  it("fail for those who share the run, and for nobody else", async () => {
    let runs = 0;
    const batches = new Batches(async () => {
      await turn();
      if (runs++ === 0) throw new Error("the first");
    });
    const first = batches.join();
    await turn();
    const second = batches.join();
    await expect(first).rejects.toThrow("the first");
    await second;
    await batches.join();
    expect(runs).toBe(3);
  });
});

describe("sequences", () => {
  it("execute once what did not fail", async () => {
    const sequences = new Sequences();
    let executed = 0;
    const fail = async (): Promise<void> => {
      executed++;
      throw new Error("no");
    };
    const work = async (): Promise<void> => {
      await turn();
      executed++;
    };
    await expect(sequences.once(4, fail)).rejects.toThrow("no");
    await Promise.all([sequences.once(4, work), sequences.once(4, work), sequences.once(5, work)]);
    await sequences.once(4, work);
    expect(executed).toBe(3);
    sequences.advance(10);
    await sequences.once(9, work);
    expect(executed).toBe(3);
    sequences.restart();
    await sequences.once(4, work);
    expect(executed).toBe(4);
  });

  it("settle when nothing is under way", async () => {
    const sequences = new Sequences();
    let ended = 0;
    void sequences.once(1, async () => {
      await turn();
      ended++;
    });
    await sequences.settle();
    expect(ended).toBe(1);
  });
});

describe("turns", () => {
  it("are taken in order, whatever fails", async () => {
    const turns = new Turns();
    const order: number[] = [];
    const all = [1, 2, 3].map((number) =>
      turns.take(async () => {
        await turn();
        order.push(number);
        if (number === 2) throw new Error("two");
        return number;
      }),
    );
    expect((await Promise.allSettled(all)).map(({ status }) => status)).toEqual([
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(order).toEqual([1, 2, 3]);
  });
});
