// What the benchmark of disks plans, how fio is told and read, and which ratios come of it. If one
// of these fails, a figure in the README is of something else than it says.

import { describe, expect, it } from "vitest";
import { fioCommand, fioRun } from "../../../control/bench/disk/fio.js";
import { healingRatiosOf, middles } from "../../../control/bench/disk/healing.js";
import { planDiskCases } from "../../../control/bench/disk/plan.js";
import { diskRatiosOf, diskRemarksOf } from "../../../control/bench/disk/ratios.js";
import { type DiskResult, diskSystems, diskTests } from "../../../control/bench/disk/types.js";
import { diskReportText } from "../../../control/cli/bench-disk-table.js";

const result = (sought: Partial<DiskResult>): DiskResult => ({
  ...{ test: "write-durable", system: "mirror", members: 1, depth: 1 },
  ...{ p50Us: 100, p99Us: 200, megabytesPerSecond: 1, callsPerSecond: 1000, cpuUsPerCall: 5 },
  ...{ runs: 3, spread: 0.1 },
  ...sought,
});

describe("the plan", () => {
  it("has members for the mirror, two for quorum, and one file for the others", () => {
    const cases = planDiskCases({ tests: ["read"], systems: diskSystems, members: [1, 3] });
    const seen = cases.map(({ system, members, depth }) => `${system} ${members} ${depth}`);
    expect(seen).toEqual([
      ...["mirror 1 1", "mirror 3 1", "nbdkit 1 1", "qemu-nbd 1 1", "quorum 2 1"],
      ...["mirror 1 32", "mirror 3 32", "nbdkit 1 32", "qemu-nbd 1 32", "quorum 2 32"],
    ]);
  });
});

describe("fio", () => {
  const job = { uri: "nbd+unix:///d?socket=/s", bytes: 1 << 20, milliseconds: 500 } as const;

  it("flushes behind each durable write, and behind no other", () => {
    expect(fioCommand({ ...job, test: "write-durable", depth: 1 })).toContain("--fsync=1");
    for (const test of diskTests.filter((each) => each !== "write-durable"))
      expect(fioCommand({ ...job, test, depth: 4 })).not.toContain("--fsync=1");
  });

  const side = (iops: number, nanoseconds: number) => ({
    ...{ iops, bw_bytes: iops * 4096, total_ios: iops },
    clat_ns: { percentile: { "50.000000": nanoseconds, "99.000000": 2 * nanoseconds } },
  });
  const output = (error = 0): string =>
    `fio: a word before\n${JSON.stringify({
      jobs: [
        {
          ...{ error, read: side(0, 0), write: side(1000, 50_000), job_runtime: 1000 },
          sync: { total_ios: 1000, lat_ns: { percentile: { "50.000000": 200_000, "99.000000": 300_000 } } },
          ...{ usr_cpu: 1, sys_cpu: 2 },
        },
      ],
    })}`;

  it("times a durable write with its flush", () => {
    expect(fioRun(output(), { test: "write" })).toMatchObject({
      p50Us: 50,
      p99Us: 100,
      callsPerSecond: 1000,
    });
    expect(fioRun(output(), { test: "write-durable" })).toMatchObject({ p50Us: 250, p99Us: 400 });
    expect(fioRun(output(), { test: "write" }).cpuUsPerCall).toBeCloseTo(30);
  });

  it("is not believed when it failed, or when it says nothing of the kind", () => {
    expect(() => fioRun(output(5), { test: "write" })).toThrow("fio failed with 5");
    expect(() => fioRun("{}", { test: "write" })).toThrow();
    expect(() => fioRun("no report", { test: "write" })).toThrow();
  });
});

describe("the ratios", () => {
  it("compare mean times of durable writes, and rates of reads", () => {
    const results = [
      result({ system: "nbdkit", callsPerSecond: 1500 }),
      result({ members: 2, callsPerSecond: 1000 }),
      result({ members: 3, callsPerSecond: 750 }),
      result({ test: "read-large", system: "nbdkit", depth: 4, megabytesPerSecond: 1000 }),
      result({ test: "read-large", members: 2, depth: 4, megabytesPerSecond: 700 }),
    ];
    expect(diskRatiosOf(results).map(({ value, met }) => [value, met])).toEqual([
      [1.5, true],
      [2, false],
      [0.7, false],
    ]);
  });

  it("are left out when a side was not measured", () => {
    expect(diskRatiosOf([result({ members: 2 })])).toEqual([]);
    expect(
      diskRatiosOf([result({ members: 2, callsPerSecond: null }), result({ system: "nbdkit" })]),
    ).toEqual([]);
  });
});

describe("healing", () => {
  it("gives medians by name with units, and goals for what was measured", () => {
    const figures = middles(
      [1, 9, 2].map((value) => ({ "longest write, s": value, "times idle": value / 2 })),
    );
    expect(figures).toEqual([
      { name: "longest write", unit: "s", value: 2 },
      { name: "times idle", unit: "×", value: 1 },
    ]);
    expect(middles([])).toEqual([]);
    const ratios = healingRatiosOf([
      { test: "failover", runs: 3, figures },
      { test: "blank", runs: 0, figures: [] },
    ]);
    expect(ratios).toMatchObject([{ value: 2, goal: 5, met: true }]);
  });
});

it("shows failures with their reasons", () => {
  const results = [result({}), result({ system: "quorum", problem: "it fell over", callsPerSecond: null })];
  const text = diskReportText({
    environment: {
      ...{ proteus: "0", node: "v", kernel: "6", cpu: "c", cores: 2, load: 1, isolation: "lab", runs: 1 },
      ...{ disk: "/var/tmp (ext4)", bytes: 1 << 28, fio: "fio-3", nbdkit: null, qemu: null },
    },
    results,
    healing: [
      { test: "blank", runs: 1, figures: [{ name: "time to whole", value: 2.5, unit: "s" }] },
      { test: "failover", runs: 0, figures: [], problem: "nobody serves" },
    ],
    ratios: [],
    remarks: diskRemarksOf(results, 1),
  });
  expect(text).toContain("disks of 256M, files in /var/tmp (ext4)");
  expect(text).toContain("write-durable quorum members 1 depth 1: it fell over");
  expect(text).toMatch(/blank +time to whole +2\.50 +s/);
  expect(text).toContain("failover: nobody serves");
  expect(text).toContain("Other work was running");
});
