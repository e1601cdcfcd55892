// Single packets: what this machine sends without a Message, and how any packet leaves.
//
// - A packet carries a check where its next hop understands one.

import { COUNTER_MULTIDATA_OUT, COUNTER_UNIDATA_OUT } from "../layout";
import { countUp } from "../memory/counters";
import { MAC_BROADCAST } from "../wire/ethernet";
import * as flip from "../wire/flip";
import {
  neighbourAwait,
  neighbourChecked,
  neighbourFind,
  neighbourFor,
  neighbourGreet,
  neighbourSettled,
} from "./neighbours";
import { HEAD_DATA, headNew, networkAt, networkCount, sendData } from "./networks";
import { ANY_NETWORK, Location, routeBest } from "./routes";

/** Sends a FLIP packet to a neighbour, with a check where that one understands it. */
export function sendPacket(
  index: u32,
  mac: u64,
  head: usize,
  length: u32,
  body: usize,
  bodyLength: u32,
): void {
  const checked = neighbourChecked(neighbourFind(index, mac));
  sendData(index, mac, checked, 0, head, length, body, bodyLength);
}

/**
 * One small packet (at most 72 bytes at `data`) to an address whose route is known.
 * False when there is no route; nothing was sent then.
 */
export function packetSend(
  destination: u64,
  source: u64,
  id: u32,
  data: usize,
  length: u32,
  flags: u32,
): bool {
  const best = routeBest(destination, ANY_NETWORK, flip.HOPS_MAX, (flags & flip.FLIP_SECURITY) != 0);
  if (best <= 0) return false;
  const location = changetype<Location>(best as usize);
  const index = location.key2 as u32;
  const network = networkAt(index);
  const neighbour = neighbourFor(index, location.key);
  if (changetype<usize>(neighbour) != 0) neighbourGreet(neighbour);
  const head = headNew();
  flip.flipHeader(
    head + HEAD_DATA,
    flip.FLIP_UNIDATA,
    flags,
    network.weight,
    max<u32>(location.hops, network.weight),
    destination,
    source,
    id,
    length,
    0,
    length,
  );
  memory.copy(head + HEAD_DATA + 40, data, length);
  countUp(COUNTER_UNIDATA_OUT);
  sendPacket(index, location.key, head, 40 + length, 0, 0);
  return true;
}

export const PACKET_SENT: i32 = 0;
export const PACKET_NO_ROUTE: i32 = -1;
export const PACKET_GREETING: i32 = -2; // not sent: the next hop is being asked what it is

/**
 * One packet to an address whose route is known: at most 112 bytes of `prefix`, then the body;
 * together at most 1454. `careful`: only with a check, if the next hop may understand one.
 */
export function packetSendParts(
  destination: u64,
  source: u64,
  id: u32,
  prefix: usize,
  prefixLength: u32,
  body: usize,
  bodyLength: u32,
  careful: bool,
): i32 {
  const best = routeBest(destination, ANY_NETWORK, flip.HOPS_MAX, false);
  if (best <= 0) return PACKET_NO_ROUTE;
  const location = changetype<Location>(best as usize);
  const index = location.key2 as u32;
  const network = networkAt(index);
  const neighbour = neighbourFor(index, location.key);
  if (changetype<usize>(neighbour) == 0) return PACKET_NO_ROUTE;
  neighbourGreet(neighbour);
  if (careful && !neighbourSettled(neighbour, true, location.hops <= network.weight)) {
    neighbourAwait(neighbour);
    return PACKET_GREETING;
  }
  const head = headNew();
  const total = prefixLength + bodyLength;
  flip.flipHeader(
    head + HEAD_DATA,
    flip.FLIP_UNIDATA,
    0,
    network.weight,
    max<u32>(location.hops, network.weight),
    destination,
    source,
    id,
    total,
    0,
    total,
  );
  memory.copy(head + HEAD_DATA + flip.FLIP_HEADER, prefix, prefixLength);
  countUp(COUNTER_UNIDATA_OUT);
  const length = flip.FLIP_HEADER + prefixLength;
  sendData(index, location.key, neighbour.checked != 0, 0, head, length, body, bodyLength);
  return PACKET_SENT;
}

/** A small packet to everyone within `hops`; false when no network is that near. */
export function packetBroadcast(source: u64, id: u32, data: usize, length: u32, hops: u32): bool {
  let any = false;
  for (let i: u32 = 0; i < networkCount; i++) {
    const network = networkAt(i);
    if (!network.up || network.weight > hops) continue;
    const head = headNew();
    flip.flipHeader(
      head + HEAD_DATA,
      flip.FLIP_MULTIDATA,
      0,
      network.weight,
      hops,
      0,
      source,
      id,
      length,
      0,
      length,
    );
    memory.copy(head + HEAD_DATA + 40, data, length);
    countUp(COUNTER_MULTIDATA_OUT);
    sendData(i, MAC_BROADCAST, false, 0, head, 40 + length, 0, 0);
    any = true;
  }
  return any;
}
