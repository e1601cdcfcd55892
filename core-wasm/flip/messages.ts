// Outgoing messages: cut into fragments, sent as credits allow, fairly.
//
// - A Message lies with its owner and is sent straight from the owner's memory: a
//   prefix (protocol headers) and a body. It may be asked for pieces of it again.
// - Messages of one fragment (at most 1458 bytes) are never held back. Longer ones cost
//   a credit a fragment: per neighbour a ring of flows (destinations), per flow a queue,
//   and one fragment a turn.
// - Frames on their way through (a router's) wait in the same flows, in a pool of copies.
// - Source: spec section 1.2.

import {
  COUNTER_CREDIT_WAITS,
  COUNTER_FORWARDED,
  COUNTER_FRAGMENTS_REPEATED,
  COUNTER_TABLE_FULL,
  COUNTER_UNIDATA_OUT,
} from "../layout";
import { GAPS_MAX } from "../limits";
import { insist } from "../memory/assert";
import { countUp } from "../memory/counters";
import { Entry, Table, tableAdd, tableFind, tableNew, tableRemove } from "../memory/table";
import * as flip from "../wire/flip";
import { creditsGone, creditsOwed, creditsReturn } from "./credits";
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
import { ANY_NETWORK, Location, ROUTE_UNSAFE, routeBest } from "./routes";

export const MESSAGE_IDLE: u32 = 0; // nothing of it is waiting
export const MESSAGE_QUEUED: u32 = 1; // waits for credit
export const MESSAGE_LOCATING: u32 = 2; // waits for a route
export const MESSAGE_UNSAFE: u32 = 4; // the only way leads over an untrusted network: not sent
export const MESSAGE_GREETING: u32 = 3; // waits to know what the next hop is

const KIND_MESSAGE: u32 = 1;
const KIND_FRAME: u32 = 2;

/** What stands in a flow's queue: a Message or a Frame. */
@unmanaged
class Item {
  next: u32;
  kind: u32;
  flow: u32;
}

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

@unmanaged
class Flow extends Entry {
  // key: destination, key2: neighbour
  first: u32;
  last: u32;
  sibling: u32; // next flow of the neighbour's ring
  neighbour: u32;
}

let flows: Table = changetype<Table>(0);
let frames: Table = changetype<Table>(0);
let frameBytes: u32 = 0;
let spent: u32 = 0; // frames sent since the last tick

const FRAME_ITEM: usize = 24; // the Item of a Frame, behind its Entry
const FRAME_LENGTH: usize = 36;
const FRAME_FROM: usize = 40; // neighbour that gets the credit back
const FRAME_DATA: usize = 48;

export function messagesOpen(flowCount: u32, frameCount: u32, bytes: u32): void {
  flows = tableNew(flowCount, offsetof<Flow>());
  frameBytes = bytes;
  frames = tableNew(frameCount, (FRAME_DATA as u32) + bytes);
  spent = 0;
}

/** Fragments that wait here for a router's next link. */
export function framesHeld(): u32 {
  return frames.count;
}

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
  if (message.state == MESSAGE_QUEUED) {
    const flow = changetype<Flow>(message.flow);
    let before: usize = 0;
    let at: usize = flow.first;
    while (at != changetype<usize>(message)) {
      before = at;
      at = changetype<Item>(at).next;
      insist(at != 0, 212);
    }
    if (before == 0) flow.first = message.next;
    else changetype<Item>(before).next = message.next;
    if (flow.last == (changetype<usize>(message) as u32)) flow.last = before as u32;
    if (flow.first == 0) endFlow(flow);
  }
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

// ---- queues ----------------------------------------------------------------------

function enqueue(item: Item, destination: u64, neighbour: Neighbour): bool {
  const key2 = changetype<usize>(neighbour) as u64;
  let flow = changetype<Flow>(tableFind(flows, destination, key2));
  if (changetype<usize>(flow) == 0) {
    flow = changetype<Flow>(tableAdd(flows, destination, key2));
    if (changetype<usize>(flow) == 0) {
      countUp(COUNTER_TABLE_FULL);
      return false;
    }
    flow.neighbour = changetype<usize>(neighbour) as u32;
    const at = changetype<usize>(flow) as u32;
    if (neighbour.ring == 0) {
      flow.sibling = at;
      neighbour.ring = at;
    } else {
      const turn = changetype<Flow>(neighbour.ring); // behind the one whose turn it is
      flow.sibling = turn.sibling;
      turn.sibling = at;
    }
  }
  item.next = 0;
  item.flow = changetype<usize>(flow) as u32;
  const at = changetype<usize>(item) as u32;
  if (flow.first == 0) flow.first = at;
  else changetype<Item>(flow.last).next = at;
  flow.last = at;
  return true;
}

function endFlow(flow: Flow): void {
  const neighbour = changetype<Neighbour>(flow.neighbour);
  const at = changetype<usize>(flow) as u32;
  let before = changetype<Flow>(at);
  while (before.sibling != at) before = changetype<Flow>(before.sibling);
  if (before == flow) neighbour.ring = 0;
  else {
    before.sibling = flow.sibling;
    if (neighbour.ring == at) neighbour.ring = flow.sibling;
  }
  tableRemove(flows, at);
}

/** Sends to a neighbour what waits for it, one fragment a flow and turn, while credits last. */
export function neighbourPump(neighbour: Neighbour): void {
  while (neighbour.ring != 0) {
    if (neighbour.credits <= 0) {
      countUp(COUNTER_CREDIT_WAITS);
      creditsGone(neighbour);
      return;
    }
    const flow = changetype<Flow>(neighbour.ring);
    neighbour.ring = flow.sibling;
    neighbour.credits--;
    neighbour.sentSinceAsked++;
    const item = changetype<Item>(flow.first);
    const done =
      item.kind == KIND_MESSAGE
        ? nextFragment(changetype<Message>(item), neighbour)
        : nextFrame(changetype<usize>(item) - FRAME_ITEM, neighbour);
    if (done) {
      flow.first = item.next;
      if (flow.first == 0) endFlow(flow);
    }
  }
}

/** Sends the next piece of a message; true when that was the last. */
function nextFragment(message: Message, neighbour: Neighbour): bool {
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

/** Discards everything that waits for a neighbour that does not answer. */
export function neighbourDiscard(neighbour: Neighbour): void {
  while (neighbour.ring != 0) {
    const flow = changetype<Flow>(neighbour.ring);
    while (flow.first != 0) {
      const item = changetype<Item>(flow.first);
      flow.first = item.next;
      if (item.kind == KIND_FRAME) {
        const frame = changetype<usize>(item) - FRAME_ITEM;
        giveBack(frame);
        tableRemove(frames, frame); // never sent: free at once
      } else {
        changetype<Message>(item).state = MESSAGE_IDLE;
        changetype<Message>(item).ranges = 0;
      }
    }
    endFlow(flow);
  }
}

// ---- a router's frames -----------------------------------------------------------

/**
 * Sends a received packet (FLIP header at `packet`, already adjusted for its next hop) on
 * to `neighbour`, in fragments of that link's size, waiting for credit where the message
 * has more than one. `from` gets its credit back when the packet has left; may be null.
 */
export function packetForward(packet: usize, neighbour: Neighbour, from: Neighbour): void {
  countUp(COUNTER_FORWARDED);
  neighbourGreet(neighbour);
  const type = flip.flipType(packet);
  const throttled = type == flip.FLIP_UNIDATA && flip.dataTotal(packet) > neighbourFree(neighbour);
  const length = flip.dataLength(packet);
  const most = neighbourData(neighbour);
  let start: u32 = 0;
  do {
    const piece = min<u32>(length - start, most);
    if (!throttled) forwardPiece(packet, neighbour, start, piece, 0, packet + 40);
    else if (neighbour.credits > 0 && neighbour.ring == 0) {
      neighbour.credits--;
      neighbour.sentSinceAsked++;
      forwardPiece(packet, neighbour, start, piece, creditsOwed(neighbour), packet + 40);
    } else if (
      !holdPiece(packet, neighbour, start, piece, start + piece == length ? from : changetype<Neighbour>(0))
    ) {
      countUp(COUNTER_TABLE_FULL); // lost, as on a wire: the ends recover
    }
    start += piece;
  } while (start < length);
}

function forwardPiece(
  packet: usize,
  neighbour: Neighbour,
  start: u32,
  piece: u32,
  count: u32,
  data: usize,
): void {
  const network = neighbour.key2 as u32;
  const head = headNew();
  memory.copy(head + HEAD_DATA, packet, flip.FLIP_HEADER);
  flip.setDataOffset(head + HEAD_DATA, flip.dataOffset(packet) + start);
  flip.setDataLength(head + HEAD_DATA, piece);
  const checked = neighbour.checked != 0;
  sendData(network, neighbour.key, checked, count, head, flip.FLIP_HEADER, data + start, piece);
}

function holdPiece(packet: usize, neighbour: Neighbour, start: u32, piece: u32, from: Neighbour): bool {
  if (piece + 40 > frameBytes) return false;
  const frame = tableAdd(frames, 0, 0);
  if (frame == 0) return false;
  const item = changetype<Item>(frame + FRAME_ITEM);
  item.kind = KIND_FRAME;
  if (!enqueue(item, flip.destination(packet), neighbour)) {
    tableRemove(frames, frame);
    return false;
  }
  const copy = frame + FRAME_DATA;
  memory.copy(copy, packet, 40);
  flip.setDataOffset(copy, flip.dataOffset(packet) + start);
  flip.setDataLength(copy, piece);
  memory.copy(copy + 40, packet + 40 + start, piece);
  store<u32>(frame + FRAME_LENGTH, piece);
  store<u32>(frame + FRAME_FROM, 0);
  if (changetype<usize>(from) != 0 && from.owed > 0) {
    store<u32>(frame + FRAME_FROM, changetype<usize>(from) as u32);
    from.held++;
    from.owed--; // counted on arrival and not yet given back; comes back when the frame has left
  }
  neighbourPump(neighbour);
  return true;
}

function nextFrame(frame: usize, neighbour: Neighbour): bool {
  const packet = frame + FRAME_DATA;
  const length = flip.dataLength(packet);
  let start: u32 = 0;
  do {
    // What the link carries may have shrunk since: its neighbour says HELLO at any time.
    const piece = min<u32>(length - start, neighbourData(neighbour));
    forwardPiece(packet, neighbour, start, piece, creditsOwed(neighbour), packet + 40);
    start += piece;
  } while (start < length);
  giveBack(frame);
  changetype<Item>(frame + FRAME_ITEM).flow = spent; // the host may still be reading it
  spent = frame as u32;
  return true;
}

/** The frames sent so far have left: the host has flushed (every tick begins with that). */
export function framesReclaim(): void {
  while (spent != 0) {
    const frame: usize = spent;
    spent = changetype<Item>(frame + FRAME_ITEM).flow;
    tableRemove(frames, frame);
  }
}

function giveBack(frame: usize): void {
  const from = changetype<Neighbour>(load<u32>(frame + FRAME_FROM));
  if (changetype<usize>(from) == 0 || !from.used || from.held == 0) return;
  from.held--;
  from.owed++;
  creditsReturn(from); // it may have nothing left to send that would bring this about
}
