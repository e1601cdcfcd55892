// Outgoing messages: cut into fragments, sent as credits allow, fairly.
//
// - A Message lies with its owner and is sent straight from the owner's memory: a
//   prefix (protocol headers) and a body. It may be asked for pieces of it again.
// - Messages of one fragment (at most 1458 bytes) are never held back. Longer ones cost
//   a credit a fragment.
// - Frames on their way through (frames.ts) wait in the same flows (queues.ts).
// - Source: spec section 1.2.

import { COUNTER_FRAGMENTS_REPEATED, COUNTER_UNIDATA_OUT } from "../layout";
import { GAPS_MAX } from "../limits";
import { insist } from "../memory/assert";
import { countUp } from "../memory/counters";
import * as flip from "../wire/flip";
import { creditsOwed } from "./credits";
import { locateStart } from "./locate";
import {
  Neighbour,
  neighbourAwait,
  neighbourData,
  neighbourFor,
  neighbourFree,
  neighbourGreet,
  neighbourSettled,
} from "./neighbours";
import { HEAD_DATA, headNew, networkAt, sendData } from "./networks";
import { Item, KIND_MESSAGE, enqueue, neighbourPump, withdraw } from "./queues";
import { ANY_NETWORK, Location, ROUTE_UNSAFE, routeBest } from "./routes";

export const MESSAGE_IDLE: u32 = 0; // nothing of it is waiting
export const MESSAGE_QUEUED: u32 = 1; // waits for credit
export const MESSAGE_LOCATING: u32 = 2; // waits for a route
export const MESSAGE_UNSAFE: u32 = 4; // the only way leads over an untrusted network: not sent
export const MESSAGE_GREETING: u32 = 3; // waits to know what the next hop is

/** A message of `total` bytes: `prefixLength` at `prefix`, the rest at `body`. */
@unmanaged
export class Message extends Item {
  state: u32;
  destination: u64;
  source: u64;
  id: u32; // FLIP message id, the same for pieces that are sent again
  total: u32;
  prefix: u32;
  prefixLength: u32;
  body: u32;
  flags: u32; // FLIP flags
  careful: u32; // its receiver is ours: no frame of it goes without a check if that can be
  hops: u32; // distance of the destination, from its route
  ranges: u32; // pieces still to send, the first in range 0
  repeated: u32; // the pieces in front of this many are repeats
  // then u32 start, end of GAPS_MAX + 1 ranges
}

export const MESSAGE_BYTES: u32 = offsetof<Message>() + (GAPS_MAX + 1) * 8;

// @ts-ignore: decorator
@inline
function rangeAt(message: Message, index: u32): usize {
  return changetype<usize>(message) + offsetof<Message>() + (index as usize) * 8;
}

/** Sends the whole message; it must not be in a queue. Its buffers are the kernel's until it is idle. */
export function messageSend(message: Message): void {
  insist(message.state == MESSAGE_IDLE || message.state == MESSAGE_UNSAFE, 210);
  insist(message.prefixLength <= 56 && message.total >= message.prefixLength, 211);
  message.kind = KIND_MESSAGE;
  message.ranges = 1;
  message.repeated = 0;
  store<u32>(rangeAt(message, 0), 0);
  store<u32>(rangeAt(message, 0) + 4, message.total);
  messageRoute(message);
}

/** Sends one piece of it again, in front of what still waits. False when too many wait. */
export function messageRepeat(message: Message, start: u32, end: u32): bool {
  if (start >= end || end > message.total) return false;
  if (message.state == MESSAGE_IDLE) {
    message.ranges = 0;
    message.repeated = 0;
  }
  if (message.ranges > 0) {
    end = min<u32>(end, load<u32>(rangeAt(message, message.ranges - 1))); // from there it is still to come
    if (start >= end) return true;
  }
  for (let i: u32 = 0; i < message.ranges; i++) {
    const range = rangeAt(message, i); // already waiting as a whole: nothing to do
    if (load<u32>(range) <= start && load<u32>(range, 4) >= end) return true;
  }
  if (message.ranges > GAPS_MAX) return false;
  memory.copy(rangeAt(message, 1), rangeAt(message, 0), message.ranges * 8);
  store<u32>(rangeAt(message, 0), start);
  store<u32>(rangeAt(message, 0), end, 4);
  message.ranges++;
  message.repeated++;
  if (message.state == MESSAGE_IDLE) messageRoute(message);
  return true;
}

/** How far the message has got: it changes whenever a fragment of it leaves. */
export function messageProgress(message: Message): u32 {
  return message.ranges > 0 ? load<u32>(rangeAt(message, 0)) + message.ranges : 0;
}

/** Finds the next hop and sends or queues; called again when its address was located. */
export function messageRoute(message: Message): void {
  message.state = MESSAGE_IDLE;
  const best = routeBest(
    message.destination,
    ANY_NETWORK,
    flip.HOPS_MAX,
    (message.flags & flip.FLIP_SECURITY) != 0,
  );
  if (best == ROUTE_UNSAFE) {
    message.state = MESSAGE_UNSAFE; // looking again would find the same way
    return;
  }
  if (best <= 0) {
    message.state = MESSAGE_LOCATING;
    if (!locateStart(message.destination, message.source, false)) message.state = MESSAGE_IDLE;
    return;
  }
  const location = changetype<Location>(best as usize);
  const network = location.key2 as u32;
  message.hops = location.hops;
  const neighbour = neighbourFor(network, location.key);
  if (changetype<usize>(neighbour) == 0) return;
  neighbourGreet(neighbour);
  const direct = location.hops <= networkAt(network).weight;
  if (!neighbourSettled(neighbour, message.careful != 0, direct)) {
    message.state = MESSAGE_GREETING;
    neighbourAwait(neighbour);
    return;
  }
  if (message.total <= neighbourFree(neighbour) && message.total <= neighbourData(neighbour)) {
    fragment(message, neighbour, network, 0, message.total, 0);
    message.ranges = 0;
    return;
  }
  if (!enqueue(changetype<Item>(message), message.destination, neighbour)) return;
  message.state = MESSAGE_QUEUED;
  neighbourPump(neighbour);
}

/** Takes the message out of any queue; what was sent stays sent. */
export function messageCancel(message: Message): void {
  if (message.state == MESSAGE_QUEUED) withdraw(changetype<Item>(message));
  message.state = MESSAGE_IDLE;
  message.ranges = 0;
}

/** One fragment [start, start + length) on the wire. */
function fragment(
  message: Message,
  neighbour: Neighbour,
  network: u32,
  start: u32,
  length: u32,
  count: u32,
): void {
  const head = headNew();
  flip.flipHeader(
    head + HEAD_DATA,
    flip.FLIP_UNIDATA,
    message.flags,
    networkAt(network).weight,
    message.hops,
    message.destination,
    message.source,
    message.id,
    length,
    start,
    message.total,
  );
  let headLength: u32 = flip.FLIP_HEADER;
  let body: usize = message.body;
  let bodyLength = length;
  if (start < message.prefixLength) {
    const inHead = min<u32>(message.prefixLength - start, length);
    copyPrefix(head + HEAD_DATA + flip.FLIP_HEADER, message.prefix + start);
    headLength += inHead;
    bodyLength -= inHead;
  } else {
    body += start - message.prefixLength;
  }
  countUp(COUNTER_UNIDATA_OUT);
  sendData(network, neighbour.key, neighbour.checked != 0, count, head, headLength, body, bodyLength);
}

/** Copies 64 bytes, of which at most 56 count: quicker than just so many with memory.copy. */
// @ts-ignore: decorator
@inline
function copyPrefix(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
  v128.store(to, v128.load(from, 32), 32);
  v128.store(to, v128.load(from, 48), 48);
}

/** Sends the next piece of a message; true when that was the last. */
export function nextFragment(message: Message, neighbour: Neighbour): bool {
  const range = rangeAt(message, 0);
  const start = load<u32>(range);
  const end = load<u32>(range, 4);
  const length = min<u32>(end - start, neighbourData(neighbour));
  fragment(message, neighbour, neighbour.key2 as u32, start, length, creditsOwed(neighbour));
  if (message.repeated > 0) countUp(COUNTER_FRAGMENTS_REPEATED);
  store<u32>(range, start + length);
  if (start + length < end) return false;
  if (message.repeated > 0) message.repeated--;
  message.ranges--;
  if (message.ranges > 0) {
    memory.copy(range, rangeAt(message, 1), message.ranges * 8);
    return false;
  }
  message.state = MESSAGE_IDLE;
  return true;
}
