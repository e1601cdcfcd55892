// If one of these fails, a crash leaves half-written blocks where nobody looks, or everything is
// compared after each.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Activity, COOL_MS } from "../../../../../control/server/disk/member/activity.js";
import { hasBit } from "../../../../../control/server/disk/member/maps.js";
import { mapBytesOf } from "../../../../../control/server/disk/member/record.js";

const blocks = 64 * 1024;
const none = new Uint8Array(mapBytesOf(blocks));
const bitsOf = (map: Uint8Array): number[] =>
  Array.from({ length: map.length * 8 }, (_, bit) => bit).filter((bit) => hasBit(map, bit));
const save = async (): Promise<void> => undefined;

/** A write that began and ended. */
async function write(activity: Activity, extent: number, sequence: number, at: number): Promise<boolean> {
  const isCold = activity.begin(extent, sequence, at);
  await activity.saved([extent], save);
  activity.end(extent, at);
  return isCold;
}

describe("activity", () => {
  it("costs something where an extent is cold, and nothing where it is hot", async () => {
    const activity = new Activity(blocks, none);
    expect(await write(activity, 3, 1, 0)).toBe(true);
    expect(await write(activity, 3, 2, 0)).toBe(false);
    expect(await write(activity, 4, 3, 0)).toBe(true);
    expect(bitsOf(activity.map())).toEqual([3, 4]);
    expect(activity.extentsOf(1023, 2)).toEqual([0, 1]);
    expect(activity.extentsOf(1024, 1024)).toEqual([1]);
  });

  it("is saved once for all who wait for it", async () => {
    const activity = new Activity(blocks, none);
    let saves = 0;
    const slow = async (): Promise<void> => {
      saves++;
      await new Promise(setImmediate);
    };
    await Promise.all(
      [1, 2, 3].map((sequence) => {
        activity.begin(7, sequence, 0);
        return activity.saved([7], slow);
      }),
    );
    expect(saves).toBe(1);
  });

  it("cools when it was idle, all has ended everywhere, and nothing began since", async () => {
    const activity = new Activity(blocks, none);
    await write(activity, 1, 1, 0);
    await write(activity, 2, 2, 0);
    await write(activity, 3, 3, 0);
    activity.begin(3, 4, 0); // under way
    expect(activity.coolable(9, COOL_MS - 1)).toEqual([]);
    expect(activity.coolable(2, COOL_MS).map(({ extent }) => extent)).toEqual([1]);
    const chosen = activity.coolable(9, COOL_MS);
    expect(chosen.map(({ extent }) => extent)).toEqual([1, 2]);
    await write(activity, 1, 5, COOL_MS);
    activity.cool(chosen);
    expect(bitsOf(activity.map())).toEqual([1, 3]);
    expect(await write(activity, 2, 6, COOL_MS)).toBe(true);
  });

  it("gives up what was idle the longest when too much is hot", async () => {
    const activity = new Activity(blocks, none, 8);
    for (let extent = 0; extent < 12; extent++) await write(activity, extent, extent, 0);
    await write(activity, 0, 20, 1);
    expect(activity.coolable(21, 1).map(({ extent }) => extent)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("of an earlier life stays until the server has settled it", async () => {
    const earlier = none.slice();
    earlier[0] = 0b1111;
    const activity = new Activity(blocks, earlier);
    expect(await write(activity, 1, 1, 0)).toBe(false);
    activity.cool(activity.coolable(9, COOL_MS));
    expect(bitsOf(activity.map())).toEqual([0, 1, 2, 3]);
    await write(activity, 9, 2, 0);
    const left = none.slice();
    left[0] = 0b0110;
    activity.settle(blocks, left);
    expect(bitsOf(activity.map())).toEqual([1, 2, 9]);
    activity.age();
    activity.settle(blocks, none);
    expect(bitsOf(activity.map())).toEqual([]);
  });

  it("is of larger extents in a storage that has become so large", async () => {
    const small = 8192 * 1024;
    const earlier = new Uint8Array(1024);
    earlier[1] = 1;
    const activity = new Activity(small, earlier);
    await write(activity, 5000, 1, 0);
    activity.settle(2 * small, new Uint8Array(1024).fill(0xff));
    expect(bitsOf(activity.map())).toEqual([4, 2500]);
    expect(await write(activity, 2500, 2, 0)).toBe(true);
    activity.isSaved = true;
    expect(await write(activity, 4, 2, 0)).toBe(false);
  });

  it("always has the bit of every extent where something is under way, or is not flushed", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("begin" as const), extent: fc.nat({ max: 15 }) }),
      fc.record({ kind: fc.constant("end" as const), extent: fc.nat({ max: 15 }) }),
      fc.record({ kind: fc.constant("cool" as const), extent: fc.nat({ max: 15 }) }),
    );
    const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const activity = new Activity(blocks, none, 4);
      const running = new Map<number, number>();
      for (const [sequence, { kind, extent }] of steps.entries()) {
        const count = running.get(extent) ?? 0;
        if (kind === "begin") {
          activity.begin(extent, sequence, sequence * 1000);
          await activity.saved([extent], save);
          running.set(extent, count + 1);
        } else if (kind === "end" && count > 0) {
          activity.end(extent, sequence * 1000);
          running.set(extent, count - 1);
        } else if (kind === "cool") activity.cool(activity.coolable(sequence, sequence * 1000));
        for (const [each, now] of running) if (now > 0) expect(hasBit(activity.map(), each)).toBe(true);
      }
    });
    return fc.assert(property, { numRuns: 100, seed: 2 });
  });
});
