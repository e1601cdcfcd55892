// Deadlines of everything that waits, in one heap: a timer is a number and a time.
//
// - Ids are given out at boot (one a thread, one a neighbour …); at most one deadline each.
// - Setting a later deadline only writes it down; the heap catches up when the old one
//   comes to the top. So arming and clearing a timer on every call costs a store, and
//   timersNext() may be early, never late.

import { allocate } from "./arena";
import { insist } from "./assert";

export const NEVER: i64 = i64.MAX_VALUE;

let capacity: u32 = 0;
let count: u32 = 0;
let deadlines: usize = 0; // i64 by id: when it is due, NEVER when it is not
let keys: usize = 0; // i64 by id: the time it stands in the heap under
let places: usize = 0; // u32 by id: heap index + 1, 0 when it is not in
let heap: usize = 0; // u32 by heap index: the id

/** Room for `timers` ids, 0 … timers - 1. */
export function timersOpen(timers: u32): void {
  capacity = timers;
  count = 0;
  deadlines = allocate((timers as u64) * 8);
  keys = allocate((timers as u64) * 8);
  places = allocate((timers as u64) * 4);
  heap = allocate((timers as u64) * 4);
  if (heap == 0) return;
  for (let id: u32 = 0; id < timers; id++) store<i64>(deadlines + (id as usize) * 8, NEVER);
}

// @ts-ignore: decorator
@inline
function key(id: u32): i64 {
  return load<i64>(keys + (id as usize) * 8);
}

// @ts-ignore: decorator
@inline
function put(index: u32, id: u32): void {
  store<u32>(heap + (index as usize) * 4, id);
  store<u32>(places + (id as usize) * 4, index + 1);
}

// @ts-ignore: decorator
@inline
function idAt(index: u32): u32 {
  return load<u32>(heap + (index as usize) * 4);
}

function up(index: u32, id: u32): void {
  const mine = key(id);
  while (index > 0) {
    const parent = (index - 1) >> 1;
    const other = idAt(parent);
    if (key(other) <= mine) break;
    put(index, other);
    index = parent;
  }
  put(index, id);
}

function down(index: u32, id: u32): void {
  const mine = key(id);
  while (true) {
    let child: u32 = 2 * index + 1;
    if (child >= count) break;
    if (child + 1 < count && key(idAt(child + 1)) < key(idAt(child))) child++;
    const other = idAt(child);
    if (key(other) >= mine) break;
    put(index, other);
    index = child;
  }
  put(index, id);
}

/** Due at `deadline` (microseconds), whatever it was before. */
export function timerSet(id: u32, deadline: i64): void {
  insist(id < capacity, 120);
  store<i64>(deadlines + (id as usize) * 8, deadline);
  const place = load<u32>(places + (id as usize) * 4);
  if (place == 0) {
    store<i64>(keys + (id as usize) * 8, deadline);
    up(count++, id);
  } else if (deadline < key(id)) {
    store<i64>(keys + (id as usize) * 8, deadline);
    up(place - 1, id);
  }
}

/** Not due any more. */
// @ts-ignore: decorator
@inline
export function timerClear(id: u32): void {
  store<i64>(deadlines + (id as usize) * 8, NEVER);
}

/** When it is due; NEVER when it is not set. */
// @ts-ignore: decorator
@inline
export function timerDeadline(id: u32): i64 {
  return load<i64>(deadlines + (id as usize) * 8);
}

/** Takes out one timer that is due at `now` and answers its id, or -1. */
export function timerPop(now: i64): i32 {
  while (count > 0) {
    const id = idAt(0);
    if (key(id) > now) return -1;
    const due = timerDeadline(id);
    if (due <= now || due == NEVER) {
      store<u32>(places + (id as usize) * 4, 0);
      const last = idAt(--count);
      if (count > 0) down(0, last);
      if (due == NEVER) continue;
      timerClear(id);
      return id as i32;
    }
    store<i64>(keys + (id as usize) * 8, due);
    down(0, id);
  }
  return -1;
}

/** The earliest time at which timerPop could answer; NEVER when nothing waits. */
export function timersNext(): i64 {
  // Entries that were cleared are dropped here, so an idle machine is not woken for them.
  while (count > 0) {
    const id = idAt(0);
    const due = timerDeadline(id);
    if (due == key(id)) return due;
    if (due == NEVER) {
      store<u32>(places + (id as usize) * 4, 0);
      const last = idAt(--count);
      if (count > 0) down(0, last);
    } else {
      store<i64>(keys + (id as usize) * 8, due);
      down(0, id);
    }
  }
  return NEVER;
}
