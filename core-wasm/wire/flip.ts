// FLIP packets: the 40-byte header, and the counts of a HEREIS.
//
// - p is the first byte of the header. check() once at the door; after it the
//   packet is little-endian and every accessor is safe.
// - Addresses are the eight bytes as a little-endian u64; they are compared, never
//   computed with.
// - check() judges form only. Hop limits and trust belong to flip/.
// - Source: Amoeba 5 FLIP header and byte-order rules.

import { FRAME_MALFORMED, STD_OK } from "../status";
import {
  FLIP_ACT_HOP_AT,
  FLIP_BIGENDIAN,
  FLIP_DESTINATION_AT,
  FLIP_FLAGS_AT,
  FLIP_HEADER,
  FLIP_HEREIS,
  FLIP_LENGTH_AT,
  FLIP_LOCATE,
  FLIP_MAX_HOP_AT,
  FLIP_MESSAGE_ID_AT,
  FLIP_OFFSET_AT,
  FLIP_SIZE_MAX,
  FLIP_SOURCE_AT,
  FLIP_TOTAL_AT,
  FLIP_TYPE_AT,
  FLIP_UNTRUSTED,
  FLIP_VERSION,
  FLIP_VERSION_AT,
  HEREIS_BYTES,
  HEREIS_COUNT_AT,
  HEREIS_TRUSTED_AT,
} from "./formats";
import { swap16, swap32 } from "./order";

export {
  ETHERNET_WEIGHT,
  FLIP_ADDRESS,
  FLIP_BIGENDIAN,
  FLIP_DATA_1500,
  FLIP_HEADER,
  FLIP_HEREIS,
  FLIP_LOCATE,
  FLIP_MULTIDATA,
  FLIP_NOTHERE,
  FLIP_SECURITY,
  FLIP_SIZE_MAX,
  FLIP_UNIDATA,
  FLIP_UNREACHABLE,
  FLIP_UNSAFE,
  FLIP_UNTRUSTED,
  HEREIS_BYTES,
  HOPS_MAX,
  PROTOCOL_GROUP,
  PROTOCOL_RPC,
  PROTOCOL_WORD,
} from "./formats";

/**
 * Judges the packet of `available` bytes at p and makes it little-endian in place.
 * Answers STD_OK or FRAME_MALFORMED. Padding behind the payload is allowed.
 */
export function check(p: usize, available: u32): i32 {
  if (available < FLIP_HEADER) return FRAME_MALFORMED;
  const type = flipType(p);
  if (type < FLIP_LOCATE || type > FLIP_UNTRUSTED) return FRAME_MALFORMED;
  const foreign = (flags(p) & FLIP_BIGENDIAN) != 0;
  if (foreign) {
    swapFlip(p);
    setFlags(p, flags(p) & ~FLIP_BIGENDIAN);
  }
  const length = dataLength(p);
  const offset = dataOffset(p);
  const total = dataTotal(p);
  if (length > available - FLIP_HEADER) return FRAME_MALFORMED;
  if (total > FLIP_SIZE_MAX || offset > total || length > total - offset) return FRAME_MALFORMED;
  if (type != FLIP_HEREIS) return STD_OK;
  if (length != HEREIS_BYTES) return FRAME_MALFORMED;
  if (foreign) swapHereis(p);
  const count = hereisCount(p);
  return count >= 1 && count >= hereisTrusted(p) ? STD_OK : FRAME_MALFORMED;
}

/** Turns round the integers of the header itself; the flag is the caller's. */
export function swapFlip(p: usize): void {
  swap16(p + FLIP_ACT_HOP_AT);
  swap16(p + FLIP_MAX_HOP_AT);
  swap32(p + FLIP_MESSAGE_ID_AT);
  swap32(p + FLIP_LENGTH_AT);
  swap32(p + FLIP_OFFSET_AT);
  swap32(p + FLIP_TOTAL_AT);
}

/** Turns round the two counts behind the header of a HEREIS. */
export function swapHereis(p: usize): void {
  swap16(p + HEREIS_COUNT_AT);
  swap16(p + HEREIS_TRUSTED_AT);
}

/** Writes all 40 bytes, little-endian. */
export function flipHeader(
  p: usize,
  type: u32,
  flagBits: u32,
  act: u32,
  max: u32,
  dst: u64,
  src: u64,
  messid: u32,
  length: u32,
  offset: u32,
  total: u32,
): void {
  store<u32>(p, FLIP_VERSION | (type << 8) | (flagBits << 16)); // the reserved byte is 0
  setActHop(p, act);
  setMaxHop(p, max);
  setDestination(p, dst);
  setSource(p, src);
  setMessageId(p, messid);
  setDataLength(p, length);
  setDataOffset(p, offset);
  setDataTotal(p, total);
}

// @ts-ignore: decorator
@inline
export function version(p: usize): u32 {
  return load<u8>(p, FLIP_VERSION_AT);
}

// @ts-ignore: decorator
@inline
export function flipType(p: usize): u32 {
  return load<u8>(p, FLIP_TYPE_AT);
}

// @ts-ignore: decorator
@inline
export function setFlipType(p: usize, value: u32): void {
  store<u8>(p, <u8>value, FLIP_TYPE_AT);
}

// @ts-ignore: decorator
@inline
export function flags(p: usize): u32 {
  return load<u8>(p, FLIP_FLAGS_AT);
}

// @ts-ignore: decorator
@inline
export function setFlags(p: usize, value: u32): void {
  store<u8>(p, <u8>value, FLIP_FLAGS_AT);
}

// @ts-ignore: decorator
@inline
export function actHop(p: usize): u32 {
  return load<u16>(p, FLIP_ACT_HOP_AT);
}

// @ts-ignore: decorator
@inline
export function setActHop(p: usize, value: u32): void {
  store<u16>(p, <u16>value, FLIP_ACT_HOP_AT);
}

// @ts-ignore: decorator
@inline
export function maxHop(p: usize): u32 {
  return load<u16>(p, FLIP_MAX_HOP_AT);
}

// @ts-ignore: decorator
@inline
export function setMaxHop(p: usize, value: u32): void {
  store<u16>(p, <u16>value, FLIP_MAX_HOP_AT);
}

// @ts-ignore: decorator
@inline
export function destination(p: usize): u64 {
  return load<u64>(p, FLIP_DESTINATION_AT);
}

// @ts-ignore: decorator
@inline
export function setDestination(p: usize, value: u64): void {
  store<u64>(p, value, FLIP_DESTINATION_AT);
}

// @ts-ignore: decorator
@inline
export function source(p: usize): u64 {
  return load<u64>(p, FLIP_SOURCE_AT);
}

// @ts-ignore: decorator
@inline
export function setSource(p: usize, value: u64): void {
  store<u64>(p, value, FLIP_SOURCE_AT);
}

// @ts-ignore: decorator
@inline
export function messageId(p: usize): u32 {
  return load<u32>(p, FLIP_MESSAGE_ID_AT);
}

// @ts-ignore: decorator
@inline
export function setMessageId(p: usize, value: u32): void {
  store<u32>(p, value, FLIP_MESSAGE_ID_AT);
}

// @ts-ignore: decorator
@inline
export function dataLength(p: usize): u32 {
  return load<u32>(p, FLIP_LENGTH_AT);
}

// @ts-ignore: decorator
@inline
export function setDataLength(p: usize, value: u32): void {
  store<u32>(p, value, FLIP_LENGTH_AT);
}

// @ts-ignore: decorator
@inline
export function dataOffset(p: usize): u32 {
  return load<u32>(p, FLIP_OFFSET_AT);
}

// @ts-ignore: decorator
@inline
export function setDataOffset(p: usize, value: u32): void {
  store<u32>(p, value, FLIP_OFFSET_AT);
}

// @ts-ignore: decorator
@inline
export function dataTotal(p: usize): u32 {
  return load<u32>(p, FLIP_TOTAL_AT);
}

// @ts-ignore: decorator
@inline
export function setDataTotal(p: usize, value: u32): void {
  store<u32>(p, value, FLIP_TOTAL_AT);
}

// @ts-ignore: decorator
@inline
export function hereisCount(p: usize): u32 {
  return load<u16>(p, HEREIS_COUNT_AT);
}

// @ts-ignore: decorator
@inline
export function setHereisCount(p: usize, value: u32): void {
  store<u16>(p, <u16>value, HEREIS_COUNT_AT);
}

// @ts-ignore: decorator
@inline
export function hereisTrusted(p: usize): u32 {
  return load<u16>(p, HEREIS_TRUSTED_AT);
}

// @ts-ignore: decorator
@inline
export function setHereisTrusted(p: usize, value: u32): void {
  store<u16>(p, <u16>value, HEREIS_TRUSTED_AT);
}
