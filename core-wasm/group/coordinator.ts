// The coordinator of a recovery: counts votes, makes all histories the same, forms the group.
//
// - VOTING → FETCHING → UPDATING → RESULT; recovery.ts says what each is for. Whoever does
//   not answer in time is taken for dead, and the recovery begins again without it.
// - Source: spec 5.6.

import * as layout from "../layout";
import * as wire from "../wire/group";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { BC_FAIL, BC_ILLRESET } from "../status";
import { HEADER } from "../wire/header";
import { askVote, ballotOf, ballotRaise, ballotTake, isBranched, tailOf } from "./claim";
import { follow } from "./cohort";
import { settle } from "./deliver";
import {
  Group,
  LEFT,
  MEMBER,
  Member,
  REGISTERED_ALL,
  TIMER_PHASE,
  UNUSED,
  groupAddresses,
  groupRegister,
  groupTimerOff,
  isPure,
  memberAt,
  newPrivate,
} from "./groups";
import { historyAt, historyPut, historyRoom, payloadOf, recordRelease, recordTake } from "./history";
import { sendRecord, tell, tellAlive } from "./packets";
import {
  ACKNOWLEDGED,
  AGAIN,
  EXCLUDED,
  FETCHING,
  NOT_VOTED,
  REFUSED,
  RESULT,
  STOP,
  UPDATING,
  VOTED,
  VOTING,
} from "./phases";
import { askFor, enter, opened, resetUs, resetsEnd, takesPart, tick } from "./recovery";

/** A member that was taken for dead may still answer: so long it is waited for. */
const SUSPECT_US: i64 = 50000;
const ATTEMPTS_MAX: u32 = 8;
/** So often one with a later reset is asked to lead in our place. */
const YIELDS_MAX: u32 = 2;

export function coordinate(group: Group): void {
  if (++group.attempts > ATTEMPTS_MAX) {
    fail(group, BC_FAIL);
    return;
  }
  group.state = layout.GROUP_STATE_COORDINATOR;
  group.claimIncarnation = group.incarnation;
  for (let i: u32 = 0; i < group.membersMax; i++) memberAt(group, i).voted = NOT_VOTED;
  if (isPure(group) && !ballotTake(group)) {
    fail(group, BC_FAIL);
    return;
  }
  enter(group, VOTING);
  callVotes(group);
  countVotes(group);
}

function callVotes(group: Group): void {
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (takesPart(group, i) && member.voted == NOT_VOTED) askVote(group, member.address);
  }
}

/** A VOTE: how far a member is, or that it has a better claim. */
export function recoveryVote(group: Group, id: u32, p: usize): void {
  if (group.state != layout.GROUP_STATE_COORDINATOR) return;
  const seqno = wire.seqno(p);
  const member = memberAt(group, id);
  if (seqno == STOP || seqno == REFUSED) {
    if (group.phase == VOTING) follow(group, id, wire.incarnation(p), 0, 0xffffffff);
    return;
  }
  if (group.phase != VOTING || !takesPart(group, id)) return;
  if (isPure(group)) {
    if (seqno == AGAIN) askAgain(group, ballotOf(p));
    if (seqno == AGAIN || ballotOf(p) != group.ballot) return;
  }
  member.vote = seqno;
  member.voteTail = isPure(group) ? tailOf(p) : group.tail;
  member.voteAccepted = wire.expect(p);
  member.voted = VOTED;
  member.suspect = 0;
  member.heard = now;
  group.claimIncarnation = max<u32>(group.claimIncarnation, wire.incarnation(p));
  countVotes(group);
}

/** Somebody cannot vote for our ballot, perhaps for this one: all are asked anew. */
function askAgain(group: Group, ballot: u32): void {
  if (ballot <= group.ballot) return; // that was an earlier one of ours
  for (let i: u32 = 0; i < group.membersMax; i++) memberAt(group, i).voted = NOT_VOTED;
  if (ballotRaise(group, ballot)) callVotes(group);
  else fail(group, BC_FAIL);
}

export function hasVoted(member: Member): bool {
  return member.voted == VOTED || member.voted == ACKNOWLEDGED;
}

/** Goes on when everyone has voted that may be alive. */
export function countVotes(group: Group): void {
  let votes: u32 = 1;
  const waits = now - group.began < SUSPECT_US;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    if (!takesPart(group, i)) continue;
    const member = memberAt(group, i);
    if (member.voted == NOT_VOTED && (!member.suspect || waits)) return;
    if (hasVoted(member) && member.state == MEMBER) votes++;
  }
  if (votes < group.minimum) fail(group, BC_ILLRESET);
  else lead(group);
}

/** All have voted: goes on, unless one should lead whose history ends after a later reset than ours. */
function lead(group: Group): void {
  let later: i32 = -1;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (!takesPart(group, i) || !hasVoted(member) || member.voteTail <= group.tail) continue;
    if (later < 0 || member.voteTail > memberAt(group, later).voteTail) later = i as i32;
  }
  if (later < 0) catchUp(group);
  else if (group.attempts <= YIELDS_MAX && memberAt(group, later).state == MEMBER) yieldTo(group, later);
  else {
    // Nobody resets there: its user left, or it was asked to lead, twice, and did not.
    exclude(group, memberAt(group, later));
    countVotes(group);
  }
}

/** A member shall be coordinator in our place; we wait for it as one that it has called. */
function yieldTo(group: Group, id: u32): void {
  tell(group, memberAt(group, id).address, wire.GROUP_RESULT, 0, 1, 0, isPure(group));
  follow(group, id, group.incarnation, 0, 0xffffffff);
}

/** A voter that cannot be one of us is told so. */
function exclude(group: Group, member: Member): void {
  member.voted = EXCLUDED;
  member.suspect = 1;
  tell(group, member.address, wire.GROUP_RESULT, 0, 0, 0, isPure(group));
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

/** The voter that is furthest, or -1 when we have all that any has. */
export function furthest(group: Group): i32 {
  let best: i32 = -1;
  let seqno = group.next;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (!takesPart(group, i) || !hasVoted(member) || member.voteTail != group.tail) continue;
    if (((member.vote - seqno) as i32) <= 0) continue;
    best = i;
    seqno = member.vote;
  }
  return best;
}

export function catchUp(group: Group): void {
  const best = furthest(group);
  if (best < 0) {
    update(group);
    return;
  }
  group.highest = memberAt(group, best).vote;
  if (group.phase != FETCHING) enter(group, FETCHING);
  askFor(group, memberAt(group, best));
}

/** Brings every voter up to date, then forms the group. */
export function update(group: Group): void {
  if (group.phase != UPDATING) {
    enter(group, UPDATING);
    if (!excludeBranched(group)) return;
  }
  let behind = false;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (!takesPart(group, i) || member.state != MEMBER || !hasVoted(member)) continue;
    if (isLevel(group, member)) continue;
    behind = true;
    const tail = isPure(group) ? group.tail : 0;
    tell(group, member.address, wire.GROUP_SYNC, group.next, tail, 0, isPure(group));
  }
  if (!behind) form(group);
}

/** A voter's history ends where ours does. */
function isLevel(group: Group, member: Member): bool {
  return member.vote == group.next && member.voteTail == group.tail;
}

/** Voters that have something final that we have not are out. False when too few are left. */
function excludeBranched(group: Group): bool {
  let votes: u32 = 1;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (!takesPart(group, i) || !hasVoted(member)) continue;
    const older = member.voteTail != group.tail;
    if (older && isBranched(group, member.voteTail, member.voteAccepted)) exclude(group, member);
    else if (member.state == MEMBER) votes++;
  }
  if (votes >= group.minimum) return true;
  fail(group, BC_ILLRESET);
  return false;
}

/** STATE: during recovery it says that a voter has everything; among ours also up to where. */
export function recoveryState(group: Group, id: u32, p: usize): void {
  if (group.state != layout.GROUP_STATE_COORDINATOR || group.phase != UPDATING) return;
  const member = memberAt(group, id);
  if (member.voted != VOTED) return;
  const all = wire.seqno(p) == group.next && wire.groupMessageId(p) == group.tail;
  if (isPure(group) && !all) return;
  member.vote = group.next;
  member.voteTail = group.tail;
  update(group);
}

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
  group.incarnation = isPure(group) ? group.ballot : (group.claimIncarnation + 1) & 0xffff;
  group.tail = group.incarnation;
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
    if (takesPart(group, i) && member.voted == VOTED && !isLevel(group, member)) return i as i32;
  }
  return -1;
}

/** The timer of a coordinator ran out. */
export function coordinatorExpired(group: Group): void {
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
