// Single packets: what this machine sends without a Message, and how any packet leaves.
//
// - A packet carries a check where its next hop understands one.

import { COUNTER_MULTIDATA_OUT, COUNTER_UNIDATA_OUT } from "../layout";
import { countUp } from "../memory/counters";
import { MAC_BROADCAST } from "../wire/ethernet";
import * as flip from "../wire/flip";
import { neighbourChecked, neighbourFind, neighbourFor, neighbourGreet } from "./neighbours";
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
