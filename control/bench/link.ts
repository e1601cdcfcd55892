// The wires of the benchmark: what has to be typed so that a veth pair becomes a link of
// 1 Gbit/s or one that loses frames. Pure; pair.ts runs it.
//
// - Every protocol meets the link alike. A rate is a token bucket (tbf) at both ends; loss
//   is a die of classic BPF that takes a frame away on its way out, behind every queue and
//   unnoticed by the sender. (Not at the receiving end: our socket gets a frame before any
//   program there does.)
// - Where frames are lost TCP hands over one segment at a time: 64 KB that a wire would have
//   cut into 44 frames must not be lost, or spared, as one.

import type { LinkName } from "./types.js";

/** Bits a second of the links that have a rate. */
export const gigabit = 1e9;

/** The part of the frames that a link loses; 0 for most. */
export function lossOf(link: LinkName): number {
  const match = /^loss-([\d.]+)%$/.exec(link);
  return match === null ? 0 : Number(match[1]) / 100;
}

/** FLIP routers between client and server. */
export const routersOf = (link: LinkName): number => Number(/^routers-(\d)$/.exec(link)?.[1] ?? 0);

/** A token bucket of a millisecond whose queue holds `queueBytes`. */
export function rateLine(device: string, queueBytes: number, mtu: number): string {
  const burst = Math.ceil(Math.max(gigabit / 8 / 1000, 2 * (mtu + 18)));
  return `qdisc add dev ${device} root tbf rate 1gbit burst ${burst} limit ${queueBytes}`;
}

/** The offset at which classic BPF reads a random number (SKF_AD_OFF + SKF_AD_RANDOM). */
const randomAt = 2 ** 32 - 0x1000 + 56;
const taken = 4; // TC_ACT_STOLEN: the sender is told that it was sent
const goOn = 2 ** 32 - 1; // TC_ACT_UNSPEC

/** Load a random number; below the threshold the frame is taken away, else it goes on. */
function lossProgram(part: number): string {
  const threshold = Math.round(part * 2 ** 32);
  return `4,32 0 0 ${randomAt},53 1 0 ${threshold},6 0 0 ${taken},6 0 0 ${goOn}`;
}

/** What waits at most at the ends of a link of 1 Gbit/s: 20 ms of it, as in the lab. */
const pairQueueBytes = (gigabit / 8) * 0.02;

export interface LinkLines {
  /** For `ip -batch`. */
  readonly ip: readonly string[];
  /** For `tc -batch`. */
  readonly tc: readonly string[];
}

/** How many segments TCP may hand over at once, for `ip -batch`. */
export const segmentsLine = (device: string, most: number): string =>
  `link set dev ${device} gso_max_segs ${most}`;
const segmentsUsual = 65_535;

/** What makes a plain interface one end of a link. */
export function linkLines(link: LinkName, device: string, mtu: number): LinkLines {
  const loss = lossOf(link);
  if (link === "1gbit") return { ip: [], tc: [rateLine(device, pairQueueBytes, mtu)] };
  if (loss === 0) return { ip: [], tc: [] };
  const die = `filter add dev ${device} egress protocol all bpf da bytecode "${lossProgram(loss)}"`;
  return { ip: [segmentsLine(device, 1)], tc: [`qdisc add dev ${device} clsact`, die] };
}

/** What makes it plain again. */
export function plainLines(link: LinkName, device: string): LinkLines {
  if (link === "1gbit") return { ip: [], tc: [`qdisc del dev ${device} root`] };
  if (lossOf(link) === 0) return { ip: [], tc: [] };
  return { ip: [segmentsLine(device, segmentsUsual)], tc: [`qdisc del dev ${device} clsact`] };
}
