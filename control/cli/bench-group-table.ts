// The report of a benchmark of groups as people read it: the machine, a table of messages, a
// table of recoveries, the ratios with their goals, and what has to be said beside them. Pure.
//
// - A row holds what group-send and group-flow measured of the same group: the time of one
//   message, and messages a second with several under way. Each case is in the JSON.

import { type GroupReport, type GroupResult, streamOutstanding } from "../bench/group/types.js";
import { type Align, figure, ratioTable, shown, table } from "./bench-table.js";
import { sizeText } from "./quantity.js";

const head = [
  ...["members", "bytes", "senders", "system", "r", "p50 µs", "p99 µs", "spread"],
  ...["messages/s", "frames", "spread", "at most/s"],
];
const aligns: readonly Align[] = [
  ...(["right", "right", "left", "left", "right", "right", "right", "right"] as const),
  ...(["right", "right", "right", "right"] as const),
];

const percent = (spread: number | null | undefined): string =>
  spread === null || spread === undefined ? "-" : `${(100 * spread).toFixed(0)}%`;

function rowOf(cases: readonly GroupResult[]): string[] {
  const [first] = cases;
  if (first === undefined) return [];
  const send = cases.find(({ test }) => test === "group-send");
  const flow = cases.find(
    ({ test, outstanding }) => test === "group-flow" && outstanding < streamOutstanding,
  );
  const most = cases.find(
    ({ test, outstanding }) => test === "group-flow" && outstanding === streamOutstanding,
  );
  return [
    `${first.members}`,
    sizeText(first.bytes),
    first.senders,
    first.system,
    first.resilience === null ? "-" : `${first.resilience}`,
    shown(send?.p50Us ?? null),
    shown(send?.p99Us ?? null),
    percent(send?.spread),
    figure(flow?.callsPerSecond ?? null, 0),
    figure(flow?.framesPerMessage ?? null, 2),
    percent(flow?.spread),
    figure(most?.callsPerSecond ?? null, 0),
  ];
}

function messages(results: readonly GroupResult[]): string {
  const rows = new Map<string, GroupResult[]>();
  for (const each of results) {
    if (each.test === "group-recovery") continue;
    const key = `${each.members} ${each.bytes} ${each.senders} ${each.system} ${each.resilience}`;
    rows.set(key, [...(rows.get(key) ?? []), each]);
  }
  const sorted = [...rows.values()].sort(([a], [b]) => {
    if (a === undefined || b === undefined) return 0;
    return a.members - b.members || a.bytes - b.bytes || b.senders.localeCompare(a.senders);
  });
  return table(head, aligns, sorted.map(rowOf));
}

const ms = (us: number | null): string => figure(us === null ? null : us / 1000, 0);

function recoveries(results: readonly GroupResult[]): string {
  const rows = results.map(({ system, members, p50Us, p99Us, runs }) => [
    ...[system, `${members}`, ms(p50Us), ms(p99Us), `${runs}`],
  ]);
  const heads = ["system", "members", "gap p50 ms", "p99 ms", "kills"];
  return table(heads, ["left", "right", "right", "right", "right"], rows);
}

/** The whole report. */
export function groupReportText({ environment, results, ratios, remarks }: GroupReport): string {
  const { cpu, cores, kernel, node, load, isolation, memberCores, corosync } = environment;
  const blocks = [
    [
      `${cpu}, ${cores} cores, Linux ${kernel}, Node ${node}, load ${load.toFixed(1)}`,
      `bridge, MTU ${environment.mtus.join(", ")}, ${isolation}; members on cores ${memberCores.join(", ")} in turn`,
      corosync ?? "Corosync: not measured",
    ].join("\n"),
  ];
  const rows = results.filter(({ test }) => test !== "group-recovery");
  if (rows.length > 0) blocks.push(messages(rows));
  const kills = results.filter(({ test }) => test === "group-recovery");
  if (kills.length > 0) blocks.push(recoveries(kills));
  const problems = results.flatMap(({ test, system, members, bytes, resilience, senders, problem }) =>
    problem === undefined || problem.includes("is not installed")
      ? (problem ?? [])
      : [
          `${test} ${system} ${members} members ${sizeText(bytes)} r ${resilience ?? "-"} ${senders}: ${problem}`,
        ],
  );
  if (problems.length > 0) blocks.push([...new Set(problems)].join("\n"));
  if (ratios.length > 0) blocks.push(ratioTable(ratios));
  if (remarks.length > 0) blocks.push(remarks.join("\n"));
  return blocks.join("\n\n");
}
