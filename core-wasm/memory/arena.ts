// The memory that boot hands out once, in order, and never takes back.
//
// - allocate() answers zeroed bytes, 64-byte aligned, or 0 when they do not fit; reserve()
//   answers them as they are, for a region whose users clear what they get.
// - After boot has called seal(), a further allocation is a bug.

import { insist } from "./assert";

let cursor: usize = 0;
let limit: usize = 0;
let sealed: bool = true;

/** Starts a new boot: tables go from `base` up to `end`. */
export function arenaOpen(base: usize, end: usize): void {
  cursor = (base + 63) & ~63;
  limit = end;
  sealed = false;
}

/** `bytes` bytes, their contents undefined, or 0 when the arena is too small (boot then fails). */
export function reserve(bytes: u64): usize {
  insist(!sealed, 100);
  const rounded = (bytes + 63) & ~63;
  if (rounded > (limit as u64) || (cursor as u64) + rounded > (limit as u64)) {
    cursor = limit; // every later allocation fails as well: one check at the end is enough
    return 0;
  }
  const at = cursor;
  cursor += rounded as usize;
  return at;
}

/** `bytes` zeroed bytes, or 0 when the arena is too small. */
export function allocate(bytes: u64): usize {
  const at = reserve(bytes);
  if (at != 0) memory.fill(at, 0, ((bytes + 63) & ~63) as usize);
  return at;
}

/** Ends boot; the first byte behind the tables. */
export function arenaSeal(): usize {
  sealed = true;
  return cursor;
}
