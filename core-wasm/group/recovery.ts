// Recovery: a member died, the group is closed, and whoever is left agrees on what was said.
//
// - The user calls grp_reset; that member is coordinator. Of several the one with the latest
//   incarnation, the most messages, the lowest id wins; the others follow it.
// - Coordinator: VOTING (who is left, and how far each one is) → FETCHING (what another has
//   and we do not) → UPDATING (what we have and others do not) → RESULT (the new member
//   table, under a new incarnation and new addresses) → open.
// - A cohort that has the RESULT opens when the coordinator has heard from all: a view that
//   nobody else has is never shown. With an original as coordinator it opens at once.
// - All that any voter has in order becomes final: with resilience k, what any member has
//   delivered is with k others, and one of them votes.
// - Source: spec 5.6.

import * as layout from "../layout";
import { BC_ABORT, BC_FAIL, BC_ILLRESET, STD_OK } from "../status";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { HEADER } from "../wire/header";
import * as wire from "../wire/group";
import { advance, receivesEnd, settle } from "./deliver";
import {
  Group,
  LEFT,
  MEMBER,
  Member,
  REGISTERED_ALL,
  REGISTERED_GROUP,
  TIMERS,
  TIMER_PHASE,
  UNUSED,
  groupAddresses,
  groupRegister,
  groupSetting,
  groupTimer,
  groupTimerOff,
  groupUnregister,
  isPure,
  memberAt,
  memberOf,
  newPrivate,
  isOpen,
  isJoining,
} from "./groups";
import { groupEnd } from "./ending";
import {
  Record,
  historyCut,
  historyPut,
  historyRoom,
  historyAt,
  payloadOf,
  recordRelease,
  recordTake,
} from "./history";
import { joinEnd } from "./join";
import { earlyForget, memberTake, missing, place, takeIn } from "./member";
import { Operation, operationEnd } from "./operations";
import { paceStop, sendRecord, tell, tellAlive } from "./packets";
import { requestsFail, requestsGo } from "./requests";
import { watchStart } from "./watch";

const VOTING: u32 = 1;
const FETCHING: u32 = 2;
const UPDATING: u32 = 3;
const RESULT: u32 = 4;
const FOLLOWING: u32 = 5;
const READY: u32 = 6; // has the result, waits for the coordinator to open

const NOT_VOTED: u32 = 0;
const VOTED: u32 = 1;
const ACKNOWLEDGED: u32 = 2;

const STOP: u32 = 0xffffffff; // -1
const REFUSED: u32 = 0xfffffffe; // -2

const TICK_US: i64 = 20000;
const TICK_ORIGINAL_US: i64 = 2000000;
/** A member that was taken for dead may still answer: so long it is waited for. */
const SUSPECT_US: i64 = 50000;
const POLL_US: i64 = 100000;
const FOLLOW_LONGEST_US: i64 = 5000000;
const ATTEMPTS_MAX: u32 = 8;
/** One that left and goes on as sequencer waits so long for the others to let it go. */
const LEFT_US: i64 = 10000000;

// ---- the end of normal life ------------------------------------------------------------

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

function resetUs(group: Group): i64 {
  return (groupSetting(group, layout.GROUP_SET_RESET_MS) as i64) * 1000;
}

function tick(group: Group): void {
  groupTimer(group, TIMER_PHASE, now + (isPure(group) ? TICK_US : TICK_ORIGINAL_US));
}

function enter(group: Group, phase: u32): void {
  group.phase = phase;
  group.began = now;
  tick(group);
}

function resetsEnd(group: Group, status: i32): void {
  while (group.waiting != 0) {
    const operation = changetype<Operation>(group.waiting);
    group.waiting = operation.next;
    operationEnd(operation, status, 0, status == STD_OK ? group.total : 0);
  }
}

/** True for one whose vote counts or whose messages do. */
// @ts-ignore: decorator
@inline
function takesPart(group: Group, id: u32): bool {
  const state = memberAt(group, id).state;
  return id != group.me && (state == MEMBER || state == LEFT);
}

// ---- coordinator: voting -----------------------------------------------------------------

function coordinate(group: Group): void {
  if (++group.attempts > ATTEMPTS_MAX) {
    fail(group, BC_FAIL);
    return;
  }
  group.state = layout.GROUP_STATE_COORDINATOR;
  group.claimIncarnation = group.incarnation;
  for (let i: u32 = 0; i < group.membersMax; i++) memberAt(group, i).voted = NOT_VOTED;
  enter(group, VOTING);
  callVotes(group);
  countVotes(group);
}

function callVotes(group: Group): void {
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (takesPart(group, i) && member.voted == NOT_VOTED)
      tell(group, member.address, wire.GROUP_REFORMREQ, group.next, 0, 0, isPure(group));
  }
}

/** A VOTE: how far a member is, or that it has a better claim. */
export function recoveryVote(group: Group, id: u32, p: usize): void {
  if (group.state != layout.GROUP_STATE_COORDINATOR) return;
  const seqno = wire.seqno(p);
  const member = memberAt(group, id);
  if (seqno == STOP || seqno == REFUSED) {
    if (group.phase == VOTING) follow(group, id, wire.incarnation(p), 0xffffffff);
    return;
  }
  if (group.phase != VOTING || !takesPart(group, id)) return;
  member.vote = seqno;
  member.voted = VOTED;
  member.suspect = 0;
  member.heard = now;
  group.claimIncarnation = max<u32>(group.claimIncarnation, wire.incarnation(p));
  countVotes(group);
}

/** Goes on when everyone has voted that may be alive. */
function countVotes(group: Group): void {
  let votes: u32 = 1;
  const waits = now - group.began < SUSPECT_US;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    if (!takesPart(group, i)) continue;
    const member = memberAt(group, i);
    if (member.voted == NOT_VOTED && (!member.suspect || waits)) return;
    if (member.voted != NOT_VOTED && member.state == MEMBER) votes++;
  }
  if (votes < group.minimum) fail(group, BC_ILLRESET);
  else catchUp(group);
}

/** The reset does not succeed; who has voted is told. */
function fail(group: Group, status: i32): void {
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (!takesPart(group, i) || member.voted == NOT_VOTED) continue;
    tell(group, member.address, wire.GROUP_RESULT, 0, 0, 0, isPure(group));
  }
  group.state = layout.GROUP_STATE_ABORTED;
  group.phase = 0;
  group.attempts = 0;
  groupTimerOff(group, TIMER_PHASE);
  resetsEnd(group, status);
}

// ---- coordinator: the same history everywhere -----------------------------------------------

/** The voter that is furthest, or -1 when we have all that any has. */
function furthest(group: Group): i32 {
  let best: i32 = -1;
  let seqno = group.next;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (!takesPart(group, i) || member.voted == NOT_VOTED) continue;
    if (((member.vote - seqno) as i32) <= 0) continue;
    best = i;
    seqno = member.vote;
  }
  return best;
}

function catchUp(group: Group): void {
  const best = furthest(group);
  if (best < 0) {
    update(group);
    return;
  }
  group.highest = memberAt(group, best).vote;
  if (group.phase != FETCHING) enter(group, FETCHING);
  askFor(group, memberAt(group, best));
}

function askFor(group: Group, member: Member): void {
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

/** Whether messages from this address count: the coordinator's, or a voter's to the coordinator. */
function voterAt(group: Group, source: u64): bool {
  if (group.state == layout.GROUP_STATE_COHORT) return source == memberAt(group, group.coordinator).address;
  if (group.phase != FETCHING) return false;
  for (let i: u32 = 0; i < group.membersMax; i++)
    if (takesPart(group, i) && memberAt(group, i).address == source) return true;
  return false;
}

/** Brings every voter up to date, then forms the group. */
function update(group: Group): void {
  if (group.phase != UPDATING) enter(group, UPDATING);
  let behind = false;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (!takesPart(group, i) || member.state != MEMBER || member.voted == NOT_VOTED) continue;
    if (member.vote == group.next) continue;
    behind = true;
    tell(group, member.address, wire.GROUP_SYNC, group.next, 0, 0, isPure(group));
  }
  if (!behind) form(group);
}

/** STATE: during recovery it says that a voter has everything. */
export function recoveryState(group: Group, id: u32): void {
  if (group.state != layout.GROUP_STATE_COORDINATOR || group.phase != UPDATING) return;
  const member = memberAt(group, id);
  if (member.voted != VOTED) return;
  member.vote = group.next;
  update(group);
}

// ---- coordinator: the result -----------------------------------------------------------------

function form(group: Group): void {
  group.acceptedAhead = group.next;
  settle(group);
  const length = wire.GROUP_RESULT_STATES_AT + group.membersMax * 4 + wire.GROUP_RESULT_TAIL;
  const record = recordTake(length);
  if (changetype<usize>(record) == 0 || !historyRoom(group, group.next, length)) {
    if (changetype<usize>(record) != 0) recordRelease(record);
    fail(group, BC_FAIL);
    return;
  }
  group.incarnation = (group.claimIncarnation + 1) & 0xffff;
  groupAddresses(group, newPrivate(), newPrivate());
  groupRegister(group, REGISTERED_ALL);
  group.sequencer = group.me;
  group.total = 1;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    if (i == group.me) continue;
    const member = memberAt(group, i);
    const stays = member.state == MEMBER && member.voted == VOTED;
    if (stays) group.total++;
    else if (member.state != LEFT || member.voted != VOTED) member.state = UNUSED;
    member.expect = group.next;
    member.refused = 0;
  }
  write(group, payloadOf(record));
  record.kind = wire.GROUP_RESULT;
  record.member = group.me;
  record.seqno = group.next;
  historyPut(group, record);
  recordRelease(record);
  group.next++;
  group.highest = group.next;
  group.message = memberAt(group, group.me).message;
  countUp(layout.COUNTER_GROUP_RESETS);
  enter(group, RESULT);
  tellResult(group);
  countResults(group);
}

/** The payload of RESULT. One that left and was still sequencer goes with it. */
function write(group: Group, payload: usize): void {
  memory.copy(payload, changetype<usize>(group) + offsetof<Group>("header"), HEADER);
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const state = memberAt(group, i).state;
    wire.setResultState(payload, i, state == MEMBER ? MEMBER : UNUSED);
  }
  const tail = payload + wire.GROUP_RESULT_STATES_AT + group.membersMax * 4;
  wire.setResultGroupAddress(tail, group.groupPrivate);
  wire.setResultAllAddress(tail, group.allPrivate);
  wire.setResultTotal(tail, group.total);
  wire.setResultSequencer(tail, group.me);
  wire.setResultIncarnation(tail, group.incarnation);
}

function tellResult(group: Group): void {
  const record = historyAt(group, group.next - 1);
  if (changetype<usize>(record) == 0) return;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (takesPart(group, i) && member.voted == VOTED)
      sendRecord(group, member.address, wire.GROUP_RESULT, record, member.expect);
  }
}

/** RESULTACK. */
export function recoveryResultAck(group: Group, id: u32, incarnation: u32): void {
  if (group.state != layout.GROUP_STATE_COORDINATOR || group.phase != RESULT) return;
  if (incarnation != group.incarnation) return;
  memberAt(group, id).voted = ACKNOWLEDGED;
  countResults(group);
}

function countResults(group: Group): void {
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (i != group.me && member.state == MEMBER && member.voted != ACKNOWLEDGED) return;
  }
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (i != group.me && member.state == LEFT) member.state = UNUSED;
  }
  opened(group);
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (i != group.me && member.state == MEMBER) tellAlive(group, member.address);
  }
}

/** The group is open again. */
function opened(group: Group): void {
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

// ---- cohort ------------------------------------------------------------------------------------

/** True when the claim (incarnation, seqno, id) is better than another. */
function better(i: u32, s: u32, id: u32, otherI: u32, otherS: u32, other: u32): bool {
  if (i != otherI) return i > otherI;
  if (s != otherS) return ((s - otherS) as i32) > 0;
  return id < other;
}

function follow(group: Group, id: u32, incarnation: u32, seqno: u32): void {
  group.state = layout.GROUP_STATE_COHORT;
  group.coordinator = id;
  group.claimIncarnation = incarnation;
  group.claimSeqno = seqno;
  if (incarnation > group.incarnation) group.incarnation = incarnation;
  memberAt(group, id).heard = now;
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
    if (!better(incarnation, seqno, id, group.incarnation, group.next, group.me)) {
      tell(group, source, wire.GROUP_VOTE, STOP, 0, 0, isPure(group));
      return;
    }
    // In the middle of a result of our own the newer incarnation wins, and that is ours.
  } else if (group.state == layout.GROUP_STATE_COHORT && (id as u32) != group.coordinator) {
    const now_ = group.coordinator;
    if (!better(incarnation, seqno, id, group.claimIncarnation, group.claimSeqno, now_)) return;
  }
  if (group.state == layout.GROUP_STATE_COHORT && group.phase == READY && incarnation == group.incarnation) {
    groupUnregister(group, REGISTERED_GROUP | REGISTERED_ALL);
  }
  follow(group, id, incarnation, seqno);
  tell(group, source, wire.GROUP_VOTE, group.next, 0, 0, isPure(group));
}

/** SYNC of the coordinator: how far we should be. */
export function recoverySync(group: Group, id: u32, p: usize): void {
  if (group.state != layout.GROUP_STATE_COHORT || (id as u32) != group.coordinator) return;
  if (group.phase == READY) {
    if (wire.incarnation(p) == group.incarnation) opened(group);
    return;
  }
  group.highest = wire.seqno(p);
  if (((group.highest - group.next) as i32) > 0) askFor(group, memberAt(group, id));
  else upToDate(group);
}

function upToDate(group: Group): void {
  tell(group, memberAt(group, group.coordinator).address, wire.GROUP_STATE, group.next, 0, 0, isPure(group));
}

/** ALIVE of the coordinator: it is there, and perhaps it has opened the group. */
export function recoveryAlive(group: Group, id: u32, p: usize): void {
  if (group.state != layout.GROUP_STATE_COHORT || id != group.coordinator) return;
  const open = wire.groupMessageId(p) != 0 && wire.incarnation(p) == group.incarnation;
  if (group.phase == READY && open) opened(group);
}

/** RESULT: the new group, or that there is none. `record` is ours from now on. */
export function recoveryResult(group: Group, p: usize, record: Record, source: u64): void {
  const id = memberOf(group, wire.cpu(p), source);
  if (id >= 0 && changetype<usize>(record) == 0 && wire.seqno(p) == 0) failed(group, id);
  const mine = group.state == layout.GROUP_STATE_COHORT && id >= 0 && (id as u32) == group.coordinator;
  if (mine && changetype<usize>(record) != 0) {
    if (group.phase == READY && wire.incarnation(p) == group.incarnation)
      acknowledge(group, source, wire.seqno(p));
    else if (wire.incarnation(p) > group.incarnation) result(group, p, record, source, id);
  }
  if (changetype<usize>(record) != 0) recordRelease(record);
}

function acknowledge(group: Group, address: u64, seqno: u32): void {
  tell(group, address, wire.GROUP_RESULTACK, seqno, 0, 0, isPure(group));
}

/** A coordinator gave up, or tells us that we are out. */
function failed(group: Group, id: u32): void {
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
    resetsEnd(group, BC_FAIL);
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

// ---- time ------------------------------------------------------------------------------------------

/** The timer of recovery ran out. */
export function recoveryExpired(group: Group): void {
  if (group.state == layout.GROUP_STATE_ABORTED) {
    if (memberAt(group, group.me).state != MEMBER) groupEnd(group, BC_ABORT);
    return;
  }
  if (group.state == layout.GROUP_STATE_COHORT) {
    followOn(group);
    return;
  }
  const late = now - group.began >= resetUs(group);
  switch (group.phase) {
    case VOTING:
      if (late) giveUp(group, NOT_VOTED);
      else callVotes(group);
      tick(group);
      countVotes(group);
      return;
    case FETCHING:
      if (late) again(group, furthest(group));
      else {
        tick(group);
        catchUp(group);
      }
      return;
    case UPDATING:
      if (late) again(group, laggard(group));
      else {
        tick(group);
        update(group);
      }
      return;
    case RESULT:
      if (late) {
        giveUp(group, VOTED);
        coordinate(group);
      } else {
        tick(group);
        tellResult(group);
      }
  }
}

/** Those that have come no further than `voted` are taken for dead. */
function giveUp(group: Group, voted: u32): void {
  for (let i: u32 = 0; i < group.membersMax; i++)
    if (takesPart(group, i) && memberAt(group, i).voted == voted) memberAt(group, i).suspect = 1;
}

/** Begins again without a member that does not answer. */
function again(group: Group, id: i32): void {
  if (id >= 0) memberAt(group, id).suspect = 1;
  coordinate(group);
}

function laggard(group: Group): i32 {
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (takesPart(group, i) && member.voted == VOTED && member.vote != group.next) return i as i32;
  }
  return -1;
}

/** A cohort asks its coordinator, and goes its own way when there is no answer. */
function followOn(group: Group): void {
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
