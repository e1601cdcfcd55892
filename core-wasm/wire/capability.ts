// Capabilities: the ten private bytes, and how their check field is made and verified.
//
// - private = object 3 (always little-endian), rights 1, check 6. A capability is a
//   port of six bytes and these ten.
// - The check field of full rights is the object's random number R itself; of fewer
//   rights, the one-way function of R with the rights in its first byte. So nobody
//   but the server, who has R, can add a right, and an owner can take rights away.
// - Form and arithmetic only: which rights a command needs is its server's matter.
// - Source: Amoeba 5 prv_encode, prv_decode, prv_number; Mullender and Tanenbaum 1986.

import { portOneWay } from "../crypto/oneway";
import { STD_ARGBAD, STD_DENIED } from "../status";
import { OBJECT_MAX, PRIVATE_CHECK_AT, PRIVATE_OBJECT_AT, PRIVATE_RIGHTS_AT, RIGHTS_ALL } from "./formats";
import { load48, store48 } from "./order";

export {
  CAPABILITY_BYTES,
  CAPABILITY_PRIVATE_AT,
  OBJECT_MAX,
  PORT_BYTES,
  PRIVATE_BYTES,
  RIGHTS_ALL,
} from "./formats";

// @ts-ignore: decorator
@inline
export function object(p: usize): u32 {
  return load<u16>(p, PRIVATE_OBJECT_AT) | ((<u32>load<u8>(p, PRIVATE_OBJECT_AT + 2)) << 16);
}

// @ts-ignore: decorator
@inline
export function setObject(p: usize, value: u32): void {
  store<u16>(p, <u16>value, PRIVATE_OBJECT_AT);
  store<u8>(p, <u8>(value >> 16), PRIVATE_OBJECT_AT + 2);
}

// @ts-ignore: decorator
@inline
export function rights(p: usize): u32 {
  return load<u8>(p, PRIVATE_RIGHTS_AT);
}

// @ts-ignore: decorator
@inline
export function setRights(p: usize, value: u32): void {
  store<u8>(p, <u8>value, PRIVATE_RIGHTS_AT);
}

// @ts-ignore: decorator
@inline
export function checkField(p: usize): u64 {
  return load48(p + PRIVATE_CHECK_AT);
}

// @ts-ignore: decorator
@inline
export function setCheckField(p: usize, value: u64): void {
  store48(p + PRIVATE_CHECK_AT, value);
}

/** The check field that these rights must have under the random number R. */
export function checkFieldOf(rightsBits: u32, random: u64): u64 {
  return rightsBits == RIGHTS_ALL ? random : portOneWay(random ^ <u64>rightsBits);
}

/** Writes the private part of an object; STD_ARGBAD when its number has more than 24 bits. */
export function encode(p: usize, objectNumber: i32, rightsBits: u32, random: u64): i32 {
  if (<u32>objectNumber > OBJECT_MAX) return STD_ARGBAD;
  const kept = rightsBits & RIGHTS_ALL;
  setObject(p, <u32>objectNumber);
  setRights(p, kept);
  setCheckField(p, checkFieldOf(kept, random));
  return 0;
}

/** The rights of a private part that R vouches for, else STD_DENIED. One comparison: its time tells nothing. */
export function decode(p: usize, random: u64): i32 {
  const claimed = rights(p);
  return (checkField(p) ^ checkFieldOf(claimed, random)) == 0 ? <i32>claimed : STD_DENIED;
}

/** Writes a private part with the rights that are also in the mask; answers them, or STD_DENIED and writes nothing. */
export function restrict(p: usize, random: u64, mask: u32, out: usize): i32 {
  const held = decode(p, random);
  if (held < 0) return held;
  const kept = <u32>held & mask;
  encode(out, <i32>object(p), kept, random);
  return <i32>kept;
}
