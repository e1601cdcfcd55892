// What waits for credit: per neighbour a ring of flows (destinations), per flow a queue.
//
// - An Item is the front of what waits: a Message (messages.ts), or a router's frame
//   (frames.ts). It is in one queue at a time.
// - A neighbour gets one fragment of a flow a turn, so that a long message to one
//   destination does not hold up those to others.
// - Source: spec section 1.2.

import { COUNTER_CREDIT_WAITS, COUNTER_TABLE_FULL } from "../layout";
import { insist } from "../memory/assert";
import { countUp } from "../memory/counters";
import { Entry, Table, tableAdd, tableFind, tableNew, tableRemove } from "../memory/table";
import { creditsGone } from "./credits";
import { frameDiscard, nextFrame } from "./frames";
import { MESSAGE_IDLE, Message, nextFragment } from "./messages";
import { Neighbour } from "./neighbours";

export const KIND_MESSAGE: u32 = 1;
export const KIND_FRAME: u32 = 2;

/** What stands in a flow's queue: a Message or a Frame. */
@unmanaged
export class Item {
  next: u32;
  kind: u32;
  flow: u32;
}

@unmanaged
class Flow extends Entry {
  // key: destination, key2: neighbour
  first: u32;
  last: u32;
  sibling: u32; // next flow of the neighbour's ring
  neighbour: u32;
}

let flows: Table = changetype<Table>(0);

export function queuesOpen(flowCount: u32): void {
  flows = tableNew(flowCount, offsetof<Flow>());
}

export function enqueue(item: Item, destination: u64, neighbour: Neighbour): bool {
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

/** Takes an item out of its queue. */
export function withdraw(item: Item): void {
  const flow = changetype<Flow>(item.flow);
  let before: usize = 0;
  let at: usize = flow.first;
  while (at != changetype<usize>(item)) {
    before = at;
    at = changetype<Item>(at).next;
    insist(at != 0, 212);
  }
  if (before == 0) flow.first = item.next;
  else changetype<Item>(before).next = item.next;
  if (flow.last == (changetype<usize>(item) as u32)) flow.last = before as u32;
  if (flow.first == 0) endFlow(flow);
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
        : nextFrame(item, neighbour);
    if (done) {
      flow.first = item.next;
      if (flow.first == 0) endFlow(flow);
    }
  }
}

/** Discards everything that waits for a neighbour that does not answer. */
export function neighbourDiscard(neighbour: Neighbour): void {
  while (neighbour.ring != 0) {
    const flow = changetype<Flow>(neighbour.ring);
    while (flow.first != 0) {
      const item = changetype<Item>(flow.first);
      flow.first = item.next;
      if (item.kind == KIND_FRAME) frameDiscard(item);
      else {
        changetype<Message>(item).state = MESSAGE_IDLE;
        changetype<Message>(item).ranges = 0;
      }
    }
    endFlow(flow);
  }
}
