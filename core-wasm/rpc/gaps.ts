// What is still missing of a message that arrives in fragments, in any order.
//
// - A list of at most GAPS_MAX ranges, in order, not touching. It does not depend on the
//   size of fragments: routers may have cut them again.
// - A fragment that would need one range too many is refused: it will be sent again.
// - Layout: u32 count, u32 unused, then u32 start, end of each.

import { GAPS_MAX } from "../limits";
import { insist } from "../memory/assert";

export const GAPS_BYTES: u32 = 8 + GAPS_MAX * 8;

/** All of [0, total) is missing. */
export function gapsOpen(gaps: usize, total: u32): void {
  store<u32>(gaps, total > 0 ? 1 : 0);
  store<u32>(gaps + 8, 0);
  store<u32>(gaps + 12, total);
}

// @ts-ignore: decorator
@inline
export function gapsCount(gaps: usize): u32 {
  return load<u32>(gaps);
}

// @ts-ignore: decorator
@inline
export function gapStart(gaps: usize, index: u32): u32 {
  return load<u32>(gaps + 8 + (index as usize) * 8);
}

// @ts-ignore: decorator
@inline
export function gapEnd(gaps: usize, index: u32): u32 {
  return load<u32>(gaps + 12 + (index as usize) * 8);
}

// @ts-ignore: decorator
@inline
function set(gaps: usize, index: u32, start: u32, end: u32): void {
  store<u32>(gaps + 8 + (index as usize) * 8, start);
  store<u32>(gaps + 12 + (index as usize) * 8, end);
}

/** True when all of [start, end) was there already. */
export function gapsHave(gaps: usize, start: u32, end: u32): bool {
  const count = gapsCount(gaps);
  for (let i: u32 = 0; i < count; i++) {
    if (gapStart(gaps, i) < end && start < gapEnd(gaps, i)) return false;
  }
  return true;
}

/** Takes [start, end) out of what is missing; false when the list has no room for that. */
export function gapsFill(gaps: usize, start: u32, end: u32): bool {
  insist(start <= end, 300);
  // The common case: the next fragment of a message that comes in order.
  if (gapsCount(gaps) == 1 && gapStart(gaps, 0) == start && end < gapEnd(gaps, 0)) {
    store<u32>(gaps + 8, end);
    return true;
  }
  let i: u32 = 0;
  while (i < gapsCount(gaps)) {
    const from = gapStart(gaps, i);
    const to = gapEnd(gaps, i);
    if (to <= start) {
      i++;
      continue;
    }
    if (from >= end) break;
    if (start <= from && to <= end) {
      remove(gaps, i);
    } else if (start <= from) {
      set(gaps, i, end, to);
      break;
    } else if (to <= end) {
      set(gaps, i, from, start);
      i++;
    } else {
      if (!insert(gaps, i)) return false; // the range splits in two
      set(gaps, i, from, start);
      set(gaps, i + 1, end, to);
      break;
    }
  }
  return true;
}

function remove(gaps: usize, index: u32): void {
  const count = gapsCount(gaps) - 1;
  const at = gaps + 8 + (index as usize) * 8;
  memory.copy(at, at + 8, (count - index) * 8);
  store<u32>(gaps, count);
}

function insert(gaps: usize, index: u32): bool {
  const count = gapsCount(gaps);
  if (count >= GAPS_MAX) return false;
  const at = gaps + 8 + (index as usize) * 8;
  memory.copy(at + 8, at, (count - index) * 8);
  store<u32>(gaps, count + 1);
  return true;
}
