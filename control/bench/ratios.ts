// The ratios by which the project is judged, and their goals. Pure.
//
// - A ratio is taken within one run of the benchmark, of medians of interleaved runs. It
//   is left out when one of its sides was not measured.

import { gigabit } from "./link.js";
import { type Case, callBytes, type LinkName, type Placement, type Ratio, type Result } from "./types.js";

/** Figures of one case, by its name. */
export class Figures {
  constructor(private readonly results: readonly Result[]) {}

  row(side: Partial<Case>): Result | undefined {
    const wanted: Case = {
      ...{ test: "null-rpc", system: "flip", placement: "X", mtu: 1500, link: "veth" },
      ...side,
    };
    return this.results.find(
      ({ test, system, placement, mtu, link }) =>
        test === wanted.test &&
        system === wanted.system &&
        placement === wanted.placement &&
        mtu === wanted.mtu &&
        (link === wanted.link || (link === "between" && wanted.link === "veth")),
    );
  }

  /** p50 of a null call, µs. */
  nullCall(system: Case["system"], placement: Placement, link: LinkName = "veth"): number | null {
    return this.row({ system, placement, link })?.p50Us ?? null;
  }

  /** MB/s of calls of 1 MiB in X. */
  bulk(system: Case["system"], mtu: number, link: LinkName = "veth"): number | null {
    return this.row({ test: "call-1m", system, mtu, link })?.megabytesPerSecond ?? null;
  }

  /** Calls a second of 32 clients; of the floor, frames a second each way. */
  rate(system: Case["system"]): number | null {
    return this.row({ test: "rate-32", system })?.callsPerSecond ?? null;
  }

  /** Goodput where many send to one, or two share a link. */
  star(test: "incast" | "sharing", system: Case["system"]): number | null {
    return this.row({ test, system, link: "1gbit" })?.megabytesPerSecond ?? null;
  }

  /** CPU time of both ends for a byte, µs. */
  cpuPerByte(system: Case["system"], mtu: number): number | null {
    const row = this.row({ test: "call-1m", system, mtu });
    const client = row?.cpuUsPerCall ?? null;
    const server = row?.serverCpuUsPerCall ?? null;
    return client === null || server === null ? null : (client + server) / callBytes;
  }
}

type Value = (figures: Figures) => number | null;

interface Rule {
  readonly name: string;
  readonly value: Value;
  readonly better: Ratio["better"];
  readonly goal: number;
}

const over =
  (above: Value, below: Value): Value =>
  (figures) => {
    const [a, b] = [above(figures), below(figures)];
    return a === null || b === null || b === 0 ? null : a / b;
  };
const wire: Value = () => gigabit / 8 / 1e6;

const lower = (name: string, goal: number, value: Value): Rule => ({ name, goal, value, better: "lower" });
const higher = (name: string, goal: number, value: Value): Rule => ({ name, goal, value, better: "higher" });

const nullOver = (system: Case["system"], placement: Placement): Value =>
  over(
    (figures) => figures.nullCall("flip", placement),
    (figures) => figures.nullCall(system, placement),
  );
const bulkOver = (system: Case["system"], mtu: number, link: LinkName = "veth"): Value =>
  over(
    (figures) => figures.bulk("flip", mtu, link),
    (figures) => figures.bulk(system, mtu, link),
  );
const rateOver = (system: Case["system"]): Value =>
  over(
    (figures) => figures.rate("flip"),
    (figures) => figures.rate(system),
  );

/** What `routers` routers add to a null call in S, a router, as a part of it without one. */
const routerAdds =
  (link: LinkName, routers: number): Value =>
  (figures) => {
    const through = figures.nullCall("flip", "S", link);
    const direct = figures.nullCall("flip", "S");
    return through === null || direct === null ? null : (through - direct) / routers / direct;
  };

const tail: Value = (figures) => {
  const row = figures.row({ test: "open-loop" });
  const half = row?.curve?.find(({ load }) => load === 0.5);
  return row?.p50Us && half !== undefined ? half.p999Us / row.p50Us : null;
};

const tcpShare: Value = (figures) => {
  const [tcp, flip] = [figures.star("sharing", "iperf3-cubic"), figures.star("sharing", "flip")];
  return tcp === null || flip === null || tcp + flip === 0 ? null : tcp / (tcp + flip);
};

/** In the order in which they are shown. */
const rules: readonly Rule[] = [
  lower("null RPC p50 / Node TCP p50, S", 0.5, nullOver("node-tcp", "S")),
  lower("null RPC p50 / Node TCP p50, X", 0.1, nullOver("node-tcp", "X")),
  lower("null RPC p50 / floor, X", 1.6, nullOver("floor", "X")),
  lower("null RPC p50 / spinning TCP p50, X", 0.65, nullOver("spin-tcp", "X")),
  lower("null RPC p50 / gRPC p50, S", 0.08, nullOver("grpc", "S")),
  lower("null RPC p50 / gRPC p50, X", 0.03, nullOver("grpc", "X")),
  higher("calls a second, 32 clients / gRPC", 15, rateOver("grpc")),
  higher("calls a second, 32 clients / NATS", 4, rateOver("nats")),
  higher("calls a second, 32 clients / the floor's frames a second, each way", 0.4, rateOver("floor")),
  higher(
    "1 MiB calls / iperf3, segmentation offload off, MTU 1500",
    1.3,
    bulkOver("iperf3-no-offload", 1500),
  ),
  higher("1 MiB calls / iperf3, everything on, MTU 1500", 0.5, bulkOver("iperf3", 1500)),
  higher("1 MiB calls / iperf3, everything on, MTU 9000", 1.2, bulkOver("iperf3", 9000)),
  higher("1 MiB calls / iperf3, everything on, MTU 65521", 2, bulkOver("iperf3", 65521)),
  lower(
    "CPU time for a byte, both ends / iperf3, MTU 9000",
    0.8,
    over(
      (figures) => figures.cpuPerByte("flip", 9000),
      (figures) => figures.cpuPerByte("iperf3", 9000),
    ),
  ),
  higher(
    "payload / wire, 1 Gbit/s, MTU 1500",
    0.93,
    over((figures) => figures.bulk("flip", 1500, "1gbit"), wire),
  ),
  higher("payload / iperf3's, 1 Gbit/s, MTU 1500", 0.98, bulkOver("iperf3", 1500, "1gbit")),
  higher("1 MiB calls / TCP CUBIC, 1% loss", 1, bulkOver("iperf3-cubic", 1500, "loss-1%")),
  higher("1 MiB calls / TCP BBR, 1% loss", 1, bulkOver("iperf3-bbr", 1500, "loss-1%")),
  lower("a router adds, S / null RPC p50, one router", 1.6, routerAdds("routers-1", 1)),
  lower("a router adds, S / null RPC p50, two routers", 1.6, routerAdds("routers-2", 2)),
  higher(
    "incast of 15, goodput / link",
    0.9,
    over((figures) => figures.star("incast", "flip"), wire),
  ),
  higher("TCP's share beside FLIP", 0.4, tcpShare),
  lower("p99.9 at half load / p50 of a lone call", 10, tail),
];

/** The ratios of which all sides were measured. */
export function ratiosOf(results: readonly Result[]): Ratio[] {
  const figures = new Figures(results);
  return rules.flatMap(({ name, value, better, goal }) => {
    const found = value(figures);
    if (found === null || !Number.isFinite(found)) return [];
    return [{ name, value: found, better, goal, met: better === "lower" ? found <= goal : found >= goal }];
  });
}
