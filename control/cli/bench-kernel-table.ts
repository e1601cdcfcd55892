// The report of `proteus bench kernel` as people read it: the machine, a table a test with both
// sides in one row, the goals, and what has to be said beside them. Pure.

import { blockText } from "../bench/kernel/plan.js";
import {
  type KernelOperation,
  type KernelReport,
  type KernelResult,
  kernelTests,
} from "../bench/kernel/types.js";
import { type Align, figure, ratioTable, shown, table } from "./bench-table.js";

const words: Readonly<Record<KernelOperation, string>> = {
  codec: "header encode and decode",
  match: "port match of 10,000",
  segment: "segment allocate and free",
  copy: "block copy",
  hash: "XXH3-64",
  crc: "CRC-32C",
};

const head = ["operation", "bytes", "ns", "spread", "native ns", "spread", "GB/s", "native GB/s"];
const aligns: readonly Align[] = ["left", ...Array.from({ length: 7 }, (): Align => "right")];

const percent = (spread: number | null | undefined): string =>
  typeof spread === "number" ? `${(100 * spread).toFixed(0)}%` : "-";

function rowOf(results: readonly KernelResult[]): string[] {
  const ours = results.find(({ system }) => system === "wasm");
  const theirs = results.find(({ system }) => system === "native");
  const either = ours ?? theirs;
  if (either === undefined) return [];
  return [
    words[either.operation],
    either.bytes === null ? "-" : blockText(either.bytes),
    shown(ours?.nanoseconds ?? null),
    percent(ours?.spread),
    shown(theirs?.nanoseconds ?? null),
    percent(theirs?.spread),
    figure(ours?.gigabytesPerSecond ?? null, 1),
    figure(theirs?.gigabytesPerSecond ?? null, 1),
  ];
}

/** The whole report. */
export function kernelReportText({ environment, results, ratios, remarks }: KernelReport): string {
  const { cpu, cores, kernel, node, load, compiler } = environment;
  const blocks = [
    [
      `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, load ${load.toFixed(1)}`,
      `native: ${compiler ?? "not measured"}`,
    ].join("\n"),
  ];
  const keys = new Map<string, KernelResult[]>();
  for (const test of kernelTests) {
    for (const each of results.filter((result) => result.test === test)) {
      const key = `${each.operation} ${each.bytes}`;
      keys.set(key, [...(keys.get(key) ?? []), each]);
    }
  }
  blocks.push(table(head, aligns, [...keys.values()].map(rowOf)));
  const problems = new Set(results.flatMap(({ problem }) => problem ?? []));
  if (problems.size > 0) blocks.push([...problems].join("\n"));
  if (ratios.length > 0) blocks.push(ratioTable(ratios));
  blocks.push(remarks.join("\n"));
  return blocks.join("\n\n");
}
