// The sequencer: gives every message its number, and makes it final.
//
// - Without resilience a message is final with its number. With resilience k it is sent out
//   with its number first, and final when k others have it and everything before it.
// - What came already is not numbered twice: the message id tells. What finds no room is
//   dropped and its sender told when there is some.
// - Source: spec 5.4, 5.5.

import * as layout from "../layout";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import * as wire from "../wire/group";
import { advance } from "./deliver";
import {
  Group,
  MEMBER,
  Member,
  TIMER_REPAIR,
  acksNeeded,
  groupTimer,
  isPure,
  memberAt,
  UNUSED,
  isOpen,
  isSequencer,
} from "./groups";
import { groupSetting } from "./settings";
import { Record, historyAt, historyFind, historyPut, recordBytes, recordRelease } from "./history";
import { castRecord, castUnheard, packetPayload, repeatRecord, tellAlive, tellAll, tell } from "./packets";

const SYNC_NAMES_MAX: u32 = 40;
const SYNC_AGAIN_US: i64 = 10000;
const TELL_AGAIN_US: i64 = 5000;
/** Bytes kept free for joins, leaves and resets. */
const RESERVE: u32 = 8192;
const REPEATS_MAX: u32 = 32;
const REPEAT_BYTES_MAX: u32 = 65536;
const TAIL_SYNCS: u32 = 2;
/** A member that needs so many repeats in a row, and nothing came without, is not reached by multicast. */
const MISSED_MAX: u32 = 8;

/** The type of a message that has a number and is not final. */
export function tentative(kind: u32): u32 {
  if (kind == wire.GROUP_RESULT) return kind; // a reset is never tentative
  return kind - 1; // JOINREQ, LEAVEREQ, BCASTREQ stand before JOIN, LEAVE, BCAST
}

/** Whether a message fits below 1 / 2^share of the history; past a half of it members are asked where they are. */
function fits(group: Group, length: u32, share: u32): bool {
  const held = group.next - group.low;
  const slots = group.slots - min<u32>(group.membersMax + 3, group.slots - 1);
  if (held > slots >> 1) hurry(group);
  return held < slots >> share && group.used + recordBytes(length) + RESERVE <= group.usedMax >> share;
}

/**
 * Whether a message of the sequencer's own may go: it has half of the history, so that the
 * others' always find room.
 */
export function sequencerMay(group: Group, length: u32): bool {
  if (fits(group, length, 1) || group.next == group.low) return true;
  group.full = 1;
  hurry(group);
  return false;
}

/** Whether one more message of `length` bytes fits; when not, the members are asked where they are. */
export function sequencerRoom(group: Group, length: u32): bool {
  if (fits(group, length, 0)) return true;
  group.full = 1;
  countUp(layout.COUNTER_GROUP_HISTORY_FULL);
  hurry(group);
  return false;
}

/** Asks those who are behind, not too often. */
function hurry(group: Group): void {
  const wait: i64 = isPure(group) ? SYNC_AGAIN_US : 100000;
  const further = isPure(group) && group.next - group.syncSeqno >= group.slots >> 2;
  if (further || now - group.syncAt >= wait) sync(group, true);
  if (group.full != 0) groupTimer(group, TIMER_REPAIR, now + wait);
}

/** SYNC: what the next number is; those who are named must answer. */
function sync(group: Group, names: bool): void {
  group.syncAt = now;
  group.syncSeqno = group.next;
  let count: u32 = 0;
  for (let i: u32 = 0; names && i < group.membersMax && count < SYNC_NAMES_MAX; i++) {
    const member = memberAt(group, i);
    if (i == group.me || member.state != MEMBER || member.expect == group.next) continue;
    wire.setSyncMember(packetPayload(), count++, i);
  }
  if (names && count == 0) return;
  tellAll(group, wire.GROUP_SYNC, group.next, isPure(group) ? group.accepted : 0, count * 2);
}

/** Gives a record the next number. There is room for it. */
export function order(group: Group, record: Record): void {
  record.seqno = group.next;
  record.accepted = 0;
  record.acks = 0;
  if (record.kind != wire.GROUP_BCAST) group.controls++;
  historyPut(group, record);
  memberAt(group, record.member).message = record.message;
  group.next++;
  group.highest = group.next;
  group.syncs = 0;
  const withData = !record.large;
  if (acksNeeded(group) == 0 && group.accepted == record.seqno) {
    group.acceptedAhead = group.next;
    castRecord(group, record.kind, record, withData);
  } else {
    record.sentAt = now;
    castRecord(group, tentative(record.kind), record, withData);
  }
  tend(group);
  advance(group);
}

/** The timer of the last messages: of those that are not final, or that may have been lost. */
function tend(group: Group): void {
  const pending = group.accepted != group.next;
  const ms = groupSetting(group, pending ? layout.GROUP_SET_REPLY_MS : layout.GROUP_SET_SYNC_MS);
  groupTimer(group, TIMER_REPAIR, now + (ms as i64) * 1000);
}

/** That timer ran out. */
export function sequencerExpired(group: Group): void {
  if (group.full != 0) {
    hurry(group);
    return;
  }
  if (group.accepted != group.next) {
    let left: u32 = 8;
    for (let seqno = group.accepted; seqno != group.next && left > 0; seqno++, left--) {
      const record = historyAt(group, seqno);
      if (changetype<usize>(record) == 0) break;
      countUp(layout.COUNTER_GROUP_REPEATED);
      castRecord(group, tentative(record.kind), record, true);
    }
    // Who must acknowledge changes with a leave: one that has not heard that it is final takes another for it.
    if (isPure(group)) sync(group, false);
    tend(group);
    return;
  }
  if (!isPure(group)) {
    sync(group, true);
    if (!upToDate(group)) tend(group);
    return;
  }
  if (group.syncs >= TAIL_SYNCS || upToDate(group)) return;
  sync(group, false);
  group.syncs++;
  groupTimer(group, TIMER_REPAIR, now + (groupSetting(group, layout.GROUP_SET_SYNC_MS) as i64) * 4000);
}

function upToDate(group: Group): bool {
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (i != group.me && member.state == MEMBER && member.expect != group.next) return false;
  }
  return true;
}

/** A member was heard: where its user is. */
export function noteMember(group: Group, member: Member, expect: u32): void {
  member.heard = now;
  member.probes = 0;
  member.suspect = 0;
  reached(member, expect);
  const further = ((expect - member.expect) as i32) > 0 && ((expect - group.next) as i32) <= 0;
  if (further) member.expect = expect;
}

/**
 * A request of a member for a number: the record holds its data (held once, by us from now
 * on). False when it is not wanted: the caller lets go of the record.
 */
export function sequencerTake(group: Group, record: Record): bool {
  const member = memberAt(group, record.member);
  const ahead = (record.message - member.message) as i32;
  if (ahead <= 0) {
    again(group, member, record);
    return false;
  }
  if (ahead > 1 && isPure(group)) {
    // One before it is missing. Its sender is told, not too often, and sends all of them again.
    countUp(layout.COUNTER_GROUP_DROPPED);
    if (!member.refused && now - member.toldAt >= TELL_AGAIN_US) {
      member.toldAt = now;
      tellAlive(group, member.address);
    }
    return false;
  }
  if (!sequencerRoom(group, record.length)) {
    member.refused = 1;
    return false;
  }
  order(group, record);
  recordRelease(record);
  return true;
}

/** A request that has its number already: its sender missed that. */
function again(group: Group, member: Member, request: Record): void {
  const record = historyFind(group, request.member, request.message);
  if (changetype<usize>(record) == 0) {
    if (!tellGone(group, member)) tellAlive(group, member.address);
  } else if (record.accepted) {
    repeatRecord(group, member.address, record.kind, record);
    missed(group, member, record.seqno + 1);
  } else if (now - record.sentAt >= SYNC_AGAIN_US) {
    record.sentAt = now;
    countUp(layout.COUNTER_GROUP_REPEATED);
    castRecord(group, tentative(record.kind), record, true);
  }
}

/** A member has the message with this number, and in a group of ours everything before it. */
export function sequencerAck(group: Group, id: u32, seqno: u32): void {
  if (((seqno - group.accepted) as i32) < 0 || ((seqno - group.next) as i32) >= 0) return;
  const bit = (1 as u64) << id;
  for (let at = isPure(group) ? group.accepted : seqno; at != seqno + 1; at++) {
    const record = historyAt(group, at);
    if (changetype<usize>(record) != 0) record.acks |= bit;
  }
  const before = group.accepted;
  finalise(group);
  if (group.accepted == before) return;
  tend(group);
}

/** Makes final what enough members have, and tells everyone. */
function finalise(group: Group): void {
  let at = group.accepted;
  let last = changetype<Record>(0); // data messages told with one packet, when all are ours
  const first = at;
  while (at != group.next) {
    const record = historyAt(group, at);
    if (changetype<usize>(record) == 0 || (popcnt<u64>(record.acks) as u32) < acksNeeded(group)) break;
    at++;
    group.acceptedAhead = at;
    advance(group); // a JOIN or LEAVE changes who is needed for the next one
    if (record.kind != wire.GROUP_BCAST) {
      tellFinal(group, last);
      last = changetype<Record>(0);
      castRecord(group, record.kind, record, record.kind == wire.GROUP_JOIN);
    } else {
      if (!isPure(group)) tellFinal(group, last);
      last = record;
    }
  }
  if (at != first) tellFinal(group, last);
}

function tellFinal(group: Group, record: Record): void {
  if (changetype<usize>(record) != 0 && !isGone(group, record)) castRecord(group, record.kind, record, false);
}

/** It may have been forgotten since: everyone has it then. */
function isGone(group: Group, record: Record): bool {
  return historyAt(group, record.seqno) != record;
}

/**
 * One that has left and still asks for what nobody keeps for it: its leave was ordered, but it
 * will never have all that was before that. It is told that it is out. False for a member.
 */
export function tellGone(group: Group, member: Member): bool {
  if (!isSequencer(group) || !isOpen(group) || member.state != UNUSED) return false;
  tell(group, member.address, wire.GROUP_DEAD, 0, 0, 0, isPure(group));
  return true;
}

/** A member has all below `seqno`: it is reached by multicast when it has what was not repeated. */
function reached(member: Member, seqno: u32): void {
  if (((seqno - member.repeatedUpTo) as i32) > 0) member.missed = 0;
}

/** What is below `seqno` was repeated for a member: perhaps no multicast comes to it any more. */
function missed(group: Group, member: Member, seqno: u32): void {
  if (((seqno - member.repeatedUpTo) as i32) > 0) member.repeatedUpTo = seqno;
  if (++member.missed < MISSED_MAX || !isSequencer(group)) return;
  member.missed = 0;
  castUnheard(group, group.groupAddress);
}

/** A member misses `count` messages from `seqno` on. */
export function sequencerRepeat(group: Group, member: Member, seqno: u32, count: u32): void {
  let bytes: u32 = 0;
  let end = seqno;
  reached(member, seqno);
  for (let i: u32 = 0; i < min<u32>(count, REPEATS_MAX) && bytes < REPEAT_BYTES_MAX; i++) {
    const record = historyAt(group, seqno + i);
    if (changetype<usize>(record) == 0) break;
    repeatRecord(group, member.address, record.accepted ? record.kind : tentative(record.kind), record);
    bytes += record.length;
    end = seqno + i + 1;
  }
  if (end != seqno) missed(group, member, end);
}
