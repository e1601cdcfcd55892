// What has to be typed to impair a link, or to make it whole again: lines for
// `ip -batch` and `tc -batch`, and what the wire process is told. Pure.
//
//   node                          switch
//   eth0 ═══════════════════════ NODE_0 ─── lan0                        whole
//   eth0 ═══════════════════════ NODE_0 ─ _K_N ─ _K_Nn ≈ _K_Nl ─ lan0   with a wire
//        ↑ loss, cut   loss, cut ↑                     ↑ delay, reorder, duplicate, corrupt
//
// - Loss and a cut are dice of classic BPF at the receiving end of either direction
//   (clsact ingress): the sender notices nothing, whatever protocol it speaks. A packet socket
//   for all protocols, as a kernel of ours has, is shown a frame before ingress: for FLIP
//   frames to the node the dice are at the egress of the switch's end. A rate is a token
//   bucket (tbf) at the sending ends. Neither needs netem, nor root.
// - What the kernel has no queue for is done by a process that stands in the link: two
//   tap interfaces, frames read from one and written to the other (wire-relay.ts).
// - Loss must hit frames as they would be on a wire: segmentation offload is switched off
//   while there is any (`gso_max_segs 1`), and a tap has none.

import { ETHERTYPE_FLIP } from "../../core-wasm/wire/formats.js";
import type { Impairments } from "./impairments.js";
import { type LabInterface, rateQueue } from "./plan.js";

/** What a wire does to a frame; the kernel does the rest. */
export interface WireFaults {
  readonly delayMs: number;
  readonly reorder: number;
  readonly duplicate: number;
  readonly corrupt: number;
}

/** The three devices of a wire: "_" in front is in no other name of the switch. */
export interface WireNames {
  readonly bridge: string;
  /** Towards the node, and towards the network. */
  readonly node: string;
  readonly network: string;
}

export interface ImpairmentLines {
  readonly switch: { readonly ip: string[]; readonly tc: string[] };
  readonly node: { readonly ip: string[]; readonly tc: string[] };
}

const flip = `0x${ETHERTYPE_FLIP.toString(16)}`;
const gsoSegments = { wire: 1, usual: 65535 };

/** The devices of the wire in a link; unique in a lab, as its MAC address is. */
export function wireNames({ mac }: LabInterface): WireNames {
  const [network = 0, node = 0] = mac
    .split(":")
    .slice(4)
    .map((byte) => Number.parseInt(byte, 16));
  const bridge = `_${node}_${network}`;
  return { bridge, node: `${bridge}n`, network: `${bridge}l` };
}

/** What a wire has to do, or null when the link needs none. */
export function wireFaults({ delayMs, reorder, duplicate, corrupt }: Impairments): WireFaults | null {
  const needed = delayMs > 0 || reorder > 0 || duplicate > 0 || corrupt > 0;
  return needed ? { delayMs, reorder, duplicate, corrupt } : null;
}

/** The share of frames that are dropped at the receiving ends. */
const dropped = ({ cut, loss }: Impairments): number => (cut ? 1 : loss);

const drops = { shot: 2, stolen: 4 }; // TC_ACT_SHOT; TC_ACT_STOLEN: to the sender it was sent

/**
 * Four instructions of classic BPF: a random number below the threshold drops the frame,
 * any other passes it (TC_ACT_OK).
 */
function dice(share: number, drop: number): string {
  if (share >= 1) return `1,6 0 0 ${drop}`;
  const random = 0xfffff000 + 56; // SKF_AD_OFF + SKF_AD_RANDOM
  const threshold = Math.min(Math.max(Math.round(share * 2 ** 32), 1), 2 ** 32 - 1);
  return `4,32 0 0 ${random},53 0 1 ${threshold},6 0 0 0,6 0 0 ${drop}`;
}

function dropLines(device: string, towardsNode: boolean, before: number, after: number): string[] {
  if (before === after) return [];
  if (after === 0) return [`qdisc del dev ${device} clsact`];
  const rule = (where: string, drop: number): string =>
    `dev ${device} ${where} bpf da bytecode '${dice(after, drop)}'`;
  const rules = [rule("ingress pref 1 handle 1 protocol all", drops.shot)];
  if (towardsNode) rules.push(rule(`egress pref 1 handle 1 protocol ${flip}`, drops.stolen));
  return before === 0
    ? [`qdisc add dev ${device} clsact`, ...rules.map((each) => `filter add ${each}`)]
    : rules.map((each) => `filter replace ${each}`);
}

function segmentLines(device: string, before: number, after: number): string[] {
  if (before > 0 === after > 0) return [];
  return [`link set ${device} gso_max_segs ${after > 0 ? gsoSegments.wire : gsoSegments.usual}`];
}

/** Gives a device another rate. */
export function rateLines(
  device: string,
  mtu: number,
  before: string | null,
  after: string | null,
): string[] {
  if (before === after) return [];
  return after === null
    ? [`qdisc del dev ${device} root`]
    : [`qdisc replace ${rateQueue(device, after, mtu)}`];
}

/** From one state of a link to another, but for its wire. */
export function planImpairments(
  link: LabInterface,
  before: Impairments,
  after: Impairments,
): ImpairmentLines {
  const at = (device: string, towardsNode: boolean): { ip: string[]; tc: string[] } => ({
    ip: segmentLines(device, dropped(before), dropped(after)),
    tc: [
      ...dropLines(device, towardsNode, dropped(before), dropped(after)),
      ...rateLines(device, link.mtu, before.rate ?? link.rate, after.rate ?? link.rate),
    ],
  });
  return { switch: at(link.port, true), node: at(link.name, false) };
}

/** Takes off whatever may be there; lines that find nothing to do are refused, which is no matter. */
export function planWhole(link: LabInterface): ImpairmentLines {
  const at = (device: string): { ip: string[]; tc: string[] } => ({
    ip: [`link set ${device} gso_max_segs ${gsoSegments.usual}`],
    tc: [
      `qdisc del dev ${device} clsact`,
      link.rate === null
        ? `qdisc del dev ${device} root`
        : `qdisc replace ${rateQueue(device, link.rate, link.mtu)}`,
    ],
  });
  return { switch: at(link.port), node: at(link.name) };
}

/** Puts the wire into the link; its taps are there already. */
export function planWire(link: LabInterface): string[] {
  const { bridge, node, network } = wireNames(link);
  const { mtu } = link;
  return [
    `link add ${bridge} mtu ${mtu} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `link set ${node} mtu ${mtu} txqueuelen 4096 master ${bridge} up`,
    `link set ${network} mtu ${mtu} txqueuelen 4096 master ${link.network} up`,
    `link set ${bridge} up`,
    `link set ${link.port} master ${bridge}`,
  ];
}

/** Takes it out again; its taps go when the process lets go of them. */
export function planNoWire(link: LabInterface): string[] {
  return [`link set ${link.port} master ${link.network}`, `link del ${wireNames(link).bridge}`];
}
