// A service that has its answer: the reply goes out and waits to be acknowledged.
//
// - A reply stays with its thread until it is acknowledged: by ACK, or by any later
//   request of the same client thread. Meanwhile other threads take other requests.
// - A question about a transaction whose reply is still here is answered with the reply.
// - Source: spec section 2.5.

import * as layout from "../layout";
import { RPC_FAILURE, STD_OK } from "../status";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { deadMs } from "../memory/settings";
import { messageNewId } from "../flip/ids";
import { locateStart } from "../flip/locate";
import { MESSAGE_IDLE, messageCancel, messageProgress, messageRepeat, messageSend } from "../flip/messages";
import { FLIP_DATA_1500, FLIP_SECURITY } from "../wire/flip";
import { headerCopy } from "../wire/header";
import * as rpc from "../wire/rpc";
import { complete } from "./completions";
import { MESSAGE_PREFIX } from "./fragments";
import { address, kernelId, sendQuestion } from "./packets";
import { portLeave } from "./ports";
import * as t from "./threads";
import { Thread } from "./threads";

const RETRIES: u32 = 10;
const REPLY_WAIT_FIRST_US: i64 = 20000;
const REPLY_WAIT_LONGEST_US: i64 = 250000;

/** putrep: `header` is the caller's 32 bytes, `data` stays the kernel's until completion. */
export function serverReply(thread: Thread, header: usize, data: usize, size: u32): void {
  headerCopy(thread.prefix + rpc.RPC_HEADER, header);
  thread.message.body = data as u32;
  thread.message.total = MESSAGE_PREFIX + size;
  thread.message.prefixLength = MESSAGE_PREFIX;
  put(thread);
}

/** grp_forward: the client is to call the server at `target` instead. */
export function serverForward(thread: Thread, target: u64): void {
  thread.flags |= t.FORWARDING;
  store<u64>(thread.prefix + rpc.RPC_HEADER, target);
  thread.message.body = 0;
  thread.message.total = rpc.RPC_HEADER + 8;
  thread.message.prefixLength = rpc.RPC_HEADER + 8;
  put(thread);
}

function put(thread: Thread): void {
  thread.state = t.PUTREP;
  thread.retries = RETRIES;
  thread.heard = now;
  const message = thread.message;
  message.prefix = thread.prefix;
  message.source = address;
  message.destination = thread.peer;
  message.flags = FLIP_SECURITY;
  message.careful = thread.features != 0 ? 1 : 0;
  thread.interval = REPLY_WAIT_FIRST_US;
  message.id = messageNewId();
  transmitReply(thread);
  t.threadTimer(thread, now + replyWait(thread));
}

/** How long the acknowledgement of a reply may take: to an original, sixteen round trips. */
function replyWait(thread: Thread): i64 {
  if (thread.features != 0) return thread.interval;
  const roundtrip = thread.roundtripMs;
  if (roundtrip == 0 || roundtrip > 30000) return 30000000;
  return min<i64>(max<i64>((roundtrip as i64) * 16, 11), 30000) * 1000;
}

/** The client lacks the reply: a short one goes out again, of a long one it says what is missing. */
export function replyWanted(thread: Thread): void {
  if (thread.features != 0 && thread.message.total > FLIP_DATA_1500) askClient(thread);
  else sendReply(thread);
}

/** Sends the reply again: to one of ours under its first id, so that what came of it still counts. */
function sendReply(thread: Thread): void {
  if (thread.features == 0) thread.message.id = messageNewId();
  transmitReply(thread);
}

function transmitReply(thread: Thread): void {
  const message = thread.message;
  messageCancel(message);
  const type = thread.flags & t.FORWARDING ? rpc.RPC_FORWARD : rpc.RPC_REPLY;
  rpc.rpcHeader(thread.prefix, kernelId, thread.port, type, 0, thread.tid, thread.peerThread, thread.index);
  countUp(layout.COUNTER_REPLIES_OUT);
  messageSend(message);
  thread.progress = messageProgress(message);
}

/** The service is over; the caller's buffers are its own again. */
export function finish(thread: Thread, status: i32): void {
  complete(t.threadHandle(thread), status, thread.header, 0);
  release(thread);
}

export function release(thread: Thread): void {
  t.servingRemove(thread);
  portLeave(thread.port);
  t.threadFree(thread);
}

/** ACK of the reply. */
export function serverAck(source: u64, from: u32, tid: u32): void {
  const thread = t.servingFind(source, from, tid);
  if (changetype<usize>(thread) != 0 && thread.state == t.PUTREP) finish(thread, STD_OK);
}

/** NAK: the client does not have the reply. */
export function serverNak(source: u64, from: u32, tid: u32): void {
  const thread = t.servingFind(source, from, tid);
  if (changetype<usize>(thread) == 0 || thread.state != t.PUTREP) return;
  thread.heard = now;
  if (thread.message.state == MESSAGE_IDLE) {
    countUp(layout.COUNTER_RETRANSMISSIONS);
    sendReply(thread);
  }
}

/** REPEAT: the client lacks pieces of the reply. */
export function serverRepeat(source: u64, from: u32, tid: u32, ranges: usize, count: u32): void {
  const thread = t.servingFind(source, from, tid);
  if (changetype<usize>(thread) == 0 || thread.state != t.PUTREP) return;
  thread.heard = now;
  for (let i: u32 = 0; i < count; i++) {
    messageRepeat(thread.message, load<u32>(ranges + i * 8), load<u32>(ranges + i * 8, 4));
  }
}

export function replyExpired(thread: Thread): void {
  const message = thread.message;
  const progress = messageProgress(message);
  if (message.state != MESSAGE_IDLE && progress != thread.progress) thread.heard = now;
  thread.progress = progress;
  if (thread.features != 0) {
    const silence = now - thread.heard;
    if (silence >= (deadMs as i64) * 1000) {
      finish(thread, RPC_FAILURE);
      return;
    }
    if (message.state == MESSAGE_IDLE) askClient(thread);
    thread.interval = min<i64>(thread.interval * 2, REPLY_WAIT_LONGEST_US);
  } else {
    if (--thread.retries == 0) {
      finish(thread, RPC_FAILURE);
      return;
    }
    askClient(thread);
  }
  t.threadTimer(thread, now + replyWait(thread));
}

/** RECEIVED: did you get my reply? */
function askClient(thread: Thread): void {
  const ours = thread.features != 0;
  sendQuestion(
    thread.peer,
    ours ? (thread.message.id as u64) : 0,
    rpc.RPC_RECEIVED,
    rpc.RPC_REPLY_FLAG | (ours ? rpc.RPC_EXTENDED : 0),
    thread.tid,
    thread.peerThread,
    thread.index,
  );
}

/** A REPLY or a question of this thread came back: look for the client once more. */
export function serverUndeliverable(thread: Thread): void {
  messageCancel(thread.message);
  locateStart(thread.peer, address, true);
}
