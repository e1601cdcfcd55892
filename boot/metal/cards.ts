// A network card of either kind, behind one set of functions: virtio-net or Intel's 82574L.
//
// - cardOpen takes a device that devices.ts has found and sets it up; what comes after is the same for
//   both, and neither driver knows of the other.
// - Memory for as many cards as the machine may have networks is here; their buffers are taken of the
//   host's part of the linear memory.

import { Card } from "../../drivers/card/card";
import {
  E1000e,
  e1000eBytes,
  e1000eFlush,
  e1000eFrame,
  e1000eFrameLength,
  e1000eOpen,
  e1000ePoll,
  e1000eRelease,
  e1000eSend,
  e1000eTake,
} from "../../drivers/e1000e/card";
import { DescriptorRing } from "../../drivers/e1000e/ring";
import { Ring } from "../../drivers/virtio/ring";
import { Device } from "../../drivers/virtio/transport";
import {
  Net,
  netBytes,
  netFlush,
  netFrame,
  netFrameLength,
  netOpen,
  netPoll,
  netRelease,
  netSend,
  netTake,
} from "../../drivers/virtio-net/net";
import { DEVICE_E1000E, Found, foundAt, locate, wakeBy, wakeByCard } from "./devices";
import { take } from "./memory";

/** As many as there may be networks. */
export const CARDS_MOST: u32 = 4;

const intel = memory.data(4, 4); // whether each is an 82574L
const nets = memory.data(offsetof<Net>() * 4, 8);
const netDevices = memory.data(offsetof<Device>() * 4, 8);
const netRings = memory.data(offsetof<Ring>() * 8, 8);
const cards = memory.data(offsetof<E1000e>() * 4, 8);
const cardRings = memory.data(offsetof<DescriptorRing>() * 8, 8);

@inline
function isIntel(index: u32): bool {
  return load<u8>(intel + (index as usize)) != 0;
}

@inline
function netOf(index: u32): Net {
  return changetype<Net>(nets + offsetof<Net>() * (index as usize));
}

@inline
function e1000eOf(index: u32): E1000e {
  return changetype<E1000e>(cards + offsetof<E1000e>() * (index as usize));
}

/** What the card counts. */
export function cardAt(index: u32): Card {
  if (isIntel(index)) return e1000eOf(index);
  return netOf(index);
}

function openNet(index: u32, found: Found, mac: usize): bool {
  const net = netOf(index);
  net.device = changetype<Device>(netDevices + offsetof<Device>() * (index as usize));
  net.receive = changetype<Ring>(netRings + offsetof<Ring>() * 2 * (index as usize));
  net.transmit = changetype<Ring>(netRings + offsetof<Ring>() * (2 * (index as usize) + 1));
  const room = take(netBytes());
  if (room == 0 || !locate(net.device, found)) return false;
  wakeBy(net.device, found);
  return netOpen(net, room, mac);
}

function openE1000e(index: u32, found: Found, mac: usize): bool {
  const card = e1000eOf(index);
  card.receive = changetype<DescriptorRing>(cardRings + offsetof<DescriptorRing>() * 2 * (index as usize));
  card.transmit = changetype<DescriptorRing>(
    cardRings + offsetof<DescriptorRing>() * (2 * (index as usize) + 1),
  );
  if (found.base == 0) return false;
  const room = take(e1000eBytes());
  if (room == 0) return false;
  wakeByCard(found);
  return e1000eOpen(card, found.base, room, mac);
}

/** Sets up card `index` as the device at `device`; its address to `mac`. False: it refuses, or no room. */
export function cardOpen(index: u32, device: u32, mac: usize): bool {
  const found = foundAt(device);
  const isE1000e = found.kind == DEVICE_E1000E;
  store<u8>(intel + (index as usize), isE1000e ? 1 : 0);
  return isE1000e ? openE1000e(index, found, mac) : openNet(index, found, mac);
}

export function cardPoll(index: u32): void {
  if (isIntel(index)) e1000ePoll(e1000eOf(index));
  else netPoll(netOf(index));
}

/** The next frame that came: its buffer's number; below zero: there is none. */
export function cardTake(index: u32): i32 {
  return isIntel(index) ? e1000eTake(e1000eOf(index)) : netTake(netOf(index));
}

export function cardFrame(index: u32, buffer: i32): usize {
  return isIntel(index) ? e1000eFrame(e1000eOf(index), buffer) : netFrame(netOf(index), buffer);
}

export function cardFrameLength(index: u32): u32 {
  return isIntel(index) ? e1000eFrameLength(e1000eOf(index)) : netFrameLength(netOf(index));
}

export function cardRelease(index: u32, buffer: i32): void {
  if (isIntel(index)) e1000eRelease(e1000eOf(index), buffer);
  else netRelease(netOf(index), buffer);
}

export function cardSend(index: u32, head: usize, headLength: u32, body: usize, bodyLength: u32): i32 {
  return isIntel(index)
    ? e1000eSend(e1000eOf(index), head, headLength, body, bodyLength)
    : netSend(netOf(index), head, headLength, body, bodyLength);
}

export function cardFlush(index: u32): void {
  if (isIntel(index)) e1000eFlush(e1000eOf(index));
  else netFlush(netOf(index));
}
