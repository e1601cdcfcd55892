// A cohort of a recovery: votes for the best claim, lets itself be brought up to date, takes
// the result.
//
// - It follows one coordinator at a time, and goes its own way when that is silent.
// - Source: spec 5.6.

import * as layout from "../layout";
import * as wire from "../wire/group";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { BC_ABORT, BC_FAIL } from "../status";
import { ballotOf, better, cutBack, isPromised, promise, refuseVote, tailOf, vote } from "./claim";
import { coordinate, countVotes } from "./coordinator";
import { settle } from "./deliver";
import { groupEnd } from "./ending";
import {
  Group,
  MEMBER,
  REGISTERED_ALL,
  REGISTERED_GROUP,
  TIMER_PHASE,
  UNUSED,
  groupAddresses,
  groupRegister,
  groupTimer,
  groupTimerOff,
  groupUnregister,
  isJoining,
  isOpen,
  isPure,
  isRecovering,
  memberAt,
  memberOf,
} from "./groups";
import { groupSetting } from "./settings";
import { Record, historyCut, historyPut, historyRoom, payloadOf, recordRelease } from "./history";
import { tell } from "./packets";
import { FOLLOWING, NOT_VOTED, READY, RESULT, STOP, VOTING } from "./phases";
import { askFor, groupAbort, opened, recoveryTake, resetsEnd } from "./recovery";

const TICK_US: i64 = 20000;
/** A member that was taken for dead may still answer: so long it is waited for. */
const SUSPECT_US: i64 = 50000;
const POLL_US: i64 = 100000;
const FOLLOW_LONGEST_US: i64 = 5000000;

export function follow(group: Group, id: u32, incarnation: u32, tail: u32, seqno: u32): void {
  group.state = layout.GROUP_STATE_COHORT;
  group.coordinator = id;
  group.claimIncarnation = incarnation;
  group.claimSeqno = seqno;
  group.claimTail = tail;
  if (incarnation > group.incarnation) group.incarnation = incarnation;
  memberAt(group, id).heard = now;
  group.cutFor = 0;
  group.phase = FOLLOWING;
  group.began = now;
  groupTimer(group, TIMER_PHASE, now + POLL_US);
}

/** REFORMREQ: another member wants to recover. */
export function recoveryReform(group: Group, p: usize, source: u64): void {
  if (isJoining(group)) return;
  const id = memberOf(group, wire.cpu(p), source);
  const incarnation = wire.incarnation(p);
  const seqno = wire.seqno(p);
  const tail = isPure(group) ? tailOf(p) : group.tail;
  if (id < 0 || memberAt(group, id).state != MEMBER) {
    tell(group, source, wire.GROUP_RESULT, 0, 0, 0, isPure(group)); // it is not one of us any more
    return;
  }
  if (incarnation < group.incarnation) {
    // It has not heard of the last result yet, or its claim is worse: only one who recovers says so.
    if (!isOpen(group)) tell(group, source, wire.GROUP_VOTE, STOP, 0, 0, isPure(group));
    return;
  }
  groupAbort(group);
  if (group.state == layout.GROUP_STATE_COORDINATOR) {
    if (!better(incarnation, tail, seqno, id, group.incarnation, group.tail, group.next, group.me)) {
      tell(group, source, wire.GROUP_VOTE, STOP, 0, 0, isPure(group));
      return;
    }
    // In the middle of a result of our own the newer incarnation wins, and that is ours.
  } else if (group.state == layout.GROUP_STATE_COHORT && (id as u32) != group.coordinator) {
    const current = group.coordinator;
    const claimed = group.claimIncarnation;
    if (!better(incarnation, tail, seqno, id, claimed, group.claimTail, group.claimSeqno, current)) return;
  }
  if (!promise(group, id, ballotOf(p))) {
    refuseVote(group, source); // it asks again, for one that it can have
    return;
  }
  if (group.state == layout.GROUP_STATE_COHORT && group.phase == READY && incarnation == group.incarnation) {
    groupUnregister(group, REGISTERED_GROUP | REGISTERED_ALL);
  }
  follow(group, id, incarnation, tail, seqno);
  vote(group, source);
}

/** SYNC of the coordinator: how far we should be, and after which reset. */
export function recoverySync(group: Group, id: u32, p: usize): void {
  if (group.state != layout.GROUP_STATE_COHORT || (id as u32) != group.coordinator) return;
  if (group.phase == READY) {
    if (wire.incarnation(p) == group.incarnation) opened(group);
    return;
  }
  if (isPure(group) && wire.groupMessageId(p) > group.tail && wire.groupMessageId(p) != group.cutFor) {
    group.cutFor = wire.groupMessageId(p);
    cutBack(group);
  }
  group.highest = wire.seqno(p);
  if (((group.highest - group.next) as i32) > 0) askFor(group, memberAt(group, id));
  else upToDate(group);
}

export function upToDate(group: Group): void {
  const tail = isPure(group) ? group.tail : 0;
  const coordinator = memberAt(group, group.coordinator);
  tell(group, coordinator.address, wire.GROUP_STATE, group.next, tail, 0, isPure(group));
}

/** ALIVE of the coordinator: it is there, and perhaps it has opened the group. */
export function recoveryAlive(group: Group, id: u32, p: usize): void {
  if (group.state != layout.GROUP_STATE_COHORT || id != group.coordinator) return;
  const open = wire.groupMessageId(p) != 0 && wire.incarnation(p) == group.incarnation;
  if (group.phase == READY && open) opened(group);
}

/**
 * RESULT: the new group, or that there is none; or an earlier one, as a message of the history.
 * `record` is ours from now on.
 */
export function recoveryResult(group: Group, p: usize, record: Record, source: u64): void {
  const id = memberOf(group, wire.cpu(p), source);
  if (changetype<usize>(record) == 0) {
    if (id >= 0 && wire.seqno(p) == 0) failed(group, id, wire.groupMessageId(p) != 0);
    return;
  }
  const incarnation = wire.incarnation(p);
  const mine = group.state == layout.GROUP_STATE_COHORT && id >= 0 && (id as u32) == group.coordinator;
  if (mine && group.phase == READY && incarnation == group.incarnation)
    acknowledge(group, source, wire.seqno(p));
  else if (mine && incarnation > group.incarnation) {
    if (!isPure(group) || isPromised(group, id, incarnation)) result(group, p, record, source, id);
  } else if (isPure(group) && isRecovering(group) && incarnation == group.incarnation) {
    recoveryTake(group, p, record, source);
    return;
  }
  recordRelease(record);
}

function acknowledge(group: Group, address: u64, seqno: u32): void {
  tell(group, address, wire.GROUP_RESULTACK, seqno, 0, 0, isPure(group));
}

/** A coordinator gave up, or tells us that we are out, or that we should lead. */
function failed(group: Group, id: u32, lead: bool): void {
  const member = memberAt(group, id);
  if (group.state == layout.GROUP_STATE_COORDINATOR) {
    member.suspect = 1;
    member.voted = NOT_VOTED;
    if (group.phase == VOTING) {
      group.began = min<i64>(group.began, now - SUSPECT_US);
      countVotes(group);
    }
  } else if (group.state == layout.GROUP_STATE_COHORT && id == group.coordinator && group.phase != READY) {
    group.state = layout.GROUP_STATE_ABORTED;
    group.phase = 0;
    groupTimerOff(group, TIMER_PHASE);
    if (!lead) resetsEnd(group, BC_FAIL);
    else if (group.waiting != 0) coordinate(group);
  }
}

function result(group: Group, p: usize, record: Record, source: u64, id: u32): void {
  const seqno = wire.seqno(p);
  const behind = (seqno - group.next) as i32;
  if (wire.resultStates(record.length) != group.membersMax || ((seqno - group.accepted) as i32) < 0) return;
  if (behind > 0) {
    if (behind > (group.slots as i32)) return;
    group.highest = seqno;
    askFor(group, memberAt(group, id));
    return;
  }
  const payload = payloadOf(record);
  if (behind < 0 && isPure(group)) return; // it was formed without what we said that we have
  if (wire.resultState(payload, group.me) != MEMBER) {
    groupEnd(group, BC_ABORT); // we had left, and were sequencer still: nobody needs us now
    return;
  }
  historyCut(group, seqno);
  group.next = seqno;
  group.acceptedAhead = seqno;
  settle(group);
  if (!historyRoom(group, seqno, record.length)) return;
  const tail = wire.resultTail(payload, record.length);
  group.incarnation = wire.incarnation(p);
  group.tail = group.incarnation;
  group.sequencer = id;
  group.total = 0;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    memberAt(group, i).state = wire.resultState(payload, i) == MEMBER ? MEMBER : UNUSED;
    if (memberAt(group, i).state == MEMBER) group.total++;
  }
  groupAddresses(group, wire.resultGroupAddress(tail), wire.resultAllAddress(tail));
  groupRegister(group, REGISTERED_GROUP | REGISTERED_ALL);
  record.kind = wire.GROUP_RESULT;
  record.member = id;
  record.message = 0;
  record.seqno = seqno;
  historyPut(group, record);
  group.next = seqno + 1;
  group.highest = group.next;
  group.message = memberAt(group, group.me).message;
  group.phase = READY;
  group.began = now;
  countUp(layout.COUNTER_GROUP_RESETS);
  acknowledge(group, source, seqno);
  if (!isPure(group)) opened(group);
  else groupTimer(group, TIMER_PHASE, now + TICK_US);
}

/** A cohort asks its coordinator, and goes its own way when there is no answer. */
export function followOn(group: Group): void {
  const member = memberAt(group, group.coordinator);
  const silence = now - member.heard;
  const dead = max<i64>((groupSetting(group, layout.GROUP_SET_DETECT_MS) as i64) * 1000, POLL_US * 3);
  if (silence >= dead || now - group.began > FOLLOW_LONGEST_US) {
    member.suspect = silence >= dead ? 1 : 0;
    group.state = layout.GROUP_STATE_ABORTED;
    group.phase = 0;
    groupUnregister(group, REGISTERED_GROUP | REGISTERED_ALL);
    groupTimerOff(group, TIMER_PHASE);
    if (group.waiting != 0) coordinate(group);
    return;
  }
  tell(group, member.address, wire.GROUP_ALIVEREQ, 1, 0, 0, isPure(group));
  groupTimer(group, TIMER_PHASE, now + (group.phase == READY ? TICK_US : POLL_US));
}
