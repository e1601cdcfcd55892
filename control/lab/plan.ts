// What has to be typed to make a lab: a topology in, lines for `ip -batch` and
// `tc -batch` out. Pure; namespaces.ts runs it.
//
// A lab is one namespace of its own that holds a bridge for each network (the
// switch), and one namespace for each node. A veth pair joins them: `eth0` … inside
// the node, the port `NODE_0` … at the switch ("_" is in no name of ours, so a port
// never has the name of a network).
//
// Network N (from 0, in the order of the file) and node K (from 1) give the address
// 10.N.0.K/24 and the MAC address 02:00:00:00:NN:KK.

import { type LabNetwork, type LabNode, rateBits, type Topology } from "./topology.js";

export interface LabInterface {
  /** Inside the node: eth0, eth1 … */
  readonly name: string;
  readonly network: string;
  readonly mac: string;
  /** With its prefix: 10.0.0.1/24. */
  readonly ip: string;
  readonly mtu: number;
  readonly rate: string | null;
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
  const machine = topology.nodes.indexOf(node) + 1;
  return node.networks.map((name, index) => {
    const number = topology.networks.findIndex((network) => network.name === name);
    const network = topology.networks[number];
    if (network === undefined || machine === 0)
      throw new Error(`${node.name} is on ${name}, which is not in the topology`);
    return {
      name: `eth${index}`,
      network: name,
      mac: `02:00:00:00:${hex(number)}:${hex(machine)}`,
      ip: `10.${number}.0.${machine}/24`,
      mtu: network.mtu,
      rate: network.rate,
      port: `${node.name}_${index}`,
    };
  });
}

/** A token bucket of one millisecond, never smaller than two frames; waits at most 20 ms. */
function limit(device: string, rate: string, mtu: number): string {
  const burst = Math.ceil(Math.max(rateBits(rate) / 8 / 1000, 2 * (mtu + 18)));
  return `qdisc add dev ${device} root tbf rate ${rate} burst ${burst} latency 20ms`;
}

function bridge(network: LabNetwork): string[] {
  return [
    `link add ${network.name} mtu ${network.mtu} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `link set ${network.name} up`,
  ];
}

/** Everything that makes the lab's wires. Rates hold in both directions of a link. */
export function planLab(topology: Topology): LabPlan {
  const ip = topology.networks.flatMap(bridge);
  const tc: string[] = [];
  const nodes = topology.nodes.map((node): NodePlan => {
    const namespace = namespaceName(topology.name, node.name);
    const interfaces = interfacesOf(topology, node);
    ip.push(`netns add ${namespace}`);
    for (const { name, mac, mtu, port, network, rate } of interfaces) {
      ip.push(
        `link add ${name} netns ${namespace} address ${mac} mtu ${mtu} type veth peer name ${port} mtu ${mtu}`,
        `link set ${port} master ${network} up`,
      );
      if (rate !== null) tc.push(limit(port, rate, mtu));
    }
    return {
      node: node.name,
      namespace,
      ip: [
        "link set lo up",
        ...interfaces.flatMap(({ name, ip }) => [`addr add ${ip} dev ${name}`, `link set ${name} up`]),
      ],
      tc: interfaces.flatMap(({ name, rate, mtu }) => (rate === null ? [] : [limit(name, rate, mtu)])),
    };
  });
  return { ip, tc, nodes };
}

/** The lines that cut or join a node's links: at the switch, and inside the node. */
export function planPower(
  topology: Topology,
  node: LabNode,
  on: boolean,
): { switch: string[]; node: string[] } {
  const state = on ? "up" : "down";
  const interfaces = interfacesOf(topology, node);
  return {
    switch: interfaces.map(({ port }) => `link set ${port} ${state}`),
    node: interfaces.map(({ name }) => `link set ${name} ${state}`),
  };
}
