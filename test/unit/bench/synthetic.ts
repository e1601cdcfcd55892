// A report with figures in every test, made of the plan: for what shows reports.

import { planCases } from "../../../control/bench/plan.js";
import { ratiosOf } from "../../../control/bench/ratios.js";
import { resultOf } from "../../../control/bench/samples.js";
import { type Case, type Report, type Run, systems, tests } from "../../../control/bench/types.js";

const loads = [0.1, 0.25, 0.5, 0.75, 0.9];

/** The figures of a run: slower systems further down the list. */
function runOf({ test, system, mtu }: Case, round: number): Run {
  const slow = 2 + systems.indexOf(system) * 3 + round * 0.2;
  const curve = loads.map((load) => ({
    ...{ load, offeredPerSecond: (load * 2e5) / slow, answeredPerSecond: (load * 2e5) / slow },
    ...{ p50Us: slow * (1 + load), p99Us: slow * 4 * (1 + load), p999Us: slow * 9 * (1 + load) },
  }));
  return {
    ...{ p50Us: slow, p99Us: slow * 3, p999Us: slow * 8, callsPerSecond: 5e5 / slow, cpuUsPerCall: slow },
    ...{ megabytesPerSecond: (mtu * 2) / slow, serverCpuUsPerCall: slow },
    ...{ samplesUs: Array.from({ length: 50 }, (_, i) => slow * (1 + (i % 7) / 7)), samplesEvery: 10 },
    ...(test === "open-loop" ? { curve } : {}),
    ...(test === "idle" ? { idleCpu: slow / 1e4, wakesPerSecond: slow, residentMegabytes: 70 } : {}),
  };
}

/** A whole report; `missing`: a case that could not be measured. */
export function syntheticReport(missing: (each: Case) => boolean = () => false): Report {
  const results = planCases({ tests, mtus: [1500, 9000, 65521] }).map((each) =>
    missing(each)
      ? resultOf(each, [], "nats-server is not installed: <apt-get>")
      : resultOf(
          each,
          [0, 1, 2, 3].map((round) => runOf(each, round)),
        ),
  );
  return {
    environment: {
      ...{
        proteus: "0.1.0",
        node: "v20",
        kernel: "6.18",
        cpu: "a <cpu> & more",
        cores: 2,
        load: 0,
        loadAtEnd: 0,
      },
      ...{ isolation: "network namespaces", link: "veth", mtus: [1500], runs: 4, placements: {} },
      ...{ offloads: null, iperf3: null, nats: null, begun: "2026-11-26T12:00:00.000Z" },
      congestion: { standard: "cubic", available: ["reno", "cubic"] },
    },
    results,
    ratios: ratiosOf(results),
    remarks: ["a remark & more"],
  };
}
