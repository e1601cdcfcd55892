// What goes over a wire that is no Ethernet (a serial line, IP): a frame without the parts of its
// Ethernet header that such a wire does not need.
//
// - Whoever sends has a station number of 4 bytes; its MAC address in FLIP's eyes is 02:46 and
//   that. So a kernel sees such a network as it sees an Ethernet, with neighbours by address.
// - All numbers as they lie in memory, first byte first:
//
//   one       | 0x11 | source 4 | destination 4 | fragment control, FLIP …
//   everyone  | 0x12 | source 4 | fragment control, FLIP …
//   a group   | 0x13 | source 4 | MAC address 6 | fragment control, FLIP …
//
// - Pure. A message that is none gives null; nothing in it is believed before its length is checked.

import { ETHERNET_HEADER, ETHERTYPE_FLIP } from "../../core-wasm/wire/formats.js";

const one = 0x11;
const everyone = 0x12;
const group = 0x13;
const stationBytes = 4;
const macBytes = 6;
/** Fragment control, which every frame has. */
const controlBytes = 2;
const frameBytesMin = 60;
const prefix = [0x02, 0x46] as const;

/** The most that a message has in front of what follows the Ethernet header. */
export const messageHeaderMax = 1 + stationBytes + macBytes;

/** A message apart; the bytes are those of the message. */
export interface Message {
  readonly source: Uint8Array;
  /** A station; null: everyone or a group. */
  readonly destination: Uint8Array | null;
  /** The group's MAC address; null: one station, or everyone. */
  readonly group: Uint8Array | null;
  readonly content: Uint8Array;
}

/** The MAC address of a station. */
export function stationAddress(station: Uint8Array): Uint8Array {
  return Uint8Array.of(...prefix, ...station.subarray(0, stationBytes));
}

/** The station behind a MAC address; null when it is none of ours. */
export function stationOf(mac: Uint8Array): Uint8Array | null {
  return mac[0] === prefix[0] && mac[1] === prefix[1] ? mac.subarray(2, macBytes) : null;
}

const isBroadcast = (mac: Uint8Array): boolean => mac.every((byte) => byte === 0xff);

/** A frame as a message; null: it is not FLIP, or goes to an address that this wire cannot have. */
export function encodeMessage(frame: Uint8Array, station: Uint8Array): Uint8Array | null {
  const to = frame.subarray(0, macBytes);
  const ethertype = ((frame[12] ?? 0) << 8) | (frame[13] ?? 0);
  if (frame.length < ETHERNET_HEADER + controlBytes || ethertype !== ETHERTYPE_FLIP) return null;
  const grouped = ((to[0] ?? 0) & 1) === 1;
  const [kind, address] = isBroadcast(to)
    ? ([everyone, new Uint8Array(0)] as const)
    : grouped
      ? ([group, to] as const)
      : ([one, stationOf(to)] as const);
  if (address === null) return null;
  const message = new Uint8Array(1 + stationBytes + address.length + frame.length - ETHERNET_HEADER);
  message[0] = kind;
  message.set(station.subarray(0, stationBytes), 1);
  message.set(address, 1 + stationBytes);
  message.set(frame.subarray(ETHERNET_HEADER), 1 + stationBytes + address.length);
  return message;
}

/** Takes a message apart; null when it is none. */
export function decodeMessage(message: Uint8Array): Message | null {
  const kind = message[0];
  if (kind !== one && kind !== everyone && kind !== group) return null;
  const addressBytes = kind === one ? stationBytes : kind === group ? macBytes : 0;
  const header = 1 + stationBytes + addressBytes;
  if (message.length < header + controlBytes) return null;
  const source = message.subarray(1, 1 + stationBytes);
  const address = message.subarray(1 + stationBytes, header);
  if (kind === group && (((address[0] ?? 0) & 1) === 0 || isBroadcast(address))) return null;
  return {
    source,
    destination: kind === one ? address : null,
    group: kind === group ? address : null,
    content: message.subarray(header),
  };
}

/** The frame that a kernel gets from a message, padded as an Ethernet would. */
export function frameOf(message: Message): Uint8Array {
  const frame = new Uint8Array(Math.max(frameBytesMin, ETHERNET_HEADER + message.content.length));
  if (message.destination !== null) frame.set(stationAddress(message.destination));
  else if (message.group !== null) frame.set(message.group);
  else frame.fill(0xff, 0, macBytes);
  frame.set(stationAddress(message.source), macBytes);
  frame[12] = ETHERTYPE_FLIP >> 8;
  frame[13] = ETHERTYPE_FLIP & 0xff;
  frame.set(message.content, ETHERNET_HEADER);
  return frame;
}
