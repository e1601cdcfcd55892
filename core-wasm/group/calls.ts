// Group communication as a host calls it: the arguments are checked here, the protocol behind.
//
// - grp_create answers a group id; grp_info, grp_member, grp_set and grp_forward answer at
//   once. The others answer a handle (HANDLE_GROUP is set in it) or a status below zero, and
//   end with one completion. Buffers are the kernel's until then.
// - Several receives may wait at a time: they are served in order.
// - Source: Amoeba 5, grp(L); spec section 5.1.

import * as status from "../status";

/**
 * Makes a group with this process as its first member and sequencer. `port` points to 6 bytes;
 * `logHistory` and `logMessage` are powers of two: slots of the history, bytes of the largest
 * message. A group id, or a status.
 */
export function grp_create(
  port: usize,
  resilience: i32,
  membersMax: i32,
  logHistory: i32,
  logMessage: i32,
  now: f64,
): i32 {
  return status.KERNEL_FULL;
}

/** Joins the group of the port in the header at `header`, which all members get. Completion: length is the group id. */
export function grp_join(header: usize, now: f64): i32 {
  return status.KERNEL_FULL;
}

/** Leaves; the header is the last message that all get. A sequencer goes on without a user. */
export function grp_leave(gid: i32, header: usize, now: f64): i32 {
  return status.KERNEL_FULL;
}

/** Sends to all members, ourselves included. Completion: pointer is the message id, length the seqno. */
export function grp_send(gid: i32, header: usize, data: usize, size: i32, now: f64): i32 {
  return status.KERNEL_FULL;
}

/** Waits for the next message: DELIVERY_BYTES at `delivery`, data at `buffer`. Completion: length is the bytes there. */
export function grp_receive(gid: i32, delivery: usize, buffer: usize, capacity: i32, now: f64): i32 {
  return status.KERNEL_FULL;
}

/** Rebuilds the group with at least `minimum` members; the header is delivered to them. Completion: length is their number. */
export function grp_reset(gid: i32, header: usize, minimum: i32, now: f64): i32 {
  return status.KERNEL_FULL;
}

/** Ends an operation that waits: a receive with BC_ABORT, the others with BC_FAIL. A status. */
export function grp_signal(handle: i32, now: f64): i32 {
  return status.KERNEL_BADHANDLE;
}

/** The member dies: the others are told, what waits ends with BC_ABORT, the group id is free. A status. */
export function grp_end(gid: i32, now: f64): i32 {
  return status.BC_NOEXIST;
}

/** Writes GROUP_INFO_BYTES at `out`. A status. */
export function grp_info(gid: i32, out: usize): i32 {
  return status.BC_NOEXIST;
}

/** Writes GROUP_MEMBER_INFO_BYTES about one member at `out`. A status. */
export function grp_member(gid: i32, member: i32, out: usize, now: f64): i32 {
  return status.BC_NOEXIST;
}

/** Sets one of GROUP_SET_*; 0 takes the standard again. A status. */
export function grp_set(gid: i32, setting: i32, value: i32, now: f64): i32 {
  return status.BC_NOEXIST;
}

/** Hands the request of a service (its handle) to another member's process. A status. */
export function grp_forward(gid: i32, handle: i32, member: i32, now: f64): i32 {
  return status.BC_NOEXIST;
}
