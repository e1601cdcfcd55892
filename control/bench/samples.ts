// From times of single calls to the figures of a run, and from runs to a row: medians of
// the runs, and their spread. Pure.

import type { Case, Result, Run } from "./types.js";

/** The value below which the part `q` of the sorted samples lies (nearest rank). */
export function quantile(sorted: Float64Array, q: number): number {
  const rank = Math.ceil(q * sorted.length) - 1;
  return sorted[Math.min(Math.max(rank, 0), sorted.length - 1)] ?? Number.NaN;
}

/** The figures of calls that followed each other. `microseconds` is sorted in place. */
export function runOf(
  microseconds: Float64Array,
  { elapsedUs, cpuUs, bytes = 0 }: { elapsedUs: number; cpuUs: number; bytes?: number },
): Run {
  const calls = microseconds.length;
  microseconds.sort();
  return {
    p50Us: quantile(microseconds, 0.5),
    p99Us: quantile(microseconds, 0.99),
    megabytesPerSecond: bytes > 0 ? (bytes * calls) / elapsedUs : null,
    callsPerSecond: (calls * 1e6) / elapsedUs,
    cpuUsPerCall: cpuUs / calls,
  };
}

/** The middle one, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

const figures = ["p50Us", "p99Us", "megabytesPerSecond", "callsPerSecond", "cpuUsPerCall"] as const;

/** The figure that a test is about. */
export function leading({ test }: Pick<Case, "test">): "p50Us" | "megabytesPerSecond" {
  return test === "null-rpc" ? "p50Us" : "megabytesPerSecond";
}

/** One row: medians over the runs, and how far the leading figure spreads. */
export function resultOf(each: Case, runs: readonly Run[], problem?: string): Result {
  const values = (figure: (typeof figures)[number]) => runs.flatMap((run) => run[figure] ?? []);
  const middle = (figure: (typeof figures)[number]) => {
    const known = values(figure);
    return known.length === 0 ? null : median(known);
  };
  const lead = values(leading(each));
  const spread = lead.length === 0 ? null : (Math.max(...lead) - Math.min(...lead)) / median(lead);
  return {
    ...each,
    link: "veth",
    p50Us: middle("p50Us"),
    p99Us: middle("p99Us"),
    megabytesPerSecond: middle("megabytesPerSecond"),
    callsPerSecond: middle("callsPerSecond"),
    cpuUsPerCall: middle("cpuUsPerCall"),
    runs: runs.length,
    spread,
    ...(problem === undefined ? {} : { problem }),
  };
}
