// What is measured: every system in its tests, on its wires, once a round.

import { describe, expect, it } from "vitest";
import { linkLines, lossOf, plainLines, routersOf } from "../../../control/bench/link.js";
import { planPair } from "../../../control/bench/pair.js";
import { groupCases, planCases } from "../../../control/bench/plan.js";
import { missingTool } from "../../../control/bench/run.js";
import { sceneOf } from "../../../control/bench/scene.js";
import { planStar, sendersMost, sumOf } from "../../../control/bench/star.js";
import { spanOf } from "../../../control/bench/tests.js";
import { links, systems, tests } from "../../../control/bench/types.js";

const everything = planCases({ tests, mtus: [1500, 9000, 65521] });

describe("the plan of a benchmark", () => {
  it("has a row for every test, system and link", () => {
    expect(new Set(everything.map(({ test }) => test))).toEqual(new Set(tests));
    expect(new Set(everything.map(({ system }) => system))).toEqual(new Set(systems));
    expect(new Set(everything.map(({ link }) => link))).toEqual(new Set(links));
  });

  it("has no case twice, and loses none in groups", () => {
    const keys = everything.map((each) => JSON.stringify(each));
    expect(new Set(keys).size).toBe(keys.length);
    expect(groupCases(everything).flatMap(({ cases }) => cases)).toHaveLength(keys.length);
  });

  it("measures one group on one wire with one placement", () => {
    for (const { placement, cases } of groupCases(everything)) {
      expect(new Set(cases.map(({ link }) => link)).size).toBe(1);
      expect(new Set(cases.map(sceneOf)).size).toBe(1);
      expect(cases.every((each) => each.placement === placement)).toBe(true);
    }
  });

  it("measures at every MTU only what is about the MTU", () => {
    const large = everything.filter(({ mtu }) => mtu !== 1500);
    expect(new Set(large.map(({ test }) => test))).toEqual(new Set(["call-1m", "reply-1m"]));
    expect(new Set(large.map(({ link }) => link))).toEqual(new Set(["veth"]));
  });

  it("takes only what was asked for", () => {
    const some = planCases({ tests: ["call-1m"], mtus: [1500], links: ["loss-1%"], systems: ["flip"] });
    expect(some).toEqual([{ test: "call-1m", system: "flip", placement: "X", mtu: 1500, link: "loss-1%" }]);
    expect(planCases({ tests: ["idle"], mtus: [1500], systems: ["floor"] })).toEqual([]);
  });

  it("measures longer where a link is slow", () => {
    expect(spanOf("call-1m", "loss-5%").milliseconds).toBeGreaterThan(spanOf("call-1m", "veth").milliseconds);
    expect(spanOf("call-1m", "loss-5%").callsMin).toBeLessThan(spanOf("call-1m", "veth").callsMin);
  });
});

describe("what is missing", () => {
  const none = {
    ...{ iperf3: null, nats: null, offloads: null },
    congestion: { standard: "reno", available: ["reno", "cubic"] },
  };
  const row = { test: "call-1m", placement: "X", mtu: 1500, link: "veth" } as const;

  it.each([
    ["iperf3", "apt-get install iperf3"],
    ["nats", "apt-get install nats-server"],
  ] as const)("says how to install %s", (system, said) => {
    expect(missingTool({ ...row, system }, none)).toContain(said);
  });

  it("says which congestion controls the kernel has", () => {
    const tools = { ...none, iperf3: "iperf 3" };
    expect(missingTool({ ...row, system: "iperf3-bbr" }, tools)).toContain("reno, cubic");
    expect(missingTool({ ...row, system: "iperf3-cubic" }, tools)).toBeUndefined();
  });

  it("needs nothing for our own", () => {
    expect(missingTool({ ...row, system: "flip" }, none)).toBeUndefined();
  });
});

describe("the wires of a benchmark", () => {
  it("are read from their names", () => {
    expect(links.map(lossOf)).toEqual([0, 0, 0.001, 0.01, 0.05, 0, 0]);
    expect(links.map(routersOf)).toEqual([0, 0, 0, 0, 0, 1, 2]);
  });

  it("lose the part of the frames that they say", () => {
    for (const link of links.filter((each) => lossOf(each) > 0)) {
      const die = linkLines(link, "eth0", 1500).tc[1] ?? "";
      const threshold = Number(/53 1 0 (\d+)/.exec(die)?.[1]);
      expect(threshold / 2 ** 32).toBeCloseTo(lossOf(link), 6);
    }
  });

  it("are plain again after what made them", () => {
    for (const link of links) {
      const made = linkLines(link, "eth0", 1500);
      const undone = plainLines(link, "eth0");
      expect(undone.tc).toHaveLength(made.tc.filter((line) => line.startsWith("qdisc add")).length);
      expect(undone.ip).toHaveLength(made.ip.length);
    }
  });

  it("join client and server through as many routers as asked for", () => {
    for (const routers of [0, 1, 2]) {
      const { ip, nodes } = planPair("bench1", 1500, routers);
      expect(nodes).toHaveLength(2 + routers);
      expect(ip.filter((line) => line.startsWith("link add"))).toHaveLength(1 + routers);
      const macs = ip.flatMap((line) => line.match(/[0-9a-f]{2}(:[0-9a-f]{2}){5}/g) ?? []);
      expect(new Set(macs).size).toBe(2 + 2 * routers);
    }
  });
});

describe("many senders and one receiver", () => {
  it("has one narrow queue: the switch's port towards the receiver", () => {
    const { plan, topology } = planStar("bench1", 1500);
    expect(topology.nodes).toHaveLength(sendersMost + 1);
    const narrow = plan.tc.filter((line) => line.endsWith(`limit ${512 * 1024}`));
    expect(narrow).toHaveLength(1);
    expect(narrow[0]).toContain("receiver_0");
  });

  it("adds up what they got through", () => {
    const run = (megabytesPerSecond: number, p99Us: number) => ({
      ...{ p50Us: 10, p99Us, megabytesPerSecond, callsPerSecond: 1, cpuUsPerCall: null },
    });
    expect(sumOf([run(10, 5), run(20, 50)])).toMatchObject({
      ...{ megabytesPerSecond: 30, callsPerSecond: 2, p50Us: 10, p99Us: 50 },
    });
  });
});
