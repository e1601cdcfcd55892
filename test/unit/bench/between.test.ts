// Two machines that were there before: which may be measured, where they meet, and what is said
// of their cards.

import { describe, expect, it } from "vitest";
import { coresBetween, planBetween } from "../../../control/bench/between.js";
import { parseRings, parseSettings } from "../../../control/bench/describe.js";
import { type Between, type End, meet, openBetween } from "../../../control/bench/ends.js";
import { missingBetween } from "../../../control/bench/run.js";
import { type Attachment, type Described, tests } from "../../../control/bench/types.js";
import { cardText } from "../../../control/cli/bench-table.js";
import { newState } from "../../../control/lab/state.js";
import { defaultTopology, requireNode } from "../../../control/lab/topology.js";
import type { Machine } from "../../../control/machine/find.js";

const host = { cpu: "a cpu", cores: 4, load: 0.1, kernel: "6.1", node: "v20" };
const described: Described = {
  ...{ boot: "one", allowed: [2, 3], host, iperf3: "iperf3", nats: "nats", interfaces: [] },
  congestion: { standard: "cubic", available: ["cubic"] },
};
const end = (name: string, mtu: number, more: Partial<Described> = {}): End => ({
  ...{ name, holds: true, pinned: () => [], worker: () => [], described: { ...described, ...more } },
  card: { name: "eth0", mtu, ip: "10.0.0.1/24" },
});
const two = (more: Partial<Described> = {}, mtu = 4000): Between => ({
  ...{ client: end("h1", 9000), server: end("h2", mtu, more) },
});

describe("the tests between two machines", () => {
  it("are those of a plain wire at the smaller MTU, and change nothing", () => {
    const cases = planBetween({ tests, mtus: [1500, 9000] }, two());
    expect(cases.length).toBeGreaterThan(20);
    for (const { link, mtu, system, test } of cases) {
      expect([link, mtu]).toEqual(["between", 4000]);
      expect(system).not.toBe("iperf3-no-offload");
      expect(["incast", "sharing"]).not.toContain(test);
    }
    expect(new Set(cases.map(({ placement }) => placement))).toEqual(new Set(["S", "X"]));
  });

  it("put both ends on one core only where they are on one computer", () => {
    const apart = planBetween({ tests, mtus: [1500] }, two({ boot: "other" }));
    expect(new Set(apart.map(({ placement }) => placement))).toEqual(new Set(["X"]));
    expect(planBetween({ tests, mtus: [1500], placements: ["S"] }, two({ boot: "other" }))).toEqual([]);
    expect(coresBetween("S", two())).toEqual({ client: 2, server: 2 });
    expect(coresBetween("X", two())).toEqual({ client: 2, server: 3 });
    expect(coresBetween("X", two({ boot: "other", allowed: [7] }))).toEqual({ client: 2, server: 7 });
  });

  it("that a machine lacks a tool for say which and where", () => {
    const row = { test: "call-1m", placement: "X", mtu: 1500, link: "between" } as const;
    const lacking = (system: "iperf3" | "nats" | "flip" | "iperf3-bbr", more: Partial<Described>) =>
      missingBetween({ ...row, system }, two(more));
    expect(lacking("iperf3", { iperf3: null })).toBe("iperf3 is not installed on h2: apt-get install iperf3");
    expect(lacking("nats", { nats: null })).toMatch(/^nats-server is not installed on h2: apt-get install/);
    expect(lacking("iperf3-bbr", {})).toContain("is not installed on h2");
    expect(lacking("flip", { iperf3: null, nats: null })).toBeUndefined();
    const client = { ...two(), client: end("h1", 1500, { iperf3: null, nats: null }) };
    expect(missingBetween({ ...row, system: "iperf3" }, client)).toContain("on h1");
    expect(missingBetween({ ...row, system: "nats" }, client)).toBeUndefined(); // the server runs it
  });
});

describe("two machines", () => {
  const own = { version: "1.0.0", kernel: "00", proteus: ["proteus"] };
  const lab = newState("id", "netns", defaultTopology("lab", 3));
  const node = (name: string, state = lab, interfaceName?: string): Machine => ({
    ...{ kind: "node", name, state, node: requireNode(state.topology, name), interfaceName },
  });

  it.each([[["n1"]], [["n1", "n1"]], [["n1", "n2", "n3"]]])("are two: %s", async (names) => {
    await expect(
      openBetween(
        names.map((name) => node(name)),
        own,
      ),
    ).rejects.toThrow("two machines");
  });

  it("are up, have the interface, and a network stack", async () => {
    await expect(openBetween([node("n1"), node("n2")], own)).rejects.toMatchObject({ code: "LAB_NODE_DOWN" });
    await expect(openBetween([node("n1", lab, "eth7"), node("n2")], own)).rejects.toMatchObject({
      code: "LAB_NO_INTERFACE",
    });
    const memory = newState("id", "memory", defaultTopology("lab", 3));
    await expect(openBetween([node("n1", memory), node("n2", memory)], own)).rejects.toMatchObject({
      code: "BENCH_ISOLATION",
    });
  });

  it("meet on the first network that both have an address on", () => {
    const at = (name: string, ip: string | null): Attachment => ({ name, mtu: 1500, ip });
    const client = [at("a", null), at("b", "10.1.2.3/24"), at("c", "192.168.7.200/25")];
    expect(meet(client, [at("d", "192.168.7.129/25"), at("e", "10.1.2.9/24")])).toMatchObject([
      { name: "b" },
      { name: "e" },
    ]);
    expect(meet(client, [at("d", "192.168.7.129/25")])).toMatchObject([{ name: "c" }, { name: "d" }]);
    expect(meet(client, [at("d", "192.168.7.1/25"), at("e", null)])).toBeUndefined();
    expect(meet(client, [at("e", "10.1.2.9/16")])).toBeUndefined();
  });
});

describe("a card", () => {
  it("is what ethtool knows of it, without what it does not", () => {
    const text =
      "driver: veth\nversion: 1.0\nfirmware-version: \nrx-usecs:\t3\ntx-frames: n/a\nAdaptive RX: off  TX: off\n";
    expect(parseSettings(text)).toEqual({
      ...{ driver: "veth", version: "1.0", "rx-usecs": "3", "Adaptive RX": "off  TX: off" },
    });
  });

  it("has the rings that are set, not those that could be", () => {
    const text =
      "Ring parameters for eth0:\nPre-set maximums:\nRX:\t\t4096\nTX:\t\t4096\n" +
      "Current hardware settings:\nRX:\t\t256\nRX Mini:\tn/a\nTX:\t\t512\n";
    expect(parseRings(text)).toEqual({ RX: "256", TX: "512" });
    expect(parseRings("")).toEqual({});
  });

  it("is shown with its computer", () => {
    const card = {
      ...{
        machine: "ssh:h1",
        interfaceName: "eth1",
        mtu: 1500,
        driver: "igb",
        firmware: "1.2",
        speed: "1000Mb/s",
      },
      ...{ coalescing: { "rx-usecs": "3" }, rings: { RX: "256" }, offloads: null, host },
    };
    const shown = cardText(card);
    for (const words of [
      "ssh:h1: a cpu, 4 cores",
      "eth1: MTU 1500, driver igb, firmware 1.2",
      "rx-usecs 3",
      "RX 256",
    ])
      expect(shown).toContain(words);
  });
});
