// From times of single calls to the figures of a run, and from runs to a row: medians of
// the runs, and their spread. Pure.
//
// - A run keeps each n-th of its samples, as they are and in their order, so that a report
//   of many runs stays of a size that a browser opens.

import { figureOfRun, leading } from "./tests.js";
import type { Case, LoadPoint, Result, Run } from "./types.js";

/** Samples that a run keeps at most. */
const samplesMost = 500;

/** The value below which the part `q` of the sorted samples lies (nearest rank). */
export function quantile(sorted: Float64Array, q: number): number {
  const rank = Math.ceil(q * sorted.length) - 1;
  return sorted[Math.min(Math.max(rank, 0), sorted.length - 1)] ?? Number.NaN;
}

/** Each n-th sample, rounded to nanoseconds, and n. */
function thinned(microseconds: Float64Array): { samplesUs: number[]; samplesEvery: number } {
  const samplesEvery = Math.max(1, Math.ceil(microseconds.length / samplesMost));
  const samplesUs: number[] = [];
  for (let i = 0; i < microseconds.length; i += samplesEvery)
    samplesUs.push(Math.round((microseconds[i] as number) * 1000) / 1000);
  return { samplesUs, samplesEvery };
}

/** The figures of calls in the order in which they ended. `microseconds` is sorted in place. */
export function runOf(
  microseconds: Float64Array,
  { elapsedUs, cpuUs, bytes = 0 }: { elapsedUs: number; cpuUs: number; bytes?: number },
): Run {
  const calls = microseconds.length;
  const samples = thinned(microseconds);
  microseconds.sort();
  return {
    p50Us: quantile(microseconds, 0.5),
    p99Us: quantile(microseconds, 0.99),
    p999Us: quantile(microseconds, 0.999),
    megabytesPerSecond: bytes > 0 ? (bytes * calls) / elapsedUs : null,
    callsPerSecond: (calls * 1e6) / elapsedUs,
    cpuUsPerCall: cpuUs / calls,
    ...samples,
  };
}

/** The middle one, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

const always = ["p50Us", "p99Us", "megabytesPerSecond", "callsPerSecond", "cpuUsPerCall"] as const;
const sometimes = ["p999Us", "serverCpuUsPerCall", "idleCpu", "wakesPerSecond", "residentMegabytes"] as const;
type Known = (typeof always)[number] | (typeof sometimes)[number];

/** The medians of curves, point by point. */
function middleCurve(runs: readonly Run[]): LoadPoint[] {
  const curves = runs.flatMap(({ curve }) => (curve === undefined ? [] : [curve]));
  return (curves[0] ?? []).map((first, index) => {
    const middle = (key: keyof LoadPoint) =>
      median(curves.flatMap((curve) => (curve[index] === undefined ? [] : [curve[index][key]])));
    return {
      load: first.load,
      offeredPerSecond: middle("offeredPerSecond"),
      answeredPerSecond: middle("answeredPerSecond"),
      p50Us: middle("p50Us"),
      p99Us: middle("p99Us"),
      p999Us: middle("p999Us"),
    };
  });
}

/** The middle of several runs of one case. */
export interface MiddleRun extends Run {
  readonly runs: number;
  /** Greatest less least, a part of the median; null without runs. */
  readonly spread: number | null;
}

/** One row: medians over the runs, and how far the leading figure spreads. */
export function resultOf(each: Case, runs: readonly Run[], problem?: string): Result {
  const middle = (figure: Known) => {
    const known = runs.flatMap((run) => run[figure] ?? []);
    return known.length === 0 ? null : median(known);
  };
  const lead = runs.flatMap((run) => figureOfRun(run, leading(each)) ?? []);
  const spread = lead.length === 0 ? null : (Math.max(...lead) - Math.min(...lead)) / median(lead);
  const curve = middleCurve(runs);
  const rare = sometimes.flatMap((figure) => {
    const value = middle(figure);
    return value === null ? [] : [[figure, value] as const];
  });
  return {
    ...each,
    p50Us: middle("p50Us"),
    p99Us: middle("p99Us"),
    megabytesPerSecond: middle("megabytesPerSecond"),
    callsPerSecond: middle("callsPerSecond"),
    cpuUsPerCall: middle("cpuUsPerCall"),
    ...Object.fromEntries(rare),
    ...(curve.length > 0 ? { curve } : {}),
    runs: runs.length,
    spread,
    each: runs,
    ...(problem === undefined ? {} : { problem }),
  };
}

/** What a row has besides its case: medians over the runs, and how far the rates spread. */
export function middleOf(runs: readonly Run[]): MiddleRun {
  const middle = (figure: Known) => {
    const known = runs.flatMap((run) => run[figure] ?? []);
    return known.length === 0 ? null : median(known);
  };
  const rates = runs.flatMap(({ callsPerSecond }) => callsPerSecond ?? []);
  return {
    p50Us: middle("p50Us"),
    p99Us: middle("p99Us"),
    megabytesPerSecond: middle("megabytesPerSecond"),
    callsPerSecond: middle("callsPerSecond"),
    cpuUsPerCall: middle("cpuUsPerCall"),
    runs: runs.length,
    spread: rates.length === 0 ? null : (Math.max(...rates) - Math.min(...rates)) / median(rates),
  };
}
