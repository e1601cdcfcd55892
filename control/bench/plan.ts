// Which cases a benchmark consists of, and in which order they run. Pure.
//
// - Interleaved: a round runs every case once, so that whatever else the machine does
//   meets all systems alike.
// - iperf3 without segmentation offload only at the smallest MTU: offload is there to
//   make up for small frames. iperf3 with writes of 1 MiB only at the largest, where they
//   are much quicker than its standard of 128 KiB (elsewhere they are not).
// - On wires that lose frames TCP is measured with both of the congestion controls that
//   people use, by name: which one is the standard differs from machine to machine.

import {
  type Case,
  type LinkName,
  links,
  type Placement,
  placements,
  type SystemName,
  systems,
  type TestName,
} from "./types.js";

interface Row {
  readonly test: TestName;
  readonly link: LinkName;
  readonly systems: readonly SystemName[];
  readonly placements: readonly Placement[];
  /** At every MTU; otherwise at the smallest. */
  readonly everyMtu?: true;
}

const programs: readonly SystemName[] = ["flip", "node-tcp", "node-udp", "http", "grpc", "nats"];
const streams: readonly SystemName[] = ["flip", "node-tcp", "http", "grpc", "nats"];
const apart: readonly Placement[] = ["X"];
const lossy: readonly SystemName[] = ["flip", "iperf3-cubic", "iperf3-bbr"];
const rated: readonly SystemName[] = ["flip", "floor", ...programs.slice(1)];

/** In the order in which they run and are shown. */
const rows: readonly Row[] = [
  {
    ...{ test: "null-rpc", link: "veth", placements },
    systems: [
      "flip",
      "flip-explicit-ack",
      "floor",
      "spin-tcp",
      "node-tcp",
      "node-udp",
      "http",
      "grpc",
      "nats",
    ],
  },
  { test: "call-4k", link: "veth", placements: apart, systems: programs },
  { test: "call-30000", link: "veth", placements: apart, systems: programs },
  {
    ...{ test: "call-1m", link: "veth", placements: apart, everyMtu: true },
    systems: [...streams, "iperf3", "iperf3-no-offload", "iperf3-1m"],
  },
  { test: "reply-1m", link: "veth", placements: apart, everyMtu: true, systems: streams },
  { test: "rate-1", link: "veth", placements: apart, systems: rated },
  { test: "rate-8", link: "veth", placements: apart, systems: rated },
  { test: "rate-32", link: "veth", placements: apart, systems: rated },
  { test: "open-loop", link: "veth", placements: apart, systems: ["flip", "node-tcp", "grpc", "nats"] },
  { test: "idle", link: "veth", placements: apart, systems: ["flip", "node-tcp", "grpc"] },
  { test: "call-1m", link: "1gbit", placements: apart, systems: ["flip", "node-tcp", "iperf3"] },
  { test: "call-1m", link: "loss-0.1%", placements: apart, systems: lossy },
  { test: "call-1m", link: "loss-1%", placements: apart, systems: lossy },
  { test: "call-1m", link: "loss-5%", placements: apart, systems: lossy },
  { test: "null-rpc", link: "routers-1", placements, systems: ["flip"] },
  { test: "call-1m", link: "routers-1", placements: apart, systems: ["flip"] },
  { test: "null-rpc", link: "routers-2", placements, systems: ["flip"] },
  { test: "call-1m", link: "routers-2", placements: apart, systems: ["flip"] },
  { test: "incast", link: "1gbit", placements: apart, systems: ["flip", "node-tcp"] },
  { test: "sharing", link: "1gbit", placements: apart, systems: ["flip", "iperf3-cubic"] },
];

export interface Wanted {
  readonly tests: readonly TestName[];
  readonly mtus: readonly number[];
  /** Left out: all. */
  readonly systems?: readonly SystemName[];
  /** Left out: S and X for null-rpc, X for the others. */
  readonly placements?: readonly Placement[];
  /** Left out: all. */
  readonly links?: readonly LinkName[];
}

/** The cases of one round, in order. What is not about the MTU is measured at the smallest. */
export function planCases(wanted: Wanted): Case[] {
  const chosen = wanted.systems ?? systems;
  const wires = wanted.links ?? links;
  const mtus = [...new Set(wanted.mtus)].sort((a, b) => a - b);
  const smallest = mtus[0] ?? 1500;
  const largest = mtus.at(-1) ?? smallest;
  return rows
    .filter(({ test, link }) => wanted.tests.includes(test) && wires.includes(link))
    .flatMap(({ test, link, systems: entrants, placements: places, everyMtu }) =>
      (everyMtu ? mtus : [smallest]).flatMap((mtu) =>
        (wanted.placements ?? places).flatMap((placement) =>
          entrants
            .filter((system) => chosen.includes(system))
            .filter((system) => system !== "iperf3-no-offload" || mtu === smallest)
            .filter((system) => system !== "iperf3-1m" || (mtu === largest && mtu > 9000))
            .map((system): Case => ({ test, system, placement, mtu, link })),
        ),
      ),
    );
}

/** Cases that share their processes. */
export interface CaseGroup {
  readonly placement: Placement;
  readonly cases: readonly Case[];
}

/** Cases of one test, link, placement and MTU together, in their order. */
export function groupCases(cases: readonly Case[]): CaseGroup[] {
  const groups = new Map<string, Case[]>();
  for (const each of cases) {
    const key = `${each.test} ${each.link} ${each.placement} ${each.mtu}`;
    const group = groups.get(key) ?? [];
    groups.set(key, group);
    group.push(each);
  }
  return [...groups.values()].flatMap((group) =>
    group[0] === undefined ? [] : [{ placement: group[0].placement, cases: group }],
  );
}
