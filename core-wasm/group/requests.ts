// Our own messages on their way into the order: sends and the leave, first come, first served.
//
// - Several are under way at a time when all members are ours; the sequencer takes them by
//   message id, one after the other, and drops what comes early. With an original in the
//   group it is one at a time, as the original does.
// - A large message goes by our own multicast (method BB), alone, the first time; others, and
//   what had no answer, by the sequencer's (PB). Source: spec 5.4.
// - Without an answer all that are under way are sent again, after a time that follows the
//   round trips (Jacobson), doubled each time.

import * as layout from "../layout";
import { BC_FAIL, STD_OK } from "../status";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { GROUP_BCAST, GROUP_BCASTREQ, GROUP_LEAVE, GROUP_LEAVEREQ } from "../wire/group";
import { Group, TIMER_SEND, groupTimer, groupTimerOff, isPure, isSequencer, memberAt } from "./groups";
import { groupSetting } from "./settings";
import { Record, recordRelease } from "./history";
import { LEAVE, Operation, operationEnd, operationUnlink } from "./operations";
import { castRequest, castUnheard, sendRecord } from "./packets";
import { groupAbort } from "./recovery";
import { order, sequencerMay } from "./sequencer";

const WINDOW: u32 = 16;
const WINDOW_BYTES: u32 = 65536;
const TIMEOUT_SHORTEST_US: i64 = 20000;
const TIMEOUT_LONGEST_US: i64 = 500000;
/** Younger ones are not sent again when the sequencer is heard. */
const HEARD_US: i64 = 2000;

let going: bool = false; // what is final at once comes back here while its successor is still to go

/** How many messages of ours may be under way: all members' together fit the history. */
function windowOf(group: Group): u32 {
  if (!isPure(group)) return 1;
  const room = (group.slots - group.membersMax - 3) / (2 * max<u32>(group.total, 1));
  return min<u32>(max<u32>(room, 1), WINDOW);
}

/** Puts a send or leave at the end of the queue. */
export function requestAdd(group: Group, operation: Operation): void {
  const at = changetype<usize>(operation) as u32;
  if (group.firstSend == 0) group.firstSend = at;
  else changetype<Operation>(group.lastSend).next = at;
  group.lastSend = at;
  const record = changetype<Record>(operation.record);
  record.member = group.me;
  record.kind = operation.kind == LEAVE ? GROUP_LEAVE : GROUP_BCAST;
  countUp(layout.COUNTER_GROUP_SENT);
  requestsGo(group);
}

/** Sends what may go. */
export function requestsGo(group: Group): void {
  if (going || group.state != layout.GROUP_STATE_NORMAL) return;
  going = true;
  const most = windowOf(group);
  // Bounded: each round sends one that was not sent, or ends.
  while (group.sent < most && group.sentBytes < WINDOW_BYTES) {
    const operation = firstUnsent(group);
    if (changetype<usize>(operation) == 0) break;
    if (!go(group, operation)) break;
  }
  going = false;
}

/** Sends one for the first time; false when it must wait. */
function go(group: Group, operation: Operation): bool {
  const record = changetype<Record>(operation.record);
  const large = record.length >= groupSetting(group, layout.GROUP_SET_LARGE);
  if (isSequencer(group)) {
    if (!sequencerMay(group, record.length)) return false;
  } else if (group.sent > 0 && (large || changetype<Operation>(group.firstSend).large)) return false;
  operation.large = large ? 1 : 0;
  // Only now: one that is withdrawn before it was sent must not leave a gap in the numbers.
  operation.message = ++group.message;
  record.message = operation.message;
  group.sent++;
  group.sentBytes += record.length;
  if (isSequencer(group)) {
    operation.sentAt = now;
    operation.tries = 1;
    order(group, record);
  } else post(group, operation);
  return true;
}

/** It has a message id, and the sequencer may have it. */
// @ts-ignore: decorator
@inline
function isSent(operation: Operation): bool {
  return operation.tries != 0;
}

function firstUnsent(group: Group): Operation {
  let at = group.firstSend;
  while (at != 0) {
    const operation = changetype<Operation>(at);
    if (!isSent(operation)) return operation;
    at = operation.next;
  }
  return changetype<Operation>(0);
}

function post(group: Group, operation: Operation): void {
  operation.sentAt = now;
  operation.tries++;
  const record = changetype<Record>(operation.record);
  const type = operation.kind == LEAVE ? GROUP_LEAVEREQ : GROUP_BCASTREQ;
  // A router that has lost where the group is drops a multicast and says nothing: again it goes
  // to the sequencer alone, which is found wherever it is.
  if (operation.large && operation.tries == 1 && castRequest(group, record)) record.large = 1;
  else {
    if (record.large) castUnheard(group, group.allAddress);
    record.large = 0;
    sendRecord(group, memberAt(group, group.sequencer).address, type, record, group.delivered);
  }
  arm(group);
}

/** Without an answer for so long it is sent again. */
function timeout(group: Group): i64 {
  const standard = (groupSetting(group, layout.GROUP_SET_REPLY_MS) as i64) * 1000;
  if (!isPure(group)) return standard;
  const measured = group.roundtrip != 0 ? group.roundtrip + 4 * group.deviation : standard;
  const wait = max<i64>(measured, TIMEOUT_SHORTEST_US) << (min<u32>(group.backoff, 8) as i64);
  return min<i64>(wait, TIMEOUT_LONGEST_US);
}

function arm(group: Group): void {
  const first = changetype<Operation>(group.firstSend);
  if (group.firstSend == 0 || !isSent(first) || isSequencer(group)) groupTimerOff(group, TIMER_SEND);
  else groupTimer(group, TIMER_SEND, first.sentAt + timeout(group));
}

/** The first request had no answer for too long. */
export function requestsExpired(group: Group): void {
  if (group.state != layout.GROUP_STATE_NORMAL || group.firstSend == 0 || isSequencer(group)) return;
  const first = changetype<Operation>(group.firstSend);
  if (!isSent(first)) return;
  if (!isPure(group) && first.tries > groupSetting(group, layout.GROUP_SET_RETRIES)) {
    memberAt(group, group.sequencer).suspect = 1;
    groupAbort(group);
    return;
  }
  group.backoff++;
  requestsAgain(group);
}

/** Sends everything again that is under way. */
function requestsAgain(group: Group): void {
  for (let at = group.firstSend; at != 0; at = changetype<Operation>(at).next) {
    const operation = changetype<Operation>(at);
    if (!isSent(operation)) break;
    countUp(layout.COUNTER_GROUP_REPEATED);
    post(group, operation);
  }
  arm(group);
}

/** The sequencer says that it lives, perhaps that there is room again: what it had no room for goes again. */
export function requestsHeard(group: Group): void {
  const first = changetype<Operation>(group.firstSend);
  if (group.firstSend == 0 || !isSent(first) || now - first.sentAt < HEARD_US) return;
  group.backoff = 0;
  requestsAgain(group);
}

/** A message of ours is final: those up to it have ended. */
export function requestDone(group: Group, record: Record): void {
  while (group.firstSend != 0) {
    const operation = changetype<Operation>(group.firstSend);
    if (!isSent(operation) || ((operation.message - record.message) as i32) > 0) break;
    take(group);
    measure(group, operation);
    const own = operation.message == record.message;
    recordRelease(changetype<Record>(operation.record));
    operationEnd(operation, own ? STD_OK : BC_FAIL, operation.message, own ? record.seqno : 0);
  }
  group.backoff = 0;
  arm(group);
  requestsGo(group);
}

/** Takes the first one out of the queue. */
function take(group: Group): void {
  const operation = changetype<Operation>(group.firstSend);
  group.firstSend = operation.next;
  if (!isSent(operation)) return;
  group.sent--;
  group.sentBytes -= changetype<Record>(operation.record).length;
}

function measure(group: Group, operation: Operation): void {
  if (operation.tries != 1) return;
  const took = now - operation.sentAt;
  if (group.roundtrip == 0) {
    group.roundtrip = max<i64>(took, 1);
    group.deviation = took >> 1;
    return;
  }
  const off = took - group.roundtrip;
  group.roundtrip = max<i64>(group.roundtrip + (off >> 3), 1);
  group.deviation += ((off < 0 ? -off : off) - group.deviation) >> 2;
}

/** The caller does not wait any more: one that has not been sent is not; what becomes of another is not known. */
export function requestWithdraw(group: Group, operation: Operation): void {
  if (isSent(operation)) return; // it is on its way: its own end comes soon
  const before = operationUnlink(group.firstSend, operation);
  if (before == 0) group.firstSend = operation.next;
  else if (operation.next == 0) group.lastSend = before;
  recordRelease(changetype<Record>(operation.record));
  operationEnd(operation, BC_FAIL, operation.message, 0);
}

/** Ends all of them: what became of those under way is not known. */
export function requestsFail(group: Group): void {
  while (group.firstSend != 0) {
    const operation = changetype<Operation>(group.firstSend);
    take(group);
    recordRelease(changetype<Record>(operation.record));
    operationEnd(operation, BC_FAIL, operation.message, 0);
  }
  groupTimerOff(group, TIMER_SEND);
}
