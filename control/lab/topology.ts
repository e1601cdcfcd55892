// A lab as data: which networks there are, and which machines sit on them.
//
// - Pure. Order is kept: it decides eth0, eth1 … and the addresses (plan.ts).
// - lab-file.ts reads one from a file; nothing here loads what that needs, since most commands
//   of a lab read no file.
// - Names are short because Linux allows 15 characters to an interface and a node's
//   name is part of one.

import { ProteusError } from "../kernel/errors.js";
import type { Impairments } from "./impairments.js";
import { isName, nameRule } from "./names.js";

export { isName };

/** What a machine of the lab is: `host` has no agent, `router` is a pool machine on several networks,
 * `metal` one without an operating system, in QEMU; `pxe` one that has nothing and boots over eth0. */
export type NodeKind = "pool" | "router" | "host" | "metal" | "pxe";

export interface LabNetwork {
  readonly name: string;
  /** Bytes behind the Ethernet header. */
  readonly mtu: number;
  /** What it is of, when it is no Ethernet: a cable between two nodes, or IP. */
  readonly kind?: "serial" | "ip";
  /** Of a cable, bits a second. */
  readonly speed?: number;
  /** Of a cable: the probability of damage to each byte. */
  readonly noise?: number;
  /** As `tc` writes it (`1gbit`), in each direction of each link; null: as fast as it goes. */
  readonly rate: string | null;
  /** From 0: part of its addresses; its place in the file unless a change of the lab kept another. */
  readonly number?: number;
}

export interface LabNode {
  readonly name: string;
  readonly kind: NodeKind;
  /** Names of networks; the first is eth0. */
  readonly networks: readonly string[];
  /** It has one of the lab's directory servers. */
  readonly directory?: boolean;
  /** From 1: part of its addresses; its place in the file unless a change of the lab kept another. */
  readonly number?: number;
  /** It has a Bullet server, with files on a medium of this size that is made when it first starts. */
  readonly bullet?: { readonly bytes: number };
  /** Of a pxe machine; left out: bios. */
  readonly firmware?: "bios" | "uefi";
  /** It has a replication server for the lab's files. */
  readonly replication?: LabReplication;
  /** Of a metal machine, when it is not a microvm with virtio. */
  readonly metal?: MetalMachine;
  /** A metal machine has a disk of so many bytes, which is as long as the lab. */
  readonly disk?: { readonly bytes: number };
  /** Groups that a metal machine is a member of: one at most. */
  readonly groups?: readonly string[];
}

export const metalMachines = ["microvm", "pc", "q35"] as const;
export const metalCards = ["virtio", "e1000e"] as const;

/** What QEMU makes of a metal machine, and which network cards it has. */
export interface MetalMachine {
  readonly machine: (typeof metalMachines)[number];
  readonly nic: (typeof metalCards)[number];
}

/** May a machine without an operating system be told this name of a group: in a word of its command line? */
export const isGroupName = (text: string): boolean =>
  /^[^\s\p{Cc}]+$/u.test(text) && new TextEncoder().encode(text).length <= 55;
export const groupNameRule = "a group's name has 1 to 55 bytes here, and no blanks";

/** Why there is no such machine; undefined: there is. */
export function metalFault({ machine, nic }: MetalMachine): string | undefined {
  return machine === "microvm" && nic === "e1000e"
    ? "e1000e is a PCI card, and a microvm has no PCI: write machine: pc or q35"
    : undefined;
}

/** What a replication server of a lab is set to; left out: its defaults. */
export interface LabReplication {
  readonly copies?: number | undefined;
  /** Seconds. */
  readonly interval?: number | undefined;
  readonly grace?: number | undefined;
  readonly verify?: number | undefined;
}

/** What is wrong with one link. */
export interface LinkImpairments {
  readonly node: string;
  readonly network: string;
  readonly impairments: Impairments;
}

export interface Topology {
  readonly name: string;
  readonly networks: readonly LabNetwork[];
  readonly nodes: readonly LabNode[];
  /** How many control daemons it has (daemons.ts); left out: none. */
  readonly daemons?: number;
  /** Links that are not healthy, in the order of the nodes; left out when all are. */
  readonly impairments?: readonly LinkImpairments[];
}

export const networksMax = 256;
export const nodesMax = 254;
export const daemonsMax = 16;
/** Of cables that say nothing of it, bits a second. */
export const cableSpeedDefault = 921_600;
export const mtuMin = 256;
export const mtuMax = 65521;

/** Checks a name given on the command line; `what` is "lab" or "node". */
export function requireName(what: string, text: string): string {
  if (isName(text)) return text;
  throw new ProteusError({
    code: "LAB_NAME_INVALID",
    exit: 2,
    message: `"${text}" cannot be the name of a ${what}`,
    why: `a name is ${nameRule}`,
    hint: "choose another name",
  });
}

/** The lab without a file: pool machines n1, n2 … on one network, lan0. */
export function defaultTopology(name: string, nodes: number): Topology {
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > nodesMax)
    throw new ProteusError({
      code: "LAB_NODES_INVALID",
      exit: 2,
      message: `a lab cannot have ${nodes} nodes`,
      why: `--nodes is a whole number from 1 to ${nodesMax}`,
      hint: "proteus lab up --nodes 3",
    });
  return {
    name: requireName("lab", name),
    networks: [{ name: "lan0", mtu: 1500, rate: null }],
    nodes: Array.from({ length: nodes }, (_, index) => ({
      name: `n${index + 1}`,
      kind: "pool",
      networks: ["lan0"],
    })),
  };
}

/** The numbers of a topology's addresses left out: places in the file. */
function unnumbered({ name, networks, nodes, daemons = 0 }: Topology): object {
  return {
    name,
    daemons,
    networks: networks.map(({ name, mtu, rate, kind, speed, noise }) => ({
      name,
      mtu,
      rate,
      kind,
      speed,
      noise,
    })),
    nodes: nodes.map((node) => {
      const { name, kind, networks, bullet, directory = false, replication } = node;
      const { metal, disk, groups, firmware } = node;
      return { name, kind, networks, bullet, directory, replication, metal, disk, groups, firmware };
    }),
  };
}

/** Do two topologies describe the same machines and wires, whatever is wrong with these? */
export function sameTopology(a: Topology, b: Topology): boolean {
  return JSON.stringify(unnumbered(a)) === JSON.stringify(unnumbered(b));
}

/** Is the same wrong with both? */
export function sameImpairedLinks(a: Topology, b: Topology): boolean {
  return JSON.stringify(a.impairments ?? []) === JSON.stringify(b.impairments ?? []);
}

/** The node of that name, or NODE_NOT_FOUND (exit 3). */
export function requireNode(topology: Topology, name: string): LabNode {
  const found = topology.nodes.find((node) => node.name === name);
  if (found !== undefined) return found;
  throw new ProteusError({
    code: "LAB_NODE_NOT_FOUND",
    exit: 3,
    message: `lab ${topology.name} has no node "${name}"`,
    hint: `its nodes are ${topology.nodes.map((node) => node.name).join(", ")}`,
  });
}
