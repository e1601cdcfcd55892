// The packet switch: every frame enters here, and leaves for this machine or the next.
//
// - receive: Ethernet, fragment control, FLIP, each checked once; then the rules of the
//   packet's type. Anything else is counted and dropped.
// - A machine with two networks routes between them by the same rules.
// - A kernel answers only frames addressed to its own MAC; broadcasts only where the
//   protocol says so (LOCATE).
// - Source: spec section 1.8, by rule number.

import * as layout from "../layout";
import { FRAME_MALFORMED, FRAME_NOT_OURS, FRAME_TAKEN, KERNEL_BADNETWORK } from "../status";
import { allocate } from "../memory/arena";
import { countUp } from "../memory/counters";
import * as ethernet from "../wire/ethernet";
import * as flip from "../wire/flip";
import { creditsAsked, creditsGranted, creditsReturn, creditsSet, creditsTaken } from "./credits";
import { locateFound } from "./locate";
import { neighbourPump, packetForward } from "./messages";
import { multicastControl } from "./multicast";
import {
  Neighbour,
  neighbourAwait,
  neighbourChecked,
  neighbourDoubt,
  neighbourFind,
  neighbourFor,
  neighbourFree,
  neighbourGreet,
  neighbourHello,
  neighbourSettled,
} from "./neighbours";
import {
  HEAD_DATA,
  Network,
  frameHolds,
  headNew,
  networkAt,
  networkCount,
  networkSpend,
  sendData,
} from "./networks";
import {
  ANY_NETWORK,
  Location,
  ROUTE_UNSAFE,
  routeBest,
  routeCount,
  routeFind,
  routeInstall,
  routeIsLocal,
  routeRemove,
  routeRemoveAll,
  routeRemoveElsewhere,
} from "./routes";
import { deliver, settled, undeliverable } from "./upcalls";

const SEEN_BYTES: usize = 24; // source u64, message id u32, offset u32, valid u32

let seen: usize = 0;
let seenMask: u32 = 0;
let broadcastListeners: u32 = 0;
let cameChecked: bool = false; // the frame being switched had a check

export function switchOpen(broadcastsSeen: u32): void {
  let slots: u32 = 16;
  while (slots < broadcastsSeen) slots <<= 1;
  seen = allocate((slots as usize) * SEEN_BYTES);
  seenMask = slots - 1;
  broadcastListeners = 0;
}

/** Broadcasts are delivered here from now on (registering the null address). */
export function switchListen(): void {
  broadcastListeners = 1;
}

/** True when this packet of a broadcast was seen before; notes it otherwise. */
function duplicate(packet: usize): bool {
  const source = flip.source(packet);
  const id = flip.messageId(packet);
  const offset = flip.dataOffset(packet);
  const slot = (((source as u32) + ((source >> 32) as u32) + id + offset) & seenMask) as usize;
  const at = seen + slot * SEEN_BYTES;
  if (load<u32>(at, 16) && load<u64>(at) == source && load<u32>(at, 8) == id && load<u32>(at, 12) == offset) {
    countUp(layout.COUNTER_BROADCASTS_DROPPED);
    return true;
  }
  store<u64>(at, source);
  store<u32>(at, id, 8);
  store<u32>(at, offset, 12);
  store<u32>(at, 1, 16);
  return false;
}

/** One frame from a network: its Ethernet header at `frame`. A FRAME_* status. */
export function switchReceive(index: u32, frame: usize, length: u32): i32 {
  countUp(layout.COUNTER_FRAMES_IN);
  if (index >= networkCount) return KERNEL_BADNETWORK;
  const network = networkAt(index);
  if (length < ethernet.ETHERNET_HEADER + ethernet.FRAGMENT_CONTROL) return malformed();
  if (ethernet.etherType(frame) != ethernet.ETHERTYPE_FLIP) return notOurs();
  const mac = ethernet.macOf(frame + 6);
  const to = ethernet.macOf(frame);
  if (mac == network.mac || !network.up) return notOurs();
  if (ethernet.isMulticast(mac)) return malformed();
  const unicast = to == network.mac;
  if (!unicast && !ethernet.isMulticast(to)) return notOurs();
  const count = load<u8>(frame, 15) as u32;
  const data = frame + 16;
  const rest = length - 16;
  const type = load<u8>(frame, 14) as u32;
  if (type == ethernet.FC_DATA || type == ethernet.FC_CHECKED) {
    const checked = type == ethernet.FC_CHECKED;
    if (checked && !frameHolds(frame, length)) return malformed();
    cameChecked = checked;
    const p = checked ? frame + 20 : data;
    if (flip.check(p, checked ? rest - 4 : rest) != 0) return malformed();
    if (unicast && (count > 0 || !checked)) fromNeighbour(neighbourFind(index, mac), checked, count);
    return packet(network, index, mac, p, unicast);
  }
  if (!unicast) return notOurs();
  return control(index, mac, type, count, data, rest);
}

/** What a DATA frame says beside its packet: credits, and whether its sender knows us. */
function fromNeighbour(neighbour: Neighbour, checked: bool, count: u32): void {
  if (changetype<usize>(neighbour) == 0) return;
  if (!checked) neighbourDoubt(neighbour);
  if (count == 0) return;
  creditsGranted(neighbour, count);
  neighbourPump(neighbour);
}

function malformed(): i32 {
  countUp(layout.COUNTER_MALFORMED);
  return FRAME_MALFORMED;
}

function notOurs(): i32 {
  countUp(layout.COUNTER_NOT_OURS);
  return FRAME_NOT_OURS;
}

/** Sends a FLIP packet to a neighbour, with a check where that one understands it. */
function sendPacket(index: u32, mac: u64, head: usize, length: u32, body: usize, bodyLength: u32): void {
  const checked = neighbourChecked(neighbourFind(index, mac));
  sendData(index, mac, checked, 0, head, length, body, bodyLength);
}

/** Fragment control other than DATA. */
function control(index: u32, mac: u64, type: u32, count: u32, data: usize, rest: u32): i32 {
  if (type == ethernet.FC_HELLO) {
    if (!neighbourHello(index, mac, data, rest)) return malformed();
    settled();
    return FRAME_TAKEN;
  }
  if (type == ethernet.FC_MCREQ || type == ethernet.FC_MCACK || type == ethernet.FC_MCNAK) {
    return multicastControl(index, mac, type, data, rest) ? FRAME_TAKEN : malformed();
  }
  if (type == ethernet.FC_REQCREDIT) {
    const asking = neighbourFor(index, mac);
    if (changetype<usize>(asking) != 0) creditsAsked(asking);
    return FRAME_TAKEN;
  }
  if (type != ethernet.FC_CREDIT && type != ethernet.FC_ABSCREDIT) return notOurs();
  const neighbour = neighbourFind(index, mac);
  if (changetype<usize>(neighbour) == 0) return FRAME_TAKEN;
  if (type == ethernet.FC_CREDIT) creditsGranted(neighbour, count);
  else creditsSet(neighbour, count);
  neighbourPump(neighbour);
  return FRAME_TAKEN;
}

/** Rule 0, then the rule of the type. `p` is the FLIP header, little-endian by now. */
function packet(network: Network, index: u32, mac: u64, p: usize, unicast: bool): i32 {
  const type = flip.flipType(p);
  if (!network.trusted) flip.setFlags(p, flip.flags(p) | flip.FLIP_UNSAFE);
  const act = flip.actHop(p);
  const most = flip.maxHop(p);
  if (act > most || (type != flip.FLIP_LOCATE && most > flip.HOPS_MAX)) {
    countUp(layout.COUNTER_HOPS_DROPPED);
    return FRAME_NOT_OURS;
  }
  switch (type) {
    case flip.FLIP_UNIDATA:
      return unidata(network, index, mac, p, unicast);
    case flip.FLIP_LOCATE:
      return locate(network, index, mac, p);
    case flip.FLIP_HEREIS:
      return hereis(network, index, mac, p);
    case flip.FLIP_MULTIDATA:
      return multidata(index, mac, p);
    case flip.FLIP_NOTHERE:
      return nothere(network, index, mac, p);
    default:
      return untrusted(network, index, mac, p);
  }
}

// @ts-ignore: decorator
@inline
function trustOf(p: usize): u32 {
  return flip.flags(p) & flip.FLIP_UNSAFE ? 0 : 1;
}

/** Rule 1. */
function locate(network: Network, index: u32, mac: u64, p: usize): i32 {
  countUp(layout.COUNTER_LOCATES_IN);
  const source = flip.source(p);
  const wanted = flip.destination(p);
  if (source == 0 || wanted == 0 || routeIsLocal(source)) return notOurs();
  if (duplicate(p)) return FRAME_TAKEN;
  if (!networkSpend(network)) {
    countUp(layout.COUNTER_BROADCASTS_DROPPED);
    return FRAME_TAKEN;
  }
  const act = flip.actHop(p);
  const most = flip.maxHop(p);
  routeRemoveAll(source);
  routeInstall(source, index, mac, act, 1, trustOf(p));
  if (routeIsLocal(wanted)) return answer(network, index, mac, p, 0);
  if (act >= most) {
    const best = routeBest(wanted, index, flip.HOPS_MAX, false);
    if (best > 0) return answer(network, index, mac, p, changetype<Location>(best as usize).hops);
    return FRAME_TAKEN;
  }
  routeRemoveElsewhere(wanted, index);
  const secure = (flip.flags(p) & flip.FLIP_SECURITY) != 0;
  greetAsker(index, mac);
  spread(index, p, act, most, secure);
  return FRAME_TAKEN;
}

/** Turns a LOCATE into the HEREIS that answers it. */
function answer(network: Network, index: u32, mac: u64, p: usize, hops: u32): i32 {
  const act = flip.actHop(p);
  if (act < network.weight || act + hops > flip.HOPS_MAX) return FRAME_TAKEN;
  const head = headNew();
  const h = head + HEAD_DATA;
  const count = max<u32>(routeCount(flip.destination(p), index, false), 1);
  const trusted = min<u32>(routeCount(flip.destination(p), index, true), count);
  flip.flipHeader(
    h,
    flip.FLIP_HEREIS,
    flip.flags(p) & ~flip.FLIP_BIGENDIAN,
    act - network.weight,
    act + hops,
    flip.destination(p),
    flip.source(p),
    flip.messageId(p),
    4,
    0,
    4,
  );
  flip.setHereisCount(h, count);
  flip.setHereisTrusted(h, trusted);
  countUp(layout.COUNTER_HEREIS_OUT);
  sendPacket(index, mac, head, 44, 0, 0);
  return FRAME_TAKEN;
}

/**
 * A router that passes a question on says HELLO to whoever asked, so that by the time the
 * answer comes it is known whether it may go on with a check.
 */
function greetAsker(index: u32, mac: u64): void {
  if (networkCount < 2) return;
  const asker = neighbourFor(index, mac);
  if (changetype<usize>(asker) != 0) neighbourGreet(asker);
}

/** Broadcasts a packet on all other networks that it may still reach. */
function spread(from: u32, p: usize, act: u32, most: u32, secure: bool): void {
  const length = flip.dataLength(p);
  for (let i: u32 = 0; i < networkCount; i++) {
    const network = networkAt(i);
    if (i == from || !network.up || act + network.weight > most) continue;
    if (secure && !network.trusted) continue;
    if (length > network.mtu - 42) continue;
    const head = headNew();
    memory.copy(head + HEAD_DATA, p, 40);
    flip.setActHop(head + HEAD_DATA, act + network.weight);
    countUp(layout.COUNTER_FORWARDED);
    sendData(i, ethernet.MAC_BROADCAST, false, 0, head, 40, p + 40, length);
  }
}

/** Rule 2. */
function hereis(network: Network, index: u32, mac: u64, p: usize): i32 {
  countUp(layout.COUNTER_HEREIS_IN);
  const found = flip.destination(p);
  const asker = flip.source(p);
  if (found == 0 || asker == 0 || routeIsLocal(found)) return notOurs();
  const act = flip.actHop(p);
  const most = flip.maxHop(p);
  const trusted = trustOf(p) ? flip.hereisTrusted(p) : 0;
  routeInstall(found, index, mac, max<u32>(most - act, network.weight), flip.hereisCount(p), trusted);
  if (routeIsLocal(asker)) {
    locateFound(found);
    return FRAME_TAKEN;
  }
  const best = routeBest(asker, index, flip.HOPS_MAX, false);
  if (best <= 0) return FRAME_TAKEN;
  const location = changetype<Location>(best as usize);
  const out = networkAt(location.key2 as u32);
  if (act < out.weight) return FRAME_TAKEN;
  const head = headNew();
  memory.copy(head + HEAD_DATA, p, 44);
  flip.setActHop(head + HEAD_DATA, act - out.weight);
  const count = max<u32>(routeCount(found, location.key2 as u32, false), 1);
  flip.setHereisCount(head + HEAD_DATA, count);
  flip.setHereisTrusted(head + HEAD_DATA, min<u32>(routeCount(found, location.key2 as u32, true), count));
  countUp(layout.COUNTER_FORWARDED);
  sendPacket(location.key2 as u32, location.key, head, 44, 0, 0);
  return FRAME_TAKEN;
}

/** Rule 3. */
function unidata(network: Network, index: u32, mac: u64, p: usize, unicast: bool): i32 {
  const source = flip.source(p);
  const wanted = flip.destination(p);
  const total = flip.dataTotal(p);
  if (!unicast && !routeIsLocal(wanted)) return notOurs();
  let from = changetype<Neighbour>(0);
  if (total > flip.FLIP_DATA_1500 - 4 && unicast) {
    from = neighbourFor(index, mac);
    if (changetype<usize>(from) != 0 && total > neighbourFree(from)) creditsTaken(from);
  }
  if (source != 0) {
    if (routeIsLocal(source)) return notOurs();
    routeInstall(source, index, mac, flip.actHop(p), 1, trustOf(p));
  }
  if (routeIsLocal(wanted)) {
    countUp(layout.COUNTER_UNIDATA_IN);
    deliver(
      p + 40,
      flip.dataLength(p),
      wanted,
      source,
      flip.messageId(p),
      flip.dataOffset(p),
      total,
      flip.flags(p) & flip.FLIP_UNSAFE,
    );
    return FRAME_TAKEN;
  }
  if (wanted == 0) return notOurs();
  return forward(network, index, mac, p, from);
}

/** Sends a packet on towards its destination, or back when there is no way. */
function forward(network: Network, index: u32, mac: u64, p: usize, from: Neighbour): i32 {
  const act = flip.actHop(p);
  const most = flip.maxHop(p);
  const secure = (flip.flags(p) & flip.FLIP_SECURITY) != 0;
  const best = routeBest(flip.destination(p), index, most - act, secure);
  if (best <= 0) {
    if (best == ROUTE_UNSAFE)
      return sendBack(network, index, mac, p, flip.FLIP_UNTRUSTED, flip.FLIP_UNREACHABLE);
    return sendBack(network, index, mac, p, flip.FLIP_NOTHERE, 0);
  }
  const location = changetype<Location>(best as usize);
  const outIndex = location.key2 as u32;
  const out = networkAt(outIndex);
  if (act + out.weight > most) return sendBack(network, index, mac, p, flip.FLIP_NOTHERE, 0);
  const next = neighbourFor(outIndex, location.key);
  if (changetype<usize>(next) == 0) return FRAME_TAKEN;
  // What came with a check does not go on without one while there is hope: the ends repeat it.
  if (cameChecked && !neighbourSettled(next, true, false)) {
    neighbourAwait(next);
    return FRAME_TAKEN;
  }
  flip.setActHop(p, act + out.weight);
  if (!out.trusted) flip.setFlags(p, flip.flags(p) | flip.FLIP_UNSAFE);
  packetForward(p, next, from);
  if (changetype<usize>(from) != 0) creditsReturn(from);
  return FRAME_TAKEN;
}

/** How much of a packet travels back over this network: its beginning says whose it was. */
function returnLength(network: Network, p: usize): u32 {
  return min<u32>(flip.dataLength(p), network.mtu - 46);
}

/** A packet without a way goes back to where it came from, as NOTHERE or UNTRUSTED. */
function sendBack(network: Network, index: u32, mac: u64, p: usize, type: u32, flag: u32): i32 {
  const act = flip.actHop(p);
  if (flip.source(p) == 0 || act < network.weight) return FRAME_TAKEN;
  const length = returnLength(network, p);
  const head = headNew();
  memory.copy(head + HEAD_DATA, p, 40);
  flip.setFlipType(head + HEAD_DATA, type);
  flip.setFlags(head + HEAD_DATA, flip.flags(p) | flag);
  flip.setActHop(head + HEAD_DATA, act - network.weight);
  flip.setDataLength(head + HEAD_DATA, length);
  countUp(type == flip.FLIP_NOTHERE ? layout.COUNTER_NOTHERE_OUT : layout.COUNTER_UNTRUSTED_OUT);
  sendPacket(index, mac, head, 40, p + 40, length);
  return FRAME_TAKEN;
}

/** Rule 4. */
function multidata(index: u32, mac: u64, p: usize): i32 {
  countUp(layout.COUNTER_MULTIDATA_IN);
  const source = flip.source(p);
  const wanted = flip.destination(p);
  const act = flip.actHop(p);
  const first = flip.dataOffset(p) == 0;
  if (source != 0 && routeIsLocal(source)) return notOurs();
  if (wanted == 0) {
    if (duplicate(p)) return FRAME_TAKEN;
    if (first && source != 0) {
      routeRemoveAll(source);
      routeInstall(source, index, mac, act, 1, trustOf(p));
    }
    greetAsker(index, mac);
    spread(index, p, act, flip.maxHop(p), (flip.flags(p) & flip.FLIP_SECURITY) != 0);
    if (broadcastListeners) up(p);
    return FRAME_TAKEN;
  }
  if (first && source != 0) routeInstall(source, index, mac, act, 1, trustOf(p));
  multicastForward(index, p, act);
  if (routeIsLocal(wanted)) up(p);
  return FRAME_TAKEN;
}

function up(p: usize): void {
  deliver(
    p + 40,
    flip.dataLength(p),
    flip.destination(p),
    flip.source(p),
    flip.messageId(p),
    flip.dataOffset(p),
    flip.dataTotal(p),
    flip.flags(p) & flip.FLIP_UNSAFE,
  );
}

/** A group's packet goes on to every place of the group on other networks. */
function multicastForward(from: u32, p: usize, act: u32): void {
  const route = routeFind(flip.destination(p));
  if (changetype<usize>(route) == 0) return;
  let at: usize = route.locations;
  let sent: u32 = 0; // networks that had the hardware multicast, a bit each
  while (at != 0) {
    const location = changetype<Location>(at);
    at = location.sibling;
    const index = location.key2 as u32;
    const network = networkAt(index);
    if (index == from || !network.up || act + network.weight > flip.maxHop(p)) continue;
    if (flip.dataLength(p) > network.mtu - 42) continue;
    let mac = location.key;
    if (location.multicast) {
      if (sent & (1 << index)) continue;
      sent |= 1 << index;
      mac = ethernet.multicastMac(flip.destination(p));
    }
    const head = headNew();
    memory.copy(head + HEAD_DATA, p, 40);
    flip.setActHop(head + HEAD_DATA, act + network.weight);
    countUp(layout.COUNTER_FORWARDED);
    sendData(index, mac, false, 0, head, 40, p + 40, flip.dataLength(p));
  }
}

/** Rule 5. */
function nothere(network: Network, index: u32, mac: u64, p: usize): i32 {
  countUp(layout.COUNTER_NOTHERE_IN);
  routeRemove(flip.destination(p), index, mac);
  return returned(index, p, 0x10);
}

/** Rule 6. */
function untrusted(network: Network, index: u32, mac: u64, p: usize): i32 {
  countUp(layout.COUNTER_UNTRUSTED_IN);
  const wanted = flip.destination(p);
  if (wanted != 0 && !routeIsLocal(wanted)) {
    routeRemove(wanted, index, mac);
    routeInstall(wanted, index, mac, max<u32>(flip.maxHop(p) - flip.actHop(p), network.weight), 1, 0);
  }
  return returned(index, p, 0x20);
}

/** A packet that came back: another way, or back to its source, or up to whoever sent it. */
function returned(index: u32, p: usize, reason: u32): i32 {
  const source = flip.source(p);
  if (source == 0 || routeIsLocal(flip.destination(p))) return notOurs();
  const act = flip.actHop(p);
  const secure = (flip.flags(p) & flip.FLIP_SECURITY) != 0;
  const best = routeBest(flip.destination(p), index, flip.HOPS_MAX, secure);
  if (best > 0) {
    const location = changetype<Location>(best as usize);
    const out = networkAt(location.key2 as u32);
    const next = neighbourFor(location.key2 as u32, location.key);
    if (act + location.hops <= flip.HOPS_MAX && changetype<usize>(next) != 0) {
      flip.setFlipType(p, flip.FLIP_UNIDATA);
      flip.setFlags(p, flip.flags(p) & ~flip.FLIP_UNREACHABLE);
      flip.setMaxHop(p, act + location.hops);
      flip.setActHop(p, act + out.weight);
      packetForward(p, next, changetype<Neighbour>(0));
      return FRAME_TAKEN;
    }
  }
  if (routeIsLocal(source)) {
    undeliverable(p + 40, flip.dataLength(p), flip.destination(p), flip.dataOffset(p), reason);
    return FRAME_TAKEN;
  }
  const back = routeBest(source, index, flip.HOPS_MAX, false);
  if (back <= 0) return FRAME_TAKEN;
  const location = changetype<Location>(back as usize);
  const out = networkAt(location.key2 as u32);
  if (act < out.weight) return FRAME_TAKEN;
  const length = returnLength(out, p);
  const head = headNew();
  memory.copy(head + HEAD_DATA, p, 40);
  flip.setActHop(head + HEAD_DATA, act - out.weight);
  flip.setDataLength(head + HEAD_DATA, length);
  countUp(layout.COUNTER_FORWARDED);
  sendPacket(location.key2 as u32, location.key, head, 40, p + 40, length);
  return FRAME_TAKEN;
}

// ---- what this machine itself sends without a Message -----------------------------

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
  countUp(layout.COUNTER_UNIDATA_OUT);
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
    countUp(layout.COUNTER_MULTIDATA_OUT);
    sendData(i, ethernet.MAC_BROADCAST, false, 0, head, 40 + length, 0, 0);
    any = true;
  }
  return any;
}
