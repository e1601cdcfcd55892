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
import { countUp } from "../memory/counters";
import * as ethernet from "../wire/ethernet";
import * as flip from "../wire/flip";
import { duplicate, greetAsker, spread } from "./broadcasts";
import { creditsAsked, creditsGranted, creditsSet, creditsTaken } from "./credits";
import { forward, multicastForward, returned } from "./forward";
import { locateFound } from "./locate";
import { multicastControl } from "./multicast";
import {
  Neighbour,
  neighbourDoubt,
  neighbourFind,
  neighbourFor,
  neighbourFree,
  neighbourHello,
} from "./neighbours";
import { HEAD_DATA, Network, frameHolds, headNew, networkAt, networkCount, networkSpend } from "./networks";
import { sendPacket } from "./packets";
import { neighbourPump } from "./queues";
import {
  Location,
  routeBest,
  routeCount,
  routeInstall,
  routeIsLocal,
  routeRemove,
  routeRemoveAll,
  routeRemoveElsewhere,
} from "./routes";
import { deliver, settled } from "./upcalls";

let broadcastListeners: u32 = 0;
let cameChecked: bool = false; // the frame being switched had a check

export function switchOpen(): void {
  broadcastListeners = 0;
  cameChecked = false;
}

/** Broadcasts are delivered here from now on (registering the null address). */
export function switchListen(): void {
  broadcastListeners = 1;
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
  if (routeIsLocal(wanted)) {
    answer(network, index, mac, p, 0);
    if (act >= most) return FRAME_TAKEN; // a group's address may be elsewhere too
  }
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

/** Rule 2. */
function hereis(network: Network, index: u32, mac: u64, p: usize): i32 {
  countUp(layout.COUNTER_HEREIS_IN);
  const found = flip.destination(p);
  const asker = flip.source(p);
  if (found == 0 || asker == 0) return notOurs(); // a group's address is here and elsewhere too
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
  return forward(network, index, mac, p, from, cameChecked);
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
  multicastForward(index, p, act, cameChecked);
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
