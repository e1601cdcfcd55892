// A goal is met or missed by the figures, and left out where there are none.

import { describe, expect, it } from "vitest";
import { ratiosOf } from "../../../control/bench/ratios.js";
import { remarksOf } from "../../../control/bench/remarks.js";
import type { Case, Result, Run } from "../../../control/bench/types.js";

function row(each: Partial<Case>, figures: Partial<Run>): Result {
  return {
    ...{ test: "null-rpc", system: "flip", placement: "X", mtu: 1500, link: "veth" },
    ...{ p50Us: null, p99Us: null, megabytesPerSecond: null, callsPerSecond: null, cpuUsPerCall: null },
    ...{ runs: 3, spread: 0, each: [] },
    ...each,
    ...figures,
  };
}

const named = (results: readonly Result[], name: string) =>
  ratiosOf(results).find((ratio) => ratio.name.startsWith(name));

describe("the ratios", () => {
  it("are none of nothing", () => {
    expect(ratiosOf([])).toEqual([]);
    expect(ratiosOf([row({}, { p50Us: 3 })])).toEqual([]);
  });

  it("say when a goal is met and when it is missed", () => {
    const grpc = row({ system: "grpc" }, { p50Us: 100 });
    expect(named([row({}, { p50Us: 3 }), grpc], "null RPC p50 / gRPC")).toMatchObject({
      value: 0.03,
      met: true,
    });
    expect(named([row({}, { p50Us: 4 }), grpc], "null RPC p50 / gRPC")?.met).toBe(false);
  });

  it("take what a router adds, not what the whole way takes", () => {
    const direct = row({ placement: "S" }, { p50Us: 10 });
    const two = row({ placement: "S", link: "routers-2" }, { p50Us: 40 });
    expect(named([direct, two], "a router adds")).toMatchObject({ value: 1.5, met: true });
  });

  it("compare the payload of a link with its rate", () => {
    const full = row({ test: "call-1m", link: "1gbit" }, { megabytesPerSecond: 120 });
    expect(named([full], "payload / wire")).toMatchObject({ value: 0.96, met: true });
  });

  it("take TCP's part of the sum", () => {
    const flip = row({ test: "sharing", link: "1gbit" }, { megabytesPerSecond: 90 });
    const tcp = row({ test: "sharing", link: "1gbit", system: "iperf3-cubic" }, { megabytesPerSecond: 10 });
    expect(named([flip, tcp], "TCP's share")).toMatchObject({ value: 0.1, met: false });
  });

  it("take the tail at half load against a lone call", () => {
    const point = (load: number, p999Us: number) => ({
      ...{ load, offeredPerSecond: 1, answeredPerSecond: 1, p50Us: 1, p99Us: 1, p999Us },
    });
    const flip = row({ test: "open-loop" }, { p50Us: 5, curve: [point(0.25, 9), point(0.5, 40)] });
    expect(named([flip], "p99.9")).toMatchObject({ value: 8, met: true });
  });

  it("count the CPU time of both ends", () => {
    const of = (system: "flip" | "iperf3", cpuUsPerCall: number, serverCpuUsPerCall: number) =>
      row({ test: "call-1m", system, mtu: 9000 }, { cpuUsPerCall, serverCpuUsPerCall });
    expect(named([of("flip", 100, 300), of("iperf3", 200, 200)], "CPU time")).toMatchObject({
      value: 1,
      met: false,
    });
  });
});

it("says when other work was running", () => {
  expect(remarksOf([], 4).join()).toContain("load 4.0");
  expect(remarksOf([], 0.1)).toEqual([]);
});
