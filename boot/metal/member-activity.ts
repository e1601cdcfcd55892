// In which extents of the medium writes may be under way, and which writes the member has done: as
// control/server/disk/member/{activity,sequences}.ts, in fixed places.
//
// - An extent is hot from its first write on; its bit is on the medium before the write is. Earlier bits are of
//   another epoch or life, and only the server of the storage takes them back.
// - Of writes that were done the last WINDOW at and above `done` are known. One further ahead is refused
//   for now: the server sends it again.

import { COOL_MS, EXTENTS_MAX, HOT_MAX } from "../../build/metal/interface";
import { extentShift, mapBytes } from "./member-record";

const MAP: usize = (EXTENTS_MAX as usize) / 8;
const WINDOW: u32 = 65536;

let earlier: usize = 0;
let hot: usize = 0;
let saved: usize = 0; // of those that are hot: the bit is on the medium
let bits: usize = 0; // of sequences that have ended
let times: usize = 0;
let highest: usize = 0; // sequence, of each extent
let shift: u32 = 0;
let hotCount: u32 = 0;
/** Earlier bits are on the medium, in a record that says that writes may be under way. */
let isSaved: bool = false;
/** Every sequence below it has ended on all members. */
export let done: u64 = 0;

export function activityBytes(): usize {
  return 3 * MAP + ((WINDOW / 8) as usize) + 16 * (EXTENTS_MAX as usize);
}

export function activityOpen(room: usize): void {
  earlier = room;
  hot = earlier + MAP;
  saved = hot + MAP;
  bits = saved + MAP;
  times = bits + ((WINDOW / 8) as usize);
  highest = times + 8 * (EXTENTS_MAX as usize);
}

@inline
function has(map: usize, bit: u32): bool {
  return ((load<u8>(map + ((bit >> 3) as usize)) >> ((bit & 7) as u8)) & 1) != 0;
}

export function setBit(map: usize, bit: u32): void {
  const place = map + ((bit >> 3) as usize);
  store<u8>(place, load<u8>(place) | ((1 as u8) << ((bit & 7) as u8)));
}

function clearBit(map: usize, bit: u32): void {
  const place = map + ((bit >> 3) as usize);
  store<u8>(place, load<u8>(place) & ~((1 as u8) << ((bit & 7) as u8)));
}

/** A record's map, 0: none, of a storage of so many blocks; nothing is hot. */
export function activityStart(blocks: u64, map: usize, clean: bool): void {
  memory.fill(earlier, 0, 3 * MAP);
  if (map != 0) memory.copy(earlier, map, mapBytes(blocks));
  shift = extentShift(blocks);
  hotCount = 0;
  isSaved = !clean;
}

export function activitySaved(yes: bool): void {
  isSaved = yes;
}

/** A write of blocks begins; whether a bit has to be saved first. */
export function heat(block: u32, blocks: u32, sequence: u64, now: f64): bool {
  let cold = false;
  for (let extent = block >> shift; extent <= (block + blocks - 1) >> shift; extent++) {
    const place = (extent as usize) << 3;
    if (!has(hot, extent)) {
      setBit(hot, extent);
      hotCount++;
      store<u64>(highest + place, 0);
      if (isSaved && has(earlier, extent)) setBit(saved, extent);
    }
    store<u64>(highest + place, max(load<u64>(highest + place), sequence));
    store<f64>(times + place, now);
    if (!has(saved, extent)) cold = true;
  }
  return cold;
}

/** Sets the bits of extents that are to be saved in a map of somebody who is out. */
export function coldInto(map: usize): void {
  for (let extent: u32 = 0; extent < EXTENTS_MAX; extent++)
    if (has(hot, extent) && !has(saved, extent)) setBit(map, extent);
}

/** They are on the medium. */
export function heatSaved(): void {
  memory.copy(saved, hot, MAP);
}

/** Writes the map: what is hot, and earlier bits. */
export function activityInto(map: usize, bytes: u32): void {
  for (let i: usize = 0; i < (bytes as usize); i++)
    store<u8>(map + i, load<u8>(earlier + i) | load<u8>(hot + i));
}

function mayCool(extent: u32, now: f64, all: bool): bool {
  if (!has(hot, extent) || !has(saved, extent)) return false;
  if (all) return true;
  const place = (extent as usize) << 3;
  if (load<u64>(highest + place) >= done) return false;
  return hotCount > HOT_MAX || load<f64>(times + place) + 1000 * (COOL_MS as f64) <= now;
}

/** Something is hot. */
export function isHot(): bool {
  return hotCount > 0;
}

/** Whether something may cool once it was flushed. */
export function coolable(now: f64): bool {
  for (let extent: u32 = 0; extent < EXTENTS_MAX; extent++) if (mayCool(extent, now, false)) return true;
  return false;
}

/** Takes bits back; what they stand for was flushed. `all`: everything has ended, the server says. */
export function cool(now: f64, all: bool): void {
  for (let extent: u32 = 0; extent < EXTENTS_MAX; extent++) {
    if (!mayCool(extent, now, all)) continue;
    clearBit(hot, extent);
    clearBit(saved, extent);
    hotCount--;
  }
}

/** Whatever is hot is of an earlier epoch from now on. */
export function activityAge(): void {
  activityInto(earlier, MAP as u32);
  memory.fill(hot, 0, 2 * MAP);
  hotCount = 0;
}

/** Makes a map one of extents that are larger. */
function scale(map: usize, by: u32): void {
  for (let bit: u32 = 0; bit < EXTENTS_MAX; bit++) {
    if (!has(map, bit)) continue;
    clearBit(map, bit);
    setBit(map, bit >> by);
  }
}

/** A record of the server's: earlier bits that `left` has not are settled. */
export function activitySettle(blocks: u64, left: usize): void {
  const by = extentShift(blocks) - shift;
  if (by != 0) scale(earlier, by);
  const bytes = mapBytes(blocks) as usize;
  for (let i: usize = 0; i < bytes; i++) store<u8>(earlier + i, load<u8>(earlier + i) & load<u8>(left + i));
  memory.fill(earlier + bytes, 0, MAP - bytes);
  if (by == 0) return;
  scale(hot, by);
  activityAge();
  shift += by;
  isSaved = false;
}

// ---- sequences ---------------------------------------------------------------------------

/** The server says how far it is; what is below is forgotten. */
export function advance(to: u64): void {
  if (to <= done) return;
  const count = min<u64>(to - done, WINDOW) as u32;
  for (let i: u32 = 0; i < count; i++) clearBit(bits, ((done as u32) + i) & (WINDOW - 1));
  done = to;
}

export function hasEnded(sequence: u64): bool {
  return sequence < done || (!isAhead(sequence) && has(bits, (sequence as u32) & (WINDOW - 1)));
}

/** It is too far ahead to be remembered. */
export function isAhead(sequence: u64): bool {
  return sequence >= done && sequence - done >= WINDOW;
}

export function ended(sequence: u64): void {
  if (sequence >= done) setBit(bits, (sequence as u32) & (WINDOW - 1));
}

/** Another epoch: the numbers begin anew. */
export function restart(): void {
  memory.fill(bits, 0, WINDOW / 8);
  done = 0;
}
