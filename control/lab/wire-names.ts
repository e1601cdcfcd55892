// What the interfaces of a lab's machines stand for where their network is no Ethernet: the text that
// --interface would have, handed to every program of a machine in PROTEUS_WIRE_eth0, PROTEUS_WIRE_eth1 …
//
// - A cable is a serial port each, at the end of a link in the lab's folder (cables.ts).
// - Over IP every machine has the others of its network as peers, with keys made for this lab.

import { join } from "node:path";
import { keyTextOf, makeKeyFile, readKeyFile } from "../../drivers/secure-link/keys.js";
import { ProteusError } from "../kernel/errors.js";
import { wireVariable } from "../node/interfaces.js";
import { interfacesOf, type LabInterface } from "./plan.js";
import { type LabState, labFolder, nodeFolder } from "./state.js";
import { cableSpeedDefault, type LabNode, type Topology } from "./topology.js";

/** Of a program that has no cable's end: 0 and 1, in the order of the nodes. */
export const cablePath = (lab: string, network: string, end: number): string =>
  join(labFolder(lab), "cables", `${network}.${end}`);

const keyPath = (lab: string, node: string): string => join(nodeFolder(lab, node), "link.key");

/** The nodes on a network, in the order of the file. */
export const nodesOn = ({ nodes }: Topology, network: string): LabNode[] =>
  nodes.filter(({ networks }) => networks.includes(network));

/** Makes the keys of the machines that are on networks over IP. */
export function makeLinkKeys({ topology, isolation }: LabState): void {
  const networks = topology.networks.filter(({ kind }) => kind === "ip").map(({ name }) => name);
  if (networks.length === 0) return;
  if (isolation === "memory")
    throw new ProteusError({
      code: "LAB_IP_MEMORY",
      exit: 1,
      message: `lab ${topology.name} cannot have networks over IP (${networks.join(", ")})`,
      why: "a LAN in memory has no IP addresses",
      hint: "proteus lab up --isolation netns (as root) or --isolation userns",
    });
  for (const { name, networks: on } of topology.nodes)
    if (on.some((each) => networks.includes(each))) makeKeyFile(keyPath(topology.name, name));
}

function ipText({ topology }: LabState, node: LabNode, { name, network }: LabInterface): string {
  const lab = topology.name;
  const peers = nodesOn(topology, network).flatMap((peer) => {
    const link = interfacesOf(topology, peer).find((each) => each.network === network);
    if (peer.name === node.name || link === undefined) return [];
    const { publicKey } = readKeyFile(keyPath(lab, peer.name));
    return [`${link.ip.split("/")[0]}=${keyTextOf(publicKey)}`];
  });
  return `${name}=ip:${[...peers, `key=${keyPath(lab, node.name)}`].join("+")}`;
}

function serialText({ topology }: LabState, node: LabNode, { name, network }: LabInterface): string {
  const end = nodesOn(topology, network).findIndex((each) => each.name === node.name);
  const speed = topology.networks.find((each) => each.name === network)?.speed ?? cableSpeedDefault;
  return `${name}=serial:${cablePath(topology.name, network, end)}@${speed}`;
}

/** The variables of a machine. */
export function wireEnvironment(state: LabState, node: LabNode): Record<string, string> {
  return Object.fromEntries(
    interfacesOf(state.topology, node).flatMap((link) =>
      link.wire === undefined
        ? []
        : [[wireVariable(link.name), (link.wire === "ip" ? ipText : serialText)(state, node, link)]],
    ),
  );
}
