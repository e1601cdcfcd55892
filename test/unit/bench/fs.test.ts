// What the benchmark of file systems plans, how the answers of its work become figures, and which ratios
// come of them. If one of these fails, a figure in the README is of something else than it says.

import { describe, expect, it } from "vitest";
import { jobsOf, runOfWork, type WorkAnswer } from "../../../control/bench/fs/jobs.js";
import { fsRatiosOf, fsRemarksOf, fsResultOf } from "../../../control/bench/fs/results.js";
import {
  type FsReport,
  type FsResult,
  type FsRun,
  type FsSystem,
  type FsTest,
  fsTests,
} from "../../../control/bench/fs/types.js";
import { fsReportText } from "../../../control/cli/bench-fs-table.js";

const empty: FsRun = {
  ...{ perSecond: null, megabytesPerSecond: null, seconds: null, p50Us: null, p99Us: null },
  callsPerOperation: null,
};
const row = (test: FsTest, system: FsSystem, run: Partial<FsRun>, problem?: string): FsResult =>
  fsResultOf(test, system, problem === undefined ? [{ ...empty, ...run }] : [], problem);
const answer: WorkAnswer = { operations: 100, seconds: 2, p50Us: 3, p99Us: 9, closeSeconds: 2 };

describe("the jobs", () => {
  it("give every test once, and close and status belong to what they follow", () => {
    expect(jobsOf(fsTests).flatMap(({ tests }) => tests)).toEqual(fsTests);
    expect(jobsOf(["sequential-write-close", "git-status"]).map(({ tests }) => tests)).toEqual([
      ["sequential-write", "sequential-write-close"],
      ["git-clone", "git-status"],
    ]);
    expect(jobsOf(["stat", "reintegrate-names"]).map(({ own }) => own)).toEqual([false, true]);
  });
});

describe("a run", () => {
  it("has the figures of its test, and calls for each operation", () => {
    expect(runOfWork("create", answer, 250)).toMatchObject({
      perSecond: 50,
      p50Us: 3,
      callsPerOperation: 2.5,
    });
    expect(runOfWork("stat", answer, null)).toMatchObject({ perSecond: 50, callsPerOperation: null });
    expect(runOfWork("untar", { ...answer, operations: 1 }, 7)).toMatchObject({
      seconds: 2,
      callsPerOperation: 7,
    });
  });

  it("counts the close where that is asked for", () => {
    const of = (test: FsTest) => runOfWork(test, answer, 0).megabytesPerSecond ?? 0;
    expect(of("sequential-write")).toBeCloseTo(52.4288);
    expect(of("sequential-write-close")).toBeCloseTo(26.2144);
  });

  it("is one of several: medians, the spread of what the test is about, and all that was stale", () => {
    const runs = [1, 2, 4].map((p50Us) => ({ ...empty, p50Us, p99Us: 10 * p50Us, stale: 1 }));
    expect(fsResultOf("close-to-read", "proteus", runs)).toMatchObject({
      ...{ p50Us: 2, p99Us: 20, spread: 1.5, stale: 3, runs: 3, perSecond: null },
    });
    expect(fsResultOf("stat", "proteus", [], "why")).toMatchObject({ runs: 0, spread: null, problem: "why" });
  });
});

describe("the ratios", () => {
  it("are speeds, or times where the goal is one", () => {
    const results = [
      row("random-read", "local", { perSecond: 100 }),
      row("random-read", "proteus", { perSecond: 80 }),
      row("create", "passthrough_ll", { perSecond: 100 }),
      row("create", "proteus", { perSecond: 70, callsPerOperation: 1 }),
      row("untar", "local", { seconds: 2 }),
      row("untar", "proteus", { seconds: 8 }),
      row("git-status", "local", { seconds: 0.1 }),
      row("git-status", "proteus", { seconds: 0.1 }),
    ];
    expect(fsRatiosOf(results).map(({ name, value, met }) => [name, value, met])).toEqual([
      ["random-read / local, speed", 0.8, true],
      ["create / passthrough_ll, speed", 0.7, false],
      ["git-status / local, speed", 1, true],
      ["untar / local, time", 4, false],
    ]);
  });

  it("hold ours against goals of its own: from close to new bytes, records, calls of a warm open", () => {
    const results = [
      row("close-to-read-strict", "proteus", { p50Us: 500, p99Us: 20_000, stale: 1 }),
      row("reintegrate-names", "proteus", { seconds: 0.5, records: 1000 }),
      row("open-read-close", "proteus", { perSecond: 1, callsPerOperation: 0.0001 }),
    ];
    expect(fsRatiosOf(results).map(({ value, goal, met }) => [value, goal, met])).toEqual([
      [500, 1000, true],
      [20_000, 10_000, false],
      [1, 0, false],
      [0.5, 0.2, false],
      [0.0001, 0.01, true],
    ]);
  });

  it("are left out when a side was not measured", () => {
    expect(fsRatiosOf([row("create", "proteus", { perSecond: 1 })])).toEqual([]);
    expect(
      fsRatiosOf([row("create", "passthrough_ll", {}, "no"), row("create", "proteus", { perSecond: 1 })]),
    ).toEqual([]);
  });
});

it("is shown with failures and their reasons, and with what favours a side", () => {
  const results = [
    row("stat", "local", { perSecond: 1000, p50Us: 1 }),
    row("stat", "passthrough_ll", {}, "passthrough_ll is not installed: apt-get install x"),
    row("stat", "proteus", {}, "it fell over"),
  ];
  const report: FsReport = {
    environment: {
      ...{ proteus: "0", node: "v", kernel: "6", cpu: "c", cores: 2, load: 1, isolation: "lab", runs: 1 },
      ...{ disk: "/var/tmp (ext4)", core: 0, bytes: 1 << 28, files: 9, records: 10, passthrough: false },
      ...{ git: "git version 2", libfuse: null },
    },
    results,
    ratios: [],
    remarks: fsRemarksOf([row("stat", "proteus", { perSecond: 1 })], 2, false),
  };
  const text = fsReportText(report);
  expect(text).toMatch(/stat +local +1000 +- +- +1\.00/);
  expect(text).toContain("\npassthrough_ll is not installed: apt-get install x\n");
  expect(text).toContain("stat proteus: it fell over");
  expect(text).toContain("Other work was running");
  expect(text).toContain("hands no files over");
  expect(text).not.toContain("has neither log nor server");
});
