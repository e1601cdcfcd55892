// The ring in which the kernel tells its host what has ended: see layout.ts.
//
// - An entry for every call, service and group operation, and a few events; calls are
//   refused (RPC_TRYAGAIN, BC_TOOMANY) before the ring could overflow.

import * as layout from "../layout";
import { allocate } from "../memory/arena";
import { insist } from "../memory/assert";
import { threadsBusy } from "./threads";

let ring: usize = 0;
let mask: u32 = 0;
let promised: u32 = 0; // entries kept free for operations of groups

/** Room for at least `entries`; answers the ring's address. */
export function completionsOpen(entries: u32): usize {
  promised = 0;
  let size: u32 = 16;
  while (size < entries) size <<= 1;
  mask = size - 1;
  ring = allocate((layout.COMPLETION_ENTRIES as u64) + (size as u64) * layout.COMPLETION_BYTES);
  return ring;
}

export function completionMask(): u32 {
  return mask;
}

/** Entries that the host has not taken yet. */
// @ts-ignore: decorator
@inline
export function completionsPending(): u32 {
  return load<u32>(ring, layout.COMPLETION_PRODUCED) - load<u32>(ring, layout.COMPLETION_CONSUMED);
}

/** True when another call fits: two entries for every busy thread, one for every group operation. */
// @ts-ignore: decorator
@inline
export function completionsRoom(): bool {
  return completionsPending() + promised + 2 * (threadsBusy + 1) <= mask + 1;
}

/** Keeps `entries` more free (or fewer). */
// @ts-ignore: decorator
@inline
export function completionsPromise(entries: i32): void {
  promised += entries as u32;
}

export function complete(handle: i32, status: i32, pointer: usize, length: u32): void {
  insist(completionsPending() <= mask, 310);
  const produced = load<u32>(ring, layout.COMPLETION_PRODUCED);
  const entry = ring + layout.COMPLETION_ENTRIES + ((produced & mask) as usize) * layout.COMPLETION_BYTES;
  store<i32>(entry, handle, layout.COMPLETION_HANDLE);
  store<i32>(entry, status, layout.COMPLETION_STATUS);
  store<u32>(entry, pointer as u32, layout.COMPLETION_POINTER);
  store<u32>(entry, length, layout.COMPLETION_LENGTH);
  store<u32>(ring, produced + 1, layout.COMPLETION_PRODUCED);
}

/**
 * An event: dropped when the host is far behind, since the protocol repeats its cause. The
 * two entries of every busy thread and the one of every group operation stay free.
 */
export function event(kind: i32, status: i32, pointer: usize, length: u32): void {
  if (completionsPending() + promised + 2 * threadsBusy > mask) return;
  complete(kind, status, pointer, length);
}
