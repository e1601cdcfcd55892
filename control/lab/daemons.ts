// The control daemons of a lab: machines that stand in no lab file, on every Ethernet network of it.
//
// - Named control_1, control_2 …: "_" is in no name of a node, so they never clash. At the
//   switch they have ports as nodes have; they have no IP address.
// - Pure, but for the paths. What starts and ends them is what starts and ends nodes.

import { join } from "node:path";
import { nodeFolder } from "./state.js";
import type { LabNode, Topology } from "./topology.js";

/** In a lab that says nothing of it. */
export const daemonsDefault = 1;
/** A kernel has at most so many networks; routers lead to the others. */
const networksMax = 16;
const socketBytesMax = 107;

/** 1 for `control_1`; null for a node of the file. */
export function daemonNumber(name: string): number | null {
  const match = /^control_(\d+)$/.exec(name);
  return match === null ? null : Number(match[1]);
}

export const isDaemon = ({ name }: Pick<LabNode, "name">): boolean => daemonNumber(name) !== null;

/** The machines of a lab's control daemons; their interfaces are in the order of the networks' numbers. */
export function daemonNodes({ daemons = 0, networks }: Topology): LabNode[] {
  const names = networks
    .map(({ name, number, kind }, place) => ({ name, number: number ?? place, kind }))
    .filter(({ kind }) => kind === undefined)
    .sort((a, b) => a.number - b.number)
    .slice(0, networksMax)
    .map(({ name }) => name);
  if (names.length === 0) return [];
  return Array.from({ length: daemons }, (_, index) => ({
    ...{ name: `control_${index + 1}`, kind: "host" as const, networks: names, number: index + 1 },
  }));
}

/** All machines of a lab, those of its control daemons last. */
export const machinesOf = (topology: Topology): LabNode[] => [...topology.nodes, ...daemonNodes(topology)];

/** The socket at which a daemon answers. */
export function daemonSocket(lab: string, name: string): string {
  return join(nodeFolder(lab, name), "control.sock");
}

/** The sockets of all daemons of a lab. */
export function daemonSockets(topology: Topology): string[] {
  return daemonNodes(topology).map(({ name }) => daemonSocket(topology.name, name));
}

/** Is the folder of labs not so deep that a socket's path would be too long? */
export const daemonsFit = (topology: Topology): boolean =>
  daemonSockets(topology).every((path) => Buffer.byteLength(path) <= socketBytesMax);

/** What a daemon keeps is in the lab's folder, and goes with it. */
export function daemonEnvironment(lab: string, name: string): Record<string, string> {
  return {
    PROTEUS_CONTROL_SOCKET: daemonSocket(lab, name),
    PROTEUS_CONTROL_STORE: `embedded:${join(nodeFolder(lab, name), "store")}`,
    PROTEUS_CONTROL_LISTEN: "off",
  };
}
