// A running lab becomes exactly what its file says, and what the file leaves as it was is
// not touched.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { after, keepNumbers, planChanges, type Step, stepText } from "../../../control/lab/changes.js";
import { noImpairments } from "../../../control/lab/impairments.js";
import { parseTopology } from "../../../control/lab/lab-file.js";
import { linksOf, withImpairments } from "../../../control/lab/links.js";
import { interfacesOf } from "../../../control/lab/plan.js";
import type { LabNode, Topology } from "../../../control/lab/topology.js";
import { topologies } from "./topologies.js";

/** A topology with something wrong with some of its links. */
const impaired = fc.tuple(topologies, fc.array(fc.tuple(fc.nat(100), fc.nat(3)))).map(([topology, wrong]) =>
  wrong.reduce((sum, [which, what]) => {
    const links = sum.nodes.flatMap(linksOf);
    const link = links[which % links.length];
    return link === undefined
      ? sum
      : withImpairments(sum, link, { ...noImpairments, loss: what / 10, delayMs: what });
  }, topology),
);

/** Two labs that have something in common: the second is made of parts of the first and of others. */
const pairs = fc
  .tuple(impaired, impaired, fc.array(fc.boolean(), { minLength: 20, maxLength: 20 }), fc.nat(1000))
  .map(([a, b, keep, turn]): [Topology, Topology] => {
    const pick = <T extends { name: string }>(
      ours: readonly T[],
      theirs: readonly T[],
      from: number,
    ): T[] => {
      const kept = ours.filter((_, index) => keep[(from + index) % keep.length]);
      const all = [...kept, ...theirs.filter(({ name }) => !kept.some((each) => each.name === name))];
      const first = turn % all.length;
      return [...all.slice(first), ...all.slice(0, first)];
    };
    const networks = pick(a.networks, b.networks, 0);
    const names = networks.map(({ name }) => name);
    const nodes = pick(a.nodes, b.nodes, 7).map((node): LabNode => {
      const on = node.networks.filter((name) => names.includes(name));
      return { ...node, networks: on.length > 0 ? on : names.slice(0, 1) };
    });
    const second: Topology = { name: a.name, networks, nodes, daemons: turn % 3 };
    const wrong = [...(a.impairments ?? []), ...(b.impairments ?? [])];
    const links = nodes.flatMap(linksOf);
    return [
      { ...a, daemons: (turn >> 2) % 3 },
      wrong.reduce(
        (sum, each, index) =>
          keep[index % keep.length] &&
          links.some((link) => link.node === each.node && link.network === each.network)
            ? withImpairments(sum, each, each.impairments)
            : sum,
        second,
      ),
    ];
  });

/** Order is no part of a running lab: everything by name. */
const byName = <T extends { name: string }>(all: readonly T[]): T[] =>
  [...all].sort((a, b) => (a.name < b.name ? -1 : 1));
const sorted = ({ name, networks, nodes, impairments = [], daemons = 0 }: Topology) => ({
  name,
  daemons,
  networks: byName(networks),
  nodes: byName(nodes),
  impairments: [...impairments].sort((a, b) =>
    `${a.node}:${a.network}` < `${b.node}:${b.network}` ? -1 : 1,
  ),
});

/** A step asks for nothing that is not there at its time, and takes nothing away that is in use. */
function mayCarryOut(topology: Topology, step: Step): boolean {
  const networks = topology.networks.map(({ name }) => name);
  const nodes = topology.nodes.map(({ name }) => name);
  switch (step.step) {
    case "add-network":
      return !networks.includes(step.network.name);
    case "change-network":
      return networks.includes(step.network.name);
    case "remove-network":
      return (
        networks.includes(step.network.name) &&
        !topology.nodes.some((node) => node.networks.includes(step.network.name))
      );
    case "add-node":
      return !nodes.includes(step.node.name) && step.node.networks.every((name) => networks.includes(name));
    case "change-node":
      return nodes.includes(step.node.name) && step.node.networks.every((name) => networks.includes(name));
    case "remove-node":
    case "restart-agent":
      return nodes.includes(step.node.name);
    case "daemons":
      return step.nodes.every((node) => node.networks.every((name) => networks.includes(name)));
    case "impair":
      return topology.nodes
        .flatMap(linksOf)
        .some((link) => JSON.stringify(link) === JSON.stringify(step.link));
  }
}

describe("the steps from a running lab to a file", () => {
  it("lead to the file's topology exactly, each possible when its turn comes", () => {
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        const { steps, target } = planChanges(a, b);
        const end = steps.reduce(
          (topology, step) => {
            expect(mayCarryOut(topology, step), stepText(step)).toBe(true);
            return after(topology, step);
          },
          keepNumbers(a, a),
        );
        expect(sorted(end)).toEqual(sorted(target));
        const plain = (topology: Topology) => ({
          ...sorted(topology),
          networks: byName(topology.networks).map(({ name, mtu, rate }) => ({ name, mtu, rate })),
          nodes: byName(topology.nodes).map(({ name, kind, networks }) => ({ name, kind, networks })),
        });
        expect(plain(end)).toEqual(plain(b));
        expect(planChanges(end, b).steps).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it("leave who stays the addresses that he has, and give no two the same", () => {
    fc.assert(
      fc.property(pairs, ([a, b]) => {
        const { steps, target } = planChanges(a, b);
        const all = target.nodes.flatMap((node) => interfacesOf(target, node));
        for (const field of ["ip", "mac", "port"] as const)
          expect(new Set(all.map((each) => each[field])).size).toBe(all.length);
        for (const node of a.nodes) {
          const now = target.nodes.find(({ name }) => name === node.name);
          if (now === undefined) continue;
          const touched = steps.some((each) => "node" in each && each.node.name === node.name);
          const [old, fresh] = [interfacesOf(a, node), interfacesOf(target, now)];
          const same = old.map(({ mac, ip }, place) =>
            node.networks[place] === now.networks[place] ? { mac, ip } : null,
          );
          same.forEach((kept, place) => {
            if (kept !== null) expect(fresh[place]).toMatchObject(kept);
          });
          if (touched) continue;
          expect({ ...now, number: 0 }).toEqual({ ...node, number: 0 });
        }
      }),
    );
  });

  it("are none when only the order of the file has changed", () => {
    fc.assert(
      fc.property(impaired, (topology) => {
        const turned = {
          ...topology,
          networks: [...topology.networks].reverse(),
          nodes: [...topology.nodes].reverse(),
        };
        expect(planChanges(topology, turned).steps).toEqual([]);
      }),
    );
  });

  it("read as what happens", () => {
    const read = (text: string): Topology => parseTopology(text, "test");
    const before = read(`networks: { lan0: , lan1: { rate: 1gbit } }
nodes:
  n1: { kind: pool, networks: [lan0] }
  n2: { kind: pool, networks: [lan0] }
  n3: { kind: host, networks: [lan1] }
impairments: { n1: { loss: 5% } }`);
    const now = read(`networks: { lan0: { mtu: 9000 }, lan2: }
nodes:
  n1: { kind: pool, networks: [lan0] }
  n2: { kind: router, networks: [lan0, lan2] }
  n4: { kind: host, networks: [lan2] }
impairments: { n2:lan2: { delay: 2ms } }`);
    expect(planChanges(before, now).steps.map(stepText)).toEqual([
      "+ network lan2: mtu 1500",
      "- node n3",
      "~ network lan0: mtu 1500 → mtu 9000",
      "~ node n2: pool on lan0 → router on lan0, lan2",
      "+ node n4: host on lan2",
      "- network lan1",
      "~ link n1:lan0: loss 5% → none",
      "~ link n2:lan2: none → delay 2ms",
      "~ agent of n1 boots again: the MTU of lan0 changes",
    ]);
  });
});
