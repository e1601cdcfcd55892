// From the runs of a case to its row: medians of the runs and their spread; of recovery,
// whose runs are one gap each, the quantiles of the gaps. Pure.

import { median, quantile } from "../samples.js";
import type { GroupCase, GroupResult, GroupRun, GroupTest } from "./types.js";

const figures = [
  "p50Us",
  "p99Us",
  "megabytesPerSecond",
  "callsPerSecond",
  "cpuUsPerCall",
  "framesPerMessage",
] as const;
type Figure = (typeof figures)[number];

/** The figure that a test is about. */
export function leadingOf(test: GroupTest): "p50Us" | "callsPerSecond" {
  return test === "group-flow" ? "callsPerSecond" : "p50Us";
}

/** One row. */
export function groupResultOf(
  each: GroupCase,
  runs: readonly GroupRun[],
  mtu: number,
  problem?: string,
): GroupResult {
  const values = (figure: Figure) => runs.flatMap((run) => run[figure] ?? []);
  const middle = (figure: Figure) => {
    const known = values(figure);
    return known.length === 0 ? null : median(known);
  };
  const lead = values(leadingOf(each.test));
  const spread = lead.length === 0 ? null : (Math.max(...lead) - Math.min(...lead)) / median(lead);
  const gaps = Float64Array.from(values("p50Us")).sort();
  const times =
    each.test === "group-recovery" && gaps.length > 0
      ? { p50Us: quantile(gaps, 0.5), p99Us: quantile(gaps, 0.99) }
      : { p50Us: middle("p50Us"), p99Us: middle("p99Us") };
  return {
    ...each,
    placement: "X",
    mtu,
    link: "bridge",
    ...times,
    megabytesPerSecond: middle("megabytesPerSecond"),
    callsPerSecond: middle("callsPerSecond"),
    cpuUsPerCall: middle("cpuUsPerCall"),
    framesPerMessage: middle("framesPerMessage"),
    runs: runs.length,
    spread,
    ...(problem === undefined ? {} : { problem }),
  };
}
