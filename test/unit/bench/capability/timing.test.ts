// The measurement of leaks by time: its statistics on numbers whose answer is known, its
// forgeries, and that it runs. If one of these fails, a comparison that leaks would pass for one
// that does not. No test here knows how long anything takes.

import { describe, expect, it } from "vitest";
import { fill } from "../../../../control/bench/capability/timing.js";
import { cropped, momentsOf, tThreshold, welch } from "../../../../control/bench/capability/welch.js";
import { faultOf, timingText } from "../../../../control/cli/bench-capability.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { proteus } from "../../cli/command.js";

describe("Welch's t", () => {
  it("is what another program says", () => {
    // By Python's statistics module.
    const a = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4];
    const b = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 30.3, 23.9];
    expect(welch(momentsOf(a), momentsOf(b))).toBeCloseTo(-2.8280895503571175, 9);
    expect(momentsOf(a).mean).toBeCloseTo(20.82, 2);
    expect(momentsOf([2, 4, 4, 4, 5, 5, 7, 9])).toEqual({ count: 8, mean: 5, variance: 32 / 7 });
    const same = momentsOf([3, 3, 3]);
    expect(welch(same, same)).toBe(0);
    expect(welch(momentsOf([4, 4]), same)).toBe(Number.POSITIVE_INFINITY);
  });

  it("stays small for sets of one kind, and finds a difference of a hundredth of their spread", () => {
    const random = new SeededRandom(5);
    const noise = () => (random.below(1000) + random.below(1000) + random.below(1000)) / 1000;
    const set = (shift: number) => momentsOf(Array.from({ length: 200_000 }, () => noise() + shift));
    expect(Math.abs(welch(set(0), set(0)))).toBeLessThan(tThreshold);
    expect(Math.abs(welch(set(0.02), set(0)))).toBeGreaterThan(tThreshold);
  });

  it("leaves the slowest out of all sets by one limit", () => {
    const sets = [
      [1, 2, 90],
      [1, 2, 3, 4, 5, 6, 7],
    ];
    expect(cropped(sets, 0.9)).toEqual([[1, 2], sets[1]]);
  });
});

describe("forgeries for the measurement", () => {
  it("agree in as many leading bytes as they should, and not in the next", () => {
    const genuine = Uint8Array.of(17, 0, 0, 255, 1, 2, 3, 4, 5, 6);
    const row = Array.from({ length: 60 }, () => new Uint8Array(10));
    for (let agreeing = 0; agreeing <= 5; agreeing++) {
      fill(row, genuine, agreeing);
      for (const part of row) {
        expect(part.subarray(0, 4 + agreeing)).toEqual(genuine.subarray(0, 4 + agreeing));
        expect(part[4 + agreeing]).not.toBe(genuine[4 + agreeing]);
      }
    }
  });
});

describe("proteus bench capability", () => {
  it("runs, and shows a t for every scheme and every number of bytes", async () => {
    const { stdout, exit } = await proteus("bench", "capability", "--samples", "40", "--json");
    expect([0, 6]).toContain(exit); // so few samples decide nothing
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ schema: 1, threshold: 4.5 });
    expect(report.rows).toHaveLength(15);
    for (const { t, samples } of report.rows) {
      expect(Number.isFinite(t)).toBe(true);
      expect(samples).toBeGreaterThan(0);
    }
    expect(timingText(report)).toMatch(/^keyed +5 /m);
  });

  it("says when a scheme leaks, and when it could not have been found", () => {
    const verdicts = (keyed: boolean, control: boolean) => ({
      ...{ threshold: 4.5, rows: [] },
      verdicts: [
        { scheme: "keyed" as const, t: 0, differs: keyed },
        { scheme: "early-exit" as const, t: 0, differs: control },
      ],
    });
    expect(faultOf(verdicts(false, true))).toBeNull();
    expect(faultOf(verdicts(true, true))).toContain("keyed may leak");
    expect(faultOf(verdicts(false, false))).toContain("the control was not found");
  });

  it("takes no number of samples that is none", async () => {
    expect((await proteus("bench", "capability", "--samples", "0")).exit).toBe(2);
  });
});
