// The report of a benchmark as people read it: the machine, a table a test, the ratios
// with their goals, and what has to be said beside them. Pure.

import Table from "cli-table3";
import { leading } from "../bench/tests.js";
import {
  type Card,
  type Environment,
  type Host,
  type Ratio,
  type Report,
  type Result,
  type TestName,
  tests,
} from "../bench/types.js";

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

interface Column {
  readonly head: string;
  readonly cell: (result: Result) => string;
}

const p50: Column = { head: "p50 µs", cell: ({ p50Us }) => shown(p50Us) };
const p99: Column = { head: "p99 µs", cell: ({ p99Us }) => shown(p99Us) };
const p999: Column = { head: "p99.9 µs", cell: ({ p999Us }) => shown(p999Us ?? null) };
const calls: Column = { head: "calls/s", cell: ({ callsPerSecond }) => figure(callsPerSecond, 0) };
const megabytes: Column = { head: "MB/s", cell: ({ megabytesPerSecond }) => figure(megabytesPerSecond, 0) };
const cpu: Column = { head: "CPU µs", cell: ({ cpuUsPerCall }) => shown(cpuUsPerCall) };
const serverCpu: Column = {
  head: "server's",
  cell: ({ serverCpuUsPerCall }) => shown(serverCpuUsPerCall ?? null),
};

const byFigure: Readonly<Record<ReturnType<typeof leading>, readonly Column[]>> = {
  p50Us: [p50, p99, p999, calls, cpu, serverCpu],
  megabytesPerSecond: [megabytes, p50, p99, cpu, serverCpu],
  callsPerSecond: [calls, p50, p99, p999, cpu, serverCpu],
  idleCpu: [
    { head: "CPU %", cell: ({ idleCpu = null }) => figure(idleCpu === null ? null : 100 * idleCpu, 2) },
    { head: "wakes/s", cell: ({ wakesPerSecond = null }) => figure(wakesPerSecond, 1) },
    { head: "MB resident", cell: ({ residentMegabytes = null }) => figure(residentMegabytes, 0) },
  ],
};

const common: readonly Column[] = [
  { head: "system", cell: ({ system }) => system },
  { head: "link", cell: ({ link }) => link },
  { head: "", cell: ({ placement }) => placement },
  { head: "MTU", cell: ({ mtu }) => String(mtu) },
];
const last: readonly Column[] = [
  { head: "runs", cell: ({ runs }) => String(runs) },
  { head: "spread", cell: ({ spread }) => (spread === null ? "-" : `${(100 * spread).toFixed(0)}%`) },
];

function testTable(test: TestName, rows: readonly Result[]): string {
  const columns = [...common, ...byFigure[leading({ test })], ...last];
  const aligns = columns.map((_, index): Align => (index < 3 ? "left" : "right"));
  return table(
    columns.map(({ head }) => head),
    aligns,
    rows.map((row) => columns.map(({ cell }) => cell(row))),
  );
}

/** Latency at parts of the peak. */
function curveTable(rows: readonly Result[]): string {
  const head = ["system", "load", "offered/s", "answered/s", "p50 µs", "p99 µs", "p99.9 µs"];
  const lines = rows.flatMap(({ system, curve = [] }) =>
    curve.map((point) => [
      ...[system, `${(100 * point.load).toFixed(0)}%`],
      ...[figure(point.offeredPerSecond, 0), figure(point.answeredPerSecond, 0)],
      ...[shown(point.p50Us), shown(point.p99Us), shown(point.p999Us)],
    ]),
  );
  return table(head, ["left", ...Array.from({ length: 6 }, (): Align => "right")], lines);
}

/** What `ethtool -k` lists on its own level; all of it is in the JSON. */
const mainOffloads = [
  "tcp-segmentation-offload",
  "generic-segmentation-offload",
  "generic-receive-offload",
  "tx-checksumming",
] as const;

function offloadText(offloads: Environment["offloads"]): string {
  if (offloads === null) return "unknown (ethtool is not installed)";
  return mainOffloads.map((name) => `${name} ${offloads[name] ? "on" : "off"}`).join(", ");
}

const settingsText = (settings: Readonly<Record<string, string>>): string => {
  const words = Object.entries(settings).map(([name, value]) => `${name} ${value}`);
  return words.length > 0 ? words.join(", ") : "not known to the driver";
};

const hostText = ({ cpu, cores, kernel, node }: Host): string =>
  `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}`;

/** One end: its computer and its interface, for people. */
export function cardText(card: Card): string {
  const { machine, interfaceName, mtu, driver, firmware, speed, coalescing, rings, offloads, host } = card;
  return [
    `${machine}: ${hostText(host)}, load ${host.load.toFixed(1)}; ${interfaceName}: MTU ${mtu}, ` +
      `driver ${driver ?? "unknown"}, firmware ${firmware ?? "unknown"}, speed ${speed ?? "unknown"}`,
    `coalescing ${settingsText(coalescing)}`,
    `rings ${settingsText(rings)}`,
    `offloads ${offloadText(offloads)}`,
  ].join("; ");
}

export function environmentText(environment: Environment): string[] {
  const { placements, offloads, congestion, cards = [] } = environment;
  const places = Object.entries(placements).map(([name, { client, server }]) =>
    client === server
      ? `${name}: both on core ${client}`
      : `${name}: client on ${client}, server on ${server}`,
  );
  const { load, loadAtEnd, iperf3, nats } = environment;
  return [
    `${hostText(environment)}, load ${load.toFixed(1)} to ${loadAtEnd.toFixed(1)}`,
    [`links: ${environment.link}, ${environment.isolation}`, ...places].join("; "),
    ...(cards.length > 0 ? cards.map(cardText) : [`offloads: ${offloadText(offloads)}`]),
    `TCP: ${congestion.standard} unless named; ${iperf3 ?? "no iperf3"}; ${nats ?? "no nats-server"}`,
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
    const problems = rows.flatMap(({ system, placement, mtu, link, problem }) =>
      problem === undefined ? [] : [`${system} ${link} ${placement} MTU ${mtu}: ${problem}`],
    );
    const curves = test === "open-loop" ? [curveTable(rows)] : [];
    blocks.push([test, testTable(test, rows), ...curves, ...new Set(problems)].join("\n"));
  }
  if (ratios.length > 0) blocks.push(ratioTable(ratios));
  if (remarks.length > 0) blocks.push(remarks.join("\n"));
  return blocks.join("\n\n");
}

/** Why rows have no figures, each reason once; of a program that is not installed without the case. */
export function problemLines<Row extends { readonly problem?: string }>(
  rows: readonly Row[],
  nameOf: (row: Row) => string,
): string[] {
  const lines = rows.flatMap((row) => {
    const { problem } = row;
    if (problem === undefined) return [];
    return problem.includes("is not installed") ? [problem] : [`${nameOf(row)}: ${problem}`];
  });
  return [...new Set(lines)];
}
