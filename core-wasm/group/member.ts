// A member that is not the sequencer: takes what has a number, asks for what is missing.
//
// - What comes in order goes to the history; what comes early waits there in its slot. A gap
//   is asked for at once, again after a few milliseconds, and ever less often.
// - Data that its sender multicast (BB) waits with its member until the number comes.
// - With resilience, a member of rank 1 to k tells the sequencer how far it has everything.
// - Source: spec 5.4, 5.5.

import * as layout from "../layout";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { HEADER } from "../wire/header";
import * as wire from "../wire/group";
import { advance } from "./deliver";
import {
  Group,
  TIMER_REPAIR,
  groupTimer,
  groupTimerOff,
  isPure,
  memberAt,
  rankOf,
  ranksThatAcknowledge,
} from "./groups";
import { Record, historyAt, historyPut, historyRoom, recordRelease, resetOf } from "./history";
import { Operation } from "./operations";
import { tellSequencer } from "./packets";

const ASK_FIRST_US: i64 = 3000;
const ASK_LONGEST_US: i64 = 100000;
const ASK_ORIGINAL_US: i64 = 50000;
const ASK_COUNT_MAX: u32 = 32;

/** True for a type that says that the order is final. */
function isFinal(type: u32): bool {
  return (
    type == wire.GROUP_BCAST ||
    type == wire.GROUP_JOIN ||
    type == wire.GROUP_LEAVE ||
    type == wire.GROUP_RESULT
  );
}

/** The kind that a record of this type is kept as. */
function kindOfType(type: u32): u32 {
  return isFinal(type) ? type : type + 1;
}

/**
 * A message with its number. `record` has its data (held once, and ours from now on), or is
 * null when only the 20-byte header at `p` came.
 */
export function memberTake(group: Group, p: usize, record: Record): void {
  const type = wire.groupType(p);
  const seqno = wire.seqno(p);
  const early = (seqno - group.next) as i32;
  if (((seqno + 1 - group.highest) as i32) > 0 && early < (group.slots as i32)) group.highest = seqno + 1;
  if (early < 0) {
    known(group, seqno, type);
    letGo(record);
  } else if (early >= (group.slots as i32)) letGo(record);
  else place(group, p, record, seqno, type);
  // Ours make messages final in order: what is final, all before it is.
  const news = ((seqno + 1 - group.acceptedAhead) as i32) > 0 && early < (group.slots as i32);
  if (news && isFinal(type) && isPure(group)) group.acceptedAhead = seqno + 1;
  proceed(group);
}

function letGo(record: Record): void {
  if (changetype<usize>(record) != 0) recordRelease(record);
}

/** We have it: it may have become final. */
function known(group: Group, seqno: u32, type: u32): void {
  const record = historyAt(group, seqno);
  if (changetype<usize>(record) == 0) return;
  if (isFinal(type)) record.accepted = 1;
  else acknowledge(group, isPure(group) ? group.next - 1 : seqno); // our acknowledgement was lost
}

/** Puts it into its slot, with the data that came with it, came before, or is our own. */
export function place(group: Group, p: usize, record: Record, seqno: u32, type: u32): void {
  const there = historyAt(group, seqno);
  if (changetype<usize>(there) != 0) {
    if (isFinal(type)) there.accepted = 1;
    letGo(record);
    return;
  }
  if (changetype<usize>(record) == 0) record = earlier(group, wire.cpu(p), wire.groupMessageId(p));
  if (changetype<usize>(record) == 0) return;
  if (fits(group, wire.cpu(p), kindOfType(type), record.length) && historyRoom(group, seqno, record.length)) {
    record.seqno = seqno;
    record.member = wire.cpu(p);
    record.message = wire.groupMessageId(p);
    record.kind = kindOfType(type);
    record.accepted = isFinal(type) ? 1 : 0;
    historyPut(group, record);
  }
  recordRelease(record);
}

/** False for what no member of this group can have said: a table of another size, an id that is none. */
function fits(group: Group, id: u32, kind: u32, length: u32): bool {
  if (id >= group.membersMax || length < HEADER) return false;
  if (kind == wire.GROUP_JOIN) return wire.joinMembers(length) == group.membersMax;
  return kind != wire.GROUP_RESULT || wire.resultStates(length) == group.membersMax;
}

/** The data of a message that was multicast by its sender, or is our own; held once more. */
function earlier(group: Group, id: u32, message: u32): Record {
  if (id >= group.membersMax) return changetype<Record>(0);
  if (id == group.me) {
    for (let at = group.firstSend; at != 0; at = changetype<Operation>(at).next) {
      const operation = changetype<Operation>(at);
      if (operation.tries == 0) break;
      if (operation.message != message) continue;
      const own = changetype<Record>(operation.record);
      own.holds++;
      return own;
    }
    return changetype<Record>(0);
  }
  const member = memberAt(group, id);
  const record = changetype<Record>(member.early);
  if (member.early == 0 || record.message != message) return changetype<Record>(0);
  member.early = 0;
  return record;
}

/** Counts in what is in order now. */
export function takeIn(group: Group): void {
  for (;;) {
    const record = historyAt(group, group.next);
    if (changetype<usize>(record) == 0) return;
    if (record.kind == wire.GROUP_RESULT) group.tail = resetOf(record);
    else memberAt(group, record.member).message = record.message;
    group.next++;
  }
}

/** Takes in what is in order now, and asks for what is not there. */
function proceed(group: Group): void {
  const before = group.next;
  takeIn(group);
  if (group.next != before) {
    for (let at = isPure(group) ? group.next - 1 : before; at != group.next; at++) acknowledge(group, at);
    advance(group);
  } else if (group.accepted != group.next) advance(group);
  if (((group.highest - group.next) as i32) > 0) ask(group);
  else if (isFinalMissing(group)) askFinal(group);
  else groupTimerOff(group, TIMER_REPAIR);
}

/** Tells the sequencer that we have everything up to `seqno`, where that counts. */
function acknowledge(group: Group, seqno: u32): void {
  if (group.resilience == 0 || group.state != layout.GROUP_STATE_NORMAL) return;
  const record = historyAt(group, seqno);
  if (changetype<usize>(record) == 0 || record.accepted) return;
  if (((group.acceptedAhead - seqno) as i32) > 0 || rankOf(group, group.me) > ranksThatAcknowledge(group))
    return;
  tellSequencer(group, wire.GROUP_ACK, seqno, record.message);
}

// ---- what is missing -----------------------------------------------------------------

/** How many messages in a row are missing, at most ASK_COUNT_MAX. */
export function missing(group: Group): u32 {
  let count: u32 = 1;
  while (
    count < ASK_COUNT_MAX &&
    ((group.next + count - group.highest) as i32) < 0 &&
    changetype<usize>(historyAt(group, group.next + count)) == 0
  )
    count++;
  return count;
}

/** Asks for the next run that is missing, unless that was asked for a moment ago and may be on its way. */
function ask(group: Group): void {
  const underWay = ((group.askedUpTo - group.next) as i32) > 0;
  if (underWay && now - group.asked < group.askInterval) return;
  const shortest = isPure(group) ? ASK_FIRST_US : ASK_ORIGINAL_US;
  group.askInterval = underWay
    ? min<i64>(max<i64>(group.askInterval * 2, shortest), ASK_LONGEST_US)
    : shortest;
  group.asked = now;
  const count = isPure(group) ? missing(group) : 1;
  group.askedUpTo = group.next + count;
  countUp(layout.COUNTER_GROUP_RETRANS_OUT);
  tellSequencer(group, wire.GROUP_RETRANS, group.next, isPure(group) ? count : 0);
  groupTimer(group, TIMER_REPAIR, now + group.askInterval);
}

/**
 * With an original in the group every message is made final by itself. True when that of the
 * first one was lost: a later one is final.
 */
function isFinalMissing(group: Group): bool {
  if (isPure(group) || group.resilience == 0) return false;
  for (let at = group.accepted + 1; ((at - group.next) as i32) < 0; at++) {
    const record = historyAt(group, at);
    if (changetype<usize>(record) != 0 && record.accepted) return true;
  }
  return false;
}

/** Asks for it: the answer says that it is final, or is the message once more. */
function askFinal(group: Group): void {
  if (now - group.asked >= ASK_ORIGINAL_US) {
    group.asked = now;
    countUp(layout.COUNTER_GROUP_RETRANS_OUT);
    tellSequencer(group, wire.GROUP_RETRANS, group.accepted, 0);
  }
  groupTimer(group, TIMER_REPAIR, group.asked + ASK_ORIGINAL_US);
}

/** The timer of what is missing ran out. */
export function memberExpired(group: Group): void {
  if (group.state != layout.GROUP_STATE_NORMAL) return;
  if (((group.highest - group.next) as i32) <= 0) {
    if (isFinalMissing(group)) askFinal(group);
    return;
  }
  const left = group.asked + group.askInterval - now;
  if (left <= 0) ask(group);
  else groupTimer(group, TIMER_REPAIR, now + left);
}

/**
 * The sequencer says what the next number is: everything before it should be here. In a group
 * of ours it also says what is final (0: it does not).
 */
export function memberHears(group: Group, seqno: u32, accepted: u32): void {
  const ahead = (seqno - group.highest) as i32;
  if (ahead > 0 && seqno - group.next <= group.slots) group.highest = seqno;
  const news = accepted != 0 && ((accepted - group.acceptedAhead) as i32) > 0;
  if (news && isPure(group) && accepted - group.accepted <= group.slots) {
    group.acceptedAhead = accepted;
    advance(group);
  }
  if (((group.highest - group.next) as i32) > 0) ask(group);
}

/** SYNC: the sequencer wants to know where those are that it names. */
export function memberSync(group: Group, p: usize, length: u32): void {
  memberHears(group, wire.seqno(p), wire.groupMessageId(p));
  const names = (length - wire.GROUP_HEADER) >> 1;
  for (let i: u32 = 0; i < names; i++) {
    if (wire.syncMember(p + wire.GROUP_HEADER, i) != group.me) continue;
    if (group.next != group.highest) return; // RETRANS has told
    if (group.delivered != group.next) group.owes = 1;
    if (group.accepted != group.next && !isPure(group)) askFinal(group);
    group.silent = 0;
    tellSequencer(group, wire.GROUP_STATE, group.next, 0);
    return;
  }
}

/** Data that a member multicast, without a number yet. `record` is ours from now on. */
export function memberEarly(group: Group, record: Record): void {
  const member = memberAt(group, record.member);
  if (((record.message - member.message) as i32) <= 0) {
    recordRelease(record);
    return;
  }
  earlyForget(group, record.member);
  member.early = changetype<usize>(record) as u32;
}

export function earlyForget(group: Group, id: u32): void {
  const member = memberAt(group, id);
  if (member.early == 0) return;
  recordRelease(changetype<Record>(member.early));
  member.early = 0;
}
