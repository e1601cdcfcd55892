// What a joiner and the sequencer say to each other before the JOIN: LOCATE and HEREIS.
//
// - p is the first byte behind the 20-byte header of a packet that group.ts has checked.
// - Formats only: who answers, and what a HEREIS is worth, is group/join.ts.
// - Source: Amoeba 5 group protocol payloads.

import {
  GROUP_HEREIS_ALL_ADDRESS_AT,
  GROUP_HEREIS_GROUP_ADDRESS_AT,
  GROUP_HEREIS_INDEX_AT,
  GROUP_HEREIS_LARGE_AT,
  GROUP_HEREIS_LOG_HISTORY_AT,
  GROUP_HEREIS_LOG_MESSAGE_AT,
  GROUP_HEREIS_MEMBERS_MAX_AT,
  GROUP_HEREIS_RESILIENCE_AT,
  GROUP_HEREIS_SEQUENCER_AT,
  GROUP_LOCATE_MEMBER_ADDRESS_AT,
  GROUP_LOCATE_RPC_ADDRESS_AT,
} from "./formats";

// @ts-ignore: decorator
@inline
export function locateRpcAddress(p: usize): u64 {
  return load<u64>(p, GROUP_LOCATE_RPC_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function setLocateRpcAddress(p: usize, value: u64): void {
  store<u64>(p, value, GROUP_LOCATE_RPC_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function locateMemberAddress(p: usize): u64 {
  return load<u64>(p, GROUP_LOCATE_MEMBER_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function setLocateMemberAddress(p: usize, value: u64): void {
  store<u64>(p, value, GROUP_LOCATE_MEMBER_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function hereisMembersMax(p: usize): u32 {
  return load<u16>(p, GROUP_HEREIS_MEMBERS_MAX_AT);
}

// @ts-ignore: decorator
@inline
export function setHereisMembersMax(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_HEREIS_MEMBERS_MAX_AT);
}

// @ts-ignore: decorator
@inline
export function hereisLogHistory(p: usize): u32 {
  return load<u16>(p, GROUP_HEREIS_LOG_HISTORY_AT);
}

// @ts-ignore: decorator
@inline
export function setHereisLogHistory(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_HEREIS_LOG_HISTORY_AT);
}

// @ts-ignore: decorator
@inline
export function hereisLogMessage(p: usize): u32 {
  return load<u16>(p, GROUP_HEREIS_LOG_MESSAGE_AT);
}

// @ts-ignore: decorator
@inline
export function setHereisLogMessage(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_HEREIS_LOG_MESSAGE_AT);
}

// @ts-ignore: decorator
@inline
export function hereisResilience(p: usize): u32 {
  return load<u16>(p, GROUP_HEREIS_RESILIENCE_AT);
}

// @ts-ignore: decorator
@inline
export function setHereisResilience(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_HEREIS_RESILIENCE_AT);
}

// @ts-ignore: decorator
@inline
export function hereisLarge(p: usize): u32 {
  return load<u32>(p, GROUP_HEREIS_LARGE_AT);
}

// @ts-ignore: decorator
@inline
export function setHereisLarge(p: usize, value: u32): void {
  store<u32>(p, value, GROUP_HEREIS_LARGE_AT);
}

// @ts-ignore: decorator
@inline
export function hereisIndex(p: usize): u32 {
  return load<u16>(p, GROUP_HEREIS_INDEX_AT);
}

// @ts-ignore: decorator
@inline
export function setHereisIndex(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_HEREIS_INDEX_AT);
}

// @ts-ignore: decorator
@inline
export function hereisSequencer(p: usize): u32 {
  return load<u16>(p, GROUP_HEREIS_SEQUENCER_AT);
}

// @ts-ignore: decorator
@inline
export function setHereisSequencer(p: usize, value: u32): void {
  store<u16>(p, <u16>value, GROUP_HEREIS_SEQUENCER_AT);
}

// @ts-ignore: decorator
@inline
export function hereisGroupAddress(p: usize): u64 {
  return load<u64>(p, GROUP_HEREIS_GROUP_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function setHereisGroupAddress(p: usize, value: u64): void {
  store<u64>(p, value, GROUP_HEREIS_GROUP_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function hereisAllAddress(p: usize): u64 {
  return load<u64>(p, GROUP_HEREIS_ALL_ADDRESS_AT);
}

// @ts-ignore: decorator
@inline
export function setHereisAllAddress(p: usize, value: u64): void {
  store<u64>(p, value, GROUP_HEREIS_ALL_ADDRESS_AT);
}
