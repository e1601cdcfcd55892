// From the order to the user: what is final changes the group, then waits for grp_receive.
//
// - settle: the order of messages becomes final, one after the other; a JOIN or LEAVE
//   changes the member table at that moment, at every member at the same place.
// - deliver: final messages go to the receives that wait, in order.
// - Then the sequencer may forget what everyone has, and a silent member tells where it is.

import * as layout from "../layout";
import { BC_NOEXIST, STD_OK } from "../status";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { HEADER } from "../wire/header";
import { routeRemoveAll } from "../flip/routes";
import * as wire from "../wire/group";
import {
  Group,
  LEFT,
  MEMBER,
  Member,
  UNUSED,
  groupUnregister,
  REGISTERED_ALL,
  REGISTERED_GROUP,
  REGISTERED_MEMBER,
  TIMER_PHASE,
  groupTimer,
  isPure,
  isSequencer,
  memberAt,
  isOpen,
} from "./groups";
import { Record, headerOf, historyAt, historyTrim, payloadOf, resetOf } from "./history";
import { earlyForget } from "./member";
import { Operation, operationEnd } from "./operations";
import { tellAlive, tellSequencer } from "./packets";
import { requestsGo, requestDone } from "./requests";

/** So long the history is kept for one that has left. */
const LEAVING_US: i64 = 300000;
/** So long the sequencer of a group without members answers the last one who left. */
const EMPTY_US: i64 = 2000000;

/** Makes final what can be, hands out what is final, and tells who needs to know. */
export function advance(group: Group): void {
  settle(group);
  deliver(group);
  if (!isOpen(group)) return;
  if (isSequencer(group)) forget(group);
  else report(group);
}

/** Makes final what can be; nothing is handed out yet. */
export function settle(group: Group): void {
  while (group.accepted != group.next) {
    const record = historyAt(group, group.accepted);
    if (changetype<usize>(record) == 0) return;
    if (!record.accepted && ((group.acceptedAhead - group.accepted) as i32) <= 0) return;
    record.accepted = 1;
    group.accepted++;
    apply(group, record);
  }
}

/** A message's order is final. */
function apply(group: Group, record: Record): void {
  const member = memberAt(group, record.member);
  if (record.kind != wire.GROUP_BCAST && group.controls > 0) group.controls--;
  if (record.kind == wire.GROUP_RESULT) group.finalTail = resetOf(record);
  // Message ids begin anew with every member: what the last owner of this id multicast is not its.
  if (record.kind == wire.GROUP_JOIN || record.kind == wire.GROUP_LEAVE) earlyForget(group, record.member);
  if (record.kind == wire.GROUP_JOIN && member.state != MEMBER) {
    const payload = payloadOf(record);
    const row = wire.joinMember(payload, record.member);
    member.state = MEMBER;
    member.address = wire.joinAddress(payload);
    member.rpcAddress = wire.memberRpcAddress(row);
    member.message = record.message;
    member.heard = now;
    member.probes = 0;
    if (!isSequencer(group)) group.features &= wire.reserved(headerOf(record));
    group.total++;
  } else if (record.kind == wire.GROUP_LEAVE && member.state == MEMBER) {
    member.state = record.member == group.sequencer ? LEFT : UNUSED;
    group.total--;
    member.leaveSeqno = record.seqno + 1;
    member.leftAt = now;
    if (record.member == group.me) left(group);
    else routesForget(group);
    // Nobody is left but us, who are none either: soon it is over, unless someone joins.
    if (group.total == 0 && isSequencer(group)) {
      groupTimer(group, TIMER_PHASE, now + (record.member == group.me ? 0 : EMPTY_US));
    }
  }
  if (record.member == group.me) requestDone(group, record);
}

/**
 * Where the group's addresses are: one place that is no member any more would stand for one
 * that is not known yet, who would then be left out.
 */
function routesForget(group: Group): void {
  routeRemoveAll(group.groupAddress);
  routeRemoveAll(group.allAddress);
  group.locatedAt = 0;
}

/** We have left: nothing comes to us any more, unless we go on as sequencer. */
function left(group: Group): void {
  if (isSequencer(group)) {
    group.state = layout.GROUP_STATE_LEFT;
    return;
  }
  tellSequencer(group, wire.GROUP_STATE, group.next, 0); // it need not keep anything for us
  groupUnregister(group, REGISTERED_GROUP | REGISTERED_ALL | REGISTERED_MEMBER);
}

function kindOf(record: Record): u32 {
  switch (record.kind) {
    case wire.GROUP_JOIN:
      return layout.DELIVERED_JOIN;
    case wire.GROUP_LEAVE:
      return layout.DELIVERED_LEAVE;
    case wire.GROUP_RESULT:
      return layout.DELIVERED_RESET;
    default:
      return layout.DELIVERED_DATA;
  }
}

/** Members after this message, a bit each. */
function viewAfter(group: Group, record: Record): u64 {
  const bit = (1 as u64) << record.member;
  if (record.kind == wire.GROUP_JOIN) return group.view | bit;
  if (record.kind == wire.GROUP_LEAVE) return group.view & ~bit;
  if (record.kind != wire.GROUP_RESULT) return group.view;
  let view: u64 = 0;
  const states = wire.resultStates(record.length);
  for (let i: u32 = 0; i < min<u32>(states, 64); i++)
    if (wire.resultState(payloadOf(record), i) == MEMBER) view |= (1 as u64) << i;
  return view;
}

/**
 * The incarnation that a message is told with: of a reset its own, for another may have come
 * since; of others the group's. So whoever has not seen the reset of an incarnation yet knows
 * that what is told with it may have become final by that reset alone.
 */
function incarnationOf(group: Group, record: Record): u32 {
  return record.kind == wire.GROUP_RESULT ? resetOf(record) : group.incarnation;
}

/** Hands final messages to the receives that wait. */
export function deliver(group: Group): void {
  while (group.firstReceive != 0 && group.delivered != group.accepted) {
    const record = historyAt(group, group.delivered);
    const operation = changetype<Operation>(group.firstReceive);
    group.firstReceive = operation.next;
    group.delivered++;
    group.silent++;
    countUp(layout.COUNTER_GROUP_DELIVERED);
    hand(group, record, operation);
    if (record.kind == wire.GROUP_LEAVE && record.member == group.me) {
      receivesEnd(group, BC_NOEXIST);
      return;
    }
  }
}

function hand(group: Group, record: Record, operation: Operation): void {
  group.view = viewAfter(group, record);
  const at: usize = operation.header;
  const payload = payloadOf(record);
  if (record.length >= HEADER) memory.copy(at, payload, HEADER);
  else memory.fill(at, 0, HEADER);
  const data = record.kind == wire.GROUP_BCAST && record.length > HEADER ? record.length - HEADER : 0;
  const length = min<u32>(data, operation.capacity);
  memory.copy(operation.buffer, payload + HEADER, length);
  store<u32>(at, record.seqno, layout.DELIVERY_SEQNO);
  store<u32>(at, record.member, layout.DELIVERY_MEMBER);
  store<u32>(at, kindOf(record), layout.DELIVERY_KIND);
  store<u32>(at, record.message, layout.DELIVERY_MESSAGE);
  store<u32>(at, group.accepted - group.delivered, layout.DELIVERY_MORE);
  store<u32>(at, incarnationOf(group, record), layout.DELIVERY_INCARNATION);
  store<u32>(at, data, layout.DELIVERY_LENGTH);
  store<u64>(at, group.view, layout.DELIVERY_VIEW);
  operationEnd(operation, STD_OK, at as u32, length);
}

/** Ends all receives that wait. */
export function receivesEnd(group: Group, status: i32): void {
  while (group.firstReceive != 0) {
    const operation = changetype<Operation>(group.firstReceive);
    group.firstReceive = operation.next;
    operationEnd(operation, status, operation.header, 0);
  }
}

// ---- who has what --------------------------------------------------------------------

/** One that has left may still ask for what it missed before that; not for long. */
function isLeaving(member: Member): bool {
  if (member.state != UNUSED || member.leaveSeqno == 0) return false;
  if (now - member.leftAt > LEAVING_US) member.leaveSeqno = 0;
  return member.leaveSeqno != 0;
}

/** The sequencer: what every member has is forgotten; requests that found no room may come again. */
export function forget(group: Group): void {
  let lowest = group.state == layout.GROUP_STATE_LEFT ? group.accepted : group.delivered;
  if (group.state == layout.GROUP_STATE_LEFT) group.delivered = group.accepted;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (i == group.me || (member.state != MEMBER && !isLeaving(member))) continue;
    if (((member.expect - lowest) as i32) < 0) lowest = member.expect;
  }
  if (((lowest - group.low) as i32) > 0) historyTrim(group, lowest);
  if (group.full == 0) return;
  group.full = 0;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (!member.refused || member.state != MEMBER) continue;
    member.refused = 0;
    tellAlive(group, member.address);
  }
  requestsGo(group);
}

/**
 * A member that has been silent for half a history (among ours: a quarter of one) tells where it
 * is; each at its own time.
 */
function report(group: Group): void {
  const many = group.slots >= 4 * group.membersMax && !isPure(group);
  const often = many ? group.slots >> 1 : group.slots >> 2;
  const mine = (group.me * (often >> 1)) / max<u32>(group.membersMax, 1);
  const caughtUp = group.owes != 0 && group.delivered == group.next;
  if (group.silent + mine < often && !caughtUp) return;
  group.silent = 0;
  group.owes = 0;
  tellSequencer(group, wire.GROUP_STATE, group.next, 0);
}
