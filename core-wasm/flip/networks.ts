// The networks that this kernel is attached to, and the last step of every frame.
//
// - A frame leaves in two pieces: a head built here (at most HEAD_BYTES) and a body that
//   stays where it is. Heads come from a ring of TRANSMIT_PENDING_MAX, see host.ts.
// - Broadcasts that others cause (LOCATE) are budgeted a second and network.

import * as host from "../host";
import { COUNTER_FRAMES_OUT, COUNTER_TRANSMIT_FAILED } from "../layout";
import { TRANSMIT_PENDING_MAX } from "../limits";
import { allocate } from "../memory/arena";
import { nowMs } from "../memory/clock";
import { countUp } from "../memory/counters";
import { broadcastsPerSecond } from "../memory/settings";
import { checkAdd, checkOpen, checkValue } from "../wire/check";
import { ETHERTYPE_FLIP, FC_CHECKED, FC_DATA, setMac } from "../wire/ethernet";
import { KERNEL_BADNETWORK, KERNEL_FULL } from "../status";

/** Bytes of one head: Ethernet 14, control 2, check 4, FLIP 40, then up to 112 of the message. */
const HEAD_BYTES: usize = 192;

@unmanaged
export class Network {
  mac: u64;
  mtu: u32; // bytes behind the Ethernet header
  weight: u32; // hops that crossing it costs
  trusted: u32;
  up: u32;
  window: u32; // fragments a neighbour may have under way to us
  budget: i32; // broadcasts left in this second
  budgetSecond: u32;
  lastSource: u64; // a route that was just seen, so that it is not installed again
  lastMac: u64;
  lastHops: u32;
  lastEpoch: u32;
}

let base: usize = 0;
let capacity: u32 = 0;
let heads: usize = 0;
let headCursor: u32 = 0;

/** One is being written while TRANSMIT_PENDING_MAX may be on their way: twice as many, a power of two. */
const HEADS: u32 = TRANSMIT_PENDING_MAX * 2;

/** Where in a head the FLIP header stands. */
export const HEAD_DATA: usize = 20;

export let networkCount: u32 = 0;

export function networksOpen(networks: u32): void {
  capacity = networks;
  networkCount = 0;
  headCursor = 0;
  base = allocate(networks * offsetof<Network>());
  heads = allocate((HEADS as usize) * HEAD_BYTES);
}

// @ts-ignore: decorator
@inline
export function networkAt(index: u32): Network {
  return changetype<Network>(base + (index as usize) * offsetof<Network>());
}

/** Attaches a network; answers its index, or KERNEL_FULL. */
export function networkAdd(mac: u64, mtu: u32, weight: u32, trusted: bool, receiveFrames: u32): i32 {
  if (mtu < 576 || mtu > 65535 || weight == 0 || weight > 25) return KERNEL_BADNETWORK;
  if (networkCount >= capacity) return KERNEL_FULL;
  const network = networkAt(networkCount);
  network.mac = mac;
  network.mtu = mtu;
  network.weight = weight;
  network.trusted = trusted ? 1 : 0;
  network.up = 1;
  network.budget = broadcastsPerSecond as i32;
  network.budgetSecond = nowMs() / 1000;
  // A quarter of the ring for one neighbour; below eight as the original: nrcv / 4, at least 1.
  let window = receiveFrames >> 2;
  if (window < 8) window = receiveFrames >= 8 ? 8 : max<u32>(window, 1);
  network.window = min<u32>(window, 128);
  return networkCount++ as i32;
}

/** Takes one broadcast out of the network's budget; false when it is used up. */
export function networkSpend(network: Network): bool {
  const second = nowMs() / 1000;
  if (network.budgetSecond != second) {
    network.budgetSecond = second;
    network.budget = broadcastsPerSecond as i32;
  }
  if (network.budget <= 0) return false;
  network.budget--;
  return true;
}

/**
 * A fresh head. The FLIP header (or what follows a control's two bytes) goes to
 * HEAD_DATA; what stands in front of it is written by sendData or sendControl:
 *
 *   plain     ....| Ethernet 14 | control 2 |            FLIP …
 *   checked   | Ethernet 14 | control 2 | check 4 |      FLIP …
 */
// @ts-ignore: decorator
@inline
export function headNew(): usize {
  const head = heads + (headCursor as usize) * HEAD_BYTES;
  headCursor = (headCursor + 1) & (HEADS - 1);
  return head;
}

/** All heads are free again: what was transmitted has been flushed. The same few stay in the cache. */
// @ts-ignore: decorator
@inline
export function headsReclaim(): void {
  headCursor = 0;
}

// @ts-ignore: decorator
@inline
function ethernet(frame: usize, network: Network, destination: u64, control: u32, count: u32): void {
  setMac(frame, destination);
  setMac(frame + 6, network.mac);
  store<u16>(frame, bswap<u16>(ETHERTYPE_FLIP as u16), 12);
  store<u8>(frame, control as u8, 14);
  store<u8>(frame, count as u8, 15);
}

/** Sends a FLIP packet: `length` bytes at HEAD_DATA of the head, then the body. */
export function sendData(
  index: u32,
  mac: u64,
  checked: bool,
  count: u32,
  head: usize,
  length: u32,
  body: usize,
  bodyLength: u32,
): void {
  const network = networkAt(index);
  if (!checked) {
    ethernet(head + 4, network, mac, FC_DATA, count);
    send(index, head + 4, 16 + length, body, bodyLength);
    return;
  }
  ethernet(head, network, mac, FC_CHECKED, count);
  store<u32>(head, 0, 16);
  checkOpen();
  checkAdd(head, 20 + length);
  if (bodyLength > 0) checkAdd(body, bodyLength);
  store<u32>(head, checkValue(), 16);
  send(index, head, 20 + length, body, bodyLength);
}

/** Sends a frame of fragment control; `length` bytes of it are at HEAD_DATA. */
export function sendControl(index: u32, mac: u64, control: u32, count: u32, head: usize, length: u32): void {
  ethernet(head + 4, networkAt(index), mac, control, count);
  send(index, head + 4, 16 + length, 0, 0);
}

/** True when the check of a received CHECKED frame of `length` bytes holds. */
export function frameHolds(frame: usize, length: u32): bool {
  if (length < 60) return false;
  const data = load<u32>(frame, 20 + 28); // FLIP length: a Proteus machine sends little-endian
  if (data > length - 60) return false;
  const given = load<u32>(frame, 16);
  store<u32>(frame, 0, 16);
  checkOpen();
  checkAdd(frame, 60 + data);
  return checkValue() == given;
}

/** Hands a frame to the host. */
// @ts-ignore: decorator
@inline
function send(index: u32, head: usize, headLength: u32, body: usize, bodyLength: u32): void {
  countUp(COUNTER_FRAMES_OUT);
  if (host.transmit(index as i32, head, headLength as i32, body, bodyLength as i32) < 0) {
    countUp(COUNTER_TRANSMIT_FAILED);
  }
}
