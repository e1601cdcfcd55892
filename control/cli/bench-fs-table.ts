// The report of a benchmark of file systems as people read it: the machine, one table, the ratios with
// their goals, and what has to be said beside them. Pure.

import type { FsReport, FsResult } from "../bench/fs/types.js";
import { type Align, figure, problemLines, ratioTable, shown, table } from "./bench-table.js";
import { sizeText } from "./quantity.js";

const head = ["test", "system", "per s", "MB/s", "s", "p50 µs", "p99 µs", "calls", "runs", "spread"];
const aligns: readonly Align[] = ["left", "left", ...Array<Align>(head.length - 2).fill("right")];

function rowOf(each: FsResult): string[] {
  const { test, system, perSecond, megabytesPerSecond, seconds, p50Us, p99Us, callsPerOperation } = each;
  return [
    ...[test, system, figure(perSecond, 0), figure(megabytesPerSecond, 0), figure(seconds, 3)],
    ...[shown(p50Us), shown(p99Us), shown(callsPerOperation), `${each.runs}`],
    each.spread === null ? "-" : `${(100 * each.spread).toFixed(0)}%`,
  ];
}

/** The whole report. */
export function fsReportText({ environment, results, ratios, remarks }: FsReport): string {
  const { cpu, cores, kernel, node, load, disk, core, bytes, files, records, libfuse, git } = environment;
  const blocks = [
    [
      `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, load ${load.toFixed(1)}`,
      `all on core ${core}; files in ${disk}; a large file of ${sizeText(bytes)}, a tree of ${files} files, ` +
        `${records} records`,
      [libfuse, git].flatMap((each) => each ?? []).join("; ") || "nothing else is beside it",
    ].join("\n"),
  ];
  const rows = results.filter(({ runs }) => runs > 0);
  if (rows.length > 0) blocks.push(table(head, aligns, rows.map(rowOf)));
  const problems = problemLines(results, ({ test, system }) => `${test} ${system}`);
  if (problems.length > 0) blocks.push(problems.join("\n"));
  if (ratios.length > 0) blocks.push(ratioTable(ratios));
  if (remarks.length > 0) blocks.push(remarks.join("\n"));
  return blocks.join("\n\n");
}
