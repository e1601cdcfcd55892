// The payload of a JOIN: a member table with a tail behind it.
//
// - `payload` is the first byte behind the 20-byte header, `length` what is there; p is a
//   row of the table or the tail. group.ts has checked that a table without rows fits.
// - The number of rows follows from the length: what it should be is the caller's to test.
// - Source: Amoeba 5 group protocol payloads.

import {
  GROUP_JOIN_ADDRESS_AT,
  GROUP_JOIN_ALL_ADDRESS_AT,
  GROUP_JOIN_INCARNATION_AT,
  GROUP_JOIN_LARGE_AT,
  GROUP_JOIN_MEMBERS_AT,
  GROUP_JOIN_NEXT_SEQNO_AT,
  GROUP_JOIN_RESILIENCE_AT,
  GROUP_JOIN_SEQUENCER_AT,
  GROUP_JOIN_TAIL,
  GROUP_JOIN_TOTAL_AT,
  GROUP_MEMBER_ADDRESS_AT,
  GROUP_MEMBER_BYTES,
  GROUP_MEMBER_EXPECT_AT,
  GROUP_MEMBER_MESSAGE_ID_AT,
  GROUP_MEMBER_RPC_ADDRESS_AT,
  GROUP_MEMBER_STATE_AT,
} from "./formats";

/** Slots in the member table of a JOIN whose payload has `length` bytes. */
// @ts-ignore: decorator
@inline
export function joinMembers(length: u32): u32 {
  return (length - (GROUP_JOIN_MEMBERS_AT + GROUP_JOIN_TAIL)) / GROUP_MEMBER_BYTES;
}

// @ts-ignore: decorator
@inline
export function joinMember(payload: usize, index: u32): usize {
  return payload + GROUP_JOIN_MEMBERS_AT + index * GROUP_MEMBER_BYTES;
}

// @ts-ignore: decorator
@inline
export function joinTail(payload: usize, length: u32): usize {
  return joinMember(payload, joinMembers(length));
}

// @ts-ignore: decorator
@inline
export function joinAddress(p: usize): u64 {
  return load<u64>(p, GROUP_JOIN_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function setJoinAddress(p: usize, value: u64): void {
  store<u64>(p, value, GROUP_JOIN_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function memberAddress(p: usize): u64 {
  return load<u64>(p, GROUP_MEMBER_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function setMemberAddress(p: usize, value: u64): void {
  store<u64>(p, value, GROUP_MEMBER_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function memberRpcAddress(p: usize): u64 {
  return load<u64>(p, GROUP_MEMBER_RPC_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function setMemberRpcAddress(p: usize, value: u64): void {
  store<u64>(p, value, GROUP_MEMBER_RPC_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function memberState(p: usize): u32 {
  return load<u32>(p, GROUP_MEMBER_STATE_AT);
}

// @ts-ignore: decorator
@inline
export function setMemberState(p: usize, value: u32): void {
  store<u32>(p, value, GROUP_MEMBER_STATE_AT);
}

// @ts-ignore: decorator
@inline
export function memberExpect(p: usize): u32 {
  return load<u32>(p, GROUP_MEMBER_EXPECT_AT);
}

// @ts-ignore: decorator
@inline
export function setMemberExpect(p: usize, value: u32): void {
  store<u32>(p, value, GROUP_MEMBER_EXPECT_AT);
}

// @ts-ignore: decorator
@inline
export function memberMessageId(p: usize): u32 {
  return load<u32>(p, GROUP_MEMBER_MESSAGE_ID_AT);
}

// @ts-ignore: decorator
@inline
export function setMemberMessageId(p: usize, value: u32): void {
  store<u32>(p, value, GROUP_MEMBER_MESSAGE_ID_AT);
}

// @ts-ignore: decorator
@inline
export function joinAllAddress(p: usize): u64 {
  return load<u64>(p, GROUP_JOIN_ALL_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function setJoinAllAddress(p: usize, value: u64): void {
  store<u64>(p, value, GROUP_JOIN_ALL_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function joinTotal(p: usize): u32 {
  return load<u16>(p, GROUP_JOIN_TOTAL_AT);
}

// @ts-ignore: decorator
@inline
export function setJoinTotal(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_JOIN_TOTAL_AT);
}

// @ts-ignore: decorator
@inline
export function joinSequencer(p: usize): u32 {
  return load<u16>(p, GROUP_JOIN_SEQUENCER_AT);
}

// @ts-ignore: decorator
@inline
export function setJoinSequencer(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_JOIN_SEQUENCER_AT);
}

// @ts-ignore: decorator
@inline
export function joinNextSeqno(p: usize): u32 {
  return load<u32>(p, GROUP_JOIN_NEXT_SEQNO_AT);
}

// @ts-ignore: decorator
@inline
export function setJoinNextSeqno(p: usize, value: u32): void {
  store<u32>(p, value, GROUP_JOIN_NEXT_SEQNO_AT);
}

// @ts-ignore: decorator
@inline
export function joinIncarnation(p: usize): u32 {
  return load<u16>(p, GROUP_JOIN_INCARNATION_AT);
}

// @ts-ignore: decorator
@inline
export function setJoinIncarnation(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_JOIN_INCARNATION_AT);
}

// @ts-ignore: decorator
@inline
export function joinResilience(p: usize): u32 {
  return load<u16>(p, GROUP_JOIN_RESILIENCE_AT);
}

// @ts-ignore: decorator
@inline
export function setJoinResilience(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_JOIN_RESILIENCE_AT);
}

// @ts-ignore: decorator
@inline
export function joinLarge(p: usize): u32 {
  return load<u32>(p, GROUP_JOIN_LARGE_AT);
}

// @ts-ignore: decorator
@inline
export function setJoinLarge(p: usize, value: u32): void {
  store<u32>(p, value, GROUP_JOIN_LARGE_AT);
}
