// Packets of a group on their way out: to one member, to the group, to everyone.
//
// - Where a group's address is not known at enough places yet, its packets go to each
//   member by itself, and the address is looked for meanwhile: nobody waits for it.
// - A group that is all ours is careful: no packet without a check (flip/multicast.ts).
// - A long message leaves a few fragments at a time, since multicast has no credits.
// - A packet that cannot leave counts as lost; whoever needs it asks again.

import { COUNTER_GROUP_REPEATED } from "../layout";
import { allocate } from "../memory/arena";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { messageNewId } from "../flip/ids";
import { locateStart } from "../flip/locate";
import { multicastFragments, multicastKnown, multicastMessage } from "../flip/multicast";
import { PACKET_NO_ROUTE, packetSendParts } from "../flip/packets";
import { FLIP_DATA_1500 } from "../wire/flip";
import * as wire from "../wire/group";
import { courierSend } from "./couriers";
import { Group, TIMER_PACE, groupTimer, isOpen, isPure, isSequencer, memberAt } from "./groups";
import { Record, payloadOf, recordHold, recordRelease } from "./history";

/** Messages up to this long go in one packet, with a check and without. */
const SINGLE: u32 = FLIP_DATA_1500 - 4;
/** A long message goes so many fragments at a time, so far apart. */
const PACE_FRAGMENTS: u32 = 32;
const PACE_US: i64 = 50;
const LOCATE_AGAIN_US: i64 = 20000;
const LOCATE_AGAIN_LONGEST_US: i64 = 1000000;

let packet: usize = 0; // one header and a small payload

/** Where a small payload of the next packet is written. */
export function packetPayload(): usize {
  return packet + wire.GROUP_HEADER;
}

export function groupPacketsOpen(): void {
  packet = allocate(wire.GROUP_HEADER + 256);
}

/** The header of the next packet. */
function header(
  group: Group,
  type: u32,
  features: u32,
  member: u32,
  seqno: u32,
  message: u32,
  expect: u32,
): void {
  wire.groupHeader(packet, type, 0, member, group.incarnation, seqno, message, expect);
  wire.setReserved(packet, features);
}

/** Sends the header and `length` bytes of packetPayload() to one address. */
export function tell(
  group: Group,
  address: u64,
  type: u32,
  seqno: u32,
  message: u32,
  length: u32,
  careful: bool,
): void {
  answer(group, address, type, seqno, message, group.delivered, length, careful);
}

/** The same with another number in `expect` than what our user gets next. */
export function answer(
  group: Group,
  address: u64,
  type: u32,
  seqno: u32,
  message: u32,
  expect: u32,
  length: u32,
  careful: bool,
): void {
  header(group, type, 0, group.me, seqno, message, expect);
  post(group, address, wire.GROUP_HEADER + length, 0, 0, careful, messageNewId());
}

function post(
  group: Group,
  address: u64,
  length: u32,
  body: usize,
  bodyLength: u32,
  careful: bool,
  id: u32,
): void {
  const sent = packetSendParts(address, group.myAddress, id, packet, length, body, bodyLength, careful);
  if (sent == PACKET_NO_ROUTE) locateStart(address, group.myAddress, false);
}

/** We live; what the next number is, and among ours what is final, or 0 while the group is closed. */
export function tellAlive(group: Group, address: u64): void {
  const accepted = isPure(group) && isOpen(group) ? group.accepted : 0;
  tell(group, address, wire.GROUP_ALIVE, group.next, accepted, 0, isPure(group));
}

/** Sends a small packet to the sequencer. */
export function tellSequencer(group: Group, type: u32, seqno: u32, message: u32): void {
  tell(group, memberAt(group, group.sequencer).address, type, seqno, message, 0, isPure(group));
}

/** Sends the header and `length` bytes of packetPayload() to all other members. */
export function tellAll(group: Group, type: u32, seqno: u32, message: u32, length: u32): void {
  header(group, type, 0, group.me, seqno, message, group.delivered);
  spread(group, group.groupAddress, length, 0, 0, messageNewId());
}

/** A record has one FLIP message id for ever: what came of it once need not come again. */
function named(record: Record): void {
  while (record.flipId == 0) record.flipId = messageNewId();
}

/** What a record says on the wire: JOIN and RESULT tell also whether all members are ours. */
function recordHeader(group: Group, type: u32, record: Record, expect: u32): void {
  const control = record.kind == wire.GROUP_JOIN || record.kind == wire.GROUP_RESULT;
  header(group, type, control ? group.features : 0, record.member, record.seqno, record.message, expect);
}

/** Sends a record with its data to one member. */
export function sendRecord(group: Group, address: u64, type: u32, record: Record, expect: u32): void {
  named(record);
  recordHeader(group, type, record, expect);
  const careful = isPure(group);
  if (wire.GROUP_HEADER + record.length > SINGLE) {
    courierSend(record, packet, address, group.myAddress, careful);
    return;
  }
  post(group, address, wire.GROUP_HEADER, payloadOf(record), record.length, careful, record.flipId);
}

/** The same again, for one that missed it. */
export function repeatRecord(group: Group, address: u64, type: u32, record: Record): void {
  countUp(COUNTER_GROUP_REPEATED);
  sendRecord(group, address, type, record, memberAt(group, record.member).expect);
}

/** Sends a record to the group, with its data or without. */
export function castRecord(group: Group, type: u32, record: Record, withData: bool): void {
  recordHeader(group, type, record, memberAt(group, record.member).expect);
  if (!withData) {
    spread(group, group.groupAddress, 0, 0, 0, messageNewId());
    return;
  }
  named(record);
  if (wire.GROUP_HEADER + record.length > SINGLE * PACE_FRAGMENTS) pace(group, type, record);
  else spread(group, group.groupAddress, 0, payloadOf(record), record.length, record.flipId, record);
}

/** The sender's own multicast of a large message; false when not everyone can be reached so. */
export function castRequest(group: Group, record: Record): bool {
  if (!known(group, group.allAddress, group.total - 1)) return false;
  named(record);
  pace(group, wire.GROUP_BCASTREQ, record);
  return true;
}

/**
 * What was multicast to this address did not come: it was lost, or a router on the way does not know
 * any more where everyone is. Not too often all routers are made to look again.
 */
export function castUnheard(group: Group, address: u64): void {
  if (now - group.locatedAt < LOCATE_AGAIN_LONGEST_US) return;
  group.locatedAt = now;
  locateStart(address, group.myAddress, true);
}

/** True when so many endpoints of an address are known; looks for them now and then when not. */
function known(group: Group, address: u64, endpoints: u32): bool {
  if (multicastKnown(address) >= endpoints) {
    group.locateInterval = LOCATE_AGAIN_US;
    return true;
  }
  if (now - group.locatedAt >= group.locateInterval) {
    group.locatedAt = now;
    group.locateInterval = max<i64>(
      min<i64>(group.locateInterval * 2, LOCATE_AGAIN_LONGEST_US),
      LOCATE_AGAIN_US,
    );
    locateStart(address, group.myAddress, false);
  }
  return false;
}

/** The packet's header, `small` bytes behind it, and a body: to all that have the group's address. */
function spread(
  group: Group,
  address: u64,
  small: u32,
  body: usize,
  bodyLength: u32,
  id: u32,
  record: Record = changetype<Record>(0),
): void {
  const others = othersOf(group);
  if (others == 0) return;
  const length = wire.GROUP_HEADER + small;
  if (isSequencer(group) && known(group, address, others)) {
    multicastMessage(address, group.myAddress, id, packet, length, body, length + bodyLength, isPure(group));
    multicastFragments(0, 2 * PACE_FRAGMENTS);
    return;
  }
  const long = length + bodyLength > SINGLE;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (i == group.me || member.address == 0 || member.state == 0) continue;
    if (!long) post(group, member.address, length, body, bodyLength, isPure(group), id);
    else if (changetype<usize>(record) != 0)
      courierSend(record, packet, member.address, group.myAddress, isPure(group));
  }
}

/** Everyone but us who is, or is about to be, a member. */
function othersOf(group: Group): u32 {
  let count: u32 = 0;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const state = memberAt(group, i).state;
    if (i != group.me && state != 0) count++;
  }
  return count;
}

// ---- long messages -------------------------------------------------------------------

/** Begins to send a record a few fragments at a time, unless it is being sent. */
function pace(group: Group, type: u32, record: Record): void {
  if (record.pace != 0) return;
  if (!isSequencer(group) || known(group, group.groupAddress, othersOf(group))) {
    record.pace = 1;
    record.paceType = type;
    record.next = 0;
    recordHold(record);
    if (group.pacing == 0) group.pacing = changetype<usize>(record) as u32;
    else {
      let last = changetype<Record>(group.pacing);
      while (last.next != 0) last = changetype<Record>(last.next);
      last.next = changetype<usize>(record) as u32;
    }
    paceOn(group);
    return;
  }
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (i == group.me || member.address == 0 || member.state == 0) continue;
    courierSend(record, packet, member.address, group.myAddress, isPure(group));
  }
}

/** The next fragments of the first record that is being paced. */
export function paceOn(group: Group): void {
  if (group.pacing == 0) return;
  const record = changetype<Record>(group.pacing);
  const request = !isSequencer(group);
  const address = request ? group.allAddress : group.groupAddress;
  const expect = request ? group.delivered : memberAt(group, record.member).expect;
  recordHeader(group, record.paceType, record, expect);
  const total = wire.GROUP_HEADER + record.length;
  multicastMessage(
    address,
    group.myAddress,
    record.flipId,
    packet,
    wire.GROUP_HEADER,
    payloadOf(record),
    total,
    isPure(group),
  );
  const next = multicastFragments(record.pace - 1, PACE_FRAGMENTS);
  record.pace = next + 1;
  if (next >= total) {
    group.pacing = record.next;
    record.pace = 0;
    recordRelease(record);
  }
  if (group.pacing != 0) groupTimer(group, TIMER_PACE, now + PACE_US);
}

/** Stops sending long messages. */
export function paceStop(group: Group): void {
  while (group.pacing != 0) {
    const record = changetype<Record>(group.pacing);
    group.pacing = record.next;
    record.pace = 0;
    recordRelease(record);
  }
}
