// RPC as a host calls it: the arguments are checked here, the protocol begins behind.
//
// - Calls answer at once: a handle (>= 0) or a status of status.ts. Buffers lie in the
//   linear memory and are the kernel's until the handle's completion.
// - trans, getreq, putrep are the original's, with its limit of 30,000 bytes a buffer;
//   the rpc_ forms take 32-bit sizes.

import * as layout from "../layout";
import * as limits from "../limits";
import * as status from "../status";
import { portOneWay } from "../crypto/oneway";
import { inMemory, isBuffer } from "../memory/bounds";
import { setNow } from "../memory/clock";
import { clientBegin, clientGo, clientSignal } from "./client";
import { clientFull, clientSettleOldest, clientTakeOwing } from "./client-end";
import { completionsRoom } from "./completions";
import {
  localBegin,
  localClientGone,
  localFound,
  localOrphan,
  localOrphanGone,
  localReply,
  localServerGone,
  localSignal,
} from "./local";
import { portWait } from "./ports";
import { serverKill, serverSignal } from "./server";
import { serverForward, serverReply } from "./server-reply";
import * as threads from "./threads";
import { threadHandle, threadOf, threadTake } from "./threads";
import { headerCopy, headerPort } from "../wire/header";
import { RPC_HEADER } from "../wire/rpc";

let lastGetPort: u64 = 0;
let lastPutPort: u64 = 0;

/**
 * Calls the port in the header at `header`; `data`, `size`: the request. The reply's header
 * goes to `replyHeader`, its data to `replyBuffer` (at most `replyCapacity` bytes; more is
 * cut off). `options`: the record of layout.ts, or 0. A handle, or a status.
 */
export function rpc_trans(
  header: usize,
  data: usize,
  size: i32,
  replyHeader: usize,
  replyBuffer: usize,
  replyCapacity: i32,
  options: usize,
  now: f64,
): i32 {
  setNow(now);
  if (!inMemory(header, 32) || !inMemory(replyHeader, 32)) return status.RPC_BADADDRESS;
  if (!isBuffer(data, size) || !isBuffer(replyBuffer, replyCapacity)) return status.RPC_BADADDRESS;
  if (options != 0 && !inMemory(options, layout.OPTION_BYTES)) return status.RPC_BADADDRESS;
  const port = headerPort(header);
  if (port == 0) return status.RPC_BADPORT;
  if (!completionsRoom()) return clientFull();
  let thread = clientTakeOwing(port);
  if (changetype<usize>(thread) == 0) thread = threadTake();
  if (changetype<usize>(thread) == 0 && clientSettleOldest()) thread = threadTake();
  if (changetype<usize>(thread) == 0) return clientFull();
  thread.header = replyHeader as u32;
  thread.buffer = replyBuffer as u32;
  thread.capacity = replyCapacity as u32;
  headerCopy(thread.prefix + RPC_HEADER, header);
  thread.state = threads.LOCATE;
  clientBegin(thread, port, data, size as u32, options);
  const handle = threadHandle(thread);
  if (!localBegin(thread)) clientGo(thread);
  return handle;
}

/**
 * Waits for a request to the get-port in the header at `header`; the request's header
 * goes there, its data to `buffer`. A handle, or a status.
 */
export function rpc_getreq(header: usize, buffer: usize, capacity: i32, now: f64): i32 {
  setNow(now);
  if (!inMemory(header, 32) || !isBuffer(buffer, capacity)) return status.RPC_BADADDRESS;
  const getPort = headerPort(header);
  if (getPort == 0) return status.RPC_BADPORT;
  if (!completionsRoom()) return clientFull();
  let thread = threadTake();
  if (changetype<usize>(thread) == 0 && clientSettleOldest()) thread = threadTake();
  if (changetype<usize>(thread) == 0) return clientFull();
  thread.header = header as u32;
  thread.buffer = buffer as u32;
  thread.capacity = capacity as u32;
  thread.state = threads.GETREQ;
  thread.port = publicPort(getPort);
  if (!portWait(thread.port, getPort, thread)) {
    threads.threadFree(thread);
    return status.KERNEL_FULL;
  }
  const handle = threadHandle(thread);
  if (threads.locating.first != 0) localFound(thread.port);
  return handle;
}

/** The put-port of a get-port; a server asks for the same one again and again. */
function publicPort(getPort: u64): u64 {
  if (getPort != lastGetPort) {
    lastGetPort = getPort;
    lastPutPort = portOneWay(getPort);
  }
  return lastPutPort;
}

/**
 * Replies to the request of a service; the buffers are the kernel's until the handle's
 * second completion (acknowledged, or RPC_FAILURE). A status.
 */
export function rpc_putrep(handle: i32, header: usize, data: usize, size: i32, now: f64): i32 {
  setNow(now);
  const thread = threadOf(handle);
  if (changetype<usize>(thread) == 0 || thread.state != threads.SERVING) return status.KERNEL_BADHANDLE;
  if (!inMemory(header, 32) || !isBuffer(data, size)) return status.RPC_BADADDRESS;
  if (thread.flags & threads.ORPHAN) localOrphan(thread);
  else if (thread.partner != 0) localReply(thread, header, data, size as u32);
  else serverReply(thread, header, data, size as u32);
  return status.STD_OK;
}

/** trans, getreq, putrep: as above with the original's limit of 30,000 bytes a buffer. */
export function trans(
  header: usize,
  data: usize,
  size: i32,
  replyHeader: usize,
  replyBuffer: usize,
  replyCapacity: i32,
  options: usize,
  now: f64,
): i32 {
  if (size > limits.LEGACY_BYTES_MAX || replyCapacity > limits.LEGACY_BYTES_MAX) return status.RPC_FAILURE;
  return rpc_trans(header, data, size, replyHeader, replyBuffer, replyCapacity, options, now);
}

export function getreq(header: usize, buffer: usize, capacity: i32, now: f64): i32 {
  if (capacity > limits.LEGACY_BYTES_MAX) return status.RPC_FAILURE;
  return rpc_getreq(header, buffer, capacity, now);
}

export function putrep(handle: i32, header: usize, data: usize, size: i32, now: f64): i32 {
  if (size > limits.LEGACY_BYTES_MAX) return status.RPC_FAILURE;
  return rpc_putrep(handle, header, data, size, now);
}

/** Sends the client of a service on to the server at the FLIP address at `target`. */
export function rpc_forward(handle: i32, target: usize, now: f64): i32 {
  setNow(now);
  const thread = threadOf(handle);
  if (changetype<usize>(thread) == 0 || thread.state != threads.SERVING) return status.KERNEL_BADHANDLE;
  if (!inMemory(target, 8)) return status.RPC_BADADDRESS;
  if (thread.partner != 0 || thread.flags & threads.ORPHAN) return status.RPC_FAILURE;
  serverForward(thread, load<u64>(target));
  return status.STD_OK;
}

/** The FLIP address (8 bytes, to `out`) of the kernel whose request a service serves now. A status. */
export function rpc_source(handle: i32, out: usize): i32 {
  const thread = threadOf(handle);
  if (changetype<usize>(thread) == 0 || thread.state != threads.SERVING) return status.KERNEL_BADHANDLE;
  if (!inMemory(out, 8)) return status.RPC_BADADDRESS;
  store<u64>(out, thread.peer);
  return status.STD_OK;
}

/** A signal: ends a wait, or asks the server of a call to end it early. A status. */
export function rpc_signal(handle: i32, now: f64): i32 {
  setNow(now);
  const thread = threadOf(handle);
  if (changetype<usize>(thread) == 0 || thread.state == threads.OWING) return status.KERNEL_BADHANDLE;
  if (thread.state == threads.LOCAL) localSignal(thread);
  else if (thread.state >= threads.GETREQ) serverSignal(thread);
  else clientSignal(thread);
  return status.STD_OK;
}

/** The death of a thread: no completion of it comes any more, its buffers are free. A status. */
export function rpc_kill(handle: i32, now: f64): i32 {
  setNow(now);
  const thread = threadOf(handle);
  if (changetype<usize>(thread) == 0 || thread.state == threads.OWING) return status.KERNEL_BADHANDLE;
  if (thread.state == threads.LOCAL) {
    localClientGone(thread);
    threads.threadFree(thread);
  } else if (thread.state < threads.GETREQ) threads.threadFree(thread);
  else if (thread.state == threads.SERVING && thread.partner != 0) localServerGone(thread);
  else if (thread.state == threads.SERVING && thread.flags & threads.ORPHAN) localOrphanGone(thread);
  else serverKill(thread);
  return status.STD_OK;
}
