// Exports that need no network and no boot: one-way functions, capabilities, text
// forms, and the wire's own checks, for the command line, servers and tests.
//
// - Arguments and results are bytes in linear memory. Nothing is kept between calls
//   but constant tables, so a module that is never booted serves as a decoder.
// - A check makes a packet little-endian in place; wire_turn_* does the reverse of
//   it to a little-endian packet, flag included, so that both orders can be written.
// - A negative answer is a status (status.ts), or -1 from text_parse_*.

import { flipOneWay } from "./crypto/des";
import { hmacPrepare, sha256Short, SHORT_MAX } from "./crypto/hmac";
import { portOneWay } from "./crypto/oneway";
import { FRAME_MALFORMED, STD_ARGBAD, STD_OK } from "./status";
import * as capability from "./wire/capability";
import { checkAdd, checkOpen, checkValue } from "./wire/check";
import * as flip from "./wire/flip";
import {
  FLIP_BIGENDIAN,
  FLIP_HEREIS,
  GROUP_BIGENDIAN,
  GROUP_HEADER,
  KEYED_KEY_BYTES,
  PROTOCOL_WORD,
  RPC_BIGENDIAN,
  RPC_HEADER,
  RPC_REPLY,
  RPC_REQUEST,
} from "./wire/formats";
import * as group from "./wire/group";
import * as header from "./wire/header";
import { keyedDecode, keyedEncode } from "./wire/keyed";
import { load48, loadBigEndian32, store48 } from "./wire/order";
import * as rpc from "./wire/rpc";
import * as text from "./wire/text";

// One-way functions

export function port_one_way(port: usize, out: usize): void {
  store48(out, portOneWay(load48(port)));
}

export function flip_one_way(address: usize, out: usize): void {
  store<u64>(out, flipOneWay(load<u64>(address)));
}

/** SHA-256 of at most 55 bytes, such as a name that is too long for a port: 32 bytes to out. A status. */
export function sha256_short(pointer: usize, length: i32, out: usize): i32 {
  if ((length as u32) > SHORT_MAX) return STD_ARGBAD;
  sha256Short(pointer, length as u32, out);
  return STD_OK;
}

// Private parts; random is the object's six bytes

export function private_encode(object: i32, rights: i32, random: usize, out: usize): i32 {
  return capability.encode(out, object, rights, load48(random));
}

/** The rights that random vouches for, or STD_DENIED. */
export function private_decode(privatePart: usize, random: usize): i32 {
  return capability.decode(privatePart, load48(random));
}

/** The rights left, or STD_DENIED; out may be private itself. */
export function private_restrict(privatePart: usize, random: usize, mask: i32, out: usize): i32 {
  return capability.restrict(privatePart, load48(random), mask, out);
}

// Keyed private parts; generation points to eight bytes

/** Makes the 64 bytes that stand for a key of 32. */
export function keyed_prepare(key: usize, out: usize): void {
  hmacPrepare(key, KEYED_KEY_BYTES, out);
}

export function keyed_encode(object: i32, rights: i32, prepared: usize, generation: usize, out: usize): i32 {
  return keyedEncode(out, object, rights, prepared, load<u64>(generation));
}

/** The rights that the key vouches for, or STD_DENIED. */
export function keyed_decode(privatePart: usize, prepared: usize, generation: usize): i32 {
  return keyedDecode(privatePart, prepared, load<u64>(generation));
}

// Text forms

export function text_format_port(pointer: usize, out: usize): i32 {
  return text.formatPort(pointer, out);
}

export function text_format_private(pointer: usize, out: usize): i32 {
  return text.formatPrivate(pointer, out);
}

export function text_format_capability(pointer: usize, out: usize): i32 {
  return text.formatCapability(pointer, out);
}

export function text_format_flip(pointer: usize, out: usize): i32 {
  return text.formatFlip(pointer, out);
}

export function text_parse_port(pointer: usize, length: i32, out: usize): i32 {
  return text.parsePort(pointer, length, out);
}

export function text_parse_private(pointer: usize, length: i32, out: usize): i32 {
  return text.parsePrivate(pointer, length, out);
}

export function text_parse_capability(pointer: usize, length: i32, out: usize): i32 {
  return text.parseCapability(pointer, length, out);
}

export function text_parse_flip(pointer: usize, length: i32, out: usize): i32 {
  return text.parseFlip(pointer, length, out);
}

// Packets: p is the first byte of the packet's own header

export function wire_check_flip(p: usize, available: i32): i32 {
  return available < 0 ? FRAME_MALFORMED : flip.check(p, available);
}

/** With `broadcast` the protocol word is in front, and must be RPC's. */
export function wire_check_rpc(p: usize, available: i32, broadcast: i32): i32 {
  const at = behindWord(available, broadcast);
  if (at < 0 || (broadcast && loadBigEndian32(p) != rpc.PROTOCOL_RPC)) return FRAME_MALFORMED;
  return rpc.check(p + at, available - at);
}

/** With `broadcast` the protocol word is in front, and must be the group's. */
export function wire_check_group(p: usize, available: i32, broadcast: i32): i32 {
  const at = behindWord(available, broadcast);
  if (at < 0 || (broadcast && loadBigEndian32(p) != group.PROTOCOL_GROUP)) return FRAME_MALFORMED;
  return group.check(p + at, available - at);
}

/** Where the header begins: 0, or behind the protocol word; FRAME_MALFORMED when that is too far. */
function behindWord(available: i32, broadcast: i32): i32 {
  const at: i32 = broadcast ? PROTOCOL_WORD : 0;
  return available < at ? FRAME_MALFORMED : at;
}

/** The check of a CHECKED frame: of `length` bytes, its own four as zeros. */
export function wire_frame_check(frame: usize, length: i32): i32 {
  checkOpen();
  checkAdd(frame, length);
  return checkValue();
}

export function wire_swap_header(p: usize): void {
  header.swapHeader(p);
}

/** Turns a checked FLIP packet, counts of a HEREIS included, into big-endian. */
export function wire_turn_flip(p: usize): i32 {
  if (flip.flags(p) & FLIP_BIGENDIAN) return FRAME_MALFORMED;
  if (flip.flipType(p) == FLIP_HEREIS) flip.swapHereis(p);
  flip.swapFlip(p);
  flip.setFlags(p, flip.flags(p) | FLIP_BIGENDIAN);
  return STD_OK;
}

/** Turns a checked RPC message and its message header into big-endian. */
export function wire_turn_rpc(p: usize): i32 {
  if (rpc.rpcFlags(p) & RPC_BIGENDIAN) return FRAME_MALFORMED;
  const type = rpc.rpcType(p);
  rpc.swapRpc(p);
  if (type == RPC_REQUEST || type == RPC_REPLY) header.swapHeader(p + RPC_HEADER);
  rpc.setRpcFlags(p, rpc.rpcFlags(p) | RPC_BIGENDIAN);
  return STD_OK;
}

/** Turns a checked group packet of `available` bytes into big-endian. */
export function wire_turn_group(p: usize, available: i32): i32 {
  if (group.groupFlags(p) & GROUP_BIGENDIAN) return FRAME_MALFORMED;
  group.swapGroupPayload(p + GROUP_HEADER, group.groupType(p), available - GROUP_HEADER);
  group.swapGroup(p);
  group.setGroupFlags(p, group.groupFlags(p) | GROUP_BIGENDIAN);
  return STD_OK;
}
