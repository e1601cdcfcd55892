// A change is reported when it is one, and noise is not.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareReports, mannWhitney, parseReport } from "../../../control/bench/compare.js";
import { resultOf } from "../../../control/bench/samples.js";
import type { Case, Environment, Report } from "../../../control/bench/types.js";
import { comparisonText } from "../../../control/cli/bench-compare.js";

const environment = { proteus: "1", node: "v20", kernel: "6", cpu: "a", cores: 2 } as Environment;
const nullCall: Case = { test: "null-rpc", system: "flip", placement: "S", mtu: 1500, link: "veth" };
const bulk: Case = { ...nullCall, test: "call-1m", placement: "X" };

/** A report of rows with these leading figures, one a run. */
function report(
  rows: readonly (readonly [Case, readonly number[]])[],
): Pick<Report, "environment" | "results"> {
  const none = {
    p50Us: null,
    p99Us: null,
    megabytesPerSecond: null,
    callsPerSecond: null,
    cpuUsPerCall: null,
  };
  const runs = (each: Case, figures: readonly number[]) =>
    figures.map((value) => ({ ...none, [each.test === "null-rpc" ? "p50Us" : "megabytesPerSecond"]: value }));
  return { environment, results: rows.map(([each, figures]) => resultOf(each, runs(each, figures))) };
}

const verdict = (each: Case, before: readonly number[], after: readonly number[]) =>
  compareReports(report([[each, before]]), report([[each, after]])).changes[0]?.verdict;

describe("the test of Mann and Whitney", () => {
  it("gives the probabilities of its tables", () => {
    // Complete separation: 2 / (10 over 5), 2 / (8 over 4).
    expect(mannWhitney([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])).toBeCloseTo(2 / 252, 10);
    expect(mannWhitney([5, 6, 7, 8], [1, 2, 3, 4])).toBeCloseTo(2 / 70, 10);
    // U = 2 of 25 at n = m = 5: 4 orders below or at it, doubled.
    expect(mannWhitney([1, 2, 3, 4, 7], [5, 6, 8, 9, 10])).toBeCloseTo((2 * 4) / 252, 10);
    expect(mannWhitney([1, 2], [1, 2])).toBe(1);
  });

  it("is a probability, the same from both sides, and 1 of the same runs", () => {
    const runs = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(runs, runs, (a, b) => {
        const p = mannWhitney(a, b);
        expect(p).toBeGreaterThan(0);
        expect(p).toBeLessThanOrEqual(1);
        expect(mannWhitney(b, a)).toBeCloseTo(p, 10);
        expect(mannWhitney(a, a)).toBe(1);
      }),
    );
  });
});

describe("two reports", () => {
  it("differ when the runs do", () => {
    expect(verdict(nullCall, [10, 11, 12, 13, 14], [5, 6, 7, 8, 9])).toBe("better");
    expect(verdict(nullCall, [5, 6, 7, 8, 9], [10, 11, 12, 13, 14])).toBe("worse");
    expect(verdict(bulk, [5, 6, 7, 8, 9], [10, 11, 12, 13, 14])).toBe("better");
  });

  it("are the same within the noise", () => {
    expect(verdict(nullCall, [10, 11, 12, 13, 14], [10.5, 11.5, 12.5, 9, 13.5])).toBe("same");
    expect(verdict(nullCall, [100, 100.1, 100.2, 100.3], [100.4, 100.5, 100.6, 100.7])).toBe("same"); // below 2 %
  });

  it("cannot be told apart with too few runs", () => {
    expect(verdict(nullCall, [10, 11, 12], [1, 2, 3])).toBe("unknown");
  });

  it("say what only one of them has, and which machine they are of", () => {
    const before = report([[nullCall, [1]]]);
    const after = { ...report([[bulk, [1]]]), environment: { ...environment, cpu: "b" } };
    const comparison = compareReports(before, after);
    expect(comparison.onlyBefore).toEqual(["null-rpc flip veth S MTU 1500"]);
    expect(comparison.onlyAfter).toEqual(["call-1m flip veth X MTU 1500"]);
    expect(comparison.environment).toEqual(["cpu: a -> b"]);
    expect(comparisonText(comparison, false)).toContain("cpu: a -> b");
  });

  it("show what changed, and the rest when asked", () => {
    const before = report([
      [nullCall, [10, 11, 12, 13, 14]],
      [bulk, [1, 2, 3, 4, 5]],
    ]);
    const after = report([
      [nullCall, [20, 21, 22, 23, 24]],
      [bulk, [1, 2, 3, 4, 5]],
    ]);
    const comparison = compareReports(before, after);
    expect(comparisonText(comparison, false)).toMatch(/null-rpc .*\+83\.3%.*worse/);
    expect(comparisonText(comparison, false)).not.toContain("call-1m");
    expect(comparisonText(comparison, true)).toContain("call-1m");
    expect(comparisonText(comparison, false)).toContain("2 rows: 0 better, 1 worse, 1 the same");
  });
});

describe("a report that is read", () => {
  it("is the one that was written", () => {
    const written = { schema: 1, ...report([[nullCall, [1, 2, 3]]]) };
    expect(parseReport(JSON.stringify(written), "r").results).toEqual(written.results);
  });

  it.each(["", "{}", '{"schema":2}', '{"schema":1,"environment":{"proteus":"1","cpu":"a"},"results":[{}]}'])(
    "is refused when it is none: %s",
    (text) => {
      expect(() => parseReport(text, "report.json")).toThrow("report.json is not a report");
    },
  );
});
