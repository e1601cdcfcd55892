// Packets to a group of endpoints that share one address, by hardware multicast where possible.
//
// - MCREQ asks a neighbour to listen to the group's Ethernet multicast address; MCACK
//   says that it does, MCNAK that it cannot. Until every place on a network listens,
//   the packet goes to each by unicast: the sender never waits for an answer.
// - Multicast is never throttled by credits (spec 1.2 calls it a bug of the source; a
//   sender of long group messages paces itself, see group/).
// - Source: spec sections 1.1, 1.2, 1.6.

import { COUNTER_MULTIDATA_OUT } from "../layout";
import { countUp } from "../memory/counters";
import { nowMs } from "../memory/clock";
import * as ethernet from "../wire/ethernet";
import * as flip from "../wire/flip";
import { locateStart } from "./locate";
import { HEAD_DATA, headNew, networkAt, networkCount, sendControl, sendData } from "./networks";
import { ANY_NETWORK, Location, routeCount, routeFind, routeIsLocal } from "./routes";
import { listen } from "./upcalls";

const ASK_AGAIN_MS: u32 = 100;
let lastAskMs: u32 = 0;

export function multicastOpen(): void {
  lastAskMs = 0;
}

/** MCREQ, MCACK or MCNAK from a neighbour; false when it is malformed. */
export function multicastControl(network: u32, mac: u64, type: u32, data: usize, length: u32): bool {
  if (type == ethernet.FC_MCREQ) {
    if (length < 16) return false;
    const group = ethernet.macOf(data);
    const address = load<u64>(data, 8);
    const here = routeIsLocal(address) && group == ethernet.multicastMac(address);
    if (here) listen(network, group, true);
    answer(network, mac, here ? ethernet.FC_MCACK : ethernet.FC_MCNAK, address);
    return true;
  }
  if (length < 8) return false;
  const route = routeFind(load<u64>(data));
  if (changetype<usize>(route) == 0) return true;
  let at: usize = route.locations;
  while (at != 0) {
    const location = changetype<Location>(at);
    if (location.key == mac && (location.key2 as u32) == network) {
      location.multicast = type == ethernet.FC_MCACK ? 1 : 0;
    }
    at = location.sibling;
  }
  return true;
}

function answer(network: u32, mac: u64, type: u32, address: u64): void {
  const head = headNew();
  store<u64>(head + HEAD_DATA, address);
  sendControl(network, mac, type, 0, head, 8);
}

function ask(network: u32, mac: u64, address: u64): void {
  const head = headNew();
  store<u64>(head + HEAD_DATA, ethernet.multicastMac(address)); // six bytes, and two zero ones
  store<u64>(head + HEAD_DATA, address, 8);
  sendControl(network, mac, ethernet.FC_MCREQ, 0, head, 16);
}

/**
 * Sends `length` bytes (a whole message) to every known endpoint of `destination`, when
 * at least `endpoints` of them are known; starts looking and answers false otherwise.
 */
export function multicastSend(
  destination: u64,
  source: u64,
  id: u32,
  data: usize,
  length: u32,
  endpoints: u32,
): bool {
  if (routeCount(destination, ANY_NETWORK, false) < endpoints) {
    locateStart(destination, source, false);
    return false;
  }
  const mayAsk = nowMs() - lastAskMs >= ASK_AGAIN_MS;
  if (mayAsk) lastAskMs = nowMs();
  for (let i: u32 = 0; i < networkCount; i++) {
    if (networkAt(i).up) toNetwork(i, destination, source, id, data, length, mayAsk);
  }
  return true;
}

function toNetwork(
  network: u32,
  destination: u64,
  source: u64,
  id: u32,
  data: usize,
  length: u32,
  mayAsk: bool,
): void {
  const route = routeFind(destination);
  if (changetype<usize>(route) == 0) return;
  let places: u32 = 0;
  let listening: u32 = 0;
  for (let at: usize = route.locations; at != 0; at = changetype<Location>(at).sibling) {
    const location = changetype<Location>(at);
    if ((location.key2 as u32) != network) continue;
    places++;
    if (location.multicast) listening++;
    else if (mayAsk) ask(network, location.key, destination);
  }
  const once = places >= 2 && listening == places;
  for (let at: usize = route.locations; at != 0; at = changetype<Location>(at).sibling) {
    const location = changetype<Location>(at);
    if ((location.key2 as u32) != network) continue;
    const mac = once ? ethernet.multicastMac(destination) : location.key;
    fragments(network, mac, location.hops, destination, source, id, data, length);
    if (once) return;
  }
}

function fragments(
  index: u32,
  mac: u64,
  hops: u32,
  destination: u64,
  source: u64,
  id: u32,
  data: usize,
  total: u32,
): void {
  const network = networkAt(index);
  let offset: u32 = 0;
  do {
    const length = min<u32>(total - offset, min<u32>(flip.FLIP_DATA_1500, network.mtu - 42));
    const head = headNew();
    flip.flipHeader(
      head + HEAD_DATA,
      flip.FLIP_MULTIDATA,
      0,
      network.weight,
      max<u32>(hops, network.weight),
      destination,
      source,
      id,
      length,
      offset,
      total,
    );
    countUp(COUNTER_MULTIDATA_OUT);
    sendData(index, mac, false, 0, head, flip.FLIP_HEADER, data + offset, length);
    offset += length;
  } while (offset < total);
}
