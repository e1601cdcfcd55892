// What changed between two reports of the benchmark beyond the noise. Pure.
//
// - A row is compared by the runs of its leading figure. It changed when an exact
//   Mann-Whitney U test (H. B. Mann, D. R. Whitney, 1947: no assumption about how the figures
//   are distributed) finds the two sets of runs different at 5 %, two-sided, and the medians
//   are at least 2 % apart. Fewer than four runs on either side cannot show that: unknown.
// - With many rows one in twenty differs by chance; the answer says how many were compared.

import { z } from "zod";
import { ProteusError } from "../kernel/errors.js";
import { median } from "./samples.js";
import { figureOfRun, leading } from "./tests.js";
import { links, placements, type Report, type Result, systems, tests } from "./types.js";

export const significance = 0.05;
export const changeMin = 0.02;
export const runsMin = 4;

export type Verdict = "better" | "worse" | "same" | "unknown";

export interface Change {
  readonly test: string;
  readonly system: string;
  readonly placement: string;
  readonly mtu: number;
  readonly link: string;
  readonly figure: string;
  readonly before: number;
  readonly after: number;
  /** after / before - 1. */
  readonly change: number;
  /** The chance of such a difference between runs of the same thing; null: too few runs. */
  readonly p: number | null;
  readonly verdict: Verdict;
}

export interface Comparison {
  readonly changes: readonly Change[];
  /** Rows that only one of the two has. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
  /** What of the two environments differs: `cpu: … -> …`. */
  readonly environment: readonly string[];
}

const figure = z.number().nullable();
const run = z.looseObject({ p50Us: figure, megabytesPerSecond: figure, callsPerSecond: figure });
const result = z.looseObject({
  ...{ test: z.enum(tests), system: z.enum(systems), placement: z.enum(placements) },
  ...{ mtu: z.number(), link: z.enum([...links, "between"]), each: z.array(run) },
});
const document = z.looseObject({
  schema: z.literal(1),
  environment: z.looseObject({ proteus: z.string(), cpu: z.string() }),
  results: z.array(result),
});

/** Reads a report.json. Throws BENCH_REPORT_INVALID. */
export function parseReport(text: string, source: string): Pick<Report, "environment" | "results"> {
  const fail = (why: string) =>
    new ProteusError({
      ...{
        code: "BENCH_REPORT_INVALID",
        exit: 2,
        message: `${source} is not a report of the benchmark`,
        why,
      },
      hint: "write one: proteus bench --report FOLDER, and name FOLDER/report.json",
    });
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error));
  }
  const parsed = document.safeParse(content);
  if (parsed.success) return parsed.data as unknown as Pick<Report, "environment" | "results">;
  const [issue] = parsed.error.issues;
  throw fail(`${issue?.path.map(String).join(".") || "it"}: ${issue?.message ?? "is wrong"}`);
}

/**
 * The chance that two sets of figures of the same thing differ at least so much: the exact
 * two-sided Mann-Whitney test by counting all orders; ties count half.
 */
export function mannWhitney(a: readonly number[], b: readonly number[]): number {
  let u = 0;
  for (const x of a) for (const y of b) u += x > y ? 1 : x === y ? 0.5 : 0;
  const all = a.length * b.length;
  // ways[n][s]: orders of n of a's figures among those of b with U = s.
  let ways = Array.from({ length: a.length + 1 }, (_, n) => (n === 0 ? [1] : [0]));
  for (let m = 1; m <= b.length; m++) {
    const next: number[][] = [[1]];
    for (let n = 1; n <= a.length; n++) {
      const row = Array.from({ length: n * m + 1 }, () => 0);
      // The greatest of all is one of a's, which exceeds all m, or one of b's.
      next[n - 1]?.forEach((count, s) => {
        row[s + m] = (row[s + m] ?? 0) + count;
      });
      (m === 1 ? [1] : (ways[n] ?? [])).forEach((count, s) => {
        row[s] = (row[s] ?? 0) + count;
      });
      next.push(row);
    }
    ways = next;
  }
  const orders = ways[a.length] ?? [1];
  const total = orders.reduce((sum, count) => sum + count, 0);
  const extreme = Math.min(u, all - u);
  const below = orders.reduce((sum, count, s) => (s <= extreme ? sum + count : sum), 0);
  return Math.min(1, (2 * below) / total);
}

const nameOf = ({ test, system, link, placement, mtu }: Result): string =>
  `${test} ${system} ${link} ${placement} MTU ${mtu}`;

function changeOf(before: Result, after: Result): Change | null {
  const lead = leading(before);
  const runsOf = ({ each }: Result) => each.flatMap((one) => figureOfRun(one, lead) ?? []);
  const [a, b] = [runsOf(before), runsOf(after)];
  if (a.length === 0 || b.length === 0) return null;
  const [from, to] = [median(a), median(b)];
  const change = to / from - 1;
  const p = Math.min(a.length, b.length) < runsMin ? null : mannWhitney(a, b);
  const less = lead === "p50Us" || lead === "idleCpu";
  const better = less ? change < 0 : change > 0;
  const differs = p !== null && p < significance && Math.abs(change) >= changeMin;
  const verdict = p === null ? "unknown" : !differs ? "same" : better ? "better" : "worse";
  const { test, system, placement, mtu, link } = before;
  return { test, system, placement, mtu, link, figure: lead, before: from, after: to, change, p, verdict };
}

const compared = ["proteus", "node", "kernel", "cpu", "cores", "iperf3", "nats"] as const;

/** Compares two reports, row by row. */
export function compareReports(
  before: Pick<Report, "environment" | "results">,
  after: Pick<Report, "environment" | "results">,
): Comparison {
  const rows = new Map(after.results.map((each) => [nameOf(each), each]));
  const names = new Set(before.results.map(nameOf));
  const changes = before.results.flatMap((each) => {
    const other = rows.get(nameOf(each));
    return (other === undefined ? null : changeOf(each, other)) ?? [];
  });
  return {
    changes,
    onlyBefore: [...names].filter((name) => !rows.has(name)),
    onlyAfter: [...rows.keys()].filter((name) => !names.has(name)),
    environment: compared.flatMap((key) => {
      const [a, b] = [before.environment[key], after.environment[key]];
      return a === b ? [] : [`${key}: ${a} -> ${b}`];
    }),
  };
}
