// At most once: what every client kernel's transactions came to.
//
// - For each kernel id a window of the last `window` transaction ids, two bits each:
//   new, executed, or refused (answered NAK, and never to be executed after that).
//   Older ones count as executed.
// - A kernel pushed out of the table leaves its highest id behind (a tombstone); when it
//   comes back, all up to that id count as executed. With too many tombstones younger
//   than TOMBSTONE_MS, kernels not seen before are told to come again later: the oldest
//   fail rather than execute twice.
// - The original keeps 512 ids of 200 kernels and forgets the rest.
// - Source: spec section 2.5; CONTRACTS.

import { COUNTER_KERNELS_FORGOTTEN } from "../layout";
import { allocate } from "../memory/arena";
import { nowMs } from "../memory/clock";
import { countUp } from "../memory/counters";
import {
  Entry,
  Table,
  tableAdd,
  tableAt,
  tableFind,
  tableIndex,
  tableNew,
  tableRemove,
} from "../memory/table";

export const TRANSACTION_NEW: u32 = 0;
export const TRANSACTION_EXECUTED: u32 = 1;
export const TRANSACTION_REFUSED: u32 = 2;
export const TRANSACTION_UNKNOWABLE: u32 = 3; // no room to remember it: do not execute

/** Longer than any client goes on repeating a request, with the life of a packet. */
const TOMBSTONE_MS: u32 = 600000;

@unmanaged
class Kernel extends Entry {
  // key: kernel id
  base: u32; // the oldest id in the window
  highest: u32; // the highest id marked
  lastUsedMs: u32;
}

@unmanaged
class Tombstone extends Entry {
  // key: kernel id
  highest: u32;
  bornMs: u32;
}

let kernels: Table = changetype<Table>(0);
let tombstones: Table = changetype<Table>(0);
let bitmaps: usize = 0;
let bitmapBytes: u32 = 0;
let windowMask: u32 = 0;

/** `window` is rounded up to a power of two, at least 1024. */
export function duplicatesOpen(kernelCount: u32, window: u32, tombstoneCount: u32): void {
  let size: u32 = 1024;
  while (size < window) size <<= 1;
  windowMask = size - 1;
  bitmapBytes = size >> 2;
  kernels = tableNew(kernelCount, offsetof<Kernel>());
  tombstones = tableNew(tombstoneCount, offsetof<Tombstone>());
  bitmaps = allocate((kernelCount as u64) * bitmapBytes);
}

function bitmapOf(kernel: Kernel): usize {
  return bitmaps + (tableIndex(kernels, changetype<usize>(kernel)) as usize) * bitmapBytes;
}

/**
 * The kernel's record; null when there is no room to remember it. It is made when new: about
 * `tid`, because a kernel that has run for long has not begun at 0.
 */
function kernelFor(id: u64, tid: u32): Kernel {
  const found = changetype<Kernel>(tableFind(kernels, id, 0));
  if (changetype<usize>(found) != 0) {
    found.lastUsedMs = nowMs();
    return found;
  }
  let base = tid <= windowMask ? 0 : (tid - (windowMask >> 1)) & ~3;
  const stone = changetype<Tombstone>(tableFind(tombstones, id, 0));
  if (changetype<usize>(stone) != 0) {
    base = stone.highest + 1;
    tableRemove(tombstones, changetype<usize>(stone)); // first: its place may be needed below
  }
  if (kernels.free == 0 && !forgetOldest()) return changetype<Kernel>(0);
  const made = changetype<Kernel>(tableAdd(kernels, id, 0));
  memory.fill(bitmapOf(made), 0, bitmapBytes);
  made.lastUsedMs = nowMs();
  made.base = base;
  made.highest = base - 1;
  return made;
}

function forgetOldest(): bool {
  if (tombstones.free == 0 && !dropOldTombstone()) return false;
  let oldest: usize = 0;
  let age: u32 = 0;
  for (let i: u32 = 0; i < kernels.capacity; i++) {
    const kernel = changetype<Kernel>(tableAt(kernels, i));
    if (!kernel.used) continue;
    const idle = nowMs() - kernel.lastUsedMs;
    if (oldest == 0 || idle > age) {
      oldest = changetype<usize>(kernel);
      age = idle;
    }
  }
  const kernel = changetype<Kernel>(oldest);
  const stone = changetype<Tombstone>(tableAdd(tombstones, kernel.key, 0));
  stone.highest = kernel.highest;
  stone.bornMs = nowMs();
  tableRemove(kernels, oldest);
  countUp(COUNTER_KERNELS_FORGOTTEN);
  return true;
}

function dropOldTombstone(): bool {
  for (let i: u32 = 0; i < tombstones.capacity; i++) {
    const stone = changetype<Tombstone>(tableAt(tombstones, i));
    if (stone.used && nowMs() - stone.bornMs > TOMBSTONE_MS) {
      tableRemove(tombstones, changetype<usize>(stone));
      return true;
    }
  }
  return false;
}

/** What is known of a transaction; makes a record of its kernel. */
export function transactionState(id: u64, tid: u32): u32 {
  const kernel = kernelFor(id, tid);
  if (changetype<usize>(kernel) == 0) return TRANSACTION_UNKNOWABLE;
  const ahead = tid - kernel.base;
  if ((ahead as i32) < 0) return TRANSACTION_EXECUTED;
  if (ahead > windowMask) return TRANSACTION_NEW;
  const slot = tid & windowMask;
  return ((load<u8>(bitmapOf(kernel) + (slot >> 2)) as u32) >> ((slot & 3) << 1)) & 3;
}

/** Notes that a transaction was executed or refused. The kernel's record exists. */
export function transactionMark(id: u64, tid: u32, state: u32): void {
  const kernel = kernelFor(id, tid);
  if (changetype<usize>(kernel) == 0) return;
  const ahead = tid - kernel.base;
  if ((ahead as i32) < 0) return;
  if (ahead > windowMask) advance(kernel, tid);
  const slot = tid & windowMask;
  const at = bitmapOf(kernel) + (slot >> 2);
  const shift = (slot & 3) << 1;
  store<u8>(at, (((load<u8>(at) as u32) & ~(3 << shift)) | (state << shift)) as u8);
  if (((tid - kernel.highest) as i32) > 0) kernel.highest = tid;
}

/** Moves the window so that `tid` is in it, a 64th of the window at a time. */
function advance(kernel: Kernel, tid: u32): void {
  const bitmap = bitmapOf(kernel);
  const step = (windowMask + 1) >> 6;
  const first = kernel.base;
  const need = tid - first - windowMask; // ids that have to leave
  const steps = (need + step - 1) / step;
  if (steps >= 64) {
    memory.fill(bitmap, 0, bitmapBytes);
    kernel.base = (tid - windowMask + step - 1) & ~(step - 1);
    return;
  }
  // Bases stay multiples of 4 so that whole bytes leave; a tombstone's base may not be one.
  const target = (first + steps * step) & ~3;
  let gone = first;
  while (gone != target) {
    const slot = gone & windowMask;
    const at = bitmap + (slot >> 2);
    if ((slot & 3) == 0 && target - gone >= 4) {
      store<u8>(at, 0);
      gone += 4;
    } else {
      store<u8>(at, ((load<u8>(at) as u32) & ~(3 << ((slot & 3) << 1))) as u8);
      gone++;
    }
  }
  kernel.base = target;
  if (tid - kernel.base > windowMask) advance(kernel, tid);
}
