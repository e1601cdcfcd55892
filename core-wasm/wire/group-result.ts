// The payloads of recovery: RESULT, a table of states with a tail behind it, and SYNC.
//
// - `payload` is the first byte behind the 20-byte header, `length` what is there; p is the
//   tail. group.ts has checked that a RESULT without states fits.
// - The number of states follows from the length: what it should be is the caller's to test.
// - Source: Amoeba 5 group protocol payloads.

import {
  GROUP_RESULT_ALL_ADDRESS_AT,
  GROUP_RESULT_GROUP_ADDRESS_AT,
  GROUP_RESULT_INCARNATION_AT,
  GROUP_RESULT_SEQUENCER_AT,
  GROUP_RESULT_STATES_AT,
  GROUP_RESULT_TAIL,
  GROUP_RESULT_TOTAL_AT,
} from "./formats";

/** Slots in the state table of a RESULT whose payload has `length` bytes. */
// @ts-ignore: decorator
@inline
export function resultStates(length: u32): u32 {
  return (length - (GROUP_RESULT_STATES_AT + GROUP_RESULT_TAIL)) >> 2;
}

// @ts-ignore: decorator
@inline
export function resultTail(payload: usize, length: u32): usize {
  return payload + GROUP_RESULT_STATES_AT + resultStates(length) * 4;
}

/** The state of a member in a RESULT. */
// @ts-ignore: decorator
@inline
export function resultState(payload: usize, index: u32): u32 {
  return load<u32>(payload + GROUP_RESULT_STATES_AT + index * 4);
}

// @ts-ignore: decorator
@inline
export function setResultState(payload: usize, index: u32, value: u32): void {
  store<u32>(payload + GROUP_RESULT_STATES_AT + index * 4, value);
}

/** The i-th member id a SYNC names. */
// @ts-ignore: decorator
@inline
export function syncMember(payload: usize, index: u32): u32 {
  return load<u16>(payload + index * 2);
}

// @ts-ignore: decorator
@inline
export function setSyncMember(payload: usize, index: u32, member: u32): void {
  store<u16>(payload + index * 2, <u16>member);
}

// @ts-ignore: decorator
@inline
export function resultGroupAddress(p: usize): u64 {
  return load<u64>(p, GROUP_RESULT_GROUP_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function setResultGroupAddress(p: usize, value: u64): void {
  store<u64>(p, value, GROUP_RESULT_GROUP_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function resultAllAddress(p: usize): u64 {
  return load<u64>(p, GROUP_RESULT_ALL_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function setResultAllAddress(p: usize, value: u64): void {
  store<u64>(p, value, GROUP_RESULT_ALL_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function resultTotal(p: usize): u32 {
  return load<u16>(p, GROUP_RESULT_TOTAL_AT);
}

// @ts-ignore: decorator
@inline
export function setResultTotal(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_RESULT_TOTAL_AT);
}

// @ts-ignore: decorator
@inline
export function resultSequencer(p: usize): u32 {
  return load<u16>(p, GROUP_RESULT_SEQUENCER_AT);
}

// @ts-ignore: decorator
@inline
export function setResultSequencer(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_RESULT_SEQUENCER_AT);
}

// @ts-ignore: decorator
@inline
export function resultIncarnation(p: usize): u32 {
  return load<u16>(p, GROUP_RESULT_INCARNATION_AT);
}

// @ts-ignore: decorator
@inline
export function setResultIncarnation(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_RESULT_INCARNATION_AT);
}
