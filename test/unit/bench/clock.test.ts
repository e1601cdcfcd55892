// The figures are those of the calls: a slow call is not hidden by the ones that did not begin.

import { describe, expect, it } from "vitest";
import { type Begin, timeClients } from "../../../control/bench/clock.js";
import { immediately, timeCurve, timeRate } from "../../../control/bench/open-loop.js";
import { median, quantile, resultOf, runOf } from "../../../control/bench/samples.js";

/** A call that takes a turn of the event loop. */
const quick: Begin = (done) => {
  setImmediate(done);
};

describe("calls of several clients", () => {
  it("are all counted, and only the measured ones timed", async () => {
    let begun = 0;
    const begin: Begin = (done) => {
      begun++;
      setImmediate(done);
    };
    const { run, calls } = await timeClients([begin, begin, begin], { milliseconds: 20, callsMin: 100 });
    expect(calls).toBeGreaterThanOrEqual(100);
    expect(begun).toBeGreaterThanOrEqual(calls);
    expect(begun).toBeLessThanOrEqual(calls + 3);
    expect(run.p50Us).toBeGreaterThan(0);
    expect(run.samplesUs?.length).toBeGreaterThan(0);
    expect(run.samplesUs?.length).toBeLessThanOrEqual(500);
  });

  it("fail with the first that fails", async () => {
    const bad: Begin = (done) => {
      setImmediate(() => done(new Error("refused")));
    };
    await expect(timeClients([quick, bad], { milliseconds: 1000, callsMin: 1 })).rejects.toThrow("refused");
  });
});

describe("an open loop", () => {
  it("counts a stall in every call that it delayed", async () => {
    let calls = 0;
    const stalls: Begin = (done) => {
      if (++calls === 10) {
        const until = performance.now() + 250;
        while (performance.now() < until);
      }
      setImmediate(done);
    };
    const point = await timeRate({ begins: [stalls, stalls], pace: immediately, milliseconds: 1000 }, 200);
    // A stall of 250 ms at 200 calls a second delays about 50 of 200 calls; a closed loop sees one.
    expect(calls).toBe(200);
    expect(point.p99Us).toBeGreaterThan(150_000);
  });

  it("gives up on what a system cannot do, and says how late it was", async () => {
    const slow: Begin = (done) => {
      setTimeout(done, 20);
    };
    const point = await timeRate({ begins: [slow], pace: immediately, milliseconds: 50 }, 1000);
    expect(point.answeredPerSecond).toBeLessThan(200);
    expect(point.p99Us).toBeGreaterThan(50_000);
  });

  it("draws a curve from low load to high", async () => {
    const run = await timeCurve({ begins: Array(40).fill(quick), pace: immediately, milliseconds: 20 });
    const curve = run.curve ?? [];
    expect(curve.map(({ load }) => load)).toEqual([0.1, 0.25, 0.5, 0.75, 0.9]);
    for (const { p50Us, p99Us, p999Us } of curve) {
      expect(p50Us).toBeLessThanOrEqual(p99Us);
      expect(p99Us).toBeLessThanOrEqual(p999Us);
    }
  });
});

describe("figures", () => {
  it("are quantiles by nearest rank and medians", () => {
    const run = runOf(Float64Array.from([4, 1, 3, 2]), { elapsedUs: 10, cpuUs: 8, bytes: 5 });
    expect(run).toMatchObject({ p50Us: 2, p99Us: 4, megabytesPerSecond: 2, cpuUsPerCall: 2 });
    expect(run.samplesUs).toEqual([4, 1, 3, 2]);
    expect(quantile(Float64Array.from([1, 2, 3]), 1)).toBe(3);
    expect(median([3, 1, 2, 10])).toBe(2.5);
  });

  it("are medians over runs, with each run beside them", () => {
    const row = { test: "null-rpc", system: "flip", placement: "S", mtu: 1500, link: "veth" } as const;
    const run = (p50Us: number) => ({
      ...{ p50Us, p99Us: 9, megabytesPerSecond: null, callsPerSecond: 1, cpuUsPerCall: 1 },
    });
    const result = resultOf(row, [run(2), run(4), run(3)]);
    expect(result.p50Us).toBe(3);
    expect(result.spread).toBeCloseTo(2 / 3);
    expect(result.each).toHaveLength(3);
    expect(resultOf(row, [], "no wire")).toMatchObject({ p50Us: null, spread: null, problem: "no wire" });
  });
});
