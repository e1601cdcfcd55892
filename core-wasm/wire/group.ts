// Group communication packets: the 20-byte header, and the check of a whole packet.
//
// - p is the first byte of the group header. A LOCATE has the protocol word in front,
//   which is the caller's to test. What is behind the header: group-hereis.ts,
//   group-join.ts, group-result.ts, under the names of this file too.
// - check() once: on the first fragment of a data message, on the whole of every
//   other (JOIN and RESULT come in several fragments when the group is large).
// - Formats only: sequencing, history and recovery live in group/.
// - Source: Amoeba 5 group protocol header and payloads.

import { FRAME_MALFORMED, STD_OK } from "../status";
import {
  GROUP_BCAST,
  GROUP_BCASTREQ,
  GROUP_BIGENDIAN,
  GROUP_CPU_AT,
  GROUP_DEAD,
  GROUP_EXPECT_AT,
  GROUP_FLAGS_AT,
  GROUP_HEADER,
  GROUP_HEREIS,
  GROUP_HEREIS_BYTES,
  GROUP_HEREIS_INDEX_AT,
  GROUP_HEREIS_LARGE_AT,
  GROUP_HEREIS_SEQUENCER_AT,
  GROUP_INCARNATION_AT,
  GROUP_JOIN,
  GROUP_JOINREQ,
  GROUP_JOIN_INCARNATION_AT,
  GROUP_JOIN_LARGE_AT,
  GROUP_JOIN_MEMBERS_AT,
  GROUP_JOIN_NEXT_SEQNO_AT,
  GROUP_JOIN_RESILIENCE_AT,
  GROUP_JOIN_SEQUENCER_AT,
  GROUP_JOIN_TAIL,
  GROUP_JOIN_TOTAL_AT,
  GROUP_LEAVE,
  GROUP_LEAVEREQ,
  GROUP_LOCATE,
  GROUP_LOCATE_BYTES,
  GROUP_MEMBER_EXPECT_AT,
  GROUP_MEMBER_MESSAGE_ID_AT,
  GROUP_MEMBER_STATE_AT,
  GROUP_MESSAGE_ID_AT,
  GROUP_RESERVED_AT,
  GROUP_RESULT,
  GROUP_RESULT_INCARNATION_AT,
  GROUP_RESULT_SEQUENCER_AT,
  GROUP_RESULT_STATES_AT,
  GROUP_RESULT_TAIL,
  GROUP_RESULT_TOTAL_AT,
  GROUP_SEQNO_AT,
  GROUP_SYNC,
  GROUP_TYPE_AT,
  HEADER,
} from "./formats";
import { joinMember, joinMembers, joinTail } from "./group-join";
import { resultStates, resultTail } from "./group-result";
import { swapHeader } from "./header";
import { swap16, swap32 } from "./order";

export * from "./group-hereis";
export * from "./group-join";
export * from "./group-result";
export {
  GROUP_ACK,
  GROUP_ALIVE,
  GROUP_ALIVEREQ,
  GROUP_BCAST,
  GROUP_BCASTREQ,
  GROUP_BIGENDIAN,
  GROUP_DEAD,
  GROUP_HEADER,
  GROUP_HEREIS,
  GROUP_HEREIS_BYTES,
  GROUP_JOIN,
  GROUP_JOINREQ,
  GROUP_JOIN_MEMBERS_AT,
  GROUP_JOIN_TAIL,
  GROUP_LEAVE,
  GROUP_LEAVEREQ,
  GROUP_LOCATE,
  GROUP_LOCATE_BYTES,
  GROUP_MEMBER_BYTES,
  GROUP_REFORMREQ,
  GROUP_RESULT,
  GROUP_RESULTACK,
  GROUP_RESULT_STATES_AT,
  GROUP_RESULT_TAIL,
  GROUP_RETRANS,
  GROUP_STATE,
  GROUP_SYNC,
  GROUP_VOTE,
  PROTOCOL_GROUP,
} from "./formats";

/**
 * Judges the group packet of `available` bytes at p and makes it little-endian in
 * place, payload included. Answers STD_OK or FRAME_MALFORMED.
 */
export function check(p: usize, available: u32): i32 {
  if (available < GROUP_HEADER) return FRAME_MALFORMED;
  const type = groupType(p);
  if (type > GROUP_DEAD) return FRAME_MALFORMED;
  const length = available - GROUP_HEADER;
  if (!payloadFits(type, length)) return FRAME_MALFORMED;
  if (groupFlags(p) & GROUP_BIGENDIAN) {
    swapGroup(p);
    swapGroupPayload(p + GROUP_HEADER, type, length);
    setGroupFlags(p, groupFlags(p) & ~GROUP_BIGENDIAN);
  }
  return STD_OK;
}

/** A sequencer sends 20 bytes alone when it only numbers or accepts a message that went before. */
function payloadFits(type: u32, length: u32): bool {
  switch (type) {
    case GROUP_LOCATE:
      return length >= GROUP_LOCATE_BYTES;
    case GROUP_HEREIS:
      return length >= GROUP_HEREIS_BYTES;
    case GROUP_JOINREQ:
    case GROUP_LEAVEREQ:
    case GROUP_LEAVE:
    case GROUP_BCASTREQ:
    case GROUP_BCAST:
      return length == 0 || length >= HEADER;
    case GROUP_JOIN:
      return length == 0 || length >= GROUP_JOIN_MEMBERS_AT + GROUP_JOIN_TAIL;
    case GROUP_RESULT:
      return length == 0 || length >= GROUP_RESULT_STATES_AT + GROUP_RESULT_TAIL;
    case GROUP_SYNC:
      return (length & 1) == 0;
    default:
      return true;
  }
}

/** Turns round the integers of the 20-byte header; the flag is the caller's. */
export function swapGroup(p: usize): void {
  swap16(p + GROUP_CPU_AT);
  swap16(p + GROUP_INCARNATION_AT);
  swap32(p + GROUP_SEQNO_AT);
  swap32(p + GROUP_MESSAGE_ID_AT);
  swap32(p + GROUP_EXPECT_AT);
}

/** Turns round the integers of a payload whose size fits its type. */
export function swapGroupPayload(payload: usize, type: u32, length: u32): void {
  if (type == GROUP_HEREIS) swapHereisPayload(payload);
  else if (type == GROUP_SYNC) swapMany16(payload, length >> 1);
  else if (type <= GROUP_BCAST || type == GROUP_RESULT) {
    if (length < HEADER) return;
    swapHeader(payload);
    if (type == GROUP_JOIN) swapJoinPayload(payload, length);
    if (type == GROUP_RESULT) swapResultPayload(payload, length);
  }
}

function swapHereisPayload(payload: usize): void {
  swapMany16(payload, 4);
  swap32(payload + GROUP_HEREIS_LARGE_AT);
  swap16(payload + GROUP_HEREIS_INDEX_AT);
  swap16(payload + GROUP_HEREIS_SEQUENCER_AT);
}

function swapJoinPayload(payload: usize, length: u32): void {
  const count = joinMembers(length);
  for (let i: u32 = 0; i < count; i++) {
    const member = joinMember(payload, i);
    swap32(member + GROUP_MEMBER_STATE_AT);
    swap32(member + GROUP_MEMBER_EXPECT_AT);
    swap32(member + GROUP_MEMBER_MESSAGE_ID_AT);
  }
  const tail = joinTail(payload, length);
  swap16(tail + GROUP_JOIN_TOTAL_AT);
  swap16(tail + GROUP_JOIN_SEQUENCER_AT);
  swap32(tail + GROUP_JOIN_NEXT_SEQNO_AT);
  swap16(tail + GROUP_JOIN_INCARNATION_AT);
  swap16(tail + GROUP_JOIN_RESILIENCE_AT);
  swap32(tail + GROUP_JOIN_LARGE_AT);
}

function swapResultPayload(payload: usize, length: u32): void {
  const count = resultStates(length);
  for (let i: u32 = 0; i < count; i++) swap32(payload + GROUP_RESULT_STATES_AT + i * 4);
  const tail = resultTail(payload, length);
  swap16(tail + GROUP_RESULT_TOTAL_AT);
  swap16(tail + GROUP_RESULT_SEQUENCER_AT);
  swap16(tail + GROUP_RESULT_INCARNATION_AT);
}

function swapMany16(p: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) swap16(p + i * 2);
}

/** Writes all 20 bytes, little-endian. */
export function groupHeader(
  p: usize,
  type: u32,
  flagBits: u32,
  member: u32,
  incarnationNumber: u32,
  sequence: u32,
  message: u32,
  expected: u32,
): void {
  store<u32>(p, type | (flagBits << 8)); // the reserved field is 0
  setCpu(p, member);
  setIncarnation(p, incarnationNumber);
  setSeqno(p, sequence);
  setGroupMessageId(p, message);
  setExpect(p, expected);
}

// The header

// @ts-ignore: decorator
@inline
export function groupType(p: usize): u32 {
  return load<u8>(p, GROUP_TYPE_AT);
}

// @ts-ignore: decorator
@inline
export function setGroupType(p: usize, value: u32): void {
  store<u8>(p, <u8>value, GROUP_TYPE_AT);
}

// @ts-ignore: decorator
@inline
export function groupFlags(p: usize): u32 {
  return load<u8>(p, GROUP_FLAGS_AT);
}

// @ts-ignore: decorator
@inline
export function setGroupFlags(p: usize, value: u32): void {
  store<u8>(p, <u8>value, GROUP_FLAGS_AT);
}

/** The reserved field: an original sends 0, ours say in JOIN and RESULT what all members understand. */
// @ts-ignore: decorator
@inline
export function reserved(p: usize): u32 {
  return load<u16>(p, GROUP_RESERVED_AT);
}

// @ts-ignore: decorator
@inline
export function setReserved(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_RESERVED_AT);
}

// @ts-ignore: decorator
@inline
export function cpu(p: usize): u32 {
  return load<u16>(p, GROUP_CPU_AT);
}

// @ts-ignore: decorator
@inline
export function setCpu(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_CPU_AT);
}

// @ts-ignore: decorator
@inline
export function incarnation(p: usize): u32 {
  return load<u16>(p, GROUP_INCARNATION_AT);
}

// @ts-ignore: decorator
@inline
export function setIncarnation(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_INCARNATION_AT);
}

// @ts-ignore: decorator
@inline
export function seqno(p: usize): u32 {
  return load<u32>(p, GROUP_SEQNO_AT);
}

// @ts-ignore: decorator
@inline
export function setSeqno(p: usize, value: u32): void {
  store<u32>(p, value, GROUP_SEQNO_AT);
}

// @ts-ignore: decorator
@inline
export function groupMessageId(p: usize): u32 {
  return load<u32>(p, GROUP_MESSAGE_ID_AT);
}

// @ts-ignore: decorator
@inline
export function setGroupMessageId(p: usize, value: u32): void {
  store<u32>(p, value, GROUP_MESSAGE_ID_AT);
}

// @ts-ignore: decorator
@inline
export function expect(p: usize): u32 {
  return load<u32>(p, GROUP_EXPECT_AT);
}

// @ts-ignore: decorator
@inline
export function setExpect(p: usize, value: u32): void {
  store<u32>(p, value, GROUP_EXPECT_AT);
}
