// Packets on their way through: on towards their destination, or back to where they came from.
//
// - NOTHERE and UNTRUSTED first try another way; only then do they go back.
// - What came with a check does not go on without one while there is hope that the next
//   hop will turn out to be ours: the ends repeat it.
// - Source: spec section 1.8, rules 3 to 6.

import * as layout from "../layout";
import { FRAME_NOT_OURS, FRAME_TAKEN } from "../status";
import { countUp } from "../memory/counters";
import { multicastMac } from "../wire/ethernet";
import * as flip from "../wire/flip";
import { creditsReturn } from "./credits";
import { packetForward } from "./frames";
import { multicastChecked } from "./multicast";
import { Neighbour, neighbourAwait, neighbourFor, neighbourSettled } from "./neighbours";
import { HEAD_DATA, Network, headNew, networkAt, sendData } from "./networks";
import { sendPacket } from "./packets";
import { Location, ROUTE_UNSAFE, routeBest, routeFind, routeIsLocal } from "./routes";
import { undeliverable } from "./upcalls";

/** Sends a packet on towards its destination, or back when there is no way. */
export function forward(
  network: Network,
  index: u32,
  mac: u64,
  p: usize,
  from: Neighbour,
  cameChecked: bool,
): i32 {
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

/**
 * A group's packet goes on to every place of the group on other networks: with a check where
 * that is understood, and without one only if it came so or there is no hope.
 */
export function multicastForward(from: u32, p: usize, act: u32, cameChecked: bool): void {
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
    if (flip.dataLength(p) > network.mtu - (cameChecked ? 46 : 42)) continue;
    const roomForCheck = flip.dataLength(p) <= network.mtu - 46;
    let mac = location.key;
    const neighbour = neighbourFor(index, mac);
    if (changetype<usize>(neighbour) == 0) continue;
    let checked = neighbour.checked != 0 && roomForCheck;
    const all = multicastChecked(route, index) && roomForCheck;
    if (location.multicast && (all || !cameChecked)) {
      if (sent & (1 << index)) continue;
      sent |= 1 << index;
      mac = multicastMac(flip.destination(p));
      checked = all;
    } else if (cameChecked && !neighbourSettled(neighbour, true, false)) {
      neighbourAwait(neighbour);
      continue;
    }
    const head = headNew();
    memory.copy(head + HEAD_DATA, p, 40);
    flip.setActHop(head + HEAD_DATA, act + network.weight);
    countUp(layout.COUNTER_FORWARDED);
    sendData(index, mac, checked, 0, head, 40, p + 40, flip.dataLength(p));
  }
}

/** A packet that came back: another way, or back to its source, or up to whoever sent it. */
export function returned(index: u32, p: usize, reason: u32): i32 {
  const source = flip.source(p);
  if (source == 0 || routeIsLocal(flip.destination(p))) {
    countUp(layout.COUNTER_NOT_OURS);
    return FRAME_NOT_OURS;
  }
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
