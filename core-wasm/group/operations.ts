// Operations: what a host waits for in a group. A record for every handle that is out.
//
// - An operation ends once, with one completion; then its record is free. The handle
//   carries a generation, so that a stale one is refused.
// - Every operation has its entry in the completion ring: see rpc/completions.ts.

import { HANDLE_GROUP } from "../layout";
import { allocate } from "../memory/arena";
import { insist } from "../memory/assert";
import { complete, completionsPromise, completionsRoom } from "../rpc/completions";

export const FREE: u32 = 0;
export const JOIN: u32 = 1;
export const LEAVE: u32 = 2;
export const SEND: u32 = 3;
export const RECEIVE: u32 = 4;
export const RESET: u32 = 5;

@unmanaged
export class Operation {
  index: u32;
  generation: u32;
  kind: u32;
  gid: u32;
  next: u32; // in a queue, or among the free ones
  header: u32; // receive: where the delivery goes; join, leave, reset, send: unused
  buffer: u32;
  capacity: u32; // of the buffer; reset: the fewest members that it asked for
  record: u32; // send, leave, join: the message
  message: u32; // its id
  sentAt: i64;
  tries: u32; // 0: not sent yet
  large: u32; // it goes by the sender's own multicast (BB)
}

let base: usize = 0;
let capacity: u32 = 0;
let free: u32 = 0;

export function operationsOpen(operations: u32): void {
  capacity = operations;
  free = 0;
  base = allocate((operations as u64) * offsetof<Operation>());
  if (base == 0) return;
  for (let i = operations; i > 0; i--) {
    const operation = at(i - 1);
    operation.index = i - 1;
    operation.next = free;
    free = changetype<usize>(operation) as u32;
  }
}

// @ts-ignore: decorator
@inline
function at(index: u32): Operation {
  return changetype<Operation>(base + (index as usize) * offsetof<Operation>());
}

/** A new operation, or null when too many are out. */
export function operationTake(kind: u32, gid: u32): Operation {
  const operation = changetype<Operation>(free);
  if (free == 0 || !completionsRoom()) return changetype<Operation>(0);
  free = operation.next;
  operation.generation = (operation.generation + 1) & 0x7fff;
  operation.kind = kind;
  operation.gid = gid;
  operation.next = 0;
  operation.record = 0;
  operation.message = 0;
  operation.sentAt = 0;
  operation.tries = 0;
  operation.large = 0;
  completionsPromise(1);
  return operation;
}

/** Ends it: the host gets its completion. The record that it had is its caller's to release. */
export function operationEnd(operation: Operation, status: i32, pointer: u32, length: u32): void {
  insist(operation.kind != FREE, 400);
  completionsPromise(-1);
  complete(operationHandle(operation), status, pointer, length);
  operation.kind = FREE;
  operation.next = free;
  free = changetype<usize>(operation) as u32;
}

// @ts-ignore: decorator
@inline
export function operationHandle(operation: Operation): i32 {
  return (HANDLE_GROUP | (operation.generation << 15) | operation.index) as i32;
}

/** The operation of a handle, or null when the handle is stale. */
export function operationOf(handle: i32): Operation {
  const index = (handle as u32) & 0x7fff;
  if (handle < 0 || !(handle & HANDLE_GROUP) || index >= capacity) return changetype<Operation>(0);
  const operation = at(index);
  if (operation.kind == FREE || operationHandle(operation) != handle) return changetype<Operation>(0);
  return operation;
}

/**
 * Takes an operation out of the queue that begins at `first`; answers the one in front of it,
 * or 0 when it was the first: its successor begins the queue then.
 */
export function operationUnlink(first: u32, operation: Operation): u32 {
  const at = changetype<usize>(operation) as u32;
  if (first == at) return 0;
  let before = first;
  while (changetype<Operation>(before).next != at) before = changetype<Operation>(before).next;
  changetype<Operation>(before).next = operation.next;
  return before;
}
