// The goals of groups: each is judged by the right rows, and never against a weaker rival.

import { describe, expect, it } from "vitest";
import { groupRatiosOf, groupRemarksOf } from "../../../../control/bench/group/ratios.js";
import { flowOutstanding, streamOutstanding } from "../../../../control/bench/group/types.js";
import { row } from "./results.js";

const flow = { test: "group-flow", senders: "all" } as const;

describe("the ratios", () => {
  it("take a send of no data to three members over a call without data", () => {
    const results = [
      row({ bytes: 0, p50Us: 15 }),
      row({ bytes: 64, p50Us: 99 }),
      row({ bytes: 0, members: 5, p50Us: 99 }),
      row({ bytes: 0, resilience: 1, p50Us: 99 }),
      row({ bytes: 0, system: "rpc", resilience: null, p50Us: 10 }),
    ];
    const [ratio] = groupRatiosOf(results);
    expect(ratio).toMatchObject({ value: 1.5, better: "lower", goal: 1.6, met: true });
  });

  it("miss when the send is too slow", () => {
    const results = [
      row({ bytes: 0, p50Us: 17 }),
      row({ bytes: 0, system: "rpc", resilience: null, p50Us: 10 }),
    ];
    expect(groupRatiosOf(results)[0]?.met).toBe(false);
  });

  it("compare with the quicker of Corosync's transports", () => {
    const outstanding = flowOutstanding;
    const results = [
      row({ ...flow, outstanding, callsPerSecond: 50_000 }),
      row({ ...flow, outstanding, system: "corosync", resilience: null, callsPerSecond: 40_000 }),
      row({ ...flow, outstanding, system: "corosync-knet", resilience: null, callsPerSecond: 55_000 }),
    ];
    const [absolute, beside] = groupRatiosOf(results);
    expect(absolute).toMatchObject({ value: 50_000, goal: 30_000, met: true });
    expect(beside?.value).toBeCloseTo(50 / 55);
    expect(beside?.met).toBe(false);
  });

  it("show Corosync's streaming beside ours, won or lost", () => {
    const outstanding = streamOutstanding;
    const results = [
      row({ ...flow, outstanding, callsPerSecond: 20_000 }),
      row({ ...flow, outstanding, system: "corosync", resilience: null, callsPerSecond: 40_000 }),
    ];
    const ratios = groupRatiosOf(results);
    expect(ratios.map(({ met }) => met)).toEqual([false, false]);
    expect(ratios[1]?.value).toBe(0.5);
  });

  it("hold the gap's p99 against a second", () => {
    const recovery = { test: "group-recovery", senders: "all", p50Us: 700_000 } as const;
    expect(groupRatiosOf([row({ ...recovery, p99Us: 990_000 })])[0]).toMatchObject({ value: 990, met: true });
    expect(groupRatiosOf([row({ ...recovery, p99Us: 1_010_000 })])[0]).toMatchObject({
      value: 1010,
      met: false,
    });
  });

  it("are left out when a side was not measured", () => {
    expect(groupRatiosOf([row({ bytes: 0, p50Us: null, runs: 0, problem: "failed" })])).toEqual([]);
    expect(groupRatiosOf([])).toEqual([]);
  });
});

describe("the remarks", () => {
  it("say what more members than cores mean, and what Corosync promises", () => {
    const remarks = groupRemarksOf(
      [row({ members: 9 }), row({ system: "corosync", resilience: null })],
      0,
      2,
    );
    expect(remarks.join("\n")).toContain("9 members share 2 cores");
    expect(remarks.join("\n")).toContain("virtual synchrony");
  });

  it("say nothing of what was not measured", () => {
    expect(groupRemarksOf([row({ members: 2 })], 0, 2)).toEqual([]);
  });
});
