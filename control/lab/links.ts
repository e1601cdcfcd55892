// The links of a topology: which one is meant, and what is wrong with it.
//
// - A link joins one node to one network: `n1:lan0`, or by its interface `n1:eth0`; the
//   name of a node alone means all its links.
// - Pure. Nothing here changes a running lab: impair.ts does.

import { ProteusError } from "../kernel/errors.js";
import { type Impairments, isHealthy, noImpairments } from "./impairments.js";
import { type LabNode, type LinkImpairments, requireNode, type Topology } from "./topology.js";

/** A link of a topology. */
export interface Link {
  readonly node: string;
  readonly network: string;
}

/** `n1:lan0` */
export const linkName = ({ node, network }: Link): string => `${node}:${network}`;

/** What is wrong with a link of a topology. */
export function impairmentsOf(topology: Topology, { node, network }: Link): Impairments {
  const found = topology.impairments?.find((each) => each.node === node && each.network === network);
  return found?.impairments ?? noImpairments;
}

/** All links of a node. */
export function linksOf({ name, networks }: LabNode): Link[] {
  return networks.map((network) => ({ node: name, network }));
}

/** The links that `n1`, `n1:lan0` or `n1:eth0` means. Throws LAB_NODE_NOT_FOUND, LAB_LINK_NOT_FOUND. */
export function requireLinks(topology: Topology, target: string): Link[] {
  const at = target.indexOf(":");
  const node = requireNode(topology, at < 0 ? target : target.slice(0, at));
  const links = linksOf(node);
  if (at < 0) return links;
  const wanted = target.slice(at + 1);
  const found = links.find(({ network }, index) => network === wanted || `eth${index}` === wanted);
  if (found !== undefined) return [found];
  throw new ProteusError({
    code: "LAB_LINK_NOT_FOUND",
    exit: 3,
    message: `${node.name} has no link to "${wanted}"`,
    unchanged: "no link was changed",
    hint: `its links are ${links.map(linkName).join(", ")}`,
  });
}

/** The topology with other impairments of one link; healthy links are not listed. */
export function withImpairments(topology: Topology, link: Link, impairments: Impairments): Topology {
  const { impairments: before = [], ...rest } = topology;
  const others = before.filter((each) => each.node !== link.node || each.network !== link.network);
  const listed: LinkImpairments[] = isHealthy(impairments) ? others : [...others, { ...link, impairments }];
  const order = topology.nodes.flatMap((node) => linksOf(node)).map(linkName);
  const all = listed
    .filter((each) => order.includes(linkName(each)))
    .sort((a, b) => order.indexOf(linkName(a)) - order.indexOf(linkName(b)));
  return all.length === 0 ? rest : { ...rest, impairments: all };
}
