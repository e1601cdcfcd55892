// Getting into a group: creating it, looking for its sequencer, and the JOIN that tells everyone. How the
// sequencer lets one in: admit.ts.
//
// - LOCATE is broadcast ever further; the sequencer answers HEREIS, with a member id that it
//   keeps for the joiner a while. JOINREQ then is a request like any other; the JOIN that
//   follows carries the whole member table.
// - In LOCATE an original leaves messid and expect 0: there ours put a question, and the
//   proof of the answer in seqno and messid of HEREIS (rpc/negotiate.ts). So both know
//   before the first message whether all members are ours. seqno of such a LOCATE is a sum
//   over its payload, since a broadcast has no check.
// - Source: spec 5.2, 5.3.

import * as layout from "../layout";
import { EXTENSION_CHECKED, EXTENSION_GROUP, GROUP_MEMBERS_MAX } from "../limits";
import { BC_FAIL, BC_NOEXIST, BC_TOOMANY, STD_NOMEM, STD_OK } from "../status";
import { now } from "../memory/clock";
import { extensions } from "../memory/settings";
import { messageNewId } from "../flip/ids";
import { packetBroadcast } from "../flip/packets";
import { question, settledBits } from "../rpc/negotiate";
import { checkAdd, checkOpen, checkValue } from "../wire/check";
import { headerCopy } from "../wire/header";
import { storeBigEndian32 } from "../wire/order";
import * as wire from "../wire/group";
import {
  Group,
  JOINING,
  MEMBER,
  REGISTERED_ALL,
  REGISTERED_GROUP,
  TIMER_PHASE,
  groupAddresses,
  groupRegister,
  groupRoom,
  groupTimer,
  groupTimerOff,
  memberAt,
  membersView,
  newPrivate,
  rpcAddress,
} from "./groups";
import { groupSetting } from "./settings";
import { groupEnd } from "./ending";
import { Record, payloadOf, recordRelease } from "./history";
import { memberTake } from "./member";
import { Operation, operationEnd } from "./operations";
import { packetPayload, sendRecord } from "./packets";
import { watchStart } from "./watch";

const LOCATE_US: i64 = 50000;
const REQUEST_US: i64 = 50000;
const REQUEST_LONGEST_US: i64 = 500000;
/** What groupRoom can still count; no group of this size fits a kernel. */
const LOG_HISTORY_FAR: u32 = 20;
const LOG_MESSAGE_FAR: u32 = 24;

/** The extensions that a member of this kernel brings. */
export function ownFeatures(): u32 {
  return extensions & (EXTENSION_GROUP | EXTENSION_CHECKED);
}

/** Makes us the first member; the parameters are in the group already. A status. */
export function joinCreate(group: Group): i32 {
  if (!groupRoom(group)) return STD_NOMEM;
  group.features = ownFeatures();
  const member = memberAt(group, 0);
  member.state = MEMBER;
  member.address = group.myAddress;
  member.rpcAddress = rpcAddress;
  member.expect = 1;
  begin(group, 1);
  group.total = 1;
  group.view = 1;
  groupAddresses(group, newPrivate(), newPrivate());
  groupRegister(group, REGISTERED_ALL);
  group.state = layout.GROUP_STATE_NORMAL;
  watchStart(group);
  return STD_OK;
}

function begin(group: Group, seqno: u32): void {
  group.low = seqno;
  group.delivered = seqno;
  group.accepted = seqno;
  group.acceptedAhead = seqno;
  group.next = seqno;
  group.highest = seqno;
}

// ---- looking for it ------------------------------------------------------------------

/** Begins to look for the group; `operation` has the record of the request. */
export function joinStart(group: Group, operation: Operation): void {
  group.state = layout.GROUP_STATE_LOCATING;
  group.waiting = changetype<usize>(operation) as u32;
  group.began = now;
  group.tries = 0;
  group.hops = 3;
  group.question = ownFeatures() & EXTENSION_GROUP ? question() : 0;
  // Until an answer tells otherwise the sequencer may be ours: its timers are.
  group.features = ownFeatures();
  locate(group);
}

function request(group: Group): Record {
  return changetype<Record>(changetype<Operation>(group.waiting).record);
}

function locate(group: Group): void {
  const base = packetPayload();
  storeBigEndian32(base, wire.PROTOCOL_GROUP);
  const p = base + 4;
  const payload = p + wire.GROUP_HEADER;
  headerCopy(payload, payloadOf(request(group)));
  wire.setLocateRpcAddress(payload, rpcAddress);
  wire.setLocateMemberAddress(payload, group.myAddress);
  const q = group.question;
  const sum = q != 0 ? sumOf(payload) : 0;
  wire.groupHeader(p, wire.GROUP_LOCATE, 0, 0, 0, sum, q as u32, (q >> 32) as u32);
  const length = 4 + wire.GROUP_HEADER + wire.GROUP_LOCATE_BYTES;
  packetBroadcast(group.myAddress, messageNewId(), base, length, group.hops);
  // Twice as near as one network reaches, then 7, 15, 25 and again.
  if (group.tries > 0) group.hops = min<u32>(2 * group.hops + 1, 25);
  const wait = LOCATE_US << (min<u32>(group.tries, 4) as i64);
  group.tries++;
  groupTimer(group, TIMER_PHASE, now + wait);
}

export function sumOf(payload: usize): u32 {
  checkOpen();
  checkAdd(payload, wire.GROUP_LOCATE_BYTES);
  return checkValue();
}

/** The timer of a join ran out. */
export function joinExpired(group: Group): void {
  const patience = (groupSetting(group, layout.GROUP_SET_LOCATE_MS) as i64) * 1000;
  const late = now - group.began >= patience;
  if (group.state == layout.GROUP_STATE_LOCATING) {
    if (late) joinEnd(group, BC_NOEXIST);
    else locate(group);
    return;
  }
  if (late) {
    joinEnd(group, BC_FAIL);
    return;
  }
  ask(group);
}

/** The join ends without success: nothing is left of it. */
export function joinEnd(group: Group, status: i32): void {
  const operation = changetype<Operation>(group.waiting);
  group.waiting = 0;
  recordRelease(changetype<Record>(operation.record));
  operationEnd(operation, status, 0, 0);
  groupEnd(group, status);
}

// ---- the joiner's side ---------------------------------------------------------------

/** HEREIS: the group's parameters, and the id that we get. */
export function joinHere(group: Group, p: usize, source: u64): void {
  if (group.state != layout.GROUP_STATE_LOCATING) return;
  const payload = p + wire.GROUP_HEADER;
  const most = wire.hereisMembersMax(payload);
  const me = wire.hereisIndex(payload);
  const sequencerId = wire.hereisSequencer(payload);
  const logHistory = wire.hereisLogHistory(payload);
  const logMessage = wire.hereisLogMessage(payload);
  // Judged before any of it is kept: what makes no sense is as if it had not come.
  if (most < 2 || me >= most || sequencerId >= most || me == sequencerId) return;
  if (most > GROUP_MEMBERS_MAX) {
    joinEnd(group, BC_TOOMANY);
    return;
  }
  if (logHistory > LOG_HISTORY_FAR || logMessage > LOG_MESSAGE_FAR) {
    joinEnd(group, STD_NOMEM);
    return;
  }
  if ((1 as u32) << logHistory <= most + 2) return; // no group has so short a history
  group.membersMax = most;
  group.logHistory = logHistory;
  group.logMessage = logMessage;
  group.resilience = wire.hereisResilience(payload);
  group.me = me;
  group.sequencer = sequencerId;
  const theirs = (wire.seqno(p) as u64) | ((wire.groupMessageId(p) as u64) << 32);
  group.features = settledBits(group.question, theirs) & ownFeatures();
  if (!groupRoom(group)) {
    joinEnd(group, STD_NOMEM);
    return;
  }
  const sequencer = memberAt(group, group.sequencer);
  sequencer.address = source;
  sequencer.heard = now;
  begin(group, wire.expect(p));
  groupAddresses(group, wire.hereisGroupAddress(payload), wire.hereisAllAddress(payload));
  groupRegister(group, REGISTERED_GROUP | REGISTERED_ALL);
  group.state = layout.GROUP_STATE_JOINING;
  group.began = now;
  group.tries = 0;
  group.message = 1;
  const record = request(group);
  record.kind = wire.GROUP_JOIN;
  record.member = group.me;
  record.message = group.message;
  ask(group);
}

/** JOINREQ, again and again until the JOIN comes. */
function ask(group: Group): void {
  const record = request(group);
  sendRecord(group, memberAt(group, group.sequencer).address, wire.GROUP_JOINREQ, record, group.next);
  const wait = min<i64>(REQUEST_US << (min<u32>(group.tries, 8) as i64), REQUEST_LONGEST_US);
  group.tries++;
  groupTimer(group, TIMER_PHASE, now + wait);
}

/** The JOIN that makes us a member; anything else is not for us yet. `record` is ours from now on. */
export function joinTake(group: Group, p: usize, record: Record, source: u64): void {
  if (changetype<usize>(record) == 0) return;
  const mine =
    wire.groupType(p) == wire.GROUP_JOIN &&
    wire.cpu(p) == group.me &&
    source == memberAt(group, group.sequencer).address &&
    wire.joinMembers(record.length) == group.membersMax &&
    wire.joinAddress(payloadOf(record)) == group.myAddress &&
    wire.joinSequencer(wire.joinTail(payloadOf(record), record.length)) == group.sequencer;
  if (!mine) {
    recordRelease(record);
    return;
  }
  adopt(group, p, record);
  const operation = changetype<Operation>(group.waiting);
  group.waiting = 0;
  recordRelease(changetype<Record>(operation.record));
  groupTimerOff(group, TIMER_PHASE);
  operationEnd(operation, STD_OK, 0, group.index);
  memberTake(group, p, record);
  watchStart(group);
}

function adopt(group: Group, p: usize, record: Record): void {
  const payload = payloadOf(record);
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const from = wire.joinMember(payload, i);
    const member = memberAt(group, i);
    member.state = i == group.me ? JOINING : wire.memberState(from); // the JOIN itself makes us one
    member.address = wire.memberAddress(from);
    member.rpcAddress = wire.memberRpcAddress(from);
    member.expect = wire.memberExpect(from);
    member.message = wire.memberMessageId(from);
    member.heard = now;
  }
  const tail = wire.joinTail(payload, record.length);
  group.total = wire.joinTotal(tail) - 1;
  group.sequencer = wire.joinSequencer(tail);
  group.incarnation = wire.joinIncarnation(tail);
  group.tail = group.incarnation;
  group.finalTail = group.incarnation;
  group.features = wire.reserved(p) & ownFeatures();
  group.message = wire.groupMessageId(p);
  begin(group, wire.seqno(p));
  group.view = membersView(group);
  group.state = layout.GROUP_STATE_NORMAL;
}
