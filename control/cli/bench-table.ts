// The report of a benchmark as people read it: the machine, a table a test, the ratios
// with their goals, and what has to be said beside them. Pure.

import Table from "cli-table3";
import { leading } from "../bench/samples.js";
import { type Environment, type Ratio, type Report, type Result, tests } from "../bench/types.js";

/** No frames and no colours: a table that survives a pipe, a mail and a commit message. */
const bare = {
  chars: {
    ...{ top: "", "top-mid": "", "top-left": "", "top-right": "", bottom: "", "bottom-mid": "" },
    ...{ "bottom-left": "", "bottom-right": "", left: "", "left-mid": "", mid: "", "mid-mid": "" },
    ...{ right: "", "right-mid": "", middle: "  " },
  },
  style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
};

export type Align = "left" | "right";

export function table(
  head: readonly string[],
  aligns: readonly Align[],
  rows: readonly (readonly string[])[],
): string {
  const made = new Table({ ...bare, head: [...head], colAligns: [...aligns] });
  for (const row of rows) made.push([...row]);
  return made
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** A figure, or a dash. */
export const figure = (value: number | null, digits: number): string =>
  value === null ? "-" : value.toFixed(digits);

/** With two digits below 100. */
export const shown = (value: number | null): string => figure(value, value !== null && value < 100 ? 2 : 0);

function rowOf(result: Result): string[] {
  const spread = result.spread === null ? "-" : `${(100 * result.spread).toFixed(0)}%`;
  const lead =
    leading(result) === "p50Us"
      ? [shown(result.p50Us), shown(result.p99Us), figure(result.callsPerSecond, 0)]
      : [figure(result.megabytesPerSecond, 0), figure(result.p50Us, 0), figure(result.p99Us, 0)];
  return [
    result.system,
    result.placement,
    String(result.mtu),
    ...lead,
    shown(result.cpuUsPerCall),
    String(result.runs),
    spread,
  ];
}

const heads = {
  "null-rpc": ["system", "", "MTU", "p50 µs", "p99 µs", "calls/s", "CPU µs", "runs", "spread"],
  "call-1m": ["system", "", "MTU", "MB/s", "p50 µs", "p99 µs", "CPU µs", "runs", "spread"],
} as const;
const aligns: readonly Align[] = ["left", "left", ...Array.from({ length: 7 }, (): Align => "right")];

/** What `ethtool -k` lists on its own level; all of it is in the JSON. */
const mainOffloads = [
  "tcp-segmentation-offload",
  "generic-segmentation-offload",
  "generic-receive-offload",
  "tx-checksumming",
] as const;

function environmentText(environment: Environment): string[] {
  const { placements, offloads } = environment;
  const places = Object.entries(placements).map(([name, { client, server }]) =>
    client === server
      ? `${name}: both on core ${client}`
      : `${name}: client on ${client}, server on ${server}`,
  );
  const on =
    offloads === null
      ? "unknown (ethtool is not installed)"
      : mainOffloads.map((name) => `${name} ${offloads[name] ? "on" : "off"}`).join(", ");
  const { cpu, cores, kernel, node, load } = environment;
  return [
    `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, load ${load.toFixed(1)}`,
    `veth pair, ${environment.isolation}; ${places.join("; ")}`,
    `offloads: ${on}`,
  ];
}

/** The ratios with their goals. */
export function ratioTable(ratios: readonly Ratio[]): string {
  const rows = ratios.map(({ name, value, better, goal, met }) => [
    name,
    value.toFixed(2),
    `${better === "lower" ? "≤" : "≥"} ${goal.toFixed(2)}`,
    met ? "met" : "MISSED",
  ]);
  return table(["ratio", "value", "goal", ""], ["left", "right", "right", "left"], rows);
}

/** The whole report. */
export function reportText({ environment, results, ratios, remarks }: Report): string {
  const blocks = [environmentText(environment).join("\n")];
  for (const test of tests) {
    const rows = results.filter((result) => result.test === test);
    if (rows.length === 0) continue;
    const problems = rows.flatMap(({ system, placement, mtu, problem }) =>
      problem === undefined ? [] : [`${system} ${placement} MTU ${mtu}: ${problem}`],
    );
    blocks.push([test, table(heads[test], aligns, rows.map(rowOf)), ...new Set(problems)].join("\n"));
  }
  if (ratios.length > 0) blocks.push(ratioTable(ratios));
  if (remarks.length > 0) blocks.push(remarks.join("\n"));
  return blocks.join("\n\n");
}
