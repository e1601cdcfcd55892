// What people write about broken links is understood as they mean it, or refused with the
// rule; what they do not write stays.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProteusError } from "../../../control/kernel/errors.js";
import { impairmentFields } from "../../../control/lab/impairment-fields.js";
import {
  planImpairments,
  planNoWire,
  planWire,
  wireFaults,
  wireNames,
} from "../../../control/lab/impairment-plan.js";
import {
  impairmentText,
  isHealthy,
  mergeImpairments,
  noImpairments,
  parseDelay,
  parseRate,
  parseShare,
} from "../../../control/lab/impairments.js";
import { parseTopology } from "../../../control/lab/lab-file.js";
import { impairmentsOf, requireLinks, withImpairments } from "../../../control/lab/links.js";
import { interfacesOf } from "../../../control/lab/plan.js";
import { topologies } from "./topologies.js";

const file = (impairments: string): string => `networks: { lan0: , lan1: { rate: 1gbit } }
nodes:
  n1: { kind: pool, networks: [lan0] }
  r1: { kind: router, networks: [lan0, lan1] }
impairments:
${impairments}`;

const complaintOf = (text: string): string => {
  try {
    parseTopology(text, "test.yaml");
  } catch (error) {
    return error instanceof ProteusError ? (error.why ?? "") : String(error);
  }
  return "nothing";
};

describe("a value", () => {
  it("is read as it is written", () => {
    expect(["5%", "0.05", "0", "0%", "100%", "1", ".5", "0.1%"].map(parseShare)).toEqual([
      0.05, 0.05, 0, 0, 1, 1, 0.5, 0.001,
    ]);
    expect(["2ms", "500us", "1s", "0", "0.5ms", "1.2345ms"].map(parseDelay)).toEqual([
      2, 0.5, 1000, 0, 0.5, 1.235,
    ]);
    expect(["100mbit", "1GBIT", "0", "0kbit"].map(parseRate)).toEqual(["100mbit", "1gbit", null, null]);
  });

  it("is refused when it means nothing", () => {
    for (const text of ["", "5", "101%", "-1%", "a", "5%%", "1e-3"]) expect(parseShare(text)).toBeNull();
    for (const text of ["", "2", "2m", "11s", "-1ms", "ms"]) expect(parseDelay(text)).toBeNull();
    for (const text of ["", "5", "1bit", "fast", "-1mbit"]) expect(parseRate(text)).toBeUndefined();
  });

  it("leaves the others as they are, and zero is as if it had never been set", () => {
    const some = mergeImpairments(
      noImpairments,
      impairmentFields.parse({ loss: "5%", delay: "2ms", rate: "1gbit" }),
    );
    expect(some).toEqual({ ...noImpairments, loss: 0.05, delayMs: 2, rate: "1gbit" });
    expect(mergeImpairments(some, impairmentFields.parse({ loss: 0, cut: true }))).toEqual({
      ...some,
      loss: 0,
      cut: true,
    });
    const none = mergeImpairments(some, impairmentFields.parse({ loss: 0, delay: 0, rate: 0 }));
    expect(isHealthy(none)).toBe(true);
  });

  it("is shown as it can be written again", () => {
    expect(impairmentText({ ...noImpairments, loss: 0.05, corrupt: 0.001, delayMs: 2, cut: true })).toBe(
      "cut, loss 5%, delay 2ms, corrupt 0.1%",
    );
    expect(impairmentText(noImpairments)).toBe("none");
  });
});

describe("impairments in a lab file", () => {
  it("hold for all links of a node, and those of a link over them", () => {
    const topology = parseTopology(
      file(
        "  r1: { loss: 5%, delay: 2ms }\n  r1:eth1: { loss: 0.2, cut: true }\n  n1:lan0: { rate: 100mbit }\n",
      ),
      "test",
    );
    expect(topology.impairments).toEqual([
      { node: "n1", network: "lan0", impairments: { ...noImpairments, rate: "100mbit" } },
      { node: "r1", network: "lan0", impairments: { ...noImpairments, loss: 0.05, delayMs: 2 } },
      { node: "r1", network: "lan1", impairments: { ...noImpairments, loss: 0.2, delayMs: 2, cut: true } },
    ]);
  });

  it("are not there when all are zero", () => {
    expect(
      parseTopology(file("  n1: { loss: 0%, delay: 0, rate: 0, cut: false }"), "test").impairments,
    ).toBeUndefined();
  });

  it("are refused with the line and the rule", () => {
    expect(complaintOf(file("  n1: { loss: 5 }"))).toMatch(/test.yaml:6: impairments.n1.loss: a share is/);
    expect(complaintOf(file("  n1: { delay: 2 }"))).toMatch(/a delay is from 0 to 10 s/);
    expect(complaintOf(file("  n1: { lost: 5% }"))).toMatch(/impairments.n1.lost: is not known here/);
    expect(complaintOf(file("  n2: { loss: 5% }"))).toMatch(/there is no node "n2"; there is n1, r1/);
    expect(complaintOf(file("  n1:lan1: { loss: 5% }"))).toMatch(/n1 has no link to "lan1"; it is on lan0/);
    expect(complaintOf(file("  n1: 5%"))).toMatch(/must be a map such as/);
  });
});

describe("a link", () => {
  const topology = parseTopology(file("  n1: { loss: 1% }"), "test");

  it("is found by node, network or interface", () => {
    expect(requireLinks(topology, "r1")).toEqual([
      { node: "r1", network: "lan0" },
      { node: "r1", network: "lan1" },
    ]);
    expect(requireLinks(topology, "r1:lan1")).toEqual([{ node: "r1", network: "lan1" }]);
    expect(requireLinks(topology, "r1:eth1")).toEqual([{ node: "r1", network: "lan1" }]);
    expect(() => requireLinks(topology, "n2")).toThrow(
      expect.objectContaining({ code: "LAB_NODE_NOT_FOUND" }),
    );
    expect(() => requireLinks(topology, "n1:lan1")).toThrow(
      expect.objectContaining({ code: "LAB_LINK_NOT_FOUND", hint: "its links are n1:lan0" }),
    );
  });

  it("is listed while something is wrong with it, and only then", () => {
    const link = { node: "r1", network: "lan1" };
    const cut = withImpairments(topology, link, { ...noImpairments, cut: true });
    expect(impairmentsOf(cut, link).cut).toBe(true);
    expect(cut.impairments?.map(({ node }) => node)).toEqual(["n1", "r1"]);
    expect(withImpairments(cut, link, noImpairments)).toEqual(topology);
    const { impairments: _, ...whole } = topology;
    expect(withImpairments(topology, { node: "n1", network: "lan0" }, noImpairments)).toEqual(whole);
  });
});

describe("the lines of an impairment", () => {
  const topology = parseTopology(file("  n1: { loss: 1% }"), "test");
  const link = interfacesOf(topology, requireFirst(topology.nodes))[0];
  if (link === undefined) throw new Error("n1 has no link");

  it("drop at both receiving ends, frame by frame", () => {
    const lines = planImpairments(link, noImpairments, { ...noImpairments, loss: 0.5 });
    const program = "'4,32 0 0 4294963256,53 0 1 2147483648,6 0 0 0,6 0 0 2'";
    const unnoticed = program.replace("2'", "4'");
    expect(lines).toEqual({
      switch: {
        ip: ["link set n1_0 gso_max_segs 1"],
        tc: [
          "qdisc add dev n1_0 clsact",
          `filter add dev n1_0 ingress pref 1 handle 1 protocol all bpf da bytecode ${program}`,
          `filter add dev n1_0 egress pref 1 handle 1 protocol 0x8146 bpf da bytecode ${unnoticed}`,
        ],
      },
      node: {
        ip: ["link set eth0 gso_max_segs 1"],
        tc: [
          "qdisc add dev eth0 clsact",
          `filter add dev eth0 ingress pref 1 handle 1 protocol all bpf da bytecode ${program}`,
        ],
      },
    });
  });

  it("take off all that they have put on, and touch nothing that stays", () => {
    const much = { ...noImpairments, loss: 0.1, rate: "1mbit" };
    expect(planImpairments(link, much, noImpairments).node).toEqual({
      ip: ["link set eth0 gso_max_segs 65535"],
      tc: ["qdisc del dev eth0 clsact", "qdisc del dev eth0 root"],
    });
    const nothing = { ip: [], tc: [] };
    expect(planImpairments(link, much, { ...much, delayMs: 5 })).toEqual({ switch: nothing, node: nothing });
    expect(planImpairments(link, much, { ...much, loss: 0.2 }).node.tc).toEqual([
      expect.stringMatching(/^filter replace dev eth0 ingress pref 1 handle 1/),
    ]);
  });

  it("bring back the rate of the network", () => {
    const [, slow] = interfacesOf(topology, requireFirst(topology.nodes.slice(1)));
    if (slow === undefined) throw new Error("r1 has one link only");
    const lines = planImpairments(slow, { ...noImpairments, rate: "1mbit" }, noImpairments);
    expect(lines.node.tc).toEqual(["qdisc replace dev eth1 root tbf rate 1gbit burst 125000 latency 20ms"]);
  });

  it("put a process into the link only for what the kernel cannot do", () => {
    expect(wireFaults({ ...noImpairments, loss: 0.5, cut: true, rate: "1mbit" })).toBeNull();
    for (const field of ["delayMs", "reorder", "duplicate", "corrupt"] as const)
      expect(wireFaults({ ...noImpairments, [field]: 0.5 })).toMatchObject({ [field]: 0.5 });
    expect(planWire(link).at(-1)).toBe("link set n1_0 master _1_0");
    expect(planNoWire(link)[0]).toBe("link set n1_0 master lan0");
  });

  it("name no two devices of a switch alike", () => {
    fc.assert(
      fc.property(topologies, (any) => {
        const links = any.nodes.flatMap((node) => interfacesOf(any, node));
        const names = links.flatMap((each) => [each.port, ...Object.values(wireNames(each))]);
        const all = [...names, ...any.networks.map(({ name }) => name)];
        expect(new Set(all).size).toBe(all.length);
        for (const name of all) expect(name.length).toBeLessThanOrEqual(15);
      }),
    );
  });
});

function requireFirst<T>(all: readonly T[]): T {
  const [first] = all;
  if (first === undefined) throw new Error("there is none");
  return first;
}
