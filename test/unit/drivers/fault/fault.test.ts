// A fault that does not fire, or fires otherwise than it is counted, makes every test of the
// protocols under faults worth nothing.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FaultDevice } from "../../../../drivers/fault/fault.js";
import type { Faults } from "../../../../drivers/fault/faults.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { MemoryLan } from "../../../../drivers/memory/lan.js";
import { TestClock } from "../clock.js";
import { BROADCAST, payload, TestHost } from "../host.js";

interface Setting {
  readonly seed?: number;
  readonly in?: Partial<Faults>;
  readonly out?: Partial<Faults>;
  readonly frames?: number;
}

/** `faulty` is wrapped, `plain` is not. */
function pair(setting: Setting) {
  const clock = new TestClock();
  const lan = new MemoryLan({ schedule: clock.schedule, receiveFrames: 1024 });
  const wrapped = new FaultDevice(lan.port("memory:0"), { seed: 1, schedule: clock.schedule, ...setting });
  return { clock, faulty: new TestHost(wrapped), plain: new TestHost(lan.port("memory:1")) };
}

/** Sends `count` frames one way, lets time pass, and answers the numbers of those that came. */
function exchange(setting: Setting, direction: "in" | "out", count: number) {
  const { clock, faulty, plain } = pair(setting);
  const [from, to] = direction === "out" ? [faulty, plain] : [plain, faulty];
  const got: number[] = [];
  const take = (): void => {
    for (const bytes of to.poll()) got.push(new DataView(bytes.buffer).getUint16(14));
  };
  for (let i = 0; i < count; i++) {
    from.send(to.device.address, Uint8Array.of(i >> 8, i & 255, ...payload(i, 60)));
    take();
  }
  clock.advance(1_000_000);
  take();
  return { got, counts: faulty.device.counts(direction) };
}

const inOrder = (count: number) => Array.from({ length: count }, (_, i) => i);

describe.each(["in", "out"] as const)("faults, direction %s", (direction) => {
  it("changes nothing when there are none", () => {
    expect(exchange({}, direction, 100).got).toEqual(inOrder(100));
  });

  it("loses about the share it is told, and counts each", () => {
    const { got, counts } = exchange({ [direction]: { loss: 0.3 } }, direction, 2000);
    expect(counts.lost).toBe(2000 - got.length);
    expect(counts.lost).toBeGreaterThan(500);
    expect(counts.lost).toBeLessThan(700);
  });

  it("delivers doubled frames twice", () => {
    const { got, counts } = exchange({ [direction]: { duplicate: 0.2 } }, direction, 500);
    expect(counts.duplicated).toBeGreaterThan(50);
    expect(got.length).toBe(500 + counts.duplicated);
    expect([...new Set(got)]).toEqual(inOrder(500));
  });

  it("lets a later frame overtake, and loses none, not even the last", () => {
    const { got, counts } = exchange({ [direction]: { reorder: 0.2 } }, direction, 500);
    expect(counts.reordered).toBeGreaterThan(50);
    expect(got).not.toEqual(inOrder(500));
    expect(got.toSorted((a, b) => a - b)).toEqual(inOrder(500));
    expect(exchange({ [direction]: { reorder: 1 } }, direction, 1).got).toEqual([0]);
  });

  it("flips exactly one bit", () => {
    const { clock, faulty, plain } = pair({ [direction]: { corrupt: 1 } });
    const [from, to] = direction === "out" ? [faulty, plain] : [plain, faulty];
    for (let i = 0; i < 200; i++) from.send(BROADCAST, payload(i, 60));
    clock.advance(10);
    const original = from.bytes.slice(1024, 1024 + 74);
    const flips = to.poll().map((bytes, index) => {
      const expected = Uint8Array.of(...original.subarray(0, 14), ...payload(index, 60));
      return bytes.reduce(
        (bits, byte, at) => bits + (byte ^ (expected[at] ?? 0)).toString(2).replaceAll("0", "").length,
        0,
      );
    });
    // On the way out a flip in the destination makes it nobody's frame.
    if (direction === "in") expect(flips).toEqual(Array(200).fill(1));
    expect(faulty.device.counts(direction).corrupted).toBe(200);
    expect(from.bytes.slice(1024, 1024 + 74)).toEqual(original);
  });

  it("delays within the bounds it is given", () => {
    const { clock, faulty, plain } = pair({ [direction]: { delayMicroseconds: { min: 100, max: 300 } } });
    const [from, to] = direction === "out" ? [faulty, plain] : [plain, faulty];
    for (let i = 0; i < 50; i++) from.send(to.device.address, payload(i));
    expect(to.poll()).toEqual([]);
    clock.advance(99);
    expect(to.poll()).toEqual([]);
    clock.advance(100);
    const early = to.poll().length;
    clock.advance(101);
    expect(early).toBeGreaterThan(0);
    expect(early + to.poll().length).toBe(50);
  });

  it("lets nothing through while it is cut, what is on its way included", () => {
    const { clock, faulty, plain } = pair({ [direction]: { delayMicroseconds: { min: 10, max: 10 } } });
    const [from, to] = direction === "out" ? [faulty, plain] : [plain, faulty];
    from.send(to.device.address, payload(1));
    to.poll();
    faulty.device.setFaults(direction, { cut: true });
    from.send(to.device.address, payload(2));
    to.poll();
    clock.advance(100);
    expect(to.poll()).toEqual([]);
    expect(faulty.device.counts(direction).cut).toBe(2);
    faulty.device.setFaults(direction, { cut: false, delayMicroseconds: { min: 0, max: 0 } });
    from.send(to.device.address, payload(3));
    expect(to.poll()).toHaveLength(1);
  });

  it("is the same again with the same seed, and different with another", () => {
    const faults = { loss: 0.1, duplicate: 0.1, reorder: 0.1, corrupt: 0.05 };
    const run = (seed: number) => exchange({ seed, [direction]: faults }, direction, 300);
    expect(run(5)).toEqual(run(5));
    expect(run(5).got).not.toEqual(run(6).got);
  });

  it("accounts for every frame, and has every buffer back in the end", () => {
    const share = fc.double({ min: 0, max: 0.5, noNaN: true });
    const faults = fc.record({
      loss: share,
      duplicate: share,
      reorder: share,
      delayMicroseconds: fc.nat(500).map((max) => ({ min: Math.min(5, max), max })),
    });
    fc.assert(
      fc.property(fc.integer(), faults, fc.integer({ min: 1, max: 8 }), (seed, some, frames) => {
        const { got, counts } = exchange({ seed, [direction]: some, frames }, direction, 120);
        expect(got.length).toBe(120 - counts.lost + counts.duplicated - counts.overflowed);
      }),
      { numRuns: 60 },
    );
  });
});

it("refuses faults that make no sense", () => {
  const { faulty } = pair({});
  expect(() => faulty.device.setFaults("in", { loss: 1.5 })).toThrow(RangeError);
  expect(() => faulty.device.setFaults("in", { loss: Number.NaN })).toThrow(RangeError);
  expect(() => faulty.device.setFaults("out", { delayMicroseconds: { min: 5, max: 4 } })).toThrow(RangeError);
});

it("wakes its watcher for frames that come late", () => {
  const { clock, faulty, plain } = pair({ in: { delayMicroseconds: { min: 20, max: 20 } } });
  const got: number[] = [];
  faulty.device.watch(() => got.push(faulty.poll().length));
  plain.send(faulty.device.address, payload(1));
  clock.advance(100);
  expect(got).toEqual([0, 1]);
});

it("has even dice that depend on the seed alone", () => {
  const random = new SeededRandom(42);
  const sides = new Array<number>(8).fill(0);
  for (let i = 0; i < 8000; i++) {
    const side = random.below(8);
    sides[side] = (sides[side] ?? 0) + 1;
  }
  for (const count of sides) expect(Math.abs(count - 1000)).toBeLessThan(150);
  expect(new SeededRandom(0).next()).not.toBe(new SeededRandom(1).next());
  expect(Array.from({ length: 4 }, () => new SeededRandom(7).next())).toHaveLength(4);
});
