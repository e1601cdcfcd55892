// The report of `proteus bench boot` as people read it: the machine, boots, many machines, calls, the
// image, the goals, and what has to be said beside them. Pure.

import type { BootReport, BootResult, BootRow, CallResult, ManyResult } from "../bench/boot/types.js";
import { type Align, figure, ratioTable, shown, table } from "./bench-table.js";

const right = (count: number): Align[] => Array.from({ length: count }, (): Align => "right");

function bootTable(rows: readonly BootResult[]): string {
  const cells = rows.map(({ system, medianMs, worstMs, residentMegabytes, runs }) => [
    ...[system, figure(medianMs, 1), figure(worstMs, 1), figure(residentMegabytes, 1), `${runs}`],
  ]);
  return table(["boot", "median ms", "worst ms", "MB resident", "runs"], ["left", ...right(4)], cells);
}

function manyTable(rows: readonly ManyResult[]): string {
  const cells = rows.map(({ machines, medianMs, worstMs, idleCpu, residentMegabytes, runs }) => [
    ...[`${machines} microvm`, figure(medianMs, 0), figure(worstMs, 0)],
    ...[figure(idleCpu === null ? null : 100 * idleCpu, 2), figure(residentMegabytes, 1), `${runs}`],
  ]);
  const head = ["at once", "median ms", "worst ms", "idle CPU %", "MB resident, each", "runs"];
  return table(head, ["left", ...right(5)], cells);
}

function callTable(rows: readonly CallResult[]): string {
  const cells = rows.map(({ test, system, p50Us, p99Us, megabytesPerSecond, runs, spread }) => [
    ...[test, system, shown(p50Us), shown(p99Us), figure(megabytesPerSecond, 0), `${runs}`],
    spread === null ? "-" : `${(100 * spread).toFixed(0)}%`,
  ]);
  const head = ["from Linux", "to", "p50 µs", "p99 µs", "MB/s", "runs", "spread"];
  return table(head, ["left", "left", ...right(5)], cells);
}

const imageText = (name: string, { bytes, parts }: BootReport["image"]): string =>
  `${name} ${bytes} bytes: ${parts.map((part) => `${part.name} ${part.bytes}`).join(", ")}`;

/** The whole report. */
export function bootReportText({ environment, image, linux, results, ratios, remarks }: BootReport): string {
  const { cpu, cores, kernel, node, load, qemu, accelerator, memoryBytes } = environment;
  const blocks = [
    [
      `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, load ${load.toFixed(1)}`,
      `${qemu ?? "no QEMU"}, accelerator ${accelerator}, ${memoryBytes / (1024 * 1024)} MiB a machine`,
      imageText("image", image),
      ...(linux === undefined ? [] : [imageText("Linux image", linux)]),
    ].join("\n"),
  ];
  const boots = results.filter((row): row is BootResult => row.test === "boot");
  const many = results.filter((row): row is ManyResult => row.test === "many");
  const calls = results.filter(
    (row: BootRow): row is CallResult => row.test !== "boot" && row.test !== "many",
  );
  if (boots.length > 0) blocks.push(bootTable(boots));
  if (many.length > 0) blocks.push(manyTable(many));
  if (calls.length > 0) blocks.push(callTable(calls));
  const problems = new Set(
    results.flatMap(({ test, system, problem }) =>
      problem === undefined ? [] : [`${test}, ${system}: ${problem}`],
    ),
  );
  if (problems.size > 0) blocks.push([...problems].join("\n"));
  if (ratios.length > 0) blocks.push(ratioTable(ratios));
  blocks.push(remarks.join("\n"));
  return blocks.join("\n\n");
}
