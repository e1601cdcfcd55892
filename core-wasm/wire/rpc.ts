// The RPC protocol header, 24 bytes, in front of every RPC message.
//
// - p is the first byte of the header; a LOCATE has the protocol word in front of
//   it, which is the caller's to test.
// - check() once, on the first fragment; after it header and message header are
//   little-endian. kid, tid, dest and from mean what the type says, and unused
//   fields of an original are rubbish.
// - A port is its six bytes in the low 48 bits of a u64.
// - Source: Amoeba 5 RPC packet format.

import { FRAME_MALFORMED, STD_OK } from "../status";
import {
  FLIP_ADDRESS,
  HEADER,
  RPC_BIGENDIAN,
  RPC_DEST_AT,
  RPC_FLAGS_AT,
  RPC_FORWARD,
  RPC_FROM_AT,
  RPC_HEADER,
  RPC_KID_AT,
  RPC_LOCATE,
  RPC_PORT_AT,
  RPC_REPEAT,
  RPC_REPLY,
  RPC_REQUEST,
  RPC_TID_AT,
  RPC_TYPE_AT,
} from "./formats";
import { swapHeader } from "./header";
import { load48, store48, swap16, swap32 } from "./order";

export {
  PROTOCOL_RPC,
  RPC_ACK,
  RPC_ALIVE,
  RPC_BIGENDIAN,
  RPC_BROADCAST,
  RPC_ENQUIRE,
  RPC_EXTENDED,
  RPC_FAIL,
  RPC_FORWARD,
  RPC_HEADER,
  RPC_HEREIS,
  RPC_LOCATE,
  RPC_NAK,
  RPC_RECEIVED,
  RPC_REPEAT,
  RPC_REPLY,
  RPC_REPLY_FLAG,
  RPC_REQUEST,
  RPC_REQUEST_FLAG,
  RPC_RETRANS,
  RPC_SIGTRANS,
} from "./formats";

/**
 * Judges the first `available` bytes of an RPC message and makes its headers
 * little-endian in place. REQUEST and REPLY must bring their message header,
 * FORWARD its address. Answers STD_OK or FRAME_MALFORMED.
 */
export function check(p: usize, available: u32): i32 {
  if (available < RPC_HEADER) return FRAME_MALFORMED;
  const type = rpcType(p);
  if (type < RPC_LOCATE || type > RPC_REPEAT) return FRAME_MALFORMED;
  const message = type == RPC_REQUEST || type == RPC_REPLY;
  if (message && available < RPC_HEADER + HEADER) return FRAME_MALFORMED;
  if (type == RPC_FORWARD && available < RPC_HEADER + FLIP_ADDRESS) return FRAME_MALFORMED;
  if (rpcFlags(p) & RPC_BIGENDIAN) {
    swapRpc(p);
    if (message) swapHeader(p + RPC_HEADER);
    setRpcFlags(p, rpcFlags(p) & ~RPC_BIGENDIAN);
  }
  return STD_OK;
}

/** Turns round the integers of the protocol header; the flag is the caller's. */
export function swapRpc(p: usize): void {
  swap32(p + RPC_TID_AT);
  swap16(p + RPC_DEST_AT);
  swap16(p + RPC_FROM_AT);
}

/**
 * Writes all 24 bytes, little-endian, as three words:
 *
 *   kid 64 | port 48, type 8, flags 8 | tid 32, dest 16, from 16
 */
export function rpcHeader(
  p: usize,
  kernel: u64,
  publicPort: u64,
  type: u32,
  flagBits: u32,
  transaction: u32,
  dest: u32,
  from: u32,
): void {
  const kind = ((type & 0xff) | (flagBits << 8)) as u64;
  const threads = ((dest & 0xffff) | (from << 16)) as u64;
  store<u64>(p, kernel, RPC_KID_AT);
  store<u64>(p, (publicPort & 0xffffffffffff) | (kind << 48), RPC_PORT_AT);
  store<u64>(p, (transaction as u64) | (threads << 32), RPC_TID_AT);
}

// @ts-ignore: decorator
@inline
export function port(p: usize): u64 {
  return load48(p + RPC_PORT_AT);
}

// @ts-ignore: decorator
@inline
export function kid(p: usize): u64 {
  return load<u64>(p, RPC_KID_AT);
}

// @ts-ignore: decorator
@inline
export function rpcType(p: usize): u32 {
  return load<u8>(p, RPC_TYPE_AT);
}

// @ts-ignore: decorator
@inline
export function rpcFlags(p: usize): u32 {
  return load<u8>(p, RPC_FLAGS_AT);
}

// @ts-ignore: decorator
@inline
export function setRpcFlags(p: usize, value: u32): void {
  store<u8>(p, <u8>value, RPC_FLAGS_AT);
}

// @ts-ignore: decorator
@inline
export function tid(p: usize): u32 {
  return load<u32>(p, RPC_TID_AT);
}

// @ts-ignore: decorator
@inline
export function destThread(p: usize): u32 {
  return load<u16>(p, RPC_DEST_AT);
}

// @ts-ignore: decorator
@inline
export function fromThread(p: usize): u32 {
  return load<u16>(p, RPC_FROM_AT);
}
