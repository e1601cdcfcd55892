// What has to be typed to make a lab: a topology in, lines for `ip -batch` and
// `tc -batch` out. Pure; namespaces.ts runs it.
//
// A lab is one namespace of its own that holds a bridge for each network (the
// switch), and one namespace for each node. A veth pair joins them: `eth0` … inside
// the node, the port `NODE_0` … at the switch ("_" is in no name of ours, so a port
// never has the name of a network).
//
// A control daemon's machine (daemons.ts) is on every network, at full speed and without an IP
// address; the fourth byte of its MAC addresses is 01.
//
// Network N (from 0) and node K (from 1), numbered in the order of the file unless a
// change of the running lab kept their numbers, give the address 10.N.0.K/24 and the MAC
// address 02:00:00:00:NN:KK.

import { isDaemon, machinesOf } from "./daemons.js";
import { rateBits } from "./rate.js";
import type { LabNetwork, LabNode, Topology } from "./topology.js";

export interface LabInterface {
  /** Inside the node: eth0, eth1 … */
  readonly name: string;
  readonly network: string;
  readonly mac: string;
  /** With its prefix: 10.0.0.1/24; empty: none. */
  readonly ip: string;
  readonly mtu: number;
  readonly rate: string | null;
  /** What its network is of, when it is no Ethernet: a cable is no link of the system at all. */
  readonly wire?: "serial" | "ip";
  /** The other end, at the switch. */
  readonly port: string;
}

export interface NodePlan {
  readonly node: string;
  readonly namespace: string;
  /** For `ip -batch`, inside the node. */
  readonly ip: readonly string[];
  /** For `tc -batch`, inside the node. */
  readonly tc: readonly string[];
}

export interface LabPlan {
  /** For `ip -batch`, at the switch; first of all. */
  readonly ip: readonly string[];
  /** For `tc -batch`, at the switch. */
  readonly tc: readonly string[];
  /** Independent of each other. */
  readonly nodes: readonly NodePlan[];
}

const hex = (value: number): string => value.toString(16).padStart(2, "0");

/** The namespace of a node, with the lab's tag. */
export function namespaceName(lab: string, node: string): string {
  return `proteus-${lab}-${node}`;
}

/** The interfaces of a node, in the order of its networks. */
export function interfacesOf(topology: Topology, node: LabNode): LabInterface[] {
  const daemon = isDaemon(node);
  const place = daemon ? 0 : topology.nodes.findIndex(({ name }) => name === node.name);
  const machine = node.number ?? place + 1;
  return node.networks.map((name, index) => {
    const networkPlace = topology.networks.findIndex((network) => network.name === name);
    const network = topology.networks[networkPlace];
    const number = network?.number ?? networkPlace;
    if (network === undefined || place < 0)
      throw new Error(`${node.name} is on ${name}, which is not in the topology`);
    return {
      name: `eth${index}`,
      network: name,
      ...(network.kind === undefined ? {} : { wire: network.kind }),
      mac: `02:00:00:${daemon ? "01" : "00"}:${hex(number)}:${hex(machine)}`,
      ip: daemon ? "" : `10.${number}.0.${machine}/24`,
      mtu: network.mtu,
      rate: daemon ? null : network.rate,
      port: `${node.name}_${index}`,
    };
  });
}

/**
 * The queue that limits the rate of a device: a token bucket of one millisecond, never
 * smaller than two frames; a frame waits at most 20 ms.
 */
export function rateQueue(device: string, rate: string, mtu: number): string {
  const burst = Math.ceil(Math.max(rateBits(rate) / 8 / 1000, 2 * (mtu + 18)));
  return `dev ${device} root tbf rate ${rate} burst ${burst} latency 20ms`;
}

/** The interfaces of a node that the system has: all but cables. */
export function systemInterfacesOf(topology: Topology, node: LabNode): LabInterface[] {
  return interfacesOf(topology, node).filter(({ wire }) => wire !== "serial");
}

/** What makes a network, at the switch. */
export function networkLines(network: LabNetwork): string[] {
  if (network.kind === "serial") return [];
  return [
    `link add ${network.name} mtu ${network.mtu} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `link set ${network.name} up`,
  ];
}

/** What makes a link: at the switch, where the namespace has to be there, and inside the node. */
export function linkLines(
  namespace: string,
  { name, mac, mtu, port, network, ip }: LabInterface,
): { readonly switch: string[]; readonly node: string[] } {
  return {
    switch: [
      `link add ${name} netns ${namespace} address ${mac} mtu ${mtu} type veth peer name ${port} mtu ${mtu}`,
      `link set ${port} master ${network} up`,
    ],
    node: [...(ip === "" ? [] : [`addr add ${ip} dev ${name}`]), `link set ${name} up`],
  };
}

/** What makes a node and its links: lines at the switch, and inside the node. Rates hold in both directions. */
export function planNode(
  topology: Topology,
  node: LabNode,
): { readonly ip: string[]; readonly tc: string[]; readonly inside: NodePlan } {
  const namespace = namespaceName(topology.name, node.name);
  const interfaces = systemInterfacesOf(topology, node);
  const links = interfaces.map((each) => linkLines(namespace, each));
  const limits = (at: "name" | "port"): string[] => interfaces.flatMap((each) => rateLines(each, at));
  return {
    ip: [`netns add ${namespace}`, ...links.flatMap((lines) => lines.switch)],
    tc: limits("port"),
    inside: {
      node: node.name,
      namespace,
      ip: ["link set lo up", ...links.flatMap((lines) => lines.node)],
      tc: limits("name"),
    },
  };
}

/** What limits one end of a link to the rate of its network. */
export function rateLines(link: LabInterface, at: "name" | "port"): string[] {
  return link.rate === null ? [] : [`qdisc add ${rateQueue(link[at], link.rate, link.mtu)}`];
}

/** Everything that makes the lab's wires, while nothing is wrong with them. */
export function planLab(topology: Topology): LabPlan {
  const nodes = machinesOf(topology).map((node) => planNode(topology, node));
  return {
    ip: [...topology.networks.flatMap(networkLines), ...nodes.flatMap(({ ip }) => ip)],
    tc: nodes.flatMap(({ tc }) => tc),
    nodes: nodes.map(({ inside }) => inside),
  };
}

/** The lines that cut or join a node's links: at the switch, and inside the node. */
export function planPower(
  topology: Topology,
  node: LabNode,
  on: boolean,
): { switch: string[]; node: string[] } {
  const state = on ? "up" : "down";
  const interfaces = systemInterfacesOf(topology, node);
  return {
    switch: interfaces.map(({ port }) => `link set ${port} ${state}`),
    node: interfaces.map(({ name }) => `link set ${name} ${state}`),
  };
}
