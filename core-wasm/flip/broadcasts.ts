// Broadcasts: each is taken once, and goes on over every other network it may still reach.
//
// - A cache of what was seen tells duplicates by source, message id and offset; a slot
//   holds one, so an old one may be forgotten early (the original's scheme).
// - Source: spec section 1.8, duplicate cache and rules 1 and 4.

import { COUNTER_BROADCASTS_DROPPED, COUNTER_FORWARDED } from "../layout";
import { allocate } from "../memory/arena";
import { countUp } from "../memory/counters";
import { MAC_BROADCAST } from "../wire/ethernet";
import * as flip from "../wire/flip";
import { neighbourFor, neighbourGreet } from "./neighbours";
import { HEAD_DATA, headNew, networkAt, networkCount, sendData } from "./networks";

const SEEN_BYTES: usize = 24; // source u64, message id u32, offset u32, valid u32

let seen: usize = 0;
let seenMask: u32 = 0;

/** Remembers about this many broadcasts. */
export function broadcastsOpen(broadcasts: u32): void {
  let slots: u32 = 16;
  while (slots < broadcasts) slots <<= 1;
  seen = allocate((slots as usize) * SEEN_BYTES);
  seenMask = slots - 1;
}

/** True when this packet of a broadcast was seen before; notes it otherwise. */
export function duplicate(packet: usize): bool {
  const source = flip.source(packet);
  const id = flip.messageId(packet);
  const offset = flip.dataOffset(packet);
  const slot = (((source as u32) + ((source >> 32) as u32) + id + offset) & seenMask) as usize;
  const at = seen + slot * SEEN_BYTES;
  if (load<u32>(at, 16) && load<u64>(at) == source && load<u32>(at, 8) == id && load<u32>(at, 12) == offset) {
    countUp(COUNTER_BROADCASTS_DROPPED);
    return true;
  }
  store<u64>(at, source);
  store<u32>(at, id, 8);
  store<u32>(at, offset, 12);
  store<u32>(at, 1, 16);
  return false;
}

/**
 * A router that passes a question on says HELLO to whoever asked, so that by the time the
 * answer comes it is known whether it may go on with a check.
 */
export function greetAsker(index: u32, mac: u64): void {
  if (networkCount < 2) return;
  const asker = neighbourFor(index, mac);
  if (changetype<usize>(asker) != 0) neighbourGreet(asker);
}

/** Broadcasts a packet on all other networks that it may still reach. */
export function spread(from: u32, p: usize, act: u32, most: u32, secure: bool): void {
  const length = flip.dataLength(p);
  for (let i: u32 = 0; i < networkCount; i++) {
    const network = networkAt(i);
    if (i == from || !network.up || act + network.weight > most) continue;
    if (secure && !network.trusted) continue;
    if (length > network.mtu - 42) continue;
    const head = headNew();
    memory.copy(head + HEAD_DATA, p, 40);
    flip.setActHop(head + HEAD_DATA, act + network.weight);
    countUp(COUNTER_FORWARDED);
    sendData(i, MAC_BROADCAST, false, 0, head, 40, p + 40, length);
  }
}
