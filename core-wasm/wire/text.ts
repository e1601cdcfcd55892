// Text forms: ports, private parts, capabilities, FLIP addresses.
//
//   port        A0:1:0:FF:2:3           six bytes, upper-case hex, no leading zeros
//   private     17(FF)/1:2:3:4:5:6      object decimal, rights hex, check field
//   capability  PORT/PRIVATE
//   FLIP        8:4b:0:2:1f:9:e:0       eight bytes, lower-case hex
//
// - format… writes at `out` (room for TEXT_BYTES_MAX) and answers the length.
// - parse… reads at most `length` bytes, upper or lower case, one or two digits a
//   byte, and answers how many it used, or -1; it writes `out` only on success.
// - What follows the text is the caller's business.
// - Source: Amoeba 5 ar_port, ar_priv, ar_cap and their inverses.

import { object, rights, setObject, setRights } from "./capability";
import { CAPABILITY_PRIVATE_AT, FLIP_ADDRESS, OBJECT_MAX, PORT_BYTES, PRIVATE_CHECK_AT } from "./formats";

export const TEXT_BYTES_MAX = 64;

const COLON: u8 = 0x3a;
const SLASH: u8 = 0x2f;
const OPEN: u8 = 0x28;
const CLOSE: u8 = 0x29;
const UPPER: u32 = 0x41 - 10;
const LOWER: u32 = 0x61 - 10;

export function formatPort(p: usize, out: usize): i32 {
  return <i32>(putBytes(p, PORT_BYTES, UPPER, out) - out);
}

export function formatPrivate(p: usize, out: usize): i32 {
  let at = putDecimal(object(p), out);
  store<u8>(at++, OPEN);
  at = putHex(rights(p), UPPER, at);
  store<u8>(at++, CLOSE);
  store<u8>(at++, SLASH);
  return <i32>(putBytes(p + PRIVATE_CHECK_AT, PORT_BYTES, UPPER, at) - out);
}

export function formatCapability(p: usize, out: usize): i32 {
  const length = formatPort(p, out);
  store<u8>(out + length, SLASH);
  return length + 1 + formatPrivate(p + CAPABILITY_PRIVATE_AT, out + length + 1);
}

export function formatFlip(p: usize, out: usize): i32 {
  return <i32>(putBytes(p, FLIP_ADDRESS, LOWER, out) - out);
}

export function parsePort(p: usize, length: i32, out: usize): i32 {
  return getBytes(p, length, PORT_BYTES, out);
}

export function parseFlip(p: usize, length: i32, out: usize): i32 {
  return getBytes(p, length, FLIP_ADDRESS, out);
}

export function parsePrivate(p: usize, length: i32, out: usize): i32 {
  const objectDigits = decimalDigits(p, length);
  const number = decimalOf(p, objectDigits);
  if (number < 0) return -1;
  let used = objectDigits;
  if (!has(p, length, used++, OPEN)) return -1;
  const rightsDigits = hexDigits(p + used, length - used);
  if (rightsDigits == 0) return -1;
  const rightsBits = hexOf(p + used, rightsDigits);
  used += rightsDigits;
  if (!has(p, length, used++, CLOSE)) return -1;
  if (!has(p, length, used++, SLASH)) return -1;
  const check = getBytes(p + used, length - used, PORT_BYTES, out + PRIVATE_CHECK_AT);
  if (check < 0) return -1;
  setObject(out, <u32>number);
  setRights(out, rightsBits);
  return used + check;
}

export function parseCapability(p: usize, length: i32, out: usize): i32 {
  const portUsed = measureBytes(p, length, PORT_BYTES);
  if (portUsed < 0 || !has(p, length, portUsed, SLASH)) return -1;
  const privateAt = portUsed + 1;
  const privateUsed = parsePrivate(p + privateAt, length - privateAt, out + CAPABILITY_PRIVATE_AT);
  if (privateUsed < 0) return -1;
  parsePort(p, length, out);
  return privateAt + privateUsed;
}

// Writing: each answers the address behind what it wrote.

function putBytes(p: usize, count: i32, letters: u32, out: usize): usize {
  let at = out;
  for (let i = 0; i < count; i++) {
    if (i > 0) store<u8>(at++, COLON);
    at = putHex(load<u8>(p + i), letters, at);
  }
  return at;
}

function putHex(byte: u32, letters: u32, out: usize): usize {
  let at = out;
  if (byte > 15) store<u8>(at++, digit(byte >> 4, letters));
  store<u8>(at, digit(byte & 15, letters));
  return at + 1;
}

// @ts-ignore: decorator
@inline
function digit(value: u32, letters: u32): u8 {
  return <u8>(value < 10 ? 0x30 + value : letters + value);
}

function putDecimal(value: u32, out: usize): usize {
  let digits: usize = 1;
  for (let rest = value; rest > 9; rest /= 10) digits++;
  let rest = value;
  for (let at = out + digits; at > out; rest /= 10) store<u8>(--at, <u8>(0x30 + (rest % 10)));
  return out + digits;
}

// Reading

// @ts-ignore: decorator
@inline
function has(p: usize, length: i32, at: i32, byte: u8): bool {
  return at < length && load<u8>(p + at) == byte;
}

/** The value of a hex digit, or -1. */
function hexDigit(character: u32): i32 {
  if (character - 0x30 < 10) return character - 0x30;
  const letter = (character | 0x20) - LOWER;
  return letter >= 10 && letter < 16 ? letter : -1;
}

/** How many hex digits stand at p: 0, 1 or 2. */
function hexDigits(p: usize, length: i32): i32 {
  if (length < 1 || hexDigit(load<u8>(p)) < 0) return 0;
  return length > 1 && hexDigit(load<u8>(p + 1)) >= 0 ? 2 : 1;
}

function hexOf(p: usize, digits: i32): u32 {
  const first = hexDigit(load<u8>(p));
  return digits == 1 ? first : (first << 4) | hexDigit(load<u8>(p + 1));
}

function decimalDigits(p: usize, length: i32): i32 {
  let count = 0;
  while (count < length && <u32>load<u8>(p + count) - 0x30 < 10) count++;
  return count;
}

/** An object number, or -1 when there is none or it has more than 24 bits. */
function decimalOf(p: usize, digits: i32): i32 {
  if (digits == 0) return -1;
  let value = 0;
  for (let i = 0; i < digits; i++) {
    value = value * 10 + (load<u8>(p + i) - 0x30);
    if (<u32>value > OBJECT_MAX) return -1;
  }
  return value;
}

/** The length of `count` hex bytes joined by colons at p, or -1. */
function measureBytes(p: usize, length: i32, count: i32): i32 {
  let used = 0;
  for (let i = 0; i < count; i++) {
    if (i > 0 && !has(p, length, used++, COLON)) return -1;
    const digits = hexDigits(p + used, length - used);
    if (digits == 0) return -1;
    used += digits;
  }
  return used;
}

function getBytes(p: usize, length: i32, count: i32, out: usize): i32 {
  const used = measureBytes(p, length, count);
  if (used < 0) return -1;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const digits = hexDigits(p + at, length - at);
    store<u8>(out + i, <u8>hexOf(p + at, digits));
    at += digits + 1;
  }
  return used;
}
