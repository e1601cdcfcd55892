// The ratios by which disks are judged, their goals, and what to say beside them. Pure. Taken
// within one run of the benchmark; left out when a side was not measured.

import type { Ratio } from "../types.js";
import type { DiskCase, DiskResult } from "./types.js";

const goals = { durable2: 1.6, durable3: 1.9, read: 0.8 } as const;

type Figure = "callsPerSecond" | "megabytesPerSecond";

/** The ratios of which both sides were measured. */
export function diskRatiosOf(results: readonly DiskResult[]): Ratio[] {
  const value = (figure: Figure, sought: Partial<DiskCase>): number | null =>
    results.find((each) =>
      Object.entries(sought).every(([name, wanted]) => each[name as keyof DiskCase] === wanted),
    )?.[figure] ?? null;
  const ratios: Ratio[] = [];
  const durable = { test: "write-durable", depth: 1 } as const;
  for (const [members, goal] of [
    [2, goals.durable2],
    [3, goals.durable3],
  ] as const) {
    const ours = value("callsPerSecond", { ...durable, system: "mirror", members });
    const theirs = value("callsPerSecond", { ...durable, system: "nbdkit" });
    if (!ours || !theirs) continue;
    const name = `durable 4 KiB write, ${members} members / nbdkit's file plugin, mean time`;
    ratios.push({ name, value: theirs / ours, better: "lower", goal, met: theirs / ours <= goal });
  }
  for (const members of [1, 2, 3]) {
    const large = { test: "read-large" } as const;
    const ours = value("megabytesPerSecond", { ...large, system: "mirror", members });
    const theirs = value("megabytesPerSecond", { ...large, system: "nbdkit" });
    if (!ours || !theirs) continue;
    const name = `sequential read, ${members} member${members > 1 ? "s" : ""} / nbdkit's file plugin, MB/s`;
    ratios.push({
      name,
      value: ours / theirs,
      better: "higher",
      goal: goals.read,
      met: ours / theirs >= goals.read,
    });
  }
  return ratios;
}

const loadMax = 0.5;

/** What has to be said so that nobody reads too much into the figures. */
export function diskRemarksOf(results: readonly DiskResult[], load: number): string[] {
  const remarks: string[] = [];
  const measured = (sought: (each: DiskResult) => boolean) =>
    results.some((each) => each.callsPerSecond !== null && sought(each));
  if (load > loadMax)
    remarks.push(`Other work was running (load ${load.toFixed(1)}): figures and spread suffer.`);
  if (measured(({ members }) => members > 1))
    remarks.push("All members share the cores and one disk here: their flushes wait for each other.");
  if (measured(({ test }) => test === "read-large"))
    remarks.push("What is read lies in the system's page cache, for all alike.");
  return remarks;
}
