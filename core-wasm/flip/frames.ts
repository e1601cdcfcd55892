// A router's frames: packets on their way through, cut for the next link.
//
// - A packet of one fragment goes at once. A piece of a longer message costs a credit of
//   the next hop; without one it waits in that flow's queue, as a copy out of a pool.
// - The neighbour that it came from gets its credit back when it has left, so a router
//   takes in no more than it can send on.
// - Source: spec section 1.2.

import { COUNTER_FORWARDED, COUNTER_TABLE_FULL } from "../layout";
import { countUp } from "../memory/counters";
import { Table, tableAdd, tableNew, tableRemove } from "../memory/table";
import * as flip from "../wire/flip";
import { creditsOwed, creditsReturn } from "./credits";
import { Neighbour, neighbourData, neighbourFree, neighbourGreet } from "./neighbours";
import { HEAD_DATA, headNew, sendData } from "./networks";
import { Item, KIND_FRAME, enqueue, neighbourPump } from "./queues";

let frames: Table = changetype<Table>(0);
let frameBytes: u32 = 0;
let spent: u32 = 0; // frames sent since the last tick

const FRAME_ITEM: usize = 24; // the Item of a Frame, behind its Entry
const FRAME_LENGTH: usize = 36;
const FRAME_FROM: usize = 40; // neighbour that gets the credit back
const FRAME_DATA: usize = 48;

export function framesOpen(frameCount: u32, bytes: u32): void {
  frameBytes = bytes;
  frames = tableNew(frameCount, (FRAME_DATA as u32) + bytes);
  spent = 0;
}

/** Fragments that wait here for a router's next link. */
export function framesHeld(): u32 {
  return frames.count;
}

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

/** Sends a frame that has waited. */
export function nextFrame(item: Item, neighbour: Neighbour): bool {
  const frame = changetype<usize>(item) - FRAME_ITEM;
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
  item.flow = spent; // the host may still be reading it
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

/** The frame is not sent: free at once. */
export function frameDiscard(item: Item): void {
  const frame = changetype<usize>(item) - FRAME_ITEM;
  giveBack(frame);
  tableRemove(frames, frame);
}
