// What a recovery among ours is decided by: who was voted for, and where a history ends.
//
// - A coordinator asks for votes for the incarnation that it will form, its ballot. A member votes
//   for one coordinator a ballot and never for a lower one again: of two coordinators with a
//   voter in common one at most can open.
// - A history ends after its last reset (the tail). A coordinator may have given a reset its place and
//   have been cut off before anyone else had it: where two histories differ, they do so from such a
//   place on, and only what follows the later reset can have become final.
// - So the latest reset leads, before the most messages; whoever ends after an earlier one cuts off
//   what is not final for it, and is out when what is final goes past the place of that reset.
// - Originals know nothing of this: with one in the group the claim is the spec's (5.6).
// - Source: Oki and Liskov, Viewstamped Replication, 1988; spec 5.6.

import * as wire from "../wire/group";
import { Group, isPure, memberAt } from "./groups";
import { historyAt, historyCut, resetOf } from "./history";
import { answer } from "./packets";
import { AGAIN } from "./phases";

/** Incarnations have 16 bits on the wire. */
const BALLOT_MAX: u32 = 0xffff;

// ---- ballots ---------------------------------------------------------------------------

/** Below this no ballot gets our vote. */
function lowest(group: Group): u32 {
  return max<u32>(group.ballot, group.incarnation) + 1;
}

/** Wants votes for `ballot` or more, and at least for what we can vote for ourselves. False: there is none left. */
export function ballotRaise(group: Group, ballot: u32): bool {
  group.ballot = max<u32>(lowest(group), ballot);
  group.ballotOf = group.me;
  return group.ballot <= BALLOT_MAX;
}

/** The ballot of a new attempt: the last one again, when it was ours and nothing was formed with it. */
export function ballotTake(group: Group): bool {
  if (group.ballotOf == group.me && group.ballot > group.incarnation) return true;
  return ballotRaise(group, 0);
}

/** Whether a member may have our vote for this ballot; then nobody else gets it. With an original it always may. */
export function promise(group: Group, id: u32, ballot: u32): bool {
  if (!isPure(group)) return true;
  const again = ballot == group.ballot && id == group.ballotOf && ballot > group.incarnation;
  if (!again && ballot < lowest(group)) return false;
  group.ballot = ballot;
  group.ballotOf = id;
  return true;
}

/** Whether this incarnation is what we voted for, by this member. */
export function isPromised(group: Group, id: u32, incarnation: u32): bool {
  return incarnation == group.ballot && id == group.ballotOf;
}

// ---- what is said -----------------------------------------------------------------------

/** REFORMREQ and VOTE of ours: a ballot and a tail, 16 bits each, in place of a message id. */
export function ballotOf(p: usize): u32 {
  return wire.groupMessageId(p) >> 16;
}

export function tailOf(p: usize): u32 {
  return wire.groupMessageId(p) & 0xffff;
}

/** REFORMREQ: asks for a vote. */
export function askVote(group: Group, address: u64): void {
  say(group, address, wire.GROUP_REFORMREQ, group.next, group.ballot);
}

/** VOTE for the ballot that this member asked for. */
export function vote(group: Group, address: u64): void {
  say(group, address, wire.GROUP_VOTE, group.next, group.ballot);
}

/** A ballot cannot have our vote: its coordinator is told the lowest that can. */
export function refuseVote(group: Group, address: u64): void {
  say(group, address, wire.GROUP_VOTE, AGAIN, lowest(group));
}

function say(group: Group, address: u64, type: u32, seqno: u32, ballot: u32): void {
  const pure = isPure(group);
  const word = pure ? (ballot << 16) | group.tail : 0;
  answer(group, address, type, seqno, word, pure ? group.accepted : group.delivered, 0, pure);
}

// ---- who leads --------------------------------------------------------------------------

/** True when the claim of `id` (incarnation, tail, seqno) is better than the other. */
export function better(
  incarnation: u32,
  tail: u32,
  seqno: u32,
  id: u32,
  otherIncarnation: u32,
  otherTail: u32,
  otherSeqno: u32,
  other: u32,
): bool {
  if (incarnation != otherIncarnation) return incarnation > otherIncarnation;
  if (tail != otherTail) return tail > otherTail;
  if (seqno != otherSeqno) return ((seqno - otherSeqno) as i32) > 0;
  return id < other;
}

// ---- histories that differ --------------------------------------------------------------

/** Takes back what is not final: it may not be what the others have. */
export function cutBack(group: Group): void {
  for (let at = group.next; at != group.accepted; ) {
    at--;
    const record = historyAt(group, at);
    if (changetype<usize>(record) == 0 || record.kind == wire.GROUP_RESULT) continue;
    memberAt(group, record.member).message = record.message - 1;
  }
  historyCut(group, group.accepted);
  group.next = group.accepted;
  group.highest = group.accepted;
  group.acceptedAhead = group.accepted;
  group.tail = group.finalTail;
}

/**
 * True when one whose history ends after the reset `tail`, final below `accepted`, has something
 * final that we do not have; also when our history no longer tells.
 */
export function isBranched(group: Group, tail: u32, accepted: u32): bool {
  for (let at = group.low; at != group.next; at++) {
    const record = historyAt(group, at);
    if (changetype<usize>(record) == 0 || record.kind != wire.GROUP_RESULT) continue;
    if (resetOf(record) <= tail) continue;
    return ((accepted - at) as i32) > 0;
  }
  return true;
}
