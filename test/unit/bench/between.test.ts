// Two machines that were there before: which may be measured, and what is said of their cards.

import { describe, expect, it } from "vitest";
import { findBetween, parseSettings, planBetween } from "../../../control/bench/between.js";
import { tests } from "../../../control/bench/types.js";
import { newState } from "../../../control/lab/state.js";
import { defaultTopology } from "../../../control/lab/topology.js";

describe("the tests between two machines", () => {
  it("are those of a plain wire at its MTU, and change nothing", () => {
    const cases = planBetween({ tests, mtus: [1500, 9000] }, 4000);
    expect(cases.length).toBeGreaterThan(20);
    for (const { link, mtu, system, test } of cases) {
      expect([link, mtu]).toEqual(["between", 4000]);
      expect(system).not.toBe("iperf3-no-offload");
      expect(["incast", "sharing"]).not.toContain(test);
    }
  });
});

describe("two machines", () => {
  const lab = newState("id", "netns", defaultTopology("lab", 3));

  it.each([[["n1"]], [["n1", "n1"]], [["n1", "n2", "n3"]]])("are two: %s", (names) => {
    expect(() => findBetween(lab, names)).toThrow("two machines");
  });

  it("are nodes of the lab, and up", () => {
    expect(() => findBetween(lab, ["n1", "n9"])).toThrow('no node "n9"');
    expect(() => findBetween(lab, ["n1", "n2"])).toThrow("is down");
  });

  it("have network stacks", () => {
    const memory = newState("id", "memory", defaultTopology("lab", 3));
    expect(() => findBetween(memory, ["n1", "n2"])).toThrow("LAN in memory");
  });
});

it("reads what ethtool knows, and leaves out what it does not", () => {
  const text =
    "driver: veth\nversion: 1.0\nfirmware-version: \nrx-usecs:\t3\ntx-frames: n/a\nAdaptive RX: off  TX: off\n";
  expect(parseSettings(text)).toEqual({
    ...{ driver: "veth", version: "1.0", "rx-usecs": "3", "Adaptive RX": "off  TX: off" },
  });
});
