// How two Proteus kernels find out that they are: a question in LOCATE, its proof in HEREIS.
//
// - LOCATE.kid = 48 random bits, and above them what the client can do.
// - HEREIS.kid = oneWay(those bits, mixed with the server's), and above them the server's.
//   An original leaves rubbish there, an old echo answers another nonce: neither fits.
// - What both can do holds for the place found, until it is forgotten.

import { random } from "../host";
import {
  EXTENSION_CHECKED,
  EXTENSION_FRESH_TID,
  EXTENSION_GROUP,
  EXTENSION_IMPLICIT_ACK,
  EXTENSION_SELECTIVE_REPEAT,
  EXTENSION_SHORT_TIMERS,
} from "../limits";
import { portOneWay } from "../crypto/oneway";
import { allocate } from "../memory/arena";
import { extensions } from "../memory/settings";

const MARK: u64 = 0x8000;
const LOW: u64 = 0xffffffffffff;
const END_TO_END: u32 =
  EXTENSION_IMPLICIT_ACK |
  EXTENSION_SELECTIVE_REPEAT |
  EXTENSION_FRESH_TID |
  EXTENSION_SHORT_TIMERS |
  EXTENSION_CHECKED |
  EXTENSION_GROUP;

let bytes: usize = 0;

export function negotiateOpen(): void {
  bytes = allocate(8);
}

// @ts-ignore: decorator
@inline
function ours(): u64 {
  return (extensions & END_TO_END) as u64;
}

/** The kid of a new LOCATE. */
export function question(): u64 {
  random(bytes, 8);
  const nonce = (load<u64>(bytes) & LOW) | 1;
  return ours() != 0 ? nonce | ((MARK | ours()) << 48) : nonce;
}

function proof(nonce: u64, bits: u64): u64 {
  return portOneWay(((nonce & LOW) ^ (bits * 0x100010001)) & LOW);
}

/** The kid of the HEREIS that answers this LOCATE. */
export function answer(kid: u64): u64 {
  if (!(((kid >> 48) & MARK) as u32) || ours() == 0) return 0;
  const bits = MARK | ours();
  return proof(kid, bits) | (bits << 48);
}

/** True when the kid of a HEREIS may be one of ours, whatever it proves. */
export function looksLikeOurs(kid: u64): bool {
  return ours() != 0 && ((kid >> 48) & MARK) != 0;
}

/** The extensions that hold with whoever answered `kid` to the LOCATE with `asked`. */
export function settledBits(asked: u64, kid: u64): u32 {
  const bits = kid >> 48;
  if (!((bits & MARK) as u32) || ours() == 0 || proof(asked, bits) != (kid & LOW)) return 0;
  return (bits & ours()) as u32;
}
