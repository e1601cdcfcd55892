// Letting others into a group: the sequencer's side of a join (join.ts is the joiner's).
//
// - A LOCATE is answered with HEREIS and a member id, kept for the joiner a while. Its JOINREQ gets a
//   number as any request does, in slots that are kept for it; the JOIN carries the whole table.
// - One join or leave at a time is under way.
// - Source: spec 5.2, 5.3.

import * as layout from "../layout";
import { now } from "../memory/clock";
import { answer as proof } from "../rpc/negotiate";
import { headerCopy, headerPort, HEADER } from "../wire/header";
import * as wire from "../wire/group";
import {
  Group,
  JOINING,
  MEMBER,
  Member,
  UNUSED,
  groupAt,
  groupCapacity,
  isOpen,
  isSequencer,
  memberAt,
  memberOf,
} from "./groups";
import { Record, historyFind, payloadOf, recordRelease, recordTake } from "./history";
import { ownFeatures, sumOf } from "./join";
import { earlyForget } from "./member";
import { answer, packetPayload, repeatRecord } from "./packets";
import { order, tentative } from "./sequencer";
import { groupSetting } from "./settings";

const RESERVATION_US: i64 = 3000000;

/** A LOCATE: answered by the sequencer of the group, when there is room for one more. */
export function joinLocate(p: usize, source: u64): void {
  const payload = p + wire.GROUP_HEADER;
  const q = (wire.groupMessageId(p) as u64) | ((wire.expect(p) as u64) << 32);
  if (wire.locateMemberAddress(payload) != source) return;
  const theirs = proof(q); // 0: it is an original, or we are
  if (theirs != 0 && wire.seqno(p) != sumOf(payload)) return;
  const port = headerPort(payload);
  for (let i: u32 = 0; i < groupCapacity; i++) {
    const group = groupAt(i);
    const open = isOpen(group) && group.total > 0;
    if (!open || group.port != port || !isSequencer(group)) continue;
    reserve(group, payload, source, q, theirs);
    return;
  }
}

function reserve(group: Group, payload: usize, source: u64, q: u64, theirs: u64): void {
  const id = idFor(group, source);
  if (id < 0) return;
  const member = memberAt(group, id);
  if (member.state == MEMBER) return;
  if (member.address != source) {
    earlyForget(group, id);
    memory.fill(changetype<usize>(member), 0, offsetof<Member>());
  }
  member.state = JOINING;
  member.address = source;
  member.rpcAddress = wire.locateRpcAddress(payload);
  member.features = theirs != 0 ? ((q >> 48) as u32) & ownFeatures() : 0;
  member.heard = now;
  member.joinedAt = now;
  here(group, source, id, theirs);
}

/** The id that an address has, or one that is free; -1 when the group is full. */
function idFor(group: Group, address: u64): i32 {
  let free: i32 = -1;
  let oldest: i64 = i64.MAX_VALUE;
  for (let i: u32 = 0; i < group.membersMax; i++) {
    const member = memberAt(group, i);
    if (member.address == address) return i as i32;
    const expired = member.state == JOINING && now - member.joinedAt > RESERVATION_US;
    if ((member.state == UNUSED || expired) && member.heard < oldest) {
      oldest = member.heard;
      free = i as i32;
    }
  }
  return free;
}

function here(group: Group, address: u64, id: u32, theirs: u64): void {
  const payload = packetPayload();
  wire.setHereisMembersMax(payload, group.membersMax);
  wire.setHereisLogHistory(payload, group.logHistory);
  wire.setHereisLogMessage(payload, group.logMessage);
  wire.setHereisResilience(payload, group.resilience);
  wire.setHereisLarge(payload, groupSetting(group, layout.GROUP_SET_LARGE));
  wire.setHereisIndex(payload, id);
  wire.setHereisSequencer(payload, group.me);
  wire.setHereisGroupAddress(payload, group.groupPrivate);
  wire.setHereisAllAddress(payload, group.allPrivate);
  const bytes = wire.GROUP_HEREIS_BYTES;
  const high = (theirs >> 32) as u32;
  answer(group, address, wire.GROUP_HEREIS, theirs as u32, high, group.next, bytes, theirs != 0);
}

/** JOINREQ: a number for it, and the table for everyone. */
export function joinRequest(group: Group, p: usize, record: Record, source: u64): void {
  const id = memberOf(group, wire.cpu(p), source);
  const open = isOpen(group);
  if (changetype<usize>(record) == 0) return;
  if (id >= 0 && open && isSequencer(group) && record.length >= HEADER) {
    const message = wire.groupMessageId(p);
    const member = memberAt(group, id);
    const joined = historyFind(group, id, message);
    if (changetype<usize>(joined) != 0 && joined.kind == wire.GROUP_JOIN) {
      const type = joined.accepted ? wire.GROUP_JOIN : tentative(wire.GROUP_JOIN);
      repeatRecord(group, member.address, type, joined);
    } else if (member.state == JOINING && group.controls == 0) admit(group, id, message, payloadOf(record));
  }
  recordRelease(record);
}

function admit(group: Group, id: u32, message: u32, header: usize): void {
  const tail = wire.GROUP_JOIN_MEMBERS_AT + group.membersMax * wire.GROUP_MEMBER_BYTES;
  const length = tail + wire.GROUP_JOIN_TAIL;
  // Joins may use the slots that are kept for them: a full history must not keep them out.
  if (group.next - group.low >= group.slots - 2) return;
  const record = recordTake(length);
  if (changetype<usize>(record) == 0) return;
  const member = memberAt(group, id);
  group.features &= member.features;
  member.expect = group.next;
  member.message = message - 1;
  record.kind = wire.GROUP_JOIN;
  record.member = id;
  record.message = message;
  const payload = payloadOf(record);
  headerCopy(payload, header);
  wire.setJoinAddress(payload, member.address);
  for (let i: u32 = 0; i < group.membersMax; i++) row(group, payload, i, i == id);
  const end = payload + tail;
  wire.setJoinAllAddress(end, group.allPrivate);
  wire.setJoinTotal(end, group.total + 1);
  wire.setJoinSequencer(end, group.sequencer);
  wire.setJoinNextSeqno(end, group.next + 1);
  wire.setJoinIncarnation(end, group.incarnation);
  wire.setJoinResilience(end, group.resilience);
  wire.setJoinLarge(end, groupSetting(group, layout.GROUP_SET_LARGE));
  order(group, record);
  recordRelease(record);
}

function row(group: Group, payload: usize, id: u32, joiner: bool): void {
  const member = memberAt(group, id);
  const at = wire.joinMember(payload, id);
  const used = joiner || (member.state != UNUSED && member.state != JOINING);
  wire.setMemberAddress(at, used ? member.address : 0);
  wire.setMemberRpcAddress(at, used ? member.rpcAddress : 0);
  wire.setMemberState(at, joiner ? MEMBER : used ? member.state : UNUSED);
  wire.setMemberExpect(at, used ? (id == group.me ? group.delivered : member.expect) : 1);
  wire.setMemberMessageId(at, joiner ? member.message + 1 : used ? member.message : 0);
}
