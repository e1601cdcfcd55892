// `proteus bench compare`: what changed between two reports beyond the noise.
//
// - The comparison is control/bench/compare.ts. Exit 1 when something became worse.

import { readFileSync } from "node:fs";
import { type Command, Option } from "@commander-js/extra-typings";
import { type Change, type Comparison, compareReports, parseReport } from "../bench/compare.js";
import { exitCodes } from "../kernel/errors.js";
import { shown, table } from "./bench-table.js";
import { emit } from "./output.js";

const help = `
Rows are compared by the runs of the figure that the test is about: p50 of a null call,
MB/s, calls a second. A change counts when an exact Mann-Whitney test finds the two sets
of runs different at 5 % and the medians are at least 2 % apart. That takes four runs of
each at least: with fewer a row is "unknown". Of many rows one in twenty may differ by
chance.

Examples:
  proteus bench compare before/report.json after/report.json
  proteus bench compare before/report.json after/report.json --all
  proteus bench compare before/report.json after/report.json --json

Exit codes: 1 when something became worse.`;

const row = ({ test, system, link, placement, mtu, before, after, change, p, verdict }: Change): string[] => [
  ...[test, system, link, placement, `${mtu}`, shown(before), shown(after)],
  `${change >= 0 ? "+" : ""}${(100 * change).toFixed(1)}%`,
  ...[p === null ? "-" : p.toFixed(3), verdict],
];

/** The comparison for people; `all`: rows that did not change as well. Pure. */
export function comparisonText(
  { changes, onlyBefore, onlyAfter, environment }: Comparison,
  all: boolean,
): string {
  const count = (verdict: Change["verdict"]) => changes.filter((each) => each.verdict === verdict).length;
  const rows = changes.filter(({ verdict }) => all || verdict === "better" || verdict === "worse");
  const blocks: string[] = [];
  if (environment.length > 0) blocks.push(`The machines differ:\n${environment.join("\n")}`);
  if (rows.length > 0) {
    const head = ["test", "system", "link", "", "MTU", "before", "after", "change", "p", ""];
    const numbers = new Set([4, 5, 6, 7, 8]);
    const aligns = head.map((_, index) => (numbers.has(index) ? "right" : "left"));
    blocks.push(table(head, aligns, rows.map(row)));
  }
  const only = [
    ...onlyBefore.map((name) => `only before: ${name}`),
    ...onlyAfter.map((name) => `only after: ${name}`),
  ];
  if (only.length > 0) blocks.push(only.join("\n"));
  blocks.push(
    `${changes.length} rows: ${count("better")} better, ${count("worse")} worse, ${count("same")} the same, ` +
      `${count("unknown")} with too few runs to tell`,
  );
  return blocks.join("\n\n");
}

/** Adds `compare` to `bench`. */
export function registerBenchCompare(bench: Command): void {
  bench
    .command("compare")
    .description("say what changed between two reports beyond the noise")
    .argument("<before>", "a report.json")
    .argument("<after>", "another")
    .option("--all", "show rows that did not change as well", false)
    .addOption(new Option("--json", "one JSON document on stdout").default(false))
    .addHelpText("after", help)
    .action((before, after, options) => {
      const read = (path: string) => parseReport(readFileSync(path, "utf8"), path);
      const comparison = compareReports(read(before), read(after));
      emit("bench compare", options.json, comparison, () => comparisonText(comparison, options.all));
      if (comparison.changes.some(({ verdict }) => verdict === "worse")) process.exitCode = exitCodes.failed;
    });
}
