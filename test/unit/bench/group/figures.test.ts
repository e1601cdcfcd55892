// From what members tell to a row: nothing is counted that some member did not get, and no
// failure looks like a figure.

import { describe, expect, it } from "vitest";
import { coreTimes } from "../../../../control/bench/group/alarm.js";
import { framesSent, memberCore } from "../../../../control/bench/group/lan.js";
import type { Figures } from "../../../../control/bench/group/load.js";
import { loadOf, runOfFigures } from "../../../../control/bench/group/measure.js";
import { gapOf } from "../../../../control/bench/group/recovery.js";
import { groupResultOf } from "../../../../control/bench/group/samples.js";
import type { GroupRun } from "../../../../control/bench/group/types.js";
import { row } from "./results.js";

const span = { warmUp: 50, measured: 200 };

const figures = (given: Partial<Figures>): Figures => ({
  ...{ delivered: 100, ended: 100, total: 120, lost: 0 },
  ...{ gapUs: 10, sinceUs: 0, p50Us: 5, p99Us: 9 },
  ...given,
});

describe("a load", () => {
  it("makes the first member send when one does, and only sender and sequencer spin", () => {
    const loads = [0, 1, 2].map((member) => loadOf(row({}), member, 1000, span));
    expect(loads.map(({ sends }) => sends)).toEqual([true, false, false]);
    expect(loads.map(({ spins }) => spins)).toEqual([true, true, false]);
  });

  it("has the same times for all, later than now", () => {
    const loads = [0, 1, 2].map((member) => loadOf(row({ senders: "all" }), member, 1000, span));
    expect(loads.every(({ sends }) => sends)).toBe(true);
    for (const { startUs, fromUs, untilUs } of loads) {
      expect(startUs).toBe(loads[0]?.startUs);
      expect(startUs).toBeGreaterThan(1000);
      expect(fromUs - startUs).toBe(50_000);
      expect(untilUs - fromUs).toBe(200_000);
    }
  });
});

describe("a run", () => {
  it("counts what the slowest member got", () => {
    const run = runOfFigures(
      [figures({}), figures({ delivered: 40, p50Us: null, total: 0 }), figures({ total: 0 })],
      row({}),
      span,
      360,
    );
    expect(run).toMatchObject({ p50Us: 5, p99Us: 9, callsPerSecond: 200, framesPerMessage: 3 });
  });

  it("fails when a message got no answer", () => {
    expect(() => runOfFigures([figures({ lost: 1 })], row({}), span, 1)).toThrow("no answer");
  });

  it("says nothing when it was too short for a message to get everywhere", () => {
    expect(runOfFigures([figures({ p50Us: null })], row({}), span, 1)).toBeNull();
    expect(runOfFigures([figures({}), figures({ delivered: 0 })], row({}), span, 1)).toBeNull();
  });
});

describe("a gap", () => {
  it("is the longest of the survivors'", () => {
    expect(gapOf([figures({ gapUs: 700_000 }), figures({ gapUs: 650_000 })])).toMatchObject({
      p50Us: 700_000,
    });
  });

  it("is a failure when a survivor has no service at the end", () => {
    expect(() => gapOf([figures({ gapUs: 500, sinceUs: 2_000_000 })])).toThrow("in time");
    expect(() => gapOf([figures({ ended: 0 })])).toThrow("in time");
  });
});

describe("a row", () => {
  const run = (given: Partial<GroupRun>): GroupRun => ({
    ...{ p50Us: 1, p99Us: 2, megabytesPerSecond: null, callsPerSecond: 3, cpuUsPerCall: null },
    ...{ framesPerMessage: 2 },
    ...given,
  });
  const { p50Us: _, ...sendCase } = row({});

  it("has medians and the spread of what the test is about", () => {
    const runs = [run({ p50Us: 10 }), run({ p50Us: 30 }), run({ p50Us: 20 })];
    expect(groupResultOf(sendCase, runs, 1500)).toMatchObject({ p50Us: 20, spread: 1, runs: 3 });
  });

  it("of recovery has the quantiles of the gaps", () => {
    const gaps = Array.from({ length: 100 }, (_, index) => run({ p50Us: index + 1, p99Us: index + 1 }));
    const result = groupResultOf({ ...sendCase, test: "group-recovery" }, gaps, 1500);
    expect(result).toMatchObject({ p50Us: 50, p99Us: 99 });
  });

  it("without runs has no figures and the problem", () => {
    const result = groupResultOf(sendCase, [], 1500, "it failed");
    expect(result).toMatchObject({ p50Us: null, callsPerSecond: null, spread: null, problem: "it failed" });
  });
});

describe("the machines", () => {
  it("put sender and sequencer on different cores, and the third with the sequencer", () => {
    expect([0, 1, 2, 3, 4].map((member) => memberCore(member, [0, 1]))).toEqual([0, 1, 1, 0, 1]);
  });

  it("count the frames that the interface sent", () => {
    const text = [
      "Inter-|   Receive                            |  Transmit",
      " face |bytes packets errs drop fifo frame compressed multicast|bytes packets errs drop",
      "    lo: 1 2 0 0 0 0 0 0 1 2 0 0 0 0 0 0",
      "  eth0: 100 7 0 0 0 0 0 0 900 13 0 0 0 0 0 0",
    ].join("\n");
    expect(framesSent(text)).toBe(13);
  });

  it("tell how idle the cores were", () => {
    expect(coreTimes("cpu  10 0 20 60 10 0 0 0 0 0\ncpu0 1 2 3\n")).toEqual({ idle: 70, all: 100 });
  });
});
