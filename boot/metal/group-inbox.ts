// The receiving half of the machine's membership: receives that wait, messages in their order.
//
// - A ring of places: those from `head` have a message that nobody has taken, those from `filled` wait
//   for one (the kernel serves receives in order). What does not fit waits in the kernel.
// - Of a message's data the first TEXT bytes are kept: for who reads the console.
// - After a receive that failed nothing waits until inboxPost: the group wants a reset first.

import * as layout from "../../core-wasm/layout";
import { BC_TOOMANY, STD_OK } from "../../core-wasm/status";
import { groupReceive } from "./kernel";
import { take } from "./memory";

export const INBOX: u32 = 64;
export const TEXT: u32 = 96;
const RECEIVES: u32 = 8;
const HANDLE: usize = 76; // behind the delivery
const DATA: usize = 80;
const ENTRY: usize = 176;

let entries: usize = 0;
/** Messages taken, come, waited for: since the machine's start. */
export let head: u32 = 0;
export let filled: u32 = 0;
let posted: u32 = 0;

export function inboxOpen(): bool {
  entries = take(ENTRY * (INBOX as usize));
  return entries != 0;
}

/** The delivery at a place (layout.ts), from `head` to before `filled`. */
export function deliveryAt(place: u32): usize {
  return entries + ENTRY * ((place % INBOX) as usize);
}

/** The first bytes of its data: textLength of them. */
export function textAt(delivery: usize): usize {
  return delivery + DATA;
}

export function textLengthOf(delivery: usize): u32 {
  return min(load<u32>(delivery, layout.DELIVERY_LENGTH), TEXT);
}

/** The first message was taken. */
export function inboxTaken(): void {
  head++;
}

/** Nothing waits any more, and nothing has come. */
export function inboxForget(): void {
  head = filled;
  posted = filled;
}

/** Begins to receive with every place that is free; a status below zero: the group wants a reset. */
export function inboxPost(gid: i32, now: f64): i32 {
  while (posted - filled < RECEIVES && posted - head < INBOX) {
    const at = deliveryAt(posted);
    const handle = groupReceive(gid, at, at + DATA, TEXT as i32, now);
    if (handle == BC_TOOMANY) return STD_OK;
    if (handle < 0) return handle;
    store<i32>(at, handle, HANDLE);
    posted++;
  }
  return STD_OK;
}

/** Is this handle a receive's of ours? When it failed, the others that wait fail with it. */
export function inboxCompleted(handle: i32, status: i32): bool {
  if (posted == filled || load<i32>(deliveryAt(filled), HANDLE) != handle) return false;
  if (status < 0) posted = filled;
  else filled++;
  return true;
}
