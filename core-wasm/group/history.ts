// Messages as a group keeps them, and the history: the last ones of the order, by seqno.
//
// - A Record is a block of segment memory: fields, the 20-byte group header as it came,
//   then the payload (32-byte message header, data). It lives while somebody holds it: the
//   history, an operation, a courier.
// - Every member keeps what the sequencer may still need to repeat: a member drops its
//   oldest only for room, and the sequencer accepts no more than fits.

import { insist } from "../memory/assert";
import { segmentBytes, segmentRetire, segmentTake } from "../memory/segments";
import * as wire from "../wire/group";
import { Group } from "./groups";

@unmanaged
export class Record {
  next: u32; // among those that are being paced
  holds: u32;
  seqno: u32;
  message: u32;
  member: u32;
  kind: u32; // GROUP_BCAST, GROUP_JOIN, GROUP_LEAVE, GROUP_RESULT
  length: u32; // of the payload
  accepted: u32;
  acks: u64; // members that have it, a bit each
  flipId: u32; // FLIP message id: the same for every time it is sent
  large: u32; // its data went by multicast of its sender
  pace: u32; // the offset from which it is still to be sent; 0: it is not being paced
  paceType: u32;
  sentAt: i64; // by the sequencer, when its order was not final
}

const RECORD_DATA: u32 = 96;
const RECORD_HEADER: u32 = RECORD_DATA - wire.GROUP_HEADER;

/** A record for a payload of `length` bytes, held once; 0 when there is no room. */
export function recordTake(length: u32): Record {
  const block = segmentTake(RECORD_DATA + length);
  if (block == 0) return changetype<Record>(0);
  memory.fill(block, 0, RECORD_DATA);
  const record = changetype<Record>(block);
  record.holds = 1;
  record.length = length;
  return record;
}

// @ts-ignore: decorator
@inline
export function payloadOf(record: Record): usize {
  return changetype<usize>(record) + RECORD_DATA;
}

/** Where the 20-byte header stands, as it came. */
// @ts-ignore: decorator
@inline
export function headerOf(record: Record): usize {
  return changetype<usize>(record) + RECORD_HEADER;
}

// @ts-ignore: decorator
@inline
export function recordHold(record: Record): void {
  record.holds++;
}

/** One holder less; the last one's memory is free when what was transmitted has left. */
export function recordRelease(record: Record): void {
  insist(record.holds > 0, 410);
  record.holds--;
  if (record.holds == 0) segmentRetire(changetype<usize>(record));
}

/** The incarnation that a reset began. */
export function resetOf(record: Record): u32 {
  return wire.resultIncarnation(wire.resultTail(payloadOf(record), record.length));
}

/** What a record of this payload counts in a history. */
// @ts-ignore: decorator
@inline
export function recordBytes(length: u32): u32 {
  return segmentBytes(RECORD_DATA + length);
}

// @ts-ignore: decorator
@inline
function slotOf(group: Group, seqno: u32): usize {
  return (group.history as usize) + ((seqno & (group.slots - 1)) as usize) * 4;
}

/** The record with this number, or null. */
// @ts-ignore: decorator
@inline
export function historyAt(group: Group, seqno: u32): Record {
  const record = changetype<Record>(load<u32>(slotOf(group, seqno)));
  if (changetype<usize>(record) == 0 || record.seqno != seqno) return changetype<Record>(0);
  return record;
}

function drop(group: Group, slot: usize): void {
  const record = changetype<Record>(load<u32>(slot));
  store<u32>(slot, 0);
  if (changetype<usize>(record) == 0) return;
  group.used -= recordBytes(record.length);
  recordRelease(record);
}

/** Forgets what is older than `seqno`. */
export function historyTrim(group: Group, seqno: u32): void {
  while (((group.low - seqno) as i32) < 0) {
    if (changetype<usize>(historyAt(group, group.low)) != 0) drop(group, slotOf(group, group.low));
    group.low++;
  }
}

/** Takes everything from `seqno` on out again: it was never final. */
export function historyCut(group: Group, seqno: u32): void {
  for (let i: u32 = 0; i < group.slots; i++) {
    const slot = (group.history as usize) + (i as usize) * 4;
    const record = changetype<Record>(load<u32>(slot));
    if (changetype<usize>(record) != 0 && ((record.seqno - seqno) as i32) >= 0) drop(group, slot);
  }
}

/** Gives up all of it. */
export function historyFree(group: Group): void {
  if (group.members == 0) return;
  for (let i: u32 = 0; i < group.slots; i++) drop(group, (group.history as usize) + (i as usize) * 4);
}

/**
 * Makes room for a message at `seqno`, giving up old ones that the user has. False when that
 * is not enough: the message does not fit now.
 */
export function historyRoom(group: Group, seqno: u32, length: u32): bool {
  const bytes = recordBytes(length);
  while (
    ((group.low - group.delivered) as i32) < 0 &&
    (seqno - group.low >= group.slots || group.used + bytes > group.usedMax)
  )
    historyTrim(group, group.low + 1);
  return seqno - group.low < group.slots && group.used + bytes <= group.usedMax;
}

/** Puts a record in at its number; the history holds it. historyRoom has said yes. */
export function historyPut(group: Group, record: Record): void {
  const slot = slotOf(group, record.seqno);
  insist(record.seqno - group.low < group.slots, 411);
  drop(group, slot);
  store<u32>(slot, changetype<usize>(record) as u32);
  recordHold(record);
  group.used += recordBytes(record.length);
}

/** The record of a member's message, or null when it is no longer there. */
export function historyFind(group: Group, member: u32, message: u32): Record {
  for (let seqno = group.next; seqno != group.low; ) {
    seqno--;
    const record = historyAt(group, seqno);
    if (changetype<usize>(record) != 0 && record.member == member && record.message == message) return record;
  }
  return changetype<Record>(0);
}
