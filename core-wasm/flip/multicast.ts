// Packets to a group of endpoints that share one address, by hardware multicast where possible.
//
// - MCREQ asks a neighbour to listen to the group's Ethernet multicast address; MCACK
//   says that it does, MCNAK that it cannot. Until every place on a network listens,
//   the packet goes to each by unicast: the sender never waits for an answer.
// - A packet carries a check where everyone that it goes to understands one. A careful
//   sender, whose group is all ours, sends no packet without one to a place that may yet
//   turn out to be ours: it greets it, and the packet counts as lost.
// - Multicast is never throttled by credits (spec 1.2 calls it a bug of the source): a
//   sender of long messages paces itself, by asking for a few fragments at a time.
// - Source: spec sections 1.1, 1.2, 1.6.

import { COUNTER_MULTIDATA_OUT } from "../layout";
import { countUp } from "../memory/counters";
import { nowMs } from "../memory/clock";
import * as ethernet from "../wire/ethernet";
import * as flip from "../wire/flip";
import {
  Neighbour,
  neighbourChecked,
  neighbourFind,
  neighbourFor,
  neighbourGreet,
  neighbourSettled,
} from "./neighbours";
import { HEAD_DATA, Network, headNew, networkAt, networkCount, sendControl, sendData } from "./networks";
import { Location, Route, routeFind, routeIsLocal } from "./routes";
import { listen } from "./upcalls";

const ASK_AGAIN_MS: u32 = 100;
let lastAskMs: u32 = 0;

// The message that is being sent
let destination: u64 = 0;
let source: u64 = 0;
let messageId: u32 = 0;
let prefix: usize = 0;
let prefixLength: u32 = 0;
let body: usize = 0;
let total: u32 = 0;
let careful: bool = false;

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

/** Stops listening to the hardware multicast of an address that is ours no more. */
export function multicastLeave(address: u64): void {
  for (let i: u32 = 0; i < networkCount; i++) listen(i, ethernet.multicastMac(address), false);
}

/** How many endpoints of an address are known elsewhere. */
export function multicastKnown(address: u64): u32 {
  const route = routeFind(address);
  if (changetype<usize>(route) == 0) return 0;
  let count: u32 = 0;
  for (let at: usize = route.locations; at != 0; at = changetype<Location>(at).sibling)
    count += changetype<Location>(at).count;
  return count;
}

/** True when everyone on a network that the address is at understands a check. */
export function multicastChecked(route: Route, network: u32): bool {
  for (let at: usize = route.locations; at != 0; at = changetype<Location>(at).sibling) {
    const location = changetype<Location>(at);
    if ((location.key2 as u32) == network && !neighbourChecked(neighbourFind(network, location.key)))
      return false;
  }
  return true;
}

/** Says what the next multicastFragments sends: a message of `size` bytes, `head` in front and the rest at `rest`. */
export function multicastMessage(
  to: u64,
  from: u64,
  id: u32,
  head: usize,
  headLength: u32,
  rest: usize,
  size: u32,
  onlyChecked: bool,
): void {
  destination = to;
  source = from;
  messageId = id;
  prefix = head;
  prefixLength = headLength;
  body = rest;
  total = size;
  careful = onlyChecked;
}

/** Sends at most `most` fragments of it from `offset` on; answers where the next one begins. */
export function multicastFragments(offset: u32, most: u32): u32 {
  const route = routeFind(destination);
  if (changetype<usize>(route) == 0) return total;
  const mayAsk = nowMs() - lastAskMs >= ASK_AGAIN_MS;
  if (mayAsk) lastAskMs = nowMs();
  const size = fragmentBytes(route);
  do {
    const length = min<u32>(total - offset, size);
    for (let i: u32 = 0; i < networkCount; i++) {
      if (networkAt(i).up) toNetwork(i, route, offset, length, mayAsk && offset == 0);
    }
    offset += length;
  } while (offset < total && --most > 0);
  return offset;
}

/** What fits one fragment on every link that the message takes. */
function fragmentBytes(route: Route): u32 {
  let size: u32 = flip.FLIP_SIZE_MAX;
  for (let at: usize = route.locations; at != 0; at = changetype<Location>(at).sibling) {
    const location = changetype<Location>(at);
    const neighbour = neighbourFor(location.key2 as u32, location.key);
    const known = changetype<usize>(neighbour) != 0 && neighbour.known != 0;
    const mtu = known ? neighbour.mtu : min<u32>(networkAt(location.key2 as u32).mtu, 1500);
    size = min<u32>(size, mtu - (careful || neighbourChecked(neighbour) ? 46 : 42));
  }
  return size == flip.FLIP_SIZE_MAX ? flip.FLIP_DATA_1500 : size;
}

/** One fragment to all places on a network: one multicast, or one packet each. */
function toNetwork(index: u32, route: Route, offset: u32, length: u32, mayAsk: bool): void {
  const network = networkAt(index);
  let places: u32 = 0;
  let listening: u32 = 0;
  let checking: u32 = 0;
  let hops: u32 = network.weight;
  for (let at: usize = route.locations; at != 0; at = changetype<Location>(at).sibling) {
    const location = changetype<Location>(at);
    if ((location.key2 as u32) != index) continue;
    places++;
    if (location.multicast) listening++;
    else if (mayAsk) ask(index, location.key, destination);
    hops = max<u32>(hops, location.hops);
    if (neighbourChecked(neighbourFind(index, location.key))) checking++;
  }
  if (places == 0) return;
  if (places >= 2 && listening == places && (checking == places || !careful)) {
    fragment(index, network, ethernet.multicastMac(destination), hops, offset, length, checking == places);
    return;
  }
  for (let at: usize = route.locations; at != 0; at = changetype<Location>(at).sibling) {
    const location = changetype<Location>(at);
    if ((location.key2 as u32) != index) continue;
    const neighbour = neighbourFor(index, location.key);
    if (!ready(neighbour, location.hops <= network.weight)) continue;
    fragment(index, network, location.key, location.hops, offset, length, neighbour.checked != 0);
  }
}

/** Whether a fragment may go to a neighbour, which is greeted when it is new. */
function ready(neighbour: Neighbour, direct: bool): bool {
  if (changetype<usize>(neighbour) == 0) return false;
  neighbourGreet(neighbour);
  return !careful || neighbourSettled(neighbour, true, direct);
}

function fragment(
  index: u32,
  network: Network,
  mac: u64,
  hops: u32,
  offset: u32,
  length: u32,
  checked: bool,
): void {
  const head = headNew();
  flip.flipHeader(
    head + HEAD_DATA,
    flip.FLIP_MULTIDATA,
    0,
    network.weight,
    max<u32>(hops, network.weight),
    destination,
    source,
    messageId,
    length,
    offset,
    total,
  );
  countUp(COUNTER_MULTIDATA_OUT);
  let headLength: u32 = flip.FLIP_HEADER;
  let from = body + offset - prefixLength;
  let rest = length;
  if (offset < prefixLength) {
    const inHead = min<u32>(prefixLength - offset, length);
    memory.copy(head + HEAD_DATA + flip.FLIP_HEADER, prefix + offset, inHead);
    headLength += inHead;
    rest -= inHead;
    from = body;
  }
  sendData(index, mac, checked, 0, head, headLength, from, rest);
}
