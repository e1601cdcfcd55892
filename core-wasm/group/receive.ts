// Where groups meet FLIP: every packet for an address of a group, put together, told apart
// and passed on.
//
// - A message in several fragments is put together in the record that will keep it, in any
//   order; a repeated message has the same FLIP message id, so its fragments count too.
// - A packet counts only when it comes from the address of the member that it names, or of
//   the sequencer, and of this incarnation; recovery and join have rules of their own.
// - What fits nothing is dropped and counted.

import * as layout from "../layout";
import { allocate } from "../memory/arena";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { GAPS_BYTES, gapsCount, gapsFill, gapsOpen } from "../rpc/gaps";
import { HEADER } from "../wire/header";
import { loadBigEndian32 } from "../wire/order";
import * as wire from "../wire/group";
import { joinLocate, joinRequest } from "./admit";
import { forget } from "./deliver";
import {
  Group,
  UNUSED,
  groupOfAddress,
  isPure,
  isSequencer,
  memberAt,
  memberOf,
  isRecovering,
  isOpen,
} from "./groups";
import { Record, headerOf, historyAt, recordRelease, recordTake } from "./history";
import { joinHere, joinTake } from "./join";
import { memberEarly, memberHears, memberSync, memberTake } from "./member";
import { tell, tellAlive } from "./packets";
import { recoveryAlive, recoveryReform, recoveryResult, recoverySync } from "./cohort";
import { recoveryResultAck, recoveryState, recoveryVote } from "./coordinator";
import { recoveryTake, groupAbort } from "./recovery";
import { requestsHeard } from "./requests";
import { noteMember, sequencerAck, sequencerRepeat, sequencerTake, tellGone } from "./sequencer";

const ASSEMBLIES: u32 = 32;
const FORGET_US: i64 = 2000000;

@unmanaged
class Assembly {
  record: u32; // 0: free
  id: u32;
  source: u64;
  total: u32;
  gid: u32;
  heard: i64;
}

let base: usize = 0;
let stride: u32 = 0;

export function groupReceiveOpen(): void {
  stride = (offsetof<Assembly>() + GAPS_BYTES + 7) & ~7;
  base = allocate((ASSEMBLIES as u64) * stride);
}

// @ts-ignore: decorator
@inline
function at(index: u32): Assembly {
  return changetype<Assembly>(base + (index as usize) * stride);
}

function dropped(): void {
  countUp(layout.COUNTER_GROUP_DROPPED);
}

/** FLIP's receive upcall, for a group's protocol word or address. */
export function groupDeliver(
  data: usize,
  length: u32,
  destination: u64,
  source: u64,
  id: u32,
  offset: u32,
  total: u32,
): void {
  if (destination == 0) {
    broadcast(data, length, source);
    return;
  }
  const group = groupOfAddress(destination);
  if (changetype<usize>(group) == 0 || source == 0) {
    dropped();
    return;
  }
  if (length == total) {
    if (wire.check(data, length) != 0) dropped();
    else packet(group, data, length, source, destination, changetype<Record>(0));
    return;
  }
  const record = assemble(group, data, length, source, id, offset, total);
  if (changetype<usize>(record) == 0) return;
  if (wire.check(headerOf(record), total) != 0) {
    dropped();
    recordRelease(record);
    return;
  }
  packet(group, headerOf(record), total, source, destination, record);
}

function broadcast(data: usize, length: u32, source: u64): void {
  if (length < 4 || loadBigEndian32(data) != wire.PROTOCOL_GROUP || source == 0) return;
  if (wire.check(data + 4, length - 4) != 0 || wire.groupType(data + 4) != wire.GROUP_LOCATE) dropped();
  else joinLocate(data + 4, source);
}

// ---- fragments -----------------------------------------------------------------------

/** The longest message that a group may carry, its header included. */
function longest(group: Group): u32 {
  const data = HEADER + (1 << group.logMessage);
  return wire.GROUP_HEADER + max<u32>(data, 64 + group.membersMax * wire.GROUP_MEMBER_BYTES);
}

/** Takes one fragment in; the record of the message when it is complete, else null. */
function assemble(
  group: Group,
  data: usize,
  length: u32,
  source: u64,
  id: u32,
  offset: u32,
  total: u32,
): Record {
  const none = changetype<Record>(0);
  if (total < wire.GROUP_HEADER || total > longest(group)) return none;
  const assembly = assemblyFor(group.index, source, id, total);
  if (changetype<usize>(assembly) == 0) return none;
  assembly.heard = now;
  const gaps = changetype<usize>(assembly) + offsetof<Assembly>();
  const record = changetype<Record>(assembly.record);
  if (!gapsFill(gaps, offset, offset + length)) return none;
  memory.copy(headerOf(record) + offset, data, length);
  if (gapsCount(gaps) > 0) return none;
  assembly.record = 0;
  return record;
}

function assemblyFor(gid: u32, source: u64, id: u32, total: u32): Assembly {
  let free = changetype<Assembly>(0);
  let oldest = at(0);
  for (let i: u32 = 0; i < ASSEMBLIES; i++) {
    const assembly = at(i);
    if (assembly.record == 0) {
      free = assembly;
      continue;
    }
    if (assembly.source == source && assembly.id == id && assembly.gid == gid && assembly.total == total)
      return assembly;
    if (assembly.heard < oldest.heard || oldest.record == 0) oldest = assembly;
    if (now - assembly.heard > FORGET_US) {
      recordRelease(changetype<Record>(assembly.record));
      assembly.record = 0;
      free = assembly;
    }
  }
  if (changetype<usize>(free) == 0) {
    free = oldest;
    recordRelease(changetype<Record>(free.record));
    free.record = 0;
  }
  const record = recordTake(total - wire.GROUP_HEADER);
  if (changetype<usize>(record) == 0) return changetype<Assembly>(0);
  free.record = changetype<usize>(record) as u32;
  free.id = id;
  free.source = source;
  free.total = total;
  free.gid = gid;
  free.heard = now;
  gapsOpen(changetype<usize>(free) + offsetof<Assembly>(), total);
  return free;
}

/** Gives up what was coming in for a group. */
export function assembliesForget(group: Group): void {
  for (let i: u32 = 0; i < ASSEMBLIES; i++) {
    const assembly = at(i);
    if (assembly.record == 0 || assembly.gid != group.index) continue;
    recordRelease(changetype<Record>(assembly.record));
    assembly.record = 0;
  }
}

// ---- packets -------------------------------------------------------------------------

/**
 * A whole packet, checked. `record` is the one that it was put together in (held once), or
 * null when it lies in the frame.
 */
function packet(group: Group, p: usize, length: u32, source: u64, destination: u64, record: Record): void {
  const type = wire.groupType(p);
  if (group.state == layout.GROUP_STATE_LOCATING && type != wire.GROUP_HEREIS) {
    refuse(record); // it has no members yet
    return;
  }
  let kept = changetype<Record>(0);
  if (carries(type) && length > wire.GROUP_HEADER) {
    kept = changetype<usize>(record) != 0 ? record : copied(p, length);
    if (changetype<usize>(kept) == 0) return; // no room: as if it were lost
    p = headerOf(kept);
  }
  if (changetype<usize>(record) != 0 && changetype<usize>(kept) == 0) {
    control(group, p, length, source);
    recordRelease(record);
  } else if (carries(type)) {
    if (changetype<usize>(kept) != 0) {
      kept.member = wire.cpu(p);
      kept.message = wire.groupMessageId(p);
    }
    message(group, p, kept, source, destination);
  } else control(group, p, length, source);
}

/** Types with data of users. RESULT begins an incarnation, or is repeated as a message. */
function carries(type: u32): bool {
  return (type >= wire.GROUP_JOINREQ && type <= wire.GROUP_BCAST) || type == wire.GROUP_RESULT;
}

function copied(p: usize, length: u32): Record {
  const record = recordTake(length - wire.GROUP_HEADER);
  if (changetype<usize>(record) != 0) memory.copy(headerOf(record), p, length);
  return record;
}

/** A message: `record` has its data and is the callee's; null when only a header came. */
function message(group: Group, p: usize, record: Record, source: u64, destination: u64): void {
  const type = wire.groupType(p);
  if (type == wire.GROUP_JOINREQ && wire.seqno(p) == 0) {
    joinRequest(group, p, record, source);
    return;
  }
  const recovering = isRecovering(group);
  if (type == wire.GROUP_RESULT && (recovering || wire.incarnation(p) != group.incarnation)) {
    recoveryResult(group, p, record, source);
    return;
  }
  if (group.state == layout.GROUP_STATE_JOINING) {
    joinTake(group, p, record, source);
    return;
  }
  if (wire.incarnation(p) != group.incarnation) {
    refuse(record);
    return;
  }
  if (recovering) {
    recoveryTake(group, p, record, source);
    return;
  }
  if (wire.seqno(p) == 0) {
    request(group, p, record, source, destination);
    return;
  }
  const fromSequencer = source == memberAt(group, group.sequencer).address;
  if (!fromSequencer || isSequencer(group) || group.state != layout.GROUP_STATE_NORMAL) {
    refuse(record);
    return;
  }
  heard(group);
  if (type == wire.GROUP_RESULT)
    tell(group, source, wire.GROUP_RESULTACK, wire.seqno(p), 0, 0, isPure(group));
  memberTake(group, p, record);
}

function refuse(record: Record): void {
  dropped();
  if (changetype<usize>(record) != 0) recordRelease(record);
}

/** The sequencer gave a sign of life. */
function heard(group: Group): void {
  const sequencer = memberAt(group, group.sequencer);
  sequencer.heard = now;
  sequencer.probes = 0;
}

/** A member wants a number for its data; everyone sees that of a large message. */
function request(group: Group, p: usize, record: Record, source: u64, destination: u64): void {
  const id = memberOf(group, wire.cpu(p), source);
  if (id < 0 || changetype<usize>(record) == 0 || record.length < HEADER) {
    refuse(record);
    return;
  }
  const toAll = destination == group.allAddress;
  record.kind = wire.groupType(p) + 1;
  if (!isSequencer(group)) {
    if (toAll && memberAt(group, id).state == 1) memberEarly(group, record);
    else refuse(record);
    return;
  }
  noteMember(group, memberAt(group, id), wire.expect(p));
  record.large = toAll ? 1 : 0;
  if (!sequencerTake(group, record)) recordRelease(record);
}

/** Everything without data. */
function control(group: Group, p: usize, length: u32, source: u64): void {
  const type = wire.groupType(p);
  const seqno = wire.seqno(p);
  const id = memberOf(group, wire.cpu(p), source);
  if (type == wire.GROUP_HEREIS) {
    joinHere(group, p, source);
    return;
  }
  if (id < 0) {
    if (type == wire.GROUP_REFORMREQ) recoveryReform(group, p, source);
    else dropped();
    return;
  }
  const member = memberAt(group, id);
  switch (type) {
    case wire.GROUP_REFORMREQ:
      recoveryReform(group, p, source);
      return;
    case wire.GROUP_VOTE:
      recoveryVote(group, id, p);
      return;
    case wire.GROUP_RESULTACK:
      recoveryResultAck(group, id, wire.incarnation(p));
      return;
    case wire.GROUP_RETRANS:
      member.heard = now;
      if (isForgotten(group, id, p, seqno)) tellGone(group, member);
      else if (wire.incarnation(p) == group.incarnation || group.state != layout.GROUP_STATE_NORMAL)
        sequencerRepeat(group, member, seqno, max<u32>(wire.groupMessageId(p), 1));
      return;
    case wire.GROUP_ALIVEREQ:
      alive(group, id, p, source);
      return;
    default:
      break;
  }
  const recovering = isRecovering(group);
  if (wire.incarnation(p) != group.incarnation && !recovering) {
    dropped();
    return;
  }
  noteMember(group, member, wire.expect(p));
  switch (type) {
    case wire.GROUP_ACK:
      if (isSequencer(group) && isOpen(group)) sequencerAck(group, id, seqno); // closed, nothing becomes final
      return;
    case wire.GROUP_STATE:
      if (((seqno - member.leaveSeqno) as i32) >= 0) member.leaveSeqno = 0;
      recoveryState(group, id, p);
      if (isSequencer(group)) forgetWhatAllHave(group);
      return;
    case wire.GROUP_SYNC:
      if ((id as u32) == group.sequencer && group.state == layout.GROUP_STATE_NORMAL)
        memberSync(group, p, length);
      else recoverySync(group, id, p);
      return;
    case wire.GROUP_ALIVE:
      if ((id as u32) == group.sequencer && group.state == layout.GROUP_STATE_NORMAL) {
        memberHears(group, seqno, wire.groupMessageId(p));
        requestsHeard(group);
      }
      recoveryAlive(group, id, p);
      return;
    case wire.GROUP_DEAD:
      member.suspect = 1;
      if (member.state != 0) groupAbort(group);
      return;
    default:
      dropped();
  }
}

function forgetWhatAllHave(group: Group): void {
  if (isOpen(group)) forget(group);
}

/**
 * One that has left and does not know it: it missed its own LEAVE, and what it misses is no
 * longer there since nobody who is still a member needs it.
 */
function isForgotten(group: Group, id: u32, p: usize, seqno: u32): bool {
  if (!isOpen(group) || !isSequencer(group) || wire.incarnation(p) != group.incarnation) return false;
  if (memberAt(group, id).state != UNUSED || seqno == group.next) return false;
  return changetype<usize>(historyAt(group, seqno)) == 0;
}

/** Someone asks whether we live. */
function alive(group: Group, id: i32, p: usize, source: u64): void {
  const member = memberAt(group, id);
  member.heard = now;
  if (isForgotten(group, id, p, wire.expect(p))) {
    tellGone(group, member);
    return;
  }
  if (wire.incarnation(p) == group.incarnation) {
    noteMember(group, member, wire.expect(p));
    if (isSequencer(group)) forgetWhatAllHave(group);
  }
  tellAlive(group, source);
}
