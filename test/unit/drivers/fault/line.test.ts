// An impaired link of a lab would lie if a frame came out early, late, twice or not at all
// without being told to.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { REORDER_HOLD_MICROSECONDS } from "../../../../drivers/fault/faults.js";
import {
  FaultLine,
  HEALTHY_LINE,
  type LineFaults,
  RATE_QUEUE_MICROSECONDS,
} from "../../../../drivers/fault/line.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";

interface Came {
  readonly number: number;
  readonly at: number;
}

const frameOf = (number: number, length = 100): Uint8Array => {
  const frame = new Uint8Array(length);
  new DataView(frame.buffer).setUint32(0, number);
  return frame;
};

/** Offers frames at these times and takes each as soon as it is due. */
function run(faults: Partial<LineFaults>, times: readonly number[], seed = 1, length = 100) {
  const line = new FaultLine(new SeededRandom(seed));
  line.setFaults({ ...HEALTHY_LINE, ...faults });
  const came: Came[] = [];
  const frames: Uint8Array[] = [];
  const takeUntil = (now: number): void => {
    for (let due = line.nextDue(); due !== null && due <= now; due = line.nextDue()) {
      const frame = line.take(due);
      if (frame === null) throw new Error("a frame that is due does not come");
      frames.push(frame);
      came.push({ number: new DataView(frame.buffer).getUint32(0), at: due });
    }
  };
  times.forEach((at, number) => {
    takeUntil(at);
    line.offer(frameOf(number, length), at);
  });
  takeUntil(Number.MAX_SAFE_INTEGER);
  return { came, frames, counts: line.counts(), line };
}

const every = (microseconds: number, count: number) =>
  Array.from({ length: count }, (_, i) => i * microseconds);
const numbers = (came: readonly Came[]) => came.map(({ number }) => number);

describe("a line", () => {
  it("passes frames at once, in order and unchanged while nothing is wrong", () => {
    const { came, frames } = run({}, every(10, 100));
    expect(came).toEqual(every(10, 100).map((at, number) => ({ number, at })));
    expect(frames[7]).toEqual(frameOf(7));
  });

  it("makes every frame late by exactly the delay, and keeps their order", () => {
    const { came } = run({ delayMicroseconds: 2000 }, every(300, 50));
    expect(came).toEqual(every(300, 50).map((at, number) => ({ number, at: at + 2000 })));
  });

  it("lets the next frame overtake one that is held back, and holds none for longer than it may", () => {
    const { came, counts } = run({ reorder: 0.2 }, every(100, 1000));
    expect(numbers(came).toSorted((a, b) => a - b)).toEqual(every(1, 1000));
    expect(numbers(came)).not.toEqual(every(1, 1000));
    expect(counts.reordered).toBeGreaterThan(150);
    expect(counts.reordered).toBeLessThan(250);
    for (const { number, at } of came)
      expect(at - number * 100).toBeLessThanOrEqual(REORDER_HOLD_MICROSECONDS);
    expect(run({ reorder: 1 }, [0]).came).toEqual([{ number: 0, at: REORDER_HOLD_MICROSECONDS }]);
  });

  it("reorders what is delayed too", () => {
    const { came } = run({ reorder: 0.3, delayMicroseconds: 5000 }, every(100, 200));
    expect(numbers(came)).not.toEqual(every(1, 200));
    for (const { number, at } of came) expect(at - number * 100).toBeGreaterThanOrEqual(5000);
  });

  it("doubles, loses and damages the share that it is told", () => {
    const twice = run({ duplicate: 0.1 }, every(1, 5000));
    expect(twice.came.length).toBe(5000 + twice.counts.duplicated);
    expect(twice.counts.duplicated).toBeGreaterThan(400);
    expect(twice.counts.duplicated).toBeLessThan(600);
    const lost = run({ loss: 0.1 }, every(1, 5000));
    expect(lost.came.length).toBe(5000 - lost.counts.lost);
    expect(lost.counts.lost).toBeGreaterThan(400);
    const damaged = run({ corrupt: 1 }, every(1, 50)).frames;
    damaged.forEach((frame, number) => {
      const bits = frame.reduce((sum, byte, at) => {
        const other = byte ^ (frameOf(number)[at] ?? 0);
        return sum + other.toString(2).replaceAll("0", "").length;
      }, 0);
      expect(bits).toBe(1);
    });
  });

  it("sends no more bits a second than its rate, and loses what would wait too long", () => {
    const rate = 1e6; // a frame of 1000 bytes takes 8 ms
    const steady = run({ rate }, every(8000, 20), 1, 1000);
    expect(steady.came).toEqual(every(8000, 20).map((at, number) => ({ number, at: at + 8000 })));
    const { came, counts } = run({ rate }, every(0, 20), 1, 1000);
    const queued = 1 + Math.floor(RATE_QUEUE_MICROSECONDS / 8000);
    expect(came.map(({ at }) => at)).toEqual(every(8000, queued).map((at) => at + 8000));
    expect(counts.overflowed).toBe(20 - queued);
  });

  it("passes nothing while it is cut, also not what was on its way", () => {
    const line = new FaultLine(new SeededRandom(1));
    line.setFaults({ ...HEALTHY_LINE, delayMicroseconds: 1000, reorder: 0.5 });
    for (let i = 0; i < 10; i++) line.offer(frameOf(i), 0);
    line.setFaults({ ...HEALTHY_LINE, cut: true });
    line.offer(frameOf(10), 0);
    expect(line.nextDue()).toBeNull();
    expect(line.counts().cut).toBe(11);
    line.setFaults(HEALTHY_LINE);
    line.offer(frameOf(11), 5);
    expect(line.take(5)).toEqual(frameOf(11));
  });

  it("keeps no more bytes than it may, and has room again when they are gone", () => {
    const line = new FaultLine(new SeededRandom(1), 1000);
    line.setFaults({ ...HEALTHY_LINE, delayMicroseconds: 100 });
    for (let i = 0; i < 15; i++) line.offer(frameOf(i), 0);
    expect(line.size).toBe(10);
    expect(line.counts().overflowed).toBe(5);
    for (let i = 0; i < 10; i++) expect(line.take(100)).toEqual(frameOf(i));
    expect(line.take(100)).toBeNull();
    line.offer(frameOf(99), 100);
    expect(line.size).toBe(1);
  });

  it("refuses values that mean nothing", () => {
    const line = new FaultLine(new SeededRandom(1));
    for (const wrong of [{ loss: 2 }, { delayMicroseconds: -1 }, { rate: 0 }, { duplicate: Number.NaN }])
      expect(() => line.setFaults({ ...HEALTHY_LINE, ...wrong })).toThrow(RangeError);
  });

  it("keeps what it holds back when the next frame finds the queue full", () => {
    const line = new FaultLine(new SeededRandom(1));
    const slow = { ...HEALTHY_LINE, rate: 100_000 };
    const frame = new Uint8Array(1250); // 100 ms of the wire
    line.setFaults({ ...slow, reorder: 1 });
    line.offer(frame, 0);
    line.setFaults(slow);
    line.offer(frame, 0);
    expect(line.counts()).toMatchObject({ overflowed: 1 });
    expect(line.take(99_999)).toBeNull();
    expect(line.size).toBe(1);
  });

  it("comes to the same end whatever is set: each frame lost, or there once or twice, never early", () => {
    const share = fc.double({ min: 0, max: 0.5, noNaN: true });
    const faults = fc.record({
      loss: share,
      duplicate: share,
      reorder: share,
      delayMicroseconds: fc.integer({ min: 0, max: 5000 }),
      rate: fc.option(fc.integer({ min: 1e5, max: 1e9 }), { nil: null }),
    });
    const gaps = fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 100 });
    fc.assert(
      fc.property(faults, gaps, fc.integer(), (faults, gaps, seed) => {
        let now = 0;
        const times = gaps.map((gap) => {
          now += gap;
          return now;
        });
        const { came, counts, line } = run(faults, times, seed);
        expect(line.size).toBe(0);
        expect(came.length).toBe(times.length + counts.duplicated - counts.lost - counts.overflowed);
        came.forEach(({ number, at }, index) => {
          expect(at).toBeGreaterThanOrEqual((times[number] ?? 0) + faults.delayMicroseconds);
          expect(at).toBeGreaterThanOrEqual(came[index - 1]?.at ?? 0);
        });
        for (const number of new Set(numbers(came)))
          expect(numbers(came).filter((each) => each === number).length).toBeLessThanOrEqual(2);
      }),
    );
  });
});
