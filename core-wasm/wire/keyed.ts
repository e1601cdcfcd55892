// Keyed capabilities: private parts whose check field is HMAC-SHA-256 under a key that only
// the server has, over the object, the rights and the object's generation.
//
// - The layout is that of wire/capability.ts: object 3, rights 1, check 6. The check is the
//   first 48 bits of the HMAC, for full rights too, so that restricting is the server's act.
// - The generation is 64 bits, little-endian, and counts up: a new one ends all capabilities
//   to the object at once. A key is 32 bytes, prepared once (crypto/hmac.ts).
// - 48 bits can be guessed by somebody who may try for ever; who may try how often is the
//   server's matter.
// - Source: the scheme is ours; the places are Amoeba's.

import { DIGEST, hmacShort } from "../crypto/hmac";
import { STD_ARGBAD, STD_DENIED } from "../status";
import { object, rights, setCheckField, setObject, setRights } from "./capability";
import { OBJECT_MAX, PRIVATE_CHECK_AT, RIGHTS_ALL } from "./formats";
import { load48 } from "./order";

const MESSAGE_BYTES: u32 = 12;
const MESSAGE = memory.data(16, 8);
const DIGEST_AT = memory.data(DIGEST, 8);

function checkFieldOf(objectNumber: u32, rightsBits: u32, prepared: usize, generation: u64): u64 {
  store<u32>(MESSAGE, objectNumber | (rightsBits << 24));
  store<u64>(MESSAGE, generation, 4);
  hmacShort(prepared, MESSAGE, MESSAGE_BYTES, DIGEST_AT);
  return load48(DIGEST_AT);
}

/** Writes the private part of an object; STD_ARGBAD when its number has more than 24 bits. */
export function keyedEncode(
  p: usize,
  objectNumber: i32,
  rightsBits: u32,
  prepared: usize,
  generation: u64,
): i32 {
  if (<u32>objectNumber > OBJECT_MAX) return STD_ARGBAD;
  const kept = rightsBits & RIGHTS_ALL;
  setObject(p, <u32>objectNumber);
  setRights(p, kept);
  setCheckField(p, checkFieldOf(<u32>objectNumber, kept, prepared, generation));
  return 0;
}

/** The rights of a genuine private part, else STD_DENIED. One comparison: its time tells nothing. */
export function keyedDecode(p: usize, prepared: usize, generation: u64): i32 {
  const claimed = rights(p);
  const due = checkFieldOf(object(p), claimed, prepared, generation);
  return (load48(p + PRIVATE_CHECK_AT) ^ due) == 0 ? <i32>claimed : STD_DENIED;
}
