// The report of a benchmark of files as people read it: the machine, a table for each test, the
// ratios with their goals, and what has to be said beside them. Pure.

import { type FileReport, type FileResult, fileTests } from "../bench/files/types.js";
import { type Align, figure, problemLines, ratioTable, shown, table } from "./bench-table.js";
import { sizeText } from "./quantity.js";

const head = [
  "system",
  "bytes",
  "clients",
  "members",
  "p50 µs",
  "p99 µs",
  "calls/s",
  "MB/s",
  "CPU µs",
  "spread",
];
const aligns: readonly Align[] = ["left", ...Array<Align>(head.length - 1).fill("right")];

function rowOf(each: FileResult): string[] {
  const { system, bytes, clients, members, p50Us, p99Us, callsPerSecond, megabytesPerSecond } = each;
  return [
    ...[system, sizeText(bytes), `${clients}`, `${members}`, shown(p50Us), shown(p99Us)],
    ...[figure(callsPerSecond, 0), figure(megabytesPerSecond, 1), shown(each.cpuUsPerCall)],
    each.spread === null ? "-" : `${(100 * each.spread).toFixed(0)}%`,
  ];
}

/** The whole report. */
export function filesReportText({ environment, results, ratios, remarks }: FileReport): string {
  const { cpu, cores, kernel, node, load, isolation, mtus, disk, nginx, redis, etcd } = environment;
  const blocks = [
    [
      `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, load ${load.toFixed(1)}`,
      `bridge, MTU ${mtus.join(", ")}, ${isolation}; files in ${disk}`,
      [nginx, redis, etcd].flatMap((each) => each ?? []).join("; ") || "nothing else is beside it",
    ].join("\n"),
  ];
  for (const test of fileTests) {
    const rows = results.filter((each) => each.test === test && each.problem === undefined);
    if (rows.length > 0) blocks.push(`${test}\n${table(head, aligns, rows.map(rowOf))}`);
  }
  const problems = problemLines(
    results,
    ({ test, system, bytes, clients, members }) =>
      `${test} ${system} ${sizeText(bytes)} ${clients} clients ${members} members`,
  );
  if (problems.length > 0) blocks.push(problems.join("\n"));
  if (ratios.length > 0) blocks.push(ratioTable(ratios));
  if (remarks.length > 0) blocks.push(remarks.join("\n"));
  return blocks.join("\n\n");
}
