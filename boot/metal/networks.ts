// The machine's networks: attaches its network cards to the kernel, hands frames in and out.
//
// - network=MAC,MAC says which become networks, in that order; without it all do.
// - The host is told of each frame, so that a panic can say which were the last.
// - A frame that comes from this machine's own address is another machine's with the same address (a
//   card does not hear itself): it is said on the console, once a minute at most, and goes no further.

import { CARD_BUFFERS } from "../../drivers/card/card";
import { DEVICE_NET } from "../../drivers/virtio/transport";
import {
  CARDS_MOST,
  cardFlush,
  cardFrame,
  cardFrameLength,
  cardOpen,
  cardPoll,
  cardRelease,
  cardSend,
  cardTake,
} from "./cards";
import { value, valueLength } from "./command-line";
import { say } from "./console";
import { DEVICE_E1000E, devices, foundAt } from "./devices";
import { frame } from "./host";
import { networkAdd, receive } from "./kernel";
import { reflectOpen, reflects } from "./reflect";
import { put, putHex, putNumber, textBegin, textLength } from "./text";

const ETHERNET_MTU: i32 = 1500;
const ETHERNET_WEIGHT: i32 = 3;
const ETHERNET_SOURCE: usize = 6;
export const NETWORKS_MOST: u32 = CARDS_MOST;
const MAC: usize = 8; // bytes kept for each
/** Frames taken from one network before the others and the timers have their turn. */
const BURST: u32 = 64;
const SAID_AGAIN_US: f64 = 60000000;

const macs = memory.data(8 * 4, 8);
const saidAt = memory.data(8 * 4, 8); // when each network's double was last told of

export let networks: u32 = 0;
/** Devices that are there and were refused, or had no room. */
export let refused: u32 = 0;

export function macAt(network: u32): usize {
  return macs + MAC * (network as usize);
}

/** What a hex digit is worth; 16: it is none. */
export function hexDigit(byte: u32): u32 {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : 16;
}

/** The MAC address in hex at the front of a text, in the order of its bytes as one number. */
function parseMac(from: usize, length: u32): u64 {
  let mac: u64 = 0;
  let place: u32 = 0;
  for (let i: u32 = 0; i < length && place < 12; i++) {
    const byte = load<u8>(from + (i as usize)) as u32;
    if (byte == 0x2c) break;
    const half = hexDigit(byte);
    if (half > 15) continue; // a colon
    mac |= (half as u64) << ((8 * (place >> 1) + ((place & 1) != 0 ? 0 : 4)) as u64);
    place++;
  }
  return mac;
}

function isCard(device: u32): bool {
  const kind = foundAt(device).kind;
  return kind == DEVICE_NET || kind == DEVICE_E1000E;
}

/** Sets up a device and gives it to the kernel. */
function open(device: u32): void {
  if (networks == NETWORKS_MOST || foundAt(device).mac == 0) {
    refused++;
    return;
  }
  const mac = macAt(networks);
  if (
    !cardOpen(networks, device, mac) ||
    networkAdd(mac, ETHERNET_MTU, ETHERNET_WEIGHT, 1, CARD_BUFFERS as i32) < 0
  ) {
    refused++;
    return;
  }
  store<f64>(saidAt + 8 * (networks as usize), -SAID_AGAIN_US);
  networks++;
}

/** Attaches the cards; how many networks there are is `networks`. */
export function networksOpen(): void {
  reflectOpen();
  const list = value("network=");
  if (list == 0) {
    for (let device: u32 = 0; device < devices; device++) if (isCard(device)) open(device);
    return;
  }
  const length = valueLength;
  for (let at: u32 = 0; at < length; at++) {
    if (at > 0 && load<u8>(list + (at as usize) - 1) != 0x2c) continue;
    const wanted = parseMac(list + (at as usize), length - at);
    let found = false;
    for (let device: u32 = 0; device < devices && !found; device++) {
      found = wanted != 0 && isCard(device) && foundAt(device).mac == wanted;
      if (found) open(device);
    }
    if (!found) refused++;
  }
}

function isOwn(network: u32, source: usize): bool {
  const mac = macAt(network);
  return load<u32>(source) == load<u32>(mac) && load<u16>(source, 4) == load<u16>(mac, 4);
}

function sayDouble(network: u32, now: f64): void {
  const at = saidAt + 8 * (network as usize);
  if (now - load<f64>(at) < SAID_AGAIN_US) return;
  store<f64>(at, now);
  const words = memory.data(160, 8);
  textBegin(words, 160);
  put("another machine on eth");
  putNumber(network as u64);
  put(" has this machine's MAC address ");
  putHex(macAt(network), 6);
  put(": give one of them another, calls to both go astray");
  say(words, textLength());
}

/** Hands out the frames that have come; answers how many. */
export function networksPoll(now: f64): u32 {
  let count: u32 = 0;
  for (let network: u32 = 0; network < networks; network++) {
    cardPoll(network);
    for (let left = BURST; left > 0; left--) {
      const buffer = cardTake(network);
      if (buffer < 0) break;
      const at = cardFrame(network, buffer);
      const length = cardFrameLength(network);
      frame(network, 0, at, length, length);
      if (isOwn(network, at + ETHERNET_SOURCE)) sayDouble(network, now);
      else if (reflects(macAt(network), at, length)) cardSend(network, at, length, 0, 0);
      else receive(network as i32, at, length as i32, now);
      cardRelease(network, buffer);
      count++;
    }
  }
  return count;
}

export function networksFlush(): void {
  for (let network: u32 = 0; network < networks; network++) cardFlush(network);
}

/** The kernel's transmit: 0, or below zero when the frame was dropped. */
export function networksTransmit(
  network: u32,
  head: usize,
  headLength: u32,
  body: usize,
  bodyLength: u32,
): i32 {
  if (network >= networks) return -1;
  frame(network, 1, head, headLength, headLength + bodyLength);
  return cardSend(network, head, headLength, body, bodyLength);
}
