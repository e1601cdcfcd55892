// The lab file: what is accepted, and what a person reads when it is not.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import { ProteusError } from "../../../control/kernel/errors.js";
import { parseTopology } from "../../../control/lab/lab-file.js";
import { rateBits } from "../../../control/lab/rate.js";
import {
  defaultTopology,
  isName,
  requireName,
  requireNode,
  type Topology,
} from "../../../control/lab/topology.js";
import { topologies } from "./topologies.js";

const example = `name: demo
networks:
  lan0: { mtu: 1500 }
  lan1: { mtu: 1500, rate: 1gbit }
nodes:
  n1: { kind: pool, networks: [lan0] }
  r1: { kind: router, networks: [lan0, lan1] }   # a pool machine on two networks
  n2: { kind: pool, networks: [lan1] }
  h1: { kind: host, networks: [lan0] }           # no agent: people run their own tools here
`;

function complaint(text: string): ProteusError {
  try {
    parseTopology(text, "demo.yaml");
  } catch (error) {
    if (error instanceof ProteusError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

describe("a lab file", () => {
  it("gives a pool machine a medium for files, and a host none", () => {
    const withFiles = (node: string) => example.replace("n1: { kind: pool, networks: [lan0] }", node);
    const { nodes } = parseTopology(
      withFiles("n1: { kind: pool, networks: [lan0], bullet: { size: 64M } }"),
      "x",
    );
    expect(nodes[0]).toMatchObject({ bullet: { bytes: 64 * 1024 * 1024 } });
    expect(nodes[1]).not.toHaveProperty("bullet");
    const wrong = withFiles("n1: { kind: host, networks: [lan0], bullet: {} }");
    expect(complaint(wrong).why).toContain("nodes.n1.bullet: a host has no agent");
    const small = withFiles("n1: { kind: pool, networks: [lan0], bullet: { size: 1K } }");
    expect(complaint(small).why).toContain("from 8M to 16384G");
  });

  it("says what QEMU makes of a metal machine, which has a PCI card on a PC alone", () => {
    const metal = (words: string): string =>
      `networks: { lan0: }\nnodes:\n  m1: { kind: metal, networks: [lan0]${words} }\n`;
    const read = (words: string) => parseTopology(metal(words), "metal.yaml").nodes[0];
    expect(read("")).not.toHaveProperty("metal");
    expect(read(", machine: pc")).toMatchObject({ metal: { machine: "pc", nic: "virtio" } });
    expect(read(", machine: q35, nic: e1000e")).toMatchObject({ metal: { machine: "q35", nic: "e1000e" } });
    expect(complaint(metal(", nic: e1000e")).why).toContain("nodes.m1.nic: e1000e is a PCI card");
    expect(complaint(metal(", machine: mac")).why).toContain("must be microvm, pc, q35");
    expect(read(", groups: [chat]")).toMatchObject({ groups: ["chat"] });
    expect(complaint(metal(", groups: [a, b]")).why).toContain("nodes.m1.groups: must name one group");
    expect(complaint(metal(', groups: ["a b"]')).why).toContain("no blanks");
    const pool = metal(", machine: pc").replace("metal", "pool");
    expect(complaint(pool).why).toContain("nodes.m1.machine: only a machine of kind metal has one");
  });

  it("is read in its order, since that decides eth0 and the addresses", () => {
    const topology = parseTopology(example, "demo.yaml");
    expect(topology.name).toBe("demo");
    expect(topology.networks).toEqual([
      { name: "lan0", mtu: 1500, rate: null },
      { name: "lan1", mtu: 1500, rate: "1gbit" },
    ]);
    expect(topology.nodes.map(({ name }) => name)).toEqual(["n1", "r1", "n2", "h1"]);
    expect(topology.nodes[1]).toEqual({ name: "r1", kind: "router", networks: ["lan0", "lan1"] });
  });

  it("may leave out what has a usual value", () => {
    const topology = parseTopology(
      "networks: { lan0: }\nnodes: { n1: { kind: host, networks: [lan0] } }",
      "x",
    );
    expect(topology.name).toBe("lab");
    expect(topology.networks).toEqual([{ name: "lan0", mtu: 1500, rate: null }]);
  });

  it("survives being written and read again, whatever is in it", () => {
    fc.assert(
      fc.property(topologies, (topology) => {
        const text = stringify({
          name: topology.name,
          networks: Object.fromEntries(topology.networks.map(({ name, mtu, rate }) => [name, { mtu, rate }])),
          nodes: Object.fromEntries(topology.nodes.map(({ name, ...rest }) => [name, rest])),
        });
        // Integer-like keys are moved to the front by JavaScript, so order is compared apart from that.
        const sorted = ({ name, networks, nodes }: Topology) => ({
          name,
          networks: [...networks].sort((a, b) => a.name.localeCompare(b.name)),
          nodes: [...nodes].sort((a, b) => a.name.localeCompare(b.name)),
        });
        expect(sorted(parseTopology(text, "x"))).toEqual(sorted(topology));
      }),
    );
  });

  it.each([
    [
      "networks:\n  lan0: { mtu: 9 }\nnodes:\n  n1: { kind: host, networks: [lan0] }",
      "demo.yaml:2: networks.lan0.mtu",
    ],
    ["networks:\n  lan0: { rate: fast }\nnodes:\n  n1: { kind: host, networks: [lan0] }", "such as 1gbit"],
    [
      "networks:\n  lan0:\nnodes:\n  n1: { kind: pol, networks: [lan0] }",
      "demo.yaml:4: nodes.n1.kind: must be pool, router",
    ],
    [
      "networks:\n  lan0:\nnodes:\n  n1: { kind: pool, networks: [lan7] }",
      'there is no network "lan7"; there is lan0',
    ],
    [
      "networks:\n  lan0:\nnodes:\n  r1: { kind: router, networks: [lan0] }",
      "a router joins two networks or more",
    ],
    ["networks:\n  lan0:\nnodes:\n  n1: { kind: pool, networks: [lan0, lan0] }", "listed twice"],
    [
      "networks:\n  lan0:\nnodes:\n  N1: { kind: pool, networks: [lan0] }",
      "demo.yaml:4: nodes.N1: a name is",
    ],
    ["networks:\n  lan0:\nnodes:\n  n1: { kind: pool, networks: [] }", "must name one network or more"],
    ["networks:\n  lo:\nnodes:\n  n1: { kind: pool, networks: [lo] }", "Linux keeps this name"],
    [
      "networks:\n  lan0:\nnodes:\n  n1: { kind: pool, networks: [lan0], cpu: 2 }",
      "nodes.n1.cpu: is not known",
    ],
    ["networks:\n  lan0:\nnodes: {}", "has no node"],
    ["networks: {}\nnodes:\n  n1: 3", "demo.yaml:3: nodes.n1: must be a map"],
    ["networks: [lan0]\nnodes: {}", "networks: must be a map of networks"],
    [
      "name: a name\nnetworks:\n  lan0:\nnodes:\n  n1: { kind: host, networks: [lan0] }",
      "demo.yaml:1: name: a name is",
    ],
    ["networks: { lan0: { mtu: 1500 }\n", "demo.yaml:2"],
    ["", "must be a map with networks and nodes"],
    ["- 1\n- 2", "must be a map with networks and nodes"],
  ])("that is wrong names the line and the field: %j", (text, words) => {
    const error = complaint(text);
    expect(error.code).toBe("LAB_FILE_INVALID");
    expect(error.exit).toBe(2);
    expect(error.why).toContain(words);
  });

  it("of any other content is refused as a usage error, never with a stack", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(complaint(text).exit).toBe(2);
      }),
    );
  });
});

describe("names and rates", () => {
  it("allow what Linux takes as part of an interface's name, and nothing else", () => {
    for (const name of ["a", "n1", "node-with-12", "0"]) expect(isName(name)).toBe(true);
    for (const name of ["", "-a", "A", "a_b", "a.b", "a b", "../x", "thirteen-char", "n1\n"])
      expect(isName(name)).toBe(false);
    expect(() => requireName("lab", "../x")).toThrow(ProteusError);
  });

  it("are counted in bits a second", () => {
    expect(rateBits("1gbit")).toBe(1e9);
    expect(rateBits("2.5Mbit")).toBe(2.5e6);
    expect(rateBits("10mbps")).toBeNaN();
  });
});

describe("a lab without a file", () => {
  it("has pool machines n1, n2 … on lan0", () => {
    const topology = defaultTopology("lab", 3);
    expect(topology.nodes.map(({ name }) => name)).toEqual(["n1", "n2", "n3"]);
    expect(topology.nodes.every(({ kind }) => kind === "pool")).toBe(true);
    expect(requireNode(topology, "n2").networks).toEqual(["lan0"]);
  });

  it.each([0, -1, 255, 1.5, Number.NaN])("cannot have %d nodes", (nodes) => {
    expect(() => defaultTopology("lab", nodes)).toThrow(ProteusError);
  });

  it("says which nodes there are when one is not", () => {
    expect(() => requireNode(defaultTopology("lab", 2), "n3")).toThrow(
      expect.objectContaining({ exit: 3, hint: "its nodes are n1, n2" }),
    );
  });
});

describe("networks that are no Ethernet", () => {
  const lab = (networks: string, more = ""): string => `networks:
  lan0:
  ${networks}
nodes:
  n1: { kind: router, networks: [lan0, wire] }
  n2: { kind: pool, networks: [wire] }
${more}`;

  it("are cables of a speed, and IP", () => {
    const text = lab("wire: { kind: serial, speed: 115200, noise: 0.001 }");
    expect(parseTopology(text, "lab.yaml").networks[1]).toMatchObject({
      ...{ name: "wire", kind: "serial", speed: 115_200, noise: 0.001 },
    });
    expect(parseTopology(lab("wire: { kind: ip }"), "lab.yaml").networks[1]).toMatchObject({ kind: "ip" });
    expect(parseTopology(lab("wire: { kind: ethernet }"), "lab.yaml").networks[1]).not.toHaveProperty("kind");
  });

  it.each([
    ["wire: { kind: token-ring }", "", "must be ethernet, serial or ip"],
    ["wire: { kind: ip, speed: 9600 }", "", "only a network of kind: serial"],
    ["wire: { kind: serial, speed: 1 }", "", "must be 1200 or more"],
    ["wire: { kind: serial, noise: 0.5 }", "", "must be 0.01 or less"],
    ["wire: { kind: serial, rate: 1gbit }", "", "a cable has a speed"],
    ["wire: { kind: serial }", "  n3: { kind: pool, networks: [wire] }\n", "a cable joins two nodes"],
    ["wire: { kind: ip }", "  m1: { kind: metal, networks: [wire] }\n", "Ethernet only"],
    ["wire: { kind: ip }", "  p1: { kind: pxe, networks: [wire] }\n", "a pxe machine has Ethernet only"],
    ["wire: { kind: serial }", "impairments: { n2: { loss: 5% } }\n", "a cable cannot be impaired"],
  ])("are not %s%s", (network, more, why) => {
    try {
      parseTopology(lab(network, more), "lab.yaml");
      expect.unreachable();
    } catch (error) {
      expect((error as { why?: string }).why).toContain(why);
    }
  });
});
