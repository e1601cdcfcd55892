// From runs to results, the ratios by which the file system is judged, their goals, and what to say
// beside them. Pure.

import { median } from "../samples.js";
import type { Ratio } from "../types.js";
import { type FsFigure, type FsResult, type FsRun, type FsSystem, type FsTest, fsFigures } from "./types.js";

/** The figure that a test is about. */
export function leadingFigure(test: FsTest): FsFigure {
  if (test.startsWith("sequential")) return "megabytesPerSecond";
  if (test.startsWith("close-to-read")) return "p50Us";
  if (test.startsWith("reintegrate") || ["untar", "git-clone", "git-status"].includes(test)) return "seconds";
  return "perSecond";
}

/** One row: medians over the runs. */
export function fsResultOf(
  test: FsTest,
  system: FsSystem,
  runs: readonly FsRun[],
  problem?: string,
): FsResult {
  const known = (figure: FsFigure) => runs.flatMap((run) => run[figure] ?? []);
  const middle = (values: readonly number[]) => (values.length === 0 ? null : median(values));
  const lead = known(leadingFigure(test));
  const figures = Object.fromEntries(fsFigures.map((figure) => [figure, middle(known(figure))])) as Record<
    FsFigure,
    number | null
  >;
  const stale = runs.flatMap((run) => run.stale ?? []);
  const records = middle(runs.flatMap((run) => run.records ?? []));
  return {
    ...{ test, system, ...figures, runs: runs.length },
    spread: lead.length === 0 ? null : (Math.max(...lead) - Math.min(...lead)) / median(lead),
    ...(stale.length === 0 ? {} : { stale: stale.reduce((a, b) => a + b, 0) }),
    ...(records === null ? {} : { records }),
    ...(problem === undefined ? {} : { problem }),
  };
}

const goals = {
  random: 0.75,
  sequential: 0.6,
  names: 1,
  making: 0.8,
  looks: 0.8,
  untar: 3.5,
  clone: 2.5,
  closeP50Us: 1000,
  closeP99Us: 10_000,
  reintegrateSecondsOf10000: 2,
  warmCalls: 0.01, // the lease is kept up meanwhile, with a call every few seconds
} as const;

type Versus = readonly [FsTest, Exclude<FsSystem, "proteus">, Ratio["better"], number];

const versus: readonly Versus[] = [
  ["random-read", "local", "higher", goals.random],
  ["random-write", "local", "higher", goals.random],
  ["sequential-read", "local", "higher", goals.sequential],
  ["sequential-write", "local", "higher", goals.sequential],
  ["rename", "passthrough_ll", "higher", goals.names],
  ["unlink", "passthrough_ll", "higher", goals.names],
  ["mkdir", "passthrough_ll", "higher", goals.names],
  ["open-read-close", "passthrough_ll", "higher", goals.names],
  ["create", "passthrough_ll", "higher", goals.making],
  ["open-write-close", "passthrough_ll", "higher", goals.making],
  ["stat", "local", "higher", goals.looks],
  ["git-status", "local", "higher", goals.looks],
  ["untar", "local", "lower", goals.untar],
  ["git-clone", "local", "lower", goals.clone],
];

/** The ratios of which all sides were measured, and the figures that have a goal by themselves. */
export function fsRatiosOf(results: readonly FsResult[]): Ratio[] {
  const row = (test: FsTest, system: FsSystem = "proteus") =>
    results.find((each) => each.test === test && each.system === system);
  const ratios: Ratio[] = [];
  const add = (name: string, value: number, better: Ratio["better"], goal: number): void => {
    ratios.push({ name, value, better, goal, met: better === "lower" ? value <= goal : value >= goal });
  };
  for (const [test, system, better, goal] of versus) {
    const figure = leadingFigure(test);
    const [ours, theirs] = [row(test)?.[figure] ?? null, row(test, system)?.[figure] ?? null];
    if (ours === null || theirs === null || !(ours > 0 && theirs > 0)) continue;
    // "higher" is speed: of times it is theirs over ours.
    const value = figure === "seconds" && better === "higher" ? theirs / ours : ours / theirs;
    const what = figure === "seconds" ? (better === "higher" ? "speed" : "time") : figure;
    add(
      `${test} / ${system}, ${what === "perSecond" || what === "megabytesPerSecond" ? "speed" : what}`,
      value,
      better,
      goal,
    );
  }
  for (const test of ["close-to-read", "close-to-read-strict"] as const) {
    const found = row(test);
    if (found?.p50Us != null) add(`${test} p50, µs`, found.p50Us, "lower", goals.closeP50Us);
    if (found?.p99Us != null) add(`${test} p99, µs`, found.p99Us, "lower", goals.closeP99Us);
    if (test === "close-to-read-strict" && found?.stale !== undefined)
      add("stale after a strict close", found.stale, "lower", 0);
  }
  for (const test of ["reintegrate-names", "reintegrate-files"] as const) {
    const { seconds = null, records = 0 } = row(test) ?? {};
    if (seconds === null || records === 0) continue;
    add(
      `${test}, s for ${records} records`,
      seconds,
      "lower",
      (goals.reintegrateSecondsOf10000 * records) / 10_000,
    );
  }
  const calls = row("open-read-close")?.callsPerOperation ?? null;
  if (calls !== null) add("calls of a warm open-read-close", calls, "lower", goals.warmCalls);
  return ratios;
}

const loadMax = 0.5;

/** What has to be said so that nobody reads too much into the figures. */
export function fsRemarksOf(
  results: readonly FsResult[],
  load: number,
  passthrough: boolean | null,
): string[] {
  const remarks: string[] = [];
  const measured = (sought: Partial<FsResult>) =>
    results.some(
      (each) =>
        each.runs > 0 &&
        Object.entries(sought).every(([name, value]) => each[name as keyof FsResult] === value),
    );
  if (load > loadMax)
    remarks.push(`Other work was running (load ${load.toFixed(1)}): figures and spread suffer.`);
  if (measured({ system: "proteus" }))
    remarks.push(
      "Client, mounts and vice share one core; every change is on vice's disk, those of others are not.",
    );
  if (passthrough === false)
    remarks.push(
      "This kernel hands no files over (Linux 6.9 does): every read and write passes the mount's program.",
    );
  if (measured({ system: "passthrough_ll" }))
    remarks.push(
      "passthrough_ll runs with the settings that it has by itself, and has neither log nor server.",
    );
  return remarks;
}
