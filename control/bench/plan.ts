// Which cases a benchmark consists of, and in which order they run. Pure.
//
// - Interleaved: a round runs every case once, so that whatever else the machine does
//   meets all systems alike.
// - iperf3 without segmentation offload only at the smallest MTU: offload is there to
//   make up for small frames. iperf3 with writes of 1 MiB only at the largest, where they
//   are much quicker than its standard of 128 KiB (elsewhere they are not).

import {
  type Case,
  type Placement,
  placements,
  type SystemName,
  systems,
  type TestName,
  tests,
} from "./types.js";

/** Who takes part in which test. */
export const entrants: Readonly<Record<TestName, readonly SystemName[]>> = {
  "null-rpc": ["flip", "flip-explicit-ack", "floor", "spin-tcp", "node-tcp"],
  "call-1m": ["flip", "node-tcp", "iperf3", "iperf3-no-offload", "iperf3-1m"],
};

export interface Wanted {
  readonly tests: readonly TestName[];
  readonly mtus: readonly number[];
  /** Left out: all. */
  readonly systems?: readonly SystemName[];
  /** Left out: S and X for null-rpc, X for call-1m. */
  readonly placements?: readonly Placement[];
}

function placementsOf(test: TestName, wanted: Wanted): readonly Placement[] {
  if (wanted.placements !== undefined) return wanted.placements;
  return test === "null-rpc" ? placements : ["X"];
}

/** The cases of one round, in order. The null call is measured at the smallest MTU. */
export function planCases(wanted: Wanted): Case[] {
  const chosen = wanted.systems ?? systems;
  const mtus = [...new Set(wanted.mtus)].sort((a, b) => a - b);
  const smallest = mtus[0] ?? 1500;
  const largest = mtus.at(-1) ?? smallest;
  return tests
    .filter((test) => wanted.tests.includes(test))
    .flatMap((test) =>
      (test === "null-rpc" ? [smallest] : mtus).flatMap((mtu) =>
        placementsOf(test, wanted).flatMap((placement) =>
          entrants[test]
            .filter((system) => chosen.includes(system))
            .filter((system) => system !== "iperf3-no-offload" || mtu === smallest)
            .filter((system) => system !== "iperf3-1m" || (mtu === largest && mtu > 9000))
            .map((system): Case => ({ test, system, placement, mtu })),
        ),
      ),
    );
}

/** Cases that share their processes. */
export interface CaseGroup {
  readonly placement: Placement;
  readonly cases: readonly Case[];
}

/** Cases of one test, placement and MTU together, in their order. */
export function groupCases(cases: readonly Case[]): CaseGroup[] {
  const groups = new Map<string, Case[]>();
  for (const each of cases) {
    const key = `${each.test} ${each.placement} ${each.mtu}`;
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(each);
  }
  return [...groups.values()].flatMap((group) =>
    group[0] === undefined ? [] : [{ placement: group[0].placement, cases: group }],
  );
}
