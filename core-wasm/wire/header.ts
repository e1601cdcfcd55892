// The 32-byte message header that REQUEST, REPLY and group data carry.
//
// - p is its first byte. Its integers are in the order of the protocol header in
//   front of it; that header's check() has turned them round already.
// - Ports are six bytes in the low 48 bits of a u64; the private part is at
//   p + HEADER_PRIVATE_AT and has its own accessors in capability.ts.
// - Source: Amoeba 5 message header.

import {
  HEADER_COMMAND_AT,
  HEADER_EXTRA_AT,
  HEADER_OFFSET_AT,
  HEADER_PORT_AT,
  HEADER_SIGNATURE_AT,
  HEADER_SIZE_AT,
} from "./formats";
import { load48, store48, swap16, swap32 } from "./order";

export { HEADER, HEADER_PRIVATE_AT } from "./formats";

/** Turns the integers round, in place. */
export function swapHeader(p: usize): void {
  swap16(p + HEADER_COMMAND_AT);
  swap32(p + HEADER_OFFSET_AT);
  swap16(p + HEADER_SIZE_AT);
  swap16(p + HEADER_EXTRA_AT);
}

/** Copies a header; quicker than memory.copy, which leaves the module for so few bytes. */
// @ts-ignore: decorator
@inline
export function headerCopy(to: usize, from: usize): void {
  const first = v128.load(from);
  const second = v128.load(from, 16);
  v128.store(to, first);
  v128.store(to, second, 16);
}

// @ts-ignore: decorator
@inline
export function headerPort(p: usize): u64 {
  return load48(p + HEADER_PORT_AT);
}

// @ts-ignore: decorator
@inline
export function setHeaderPort(p: usize, value: u64): void {
  store48(p + HEADER_PORT_AT, value);
}

// @ts-ignore: decorator
@inline
export function signature(p: usize): u64 {
  return load48(p + HEADER_SIGNATURE_AT);
}

// @ts-ignore: decorator
@inline
export function setSignature(p: usize, value: u64): void {
  store48(p + HEADER_SIGNATURE_AT, value);
}

// @ts-ignore: decorator
@inline
export function command(p: usize): u32 {
  return load<u16>(p, HEADER_COMMAND_AT);
}

// @ts-ignore: decorator
@inline
export function setCommand(p: usize, value: u32): void {
  store<u16>(p, <u16>value, HEADER_COMMAND_AT);
}

// @ts-ignore: decorator
@inline
export function status(p: usize): i32 {
  return load<i16>(p, HEADER_COMMAND_AT);
}

// @ts-ignore: decorator
@inline
export function setStatus(p: usize, value: i32): void {
  store<i16>(p, <i16>value, HEADER_COMMAND_AT);
}

// @ts-ignore: decorator
@inline
export function headerOffset(p: usize): i32 {
  return load<i32>(p, HEADER_OFFSET_AT);
}

// @ts-ignore: decorator
@inline
export function setHeaderOffset(p: usize, value: i32): void {
  store<i32>(p, value, HEADER_OFFSET_AT);
}

// @ts-ignore: decorator
@inline
export function headerSize(p: usize): u32 {
  return load<u16>(p, HEADER_SIZE_AT);
}

// @ts-ignore: decorator
@inline
export function setHeaderSize(p: usize, value: u32): void {
  store<u16>(p, <u16>value, HEADER_SIZE_AT);
}

// @ts-ignore: decorator
@inline
export function headerExtra(p: usize): u32 {
  return load<u16>(p, HEADER_EXTRA_AT);
}

// @ts-ignore: decorator
@inline
export function setHeaderExtra(p: usize, value: u32): void {
  store<u16>(p, <u16>value, HEADER_EXTRA_AT);
}
