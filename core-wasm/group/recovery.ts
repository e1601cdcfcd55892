// Recovery: a member died, the group is closed, and whoever is left agrees on what was said.
//
// - The user calls grp_reset; that member is coordinator. Of several the one with the latest
//   incarnation, the latest reset, the most messages, the lowest id wins; the others follow it (claim.ts).
// - Coordinator: VOTING (who is left, and how far each one is) → FETCHING (what another has
//   and we do not) → UPDATING (what we have and others do not) → RESULT (the new member
//   table, under a new incarnation and new addresses) → open.
// - A cohort that has the RESULT opens when the coordinator has heard from all: a view that
//   nobody else has is never shown. With an original as coordinator it opens at once.
// - All that any voter has in order becomes final: with resilience k, what any member has
//   delivered is with k others, and one of them votes.
// - This file closes a group and opens it again; coordinator.ts and cohort.ts are the two roles.
// - Source: spec 5.6.

import * as layout from "../layout";
import * as wire from "../wire/group";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { BC_ABORT, BC_FAIL, BC_ILLRESET, BC_NOEXIST, STD_OK } from "../status";
import { followOn, upToDate } from "./cohort";
import { catchUp, coordinate, coordinatorExpired, furthest, hasVoted, update } from "./coordinator";
import { advance, receivesEnd } from "./deliver";
import { groupEnd } from "./ending";
import {
  Group,
  LEFT,
  MEMBER,
  Member,
  REGISTERED_ALL,
  REGISTERED_GROUP,
  TIMERS,
  TIMER_PHASE,
  groupTimer,
  groupTimerOff,
  groupUnregister,
  isJoining,
  isOpen,
  isPure,
  memberAt,
} from "./groups";
import { groupSetting } from "./settings";
import { Record, historyCut, recordRelease } from "./history";
import { joinEnd } from "./join";
import { earlyForget, memberTake, missing, place, takeIn } from "./member";
import { Operation, operationEnd } from "./operations";
import { paceStop, tell } from "./packets";
import { FETCHING, FOLLOWING, READY } from "./phases";
import { requestsFail, requestsGo } from "./requests";
import { watchStart } from "./watch";

const TICK_US: i64 = 20000;
const TICK_ORIGINAL_US: i64 = 2000000;
/** One that left and goes on as sequencer waits so long for the others to let it go. */
const LEFT_US: i64 = 10000000;

/** A member is dead, or another began to recover: nothing goes on without a reset. */
export function groupAbort(group: Group): void {
  if (isJoining(group)) {
    joinEnd(group, BC_FAIL);
    return;
  }
  if (!isOpen(group)) return;
  const gone = memberAt(group, group.me).state != MEMBER;
  group.state = layout.GROUP_STATE_ABORTED;
  for (let i: u32 = 0; i < TIMERS; i++) groupTimerOff(group, i);
  groupUnregister(group, REGISTERED_GROUP | REGISTERED_ALL);
  paceStop(group);
  for (let i: u32 = 0; i < group.membersMax; i++) earlyForget(group, i);
  historyCut(group, group.next); // what came early counts for nothing
  group.highest = group.next;
  group.attempts = 0;
  group.full = 0;
  group.owes = 0;
  requestsFail(group);
  receivesEnd(group, BC_ABORT);
  if (gone) groupTimer(group, TIMER_PHASE, now + LEFT_US);
}

/** grp_reset: `operation` waits for the end of it. */
export function recoveryStart(group: Group, operation: Operation, minimum: u32): void {
  operation.next = group.waiting;
  group.waiting = changetype<usize>(operation) as u32;
  group.minimum = max<u32>(minimum, 1);
  if (group.state == layout.GROUP_STATE_ABORTED) coordinate(group);
}

export function resetUs(group: Group): i64 {
  return (groupSetting(group, layout.GROUP_SET_RESET_MS) as i64) * 1000;
}

export function tick(group: Group): void {
  groupTimer(group, TIMER_PHASE, now + (isPure(group) ? TICK_US : TICK_ORIGINAL_US));
}

export function enter(group: Group, phase: u32): void {
  group.phase = phase;
  group.began = now;
  tick(group);
}

/** Ends all resets that wait here. One that asked for more members than there are now has failed. */
export function resetsEnd(group: Group, status: i32): void {
  while (group.waiting != 0) {
    const operation = changetype<Operation>(group.waiting);
    group.waiting = operation.next;
    const ends = status == STD_OK && group.total < operation.capacity ? BC_ILLRESET : status;
    operationEnd(operation, ends, 0, ends == STD_OK ? group.total : 0);
  }
}

export function takesPart(group: Group, id: u32): bool {
  const state = memberAt(group, id).state;
  return id != group.me && (state == MEMBER || state == LEFT);
}

export function askFor(group: Group, member: Member): void {
  countUp(layout.COUNTER_GROUP_RETRANS_OUT);
  tell(
    group,
    member.address,
    wire.GROUP_RETRANS,
    group.next,
    isPure(group) ? missing(group) : 0,
    0,
    isPure(group),
  );
}

/** The group is open again. */
export function opened(group: Group): void {
  group.state = layout.GROUP_STATE_NORMAL;
  group.phase = 0;
  group.attempts = 0;
  groupTimerOff(group, TIMER_PHASE);
  group.acceptedAhead = group.next;
  group.controls = 0;
  group.silent = 0;
  group.backoff = 0;
  group.askInterval = 0;
  group.askedUpTo = group.next;
  watchStart(group);
  resetsEnd(group, STD_OK);
  advance(group);
  requestsGo(group);
}

/** A message that is repeated during recovery. `record` is ours from now on. */
export function recoveryTake(group: Group, p: usize, record: Record, source: u64): void {
  const seqno = wire.seqno(p);
  if (group.phase == READY && source == memberAt(group, group.coordinator).address) {
    opened(group);
    memberTake(group, p, record);
    return;
  }
  const from = voterAt(group, source);
  const early = (seqno - group.next) as i32;
  if (changetype<usize>(record) == 0) return;
  if (!from || seqno == 0 || early < 0 || early >= (group.slots as i32)) {
    recordRelease(record);
    return;
  }
  const before = group.next;
  place(group, p, record, seqno, wire.groupType(p));
  takeIn(group);
  if (group.next == before) return;
  group.began = now;
  if (group.phase == FETCHING) {
    if (furthest(group) < 0) update(group);
    else if (((group.highest - group.next) as i32) > 0) return;
    else catchUp(group);
  } else if (group.phase == FOLLOWING && group.next == group.highest) upToDate(group);
}

/** Whether messages from this address count: the coordinator's, or to it a voter's whose history is as ours. */
function voterAt(group: Group, source: u64): bool {
  if (group.state == layout.GROUP_STATE_COHORT) return source == memberAt(group, group.coordinator).address;
  if (group.phase != FETCHING) return false;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (takesPart(group, i) && member.address == source)
      return hasVoted(member) && member.voteTail == group.tail;
  }
  return false;
}

/** The timer of recovery ran out. */
export function recoveryExpired(group: Group): void {
  if (group.state == layout.GROUP_STATE_ABORTED) {
    if (memberAt(group, group.me).state != MEMBER) groupEnd(group, BC_ABORT);
    return;
  }
  if (group.state == layout.GROUP_STATE_LEFT) {
    if (group.total == 0) groupEnd(group, BC_NOEXIST); // nobody has joined since
    return;
  }
  if (group.state == layout.GROUP_STATE_COHORT) {
    followOn(group);
    return;
  }
  if (group.state == layout.GROUP_STATE_COORDINATOR) coordinatorExpired(group);
}
