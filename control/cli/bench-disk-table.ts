// The report of a benchmark of disks as people read it: the machine, a table for each test, the
// ratios with their goals, and what has to be said beside them. Pure.

import { type DiskReport, type DiskResult, diskTests } from "../bench/disk/types.js";
import { type Align, figure, problemLines, ratioTable, shown, table } from "./bench-table.js";
import { sizeText } from "./quantity.js";

const head = ["system", "members", "depth", "p50 µs", "p99 µs", "requests/s", "MB/s", "spread"];
const aligns: readonly Align[] = ["left", ...Array<Align>(head.length - 1).fill("right")];

const healingAligns: readonly Align[] = ["left", "left", "right", "left"];

function rowOf(each: DiskResult): string[] {
  const { system, members, depth, p50Us, p99Us, callsPerSecond, megabytesPerSecond, spread } = each;
  return [
    ...[system, `${members}`, `${depth}`, shown(p50Us), shown(p99Us)],
    ...[figure(callsPerSecond, 0), figure(megabytesPerSecond, 1)],
    spread === null ? "-" : `${(100 * spread).toFixed(0)}%`,
  ];
}

/** The whole report. */
export function diskReportText({ environment, results, healing, ratios, remarks }: DiskReport): string {
  const { cpu, cores, kernel, node, load, disk, bytes, fio, nbdkit, qemu } = environment;
  const blocks = [
    [
      `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, load ${load.toFixed(1)}`,
      `disks of ${sizeText(bytes)}, files in ${disk}`,
      [fio, nbdkit, qemu].flatMap((each) => each ?? []).join("; ") || "nothing else is beside it",
    ].join("\n"),
  ];
  for (const test of diskTests) {
    const rows = results.filter((each) => each.test === test && each.problem === undefined);
    if (rows.length > 0) blocks.push(`${test}\n${table(head, aligns, rows.map(rowOf))}`);
  }
  const figures = healing.flatMap(({ test, figures }) =>
    figures.map(({ name, value, unit }) => [test, name, shown(value), unit]),
  );
  if (figures.length > 0)
    blocks.push(`healing\n${table(["test", "figure", "value", "unit"], healingAligns, figures)}`);
  const failed = problemLines(healing, ({ test }) => test);
  if (failed.length > 0) blocks.push(failed.join("\n"));
  const problems = problemLines(
    results,
    ({ test, system, members, depth }) => `${test} ${system} members ${members} depth ${depth}`,
  );
  if (problems.length > 0) blocks.push(problems.join("\n"));
  if (ratios.length > 0) blocks.push(ratioTable(ratios));
  if (remarks.length > 0) blocks.push(remarks.join("\n"));
  return blocks.join("\n\n");
}
