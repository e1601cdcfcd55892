// What differs between a running lab and a lab file, as steps that change the one into
// the other. Pure: apply.ts carries the steps out.
//
// - Who stays keeps the number in its addresses; newcomers get the lowest free ones. So
//   neither order in the file nor what goes or comes around it touches a machine.
// - `after` is what a step makes of a topology; carried out one by one the steps lead to
//   the file's topology exactly.
// - A link is kept when its interface, network and addresses stay; a machine whose links
//   or kind change, or whose network changes its MTU, boots its agent again.

import { daemonNodes } from "./daemons.js";
import { type Impairments, impairmentText, noImpairments, sameImpairments } from "./impairments.js";
import { impairmentsOf, type Link, linkName, linksOf, withImpairments } from "./links.js";
import type { LabNetwork, LabNode, Topology } from "./topology.js";

export type Step =
  | { readonly step: "add-network"; readonly network: LabNetwork }
  | { readonly step: "remove-node"; readonly node: LabNode }
  | { readonly step: "change-network"; readonly network: LabNetwork; readonly was: LabNetwork }
  | { readonly step: "change-node"; readonly node: LabNode; readonly was: LabNode }
  | { readonly step: "add-node"; readonly node: LabNode }
  | { readonly step: "remove-network"; readonly network: LabNetwork }
  /** The control daemons end, and others begin. */
  | { readonly step: "daemons"; readonly nodes: readonly LabNode[]; readonly was: readonly LabNode[] }
  | { readonly step: "restart-agent"; readonly node: LabNode; readonly why: string }
  | {
      readonly step: "impair";
      readonly link: Link;
      readonly impairments: Impairments;
      readonly was: Impairments;
    };

type Numbered<T> = T & { readonly number: number };

/** The lowest numbers from `first` that are not taken, in order. */
function* free(first: number, taken: ReadonlySet<number>): Generator<number, never> {
  for (let number = first; ; number++) if (!taken.has(number)) yield number;
}

function number<T extends { name: string; number?: number }>(
  wanted: readonly T[],
  kept: ReadonlyMap<string, number>,
  first: number,
): Numbered<T>[] {
  const numbers = free(first, new Set(wanted.flatMap(({ name }) => kept.get(name) ?? [])));
  return wanted.map((each) => ({ ...each, number: kept.get(each.name) ?? numbers.next().value }));
}

const numbersOf = (all: readonly { name: string; number?: number }[], first: number) =>
  new Map(all.map(({ name, number }, place) => [name, number ?? place + first] as const));

/** `wanted` with the numbers that those have who are in `running` too. */
export function keepNumbers(running: Topology, wanted: Topology): Topology {
  return {
    ...wanted,
    networks: number(wanted.networks, numbersOf(running.networks, 0), 0),
    nodes: number(wanted.nodes, numbersOf(running.nodes, 1), 1),
  };
}

/** Is the interface at this place of a node the same in both? */
export function keepsLink(a: LabNode, b: LabNode, place: number): boolean {
  return a.networks[place] !== undefined && a.networks[place] === b.networks[place];
}

/** The links of `a` that are not links of `b` any more, or at another interface. */
export function lostLinks(a: LabNode, b: LabNode): Link[] {
  return linksOf(a).filter((_, place) => !keepsLink(a, b, place));
}

const without = <T extends { name: string }>(all: readonly T[], name: string): T[] =>
  all.filter((each) => each.name !== name);

const replaced = <T extends { name: string }>(all: readonly T[], by: T): T[] =>
  all.map((each) => (each.name === by.name ? by : each));

const healthy = (topology: Topology, links: readonly Link[]): Topology =>
  links.reduce((sum, link) => withImpairments(sum, link, noImpairments), topology);

/** The topology when a step has been carried out. */
export function after(topology: Topology, step: Step): Topology {
  switch (step.step) {
    case "add-network":
      return { ...topology, networks: [...topology.networks, step.network] };
    case "remove-network":
      return { ...topology, networks: without(topology.networks, step.network.name) };
    case "change-network":
      return { ...topology, networks: replaced(topology.networks, step.network) };
    case "add-node":
      return { ...topology, nodes: [...topology.nodes, step.node] };
    case "remove-node":
      return {
        ...healthy(topology, linksOf(step.node)),
        nodes: without(topology.nodes, step.node.name),
      };
    case "change-node":
      return {
        ...healthy(topology, lostLinks(step.was, step.node)),
        nodes: replaced(topology.nodes, step.node),
      };
    case "daemons":
      return { ...topology, daemons: step.nodes.length };
    case "restart-agent":
      return topology;
    case "impair":
      return withImpairments(topology, step.link, step.impairments);
  }
}

const sameNode = (a: LabNode, b: LabNode): boolean =>
  a.kind === b.kind &&
  a.networks.join() === b.networks.join() &&
  (a.directory ?? false) === (b.directory ?? false) &&
  JSON.stringify(a.metal) === JSON.stringify(b.metal) &&
  JSON.stringify(a.replication) === JSON.stringify(b.replication) &&
  a.disk?.bytes === b.disk?.bytes &&
  a.groups?.join() === b.groups?.join() &&
  a.bullet?.bytes === b.bullet?.bytes;

/** The steps from a running lab to what a file says, and the topology that they lead to. */
export function planChanges(running: Topology, file: Topology): { steps: Step[]; target: Topology } {
  const from = keepNumbers(running, running);
  const target = keepNumbers(from, file);
  const was = <T extends { name: string }>(all: readonly T[], { name }: T): T | undefined =>
    all.find((each) => each.name === name);
  const changedNetworks = target.networks.flatMap((network): Step[] => {
    const old = was(from.networks, network);
    if (old === undefined || (old.mtu === network.mtu && old.rate === network.rate)) return [];
    return [{ step: "change-network", network, was: old }];
  });
  const changedNodes = target.nodes.flatMap((node): Step[] => {
    const old = was(from.nodes, node);
    return old === undefined || sameNode(old, node) ? [] : [{ step: "change-node", node, was: old }];
  });
  const otherMtu = changedNetworks.flatMap((each) =>
    each.step === "change-network" && each.network.mtu !== each.was.mtu ? [each.network.name] : [],
  );
  const restarts = target.nodes.flatMap((node): Step[] => {
    const old = was(from.nodes, node);
    const on = node.networks.find((name) => otherMtu.includes(name));
    if (old === undefined || !sameNode(old, node) || node.kind === "host" || on === undefined) return [];
    return [{ step: "restart-agent", node, why: `the MTU of ${on} changes` }];
  });
  const daemons = { nodes: daemonNodes(target), was: daemonNodes(from) };
  const sameDaemons =
    JSON.stringify(daemons.nodes) === JSON.stringify(daemons.was) &&
    (otherMtu.length === 0 || daemons.nodes.length === 0);
  const structure: Step[] = [
    ...target.networks
      .filter((network) => was(from.networks, network) === undefined)
      .map((network): Step => ({ step: "add-network", network })),
    ...from.nodes
      .filter((node) => was(target.nodes, node) === undefined)
      .map((node): Step => ({ step: "remove-node", node })),
    ...changedNetworks,
    ...changedNodes,
    ...target.nodes
      .filter((node) => was(from.nodes, node) === undefined)
      .map((node): Step => ({ step: "add-node", node })),
    ...from.networks
      .filter((network) => was(target.networks, network) === undefined)
      .map((network): Step => ({ step: "remove-network", network })),
    ...(sameDaemons ? [] : [{ step: "daemons", ...daemons } as const]),
  ];
  const built = structure.reduce(after, from);
  const impairing = target.nodes.flatMap(linksOf).flatMap((link): Step[] => {
    const [old, impairments] = [impairmentsOf(built, link), impairmentsOf(target, link)];
    return sameImpairments(old, impairments) ? [] : [{ step: "impair", link, impairments, was: old }];
  });
  return { steps: [...structure, ...impairing, ...restarts], target };
}

const networkText = ({ mtu, rate }: LabNetwork): string =>
  `mtu ${mtu}${rate === null ? "" : `, rate ${rate}`}`;

/** A step for people: `+` comes, `-` goes, `~` changes. */
export function stepText(step: Step): string {
  switch (step.step) {
    case "add-network":
      return `+ network ${step.network.name}: ${networkText(step.network)}`;
    case "remove-network":
      return `- network ${step.network.name}`;
    case "change-network":
      return `~ network ${step.network.name}: ${networkText(step.was)} → ${networkText(step.network)}`;
    case "add-node":
      return `+ node ${step.node.name}: ${step.node.kind} on ${step.node.networks.join(", ")}`;
    case "remove-node":
      return `- node ${step.node.name}`;
    case "change-node": {
      const { node, was } = step;
      const text = ({ kind, networks, bullet, metal, disk, groups }: LabNode): string =>
        [
          `${kind} on ${networks.join(", ")}`,
          ...(metal === undefined ? [] : [`a ${metal.machine} with ${metal.nic}`]),
          ...(groups === undefined ? [] : [`in group ${groups.join(", ")}`]),
          ...(disk === undefined ? [] : [`a disk of ${disk.bytes} bytes`]),
          ...(bullet === undefined ? [] : [`files on ${bullet.bytes} bytes`]),
        ].join(", ");
      return `~ node ${node.name}: ${text(was)} → ${text(node)}`;
    }
    case "daemons": {
      const [now, was] = [step.nodes.length, step.was.length];
      if (was === 0) return `+ control daemons: ${now}`;
      if (now === 0) return `- control daemons: ${was}`;
      return now === was
        ? "~ control daemons start again: their networks change"
        : `~ control daemons: ${was} → ${now}`;
    }
    case "restart-agent":
      return `~ agent of ${step.node.name} boots again: ${step.why}`;
    case "impair":
      return `~ link ${linkName(step.link)}: ${impairmentText(step.was)} → ${impairmentText(step.impairments)}`;
  }
}
