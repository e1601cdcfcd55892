// The ratios by which the project is judged, their goals, and what to say beside them. Pure.
//
// - A ratio is taken within one run of the benchmark, of two medians of interleaved
//   runs. It is left out when one of the two was not measured.

import type { Case, Placement, Ratio, Result } from "./types.js";

interface Side extends Case {
  readonly figure: "p50Us" | "megabytesPerSecond";
}

interface Rule {
  readonly name: string;
  readonly over: Side;
  readonly under: Side;
  readonly better: Ratio["better"];
  readonly goal: number;
}

const nullCall = (system: Side["system"], placement: Placement): Side => {
  return { test: "null-rpc", system, placement, mtu: 1500, figure: "p50Us" };
};
const bulk = (system: Side["system"], mtu: number): Side => {
  return { test: "call-1m", system, placement: "X", mtu, figure: "megabytesPerSecond" };
};

/** In the order in which they are shown. */
const rules: readonly Rule[] = [
  {
    name: "null RPC p50 / Node TCP p50, S",
    over: nullCall("flip", "S"),
    under: nullCall("node-tcp", "S"),
    better: "lower",
    goal: 0.5,
  },
  {
    name: "null RPC p50 / Node TCP p50, X",
    over: nullCall("flip", "X"),
    under: nullCall("node-tcp", "X"),
    better: "lower",
    goal: 0.1,
  },
  {
    name: "null RPC p50 / floor, X",
    over: nullCall("flip", "X"),
    under: nullCall("floor", "X"),
    better: "lower",
    goal: 1.6,
  },
  {
    name: "null RPC p50 / spinning TCP p50, X",
    over: nullCall("flip", "X"),
    under: nullCall("spin-tcp", "X"),
    better: "lower",
    goal: 0.65,
  },
  {
    name: "1 MiB calls / iperf3, segmentation offload off, MTU 1500",
    over: bulk("flip", 1500),
    under: bulk("iperf3-no-offload", 1500),
    better: "higher",
    goal: 1.3,
  },
  {
    name: "1 MiB calls / iperf3, everything on, MTU 9000",
    over: bulk("flip", 9000),
    under: bulk("iperf3", 9000),
    better: "higher",
    goal: 1.2,
  },
  {
    name: "1 MiB calls / iperf3, everything on, MTU 65521",
    over: bulk("flip", 65521),
    under: bulk("iperf3", 65521),
    better: "higher",
    goal: 2,
  },
];

function figureOf(results: readonly Result[], { figure, ...side }: Side): number | null {
  const found = results.find(
    ({ test, system, placement, mtu }) =>
      test === side.test && system === side.system && placement === side.placement && mtu === side.mtu,
  );
  return found?.[figure] ?? null;
}

/** The ratios of which both sides were measured. */
export function ratiosOf(results: readonly Result[]): Ratio[] {
  return rules.flatMap(({ name, over, under, better, goal }) => {
    const above = figureOf(results, over);
    const below = figureOf(results, under);
    if (above === null || below === null || below === 0) return [];
    const value = above / below;
    return [{ name, value, better, goal, met: better === "lower" ? value <= goal : value >= goal }];
  });
}

/** From this load on the machine was not idle before the benchmark. */
const loadMax = 0.5;

/** What has to be said so that nobody reads too much into the figures. */
export function remarksOf(results: readonly Result[], load: number): string[] {
  const remarks: string[] = [];
  if (load > loadMax) {
    remarks.push(
      `Other work was running (load ${load.toFixed(1)}): figures and spread suffer, ratios less so.`,
    );
  }
  const ours = figureOf(results, bulk("flip", 1500));
  const theirs = figureOf(results, bulk("iperf3", 1500));
  if (ours !== null && theirs !== null && theirs > ours) {
    remarks.push(
      `At MTU 1500 TCP with segmentation offload is ${(theirs / ours).toFixed(1)} times as fast as FLIP: ` +
        "on a virtual wire it sends segments of 64 KB that nothing ever cuts, and raw frames cannot.",
    );
  }
  const offload = figureOf(results, bulk("iperf3-no-offload", 1500));
  if (offload !== null)
    remarks.push(
      "Without segmentation offload Linux still makes large TCP segments and cuts them in software, at once; " +
        "raw frames go through the whole stack one by one.",
    );
  const standard = figureOf(results, bulk("iperf3", 65521));
  const large = figureOf(results, bulk("iperf3-1m", 65521));
  if (standard !== null && large !== null && large > standard)
    remarks.push(
      "iperf3 writes 128 KiB at a time; with 1 MiB (iperf3-1m) it is " +
        `${(large / standard).toFixed(1)} times as fast at MTU 65521.`,
    );
  if (figureOf(results, nullCall("node-tcp", "X")) !== null)
    remarks.push(
      "In X most of the gain over Node TCP is that nobody sleeps: waking an idle core costs tens of µs. " +
        "TCP could spin too; spin-tcp shows what that gives, with the same spin in the same native code.",
    );
  return remarks;
}
