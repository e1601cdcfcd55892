// If one of these fails, an administrator is not told what is wrong with his pool, or is sent
// after machines that are right.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type NodeDocument, nodeDocumentSchema, spoken } from "../../../control/interface/node.js";
import { judgeNodes, type Seen, tellApart } from "../../../control/interface/node-faults.js";

let kernels = 0;
/** A machine that is right, with changes. */
function seen(name: string, changes: Partial<NodeDocument> = {}, how: Partial<Seen> = {}): Seen {
  const address = (kernels++).toString(16).padStart(16, "0");
  const interfaces = [{ name: "eth0", mac: "020000000001", mtu: 1500 }];
  const document = { name, address, version: "1.0.0", ...spoken, clockMs: 1_000_050, interfaces, ...changes };
  return { document: nodeDocumentSchema.parse(document), askedMs: 1_000_000, answeredMs: 1_000_100, ...how };
}

const kinds = (all: readonly Seen[]) => judgeNodes(all).map(({ kind }) => kind);

describe("a pool in which all is right", () => {
  it("has no faults, also when a machine answered twice or knows little of itself", () => {
    const a = seen("a");
    expect(judgeNodes([])).toEqual([]);
    expect(judgeNodes([a, a, seen("b"), { document: { name: "old" } }])).toEqual([]);
  });
});

describe("two machines with one name", () => {
  it("are reported with what tells them apart", () => {
    const [one, two] = [
      seen("n1", { address: "aaaa0000aaaa0000" }),
      seen("n1", {
        address: "aaaa0001aaaa0000",
        interfaces: [{ name: "eth0", mac: "0200000000ff", mtu: 1500 }],
      }),
    ];
    const faults = judgeNodes([one, two, seen("n2")]);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatchObject({ kind: "sameName", nodes: ["n1#aaaa0000", "n1#aaaa0001"] });
    expect(faults[0]?.message).toContain("02:00:00:00:00:ff");
    expect(faults[0]?.hint).toContain("node.name");
  });

  it("have labels of their own, whatever their addresses", () => {
    const address = fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16).padStart(16, "0"));
    const machine = fc.record({
      name: fc.constantFrom("a", "b", "c"),
      address: fc.option(address, { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array(machine, { maxLength: 12 }), (machines) => {
        const labels = tellApart(machines.map((document) => ({ document })));
        const keys = machines.map(({ name, address: own }, i) => `${name} ${own ?? `unknown ${i}`}`);
        for (const [i, label] of labels.entries())
          for (const [j, other] of labels.entries()) expect(label === other).toBe(keys[i] === keys[j]);
      }),
    );
  });
});

describe("clocks", () => {
  it.each([
    ["ahead", 5000],
    ["behind", -5000],
  ])("that are %s are named, and the others are not", (word, offset) => {
    const faults = judgeNodes([seen("a"), seen("b"), seen("c", { clockMs: 1_000_050 + offset })]);
    expect(faults).toMatchObject([{ kind: "clockSkew", nodes: ["c"] }]);
    expect(faults[0]?.message).toBe(`the clock of c is 5.0 s ${word}`);
  });

  it("of all machines that differ from the asker's mean that the asker's is wrong", () => {
    const late = { clockMs: 1_009_050 };
    expect(judgeNodes([seen("a", late), seen("b", late), seen("c", late)])).toMatchObject([
      { kind: "clockSkew", nodes: ["the machine that asked"] },
    ]);
    expect(judgeNodes([seen("a", late)])).toMatchObject([{ kind: "clockSkew", nodes: ["a"] }]);
  });

  it("are not blamed for an answer that took long", () => {
    const slow = { askedMs: 1_000_000, answeredMs: 1_004_000 };
    expect(kinds([seen("a"), seen("b", { clockMs: 1_000_050 }, slow), seen("c")])).toEqual([]);
    expect(kinds([seen("a"), seen("b", { clockMs: 1_009_000 }, slow), seen("c")])).toEqual(["clockSkew"]);
  });

  it("beyond the bound are exactly those reported, while most are right", () => {
    const offsets = fc.array(fc.integer({ min: -100_000, max: 100_000 }), { maxLength: 4 });
    fc.assert(
      fc.property(offsets, (wrong) => {
        const right = Array.from({ length: wrong.length + 1 }, (_, i) => seen(`right${i}`));
        const others = wrong.map((offset, i) => seen(`w${i}`, { clockMs: 1_000_050 + offset }));
        const named = judgeNodes([...others, ...right]).flatMap(({ nodes }) => nodes);
        // Asking took 100 ms: 50 of them are in doubt.
        expect(named).toEqual(wrong.flatMap((offset, i) => (Math.abs(offset) > 550 ? [`w${i}`] : [])));
      }),
    );
  });
});

describe("versions", () => {
  it.each([
    ["of the package", { version: "0.9.0" }],
    ["of the kernel", { abi: 1 }],
    ["on the wire", { wire: { flip: 1, extensions: 1 } }],
  ])("%s that differ are reported once, the many first", (_, changes) => {
    const faults = judgeNodes([seen("old", changes), seen("a"), seen("b")]);
    expect(faults).toMatchObject([{ kind: "versionSkew", nodes: ["old", "a", "b"] }]);
    expect(faults[0]?.message).toMatch(/: a, b: version .*; old: /);
  });
});

describe("MTUs", () => {
  const on = (...interfaces: { name: string; mtu: number; subnets?: string[] }[]) => ({ interfaces });

  it("that differ on the only network are reported, with the interfaces", () => {
    const faults = judgeNodes([seen("a"), seen("b"), seen("c", on({ name: "eth1", mtu: 9000 }))]);
    expect(faults).toMatchObject([{ kind: "mtuMismatch", nodes: ["a:eth0", "b:eth0", "c:eth1"] }]);
    expect(faults[0]?.message).toContain("1500 at a:eth0, b:eth0; 9000 at c:eth1");
  });

  it("may differ between the two networks of a router, but not within one", () => {
    const router = on(
      { name: "eth0", mtu: 1500, subnets: ["10.1.0.0/24"] },
      { name: "eth1", mtu: 9000, subnets: ["10.2.0.0/24"] },
    );
    const big = (mtu: number) => on({ name: "eth0", mtu, subnets: ["10.2.0.0/24"] });
    const small = seen("a", on({ name: "eth0", mtu: 1500, subnets: ["10.1.0.0/24"] }));
    expect(kinds([small, seen("r", router), seen("b", big(9000))])).toEqual([]);
    expect(judgeNodes([small, seen("r", router), seen("b", big(1500))])).toMatchObject([
      { kind: "mtuMismatch", nodes: ["r:eth1", "b:eth0"] },
    ]);
  });

  it("are compared by the networks that the asker knows, and not where nobody knows", () => {
    const two = on({ name: "eth0", mtu: 1500 }, { name: "eth1", mtu: 9000 });
    expect(kinds([seen("r", two), seen("a", on({ name: "eth0", mtu: 9000 }))])).toEqual([]);
    const networks = { eth0: "lan0", eth1: "lan1" };
    const judged = judgeNodes([
      seen("r", two, { networks }),
      seen("a", on({ name: "eth0", mtu: 9000 }), { networks }),
    ]);
    expect(judged).toMatchObject([{ kind: "mtuMismatch", nodes: ["r:eth0", "a:eth0"] }]);
    expect(judged[0]?.message).toContain("lan0");
  });
});

describe("a document", () => {
  it("of a newer machine, with more in it, is still read", () => {
    expect(
      nodeDocumentSchema.parse({ name: "n", news: 1, interfaces: [{ name: "e", news: 2 }] }),
    ).toMatchObject({ news: 1 });
    expect(nodeDocumentSchema.safeParse({ version: "1" }).success).toBe(false);
  });
});
