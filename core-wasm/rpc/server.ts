// The server side of RPC: getreq, and the request that comes in, once.
//
// - States: threads.ts; the original's machine: spec section 2.5.
// - A request is executed when no record says otherwise (duplicates.ts). What is refused
//   (NAK) to a client of ours is marked so, and never executed under that id.
// - What follows putrep: server-reply.ts.

import * as layout from "../layout";
import { EXTENSION_SELECTIVE_REPEAT } from "../limits";
import { RPC_ABORTED, STD_OK } from "../status";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { deadMs, extensions } from "../memory/settings";
import { MESSAGE_IDLE } from "../flip/messages";
import * as rpc from "../wire/rpc";
import { complete, event } from "./completions";
import {
  TRANSACTION_EXECUTED,
  TRANSACTION_NEW,
  TRANSACTION_REFUSED,
  TRANSACTION_UNKNOWABLE,
  transactionMark,
  transactionState,
} from "./duplicates";
import {
  MESSAGE_PREFIX,
  fragmentCopy,
  fragmentTake,
  fragmentsAsk,
  fragmentsAskFirst,
  fragmentsOpen,
  fragmentsUnstash,
} from "./fragments";
import { answer } from "./negotiate";
import { sendHereis, sendPlain } from "./packets";
import { portFind, portLeave, portTake } from "./ports";
import * as t from "./threads";
import { Thread } from "./threads";
import { replyWanted, finish, release, replyExpired } from "./server-reply";

const REASSEMBLY_US: i64 = 4000000; // the original's
const REPLY_WAIT_LONGEST_US: i64 = 250000;
const SIGNAL_TRANS: u32 = 1;

// ---- LOCATE ------------------------------------------------------------------------

/** A LOCATE: answered when a thread waits at the port. */
export function serverLocate(p: usize, source: u64): void {
  const record = portFind(rpc.port(p));
  if (changetype<usize>(record) == 0 || record.waiting.first == 0) return;
  const waiting = changetype<Thread>(record.waiting.first);
  sendHereis(source, record.key, answer(rpc.kid(p)), rpc.tid(p), rpc.fromThread(p), waiting.index);
}

// ---- REQUEST -----------------------------------------------------------------------

/** The first (or only) fragment of a REQUEST; `p` is the RPC header. */
export function serverRequest(p: usize, length: u32, total: u32, source: u64, id: u32): void {
  countUp(layout.COUNTER_REQUESTS_IN);
  const flags = rpc.rpcFlags(p);
  const tid = rpc.tid(p);
  const from = rpc.fromThread(p);
  const kid = rpc.kid(p);
  const ours = (flags & rpc.RPC_EXTENDED) != 0;
  const serving = settleEarlier(source, from, tid, kid);
  if (changetype<usize>(serving) != 0) {
    again(serving, p, length, total, source, id, (flags & rpc.RPC_RETRANS) != 0);
    return;
  }
  const state = transactionState(kid, tid);
  if (state != TRANSACTION_NEW) {
    countUp(layout.COUNTER_DUPLICATES);
    // Executed, refused or unknowable: never again. Only who asks again hears of it.
    if (flags & rpc.RPC_RETRANS || state == TRANSACTION_UNKNOWABLE) failTo(source, tid, from);
    return;
  }
  const thread = portTake(rpc.port(p));
  if (changetype<usize>(thread) == 0) {
    refuse(source, kid, tid, from, ours);
    return;
  }
  accept(thread, p, source, ours);
  if (length == total) {
    fragmentCopy(thread, p, length, 0);
    thread.total = total;
    execute(thread);
    return;
  }
  thread.state = t.RECEIVING;
  fragmentsOpen(thread, source, id, total);
  if (fragmentTake(thread, p, length, 0, total) || fragmentsUnstash(thread)) execute(thread);
  else t.threadTimer(thread, now + (ours ? thread.interval : REASSEMBLY_US));
}

/**
 * A request of a client thread acknowledges all replies that it got before. Answers the
 * thread that already has this very transaction, or null.
 */
function settleEarlier(source: u64, from: u32, tid: u32, kid: u64): Thread {
  let same = changetype<Thread>(0);
  let at = t.servingFirst(source, from);
  while (changetype<usize>(at) != 0) {
    const next = changetype<Thread>(at.bucketNext);
    if (at.peer == source && at.peerThread == from && at.peerKernel == kid) {
      if (at.tid == tid) same = at;
      else if (at.state == t.PUTREP && ((tid - at.tid) as i32) > 0) {
        countUp(layout.COUNTER_ACKS_IMPLICIT);
        finish(at, STD_OK);
      }
    }
    at = next;
  }
  return same;
}

function accept(thread: Thread, p: usize, source: u64, ours: bool): void {
  thread.peer = source;
  thread.peerThread = rpc.fromThread(p);
  thread.peerKernel = rpc.kid(p);
  thread.tid = rpc.tid(p);
  thread.features = ours ? extensions : 0;
  thread.roundtripMs = rpc.destThread(p);
  thread.heard = now;
  thread.flags = thread.flags & t.LEGACY;
  t.servingAdd(thread);
}

/** The request is here, whole: it is the caller's now, and was executed whatever happens. */
function execute(thread: Thread): void {
  const several = thread.receiving != 0;
  t.threadStopReceiving(thread);
  t.threadTimerOff(thread);
  transactionMark(thread.peerKernel, thread.tid, TRANSACTION_EXECUTED);
  thread.state = t.SERVING;
  // A client of ours asks when it wonders; an original waits for this.
  if (several && thread.features == 0) {
    countUp(layout.COUNTER_ACKS_OUT);
    sendPlain(thread.peer, rpc.RPC_ACK, thread.tid, thread.peerThread, thread.index);
  }
  const length = min<u32>(thread.total - MESSAGE_PREFIX, thread.capacity);
  complete(t.threadHandle(thread), STD_OK, thread.header, length);
}

/** The same transaction again, while this thread has it. */
function again(
  thread: Thread,
  p: usize,
  length: u32,
  total: u32,
  source: u64,
  id: u32,
  retransmission: bool,
): void {
  thread.heard = now;
  if (thread.state == t.RECEIVING) {
    t.threadReceive(thread, source, id);
    if (total == thread.total && fragmentTake(thread, p, length, 0, total)) execute(thread);
    return;
  }
  countUp(layout.COUNTER_DUPLICATES);
  if (thread.state == t.PUTREP) {
    if (retransmission && thread.message.state == MESSAGE_IDLE) replyWanted(thread);
  } else if (retransmission) {
    countUp(layout.COUNTER_ACKS_OUT);
    sendPlain(source, rpc.RPC_ACK, thread.tid, thread.peerThread, thread.index);
  }
}

function refuse(source: u64, kid: u64, tid: u32, from: u32, ours: bool): void {
  if (ours) transactionMark(kid, tid, TRANSACTION_REFUSED);
  countUp(layout.COUNTER_NAKS_OUT);
  sendPlain(source, rpc.RPC_NAK, tid, from, 0);
}

function failTo(source: u64, tid: u32, from: u32): void {
  countUp(layout.COUNTER_FAILS_OUT);
  sendPlain(source, rpc.RPC_FAIL, tid, from, 0);
}

/** A later fragment of a request. */
export function serverFragment(thread: Thread, data: usize, length: u32, offset: u32, total: u32): void {
  if (fragmentTake(thread, data, length, offset, total)) execute(thread);
}

/** The rest does not come: the thread waits for other requests again. */
function abandon(thread: Thread): void {
  t.threadStopReceiving(thread);
  t.servingRemove(thread);
  thread.state = t.GETREQ;
  t.listPush(portFind(thread.port).waiting, thread);
  t.threadTimerOff(thread);
}

// ---- questions -----------------------------------------------------------------------

/** RECEIVED with the request flag: did you get it? */
export function serverAsked(p: usize, source: u64): void {
  const tid = rpc.tid(p);
  const from = rpc.fromThread(p);
  const ours = (rpc.rpcFlags(p) & rpc.RPC_EXTENDED) != 0;
  const thread = t.servingFind(source, from, tid);
  if (changetype<usize>(thread) != 0) {
    thread.heard = now;
    if (thread.state == t.RECEIVING) {
      if (thread.features != 0) fragmentsAsk(thread, true);
      else nak(source, tid, from);
    } else if (thread.state == t.PUTREP) {
      if (thread.message.state == MESSAGE_IDLE) replyWanted(thread);
    } else {
      countUp(layout.COUNTER_ACKS_OUT);
      sendPlain(source, rpc.RPC_ACK, tid, from, thread.index);
    }
    return;
  }
  const state = transactionState(rpc.kid(p), tid);
  if (state == TRANSACTION_EXECUTED || state == TRANSACTION_UNKNOWABLE) {
    failTo(source, tid, from);
    return;
  }
  if (state == TRANSACTION_REFUSED || !ours) {
    nak(source, tid, from);
    return;
  }
  const id = rpc.port(p) as u32;
  if (fragmentsAskFirst(source, id, rpc.RPC_REQUEST_FLAG, tid, from, 0)) return;
  refuse(source, rpc.kid(p), tid, from, true);
}

function nak(source: u64, tid: u32, from: u32): void {
  countUp(layout.COUNTER_NAKS_OUT);
  sendPlain(source, rpc.RPC_NAK, tid, from, 0);
}

/** ENQUIRE: are you still at it? */
export function serverEnquire(p: usize, source: u64): void {
  const tid = rpc.tid(p);
  const from = rpc.fromThread(p);
  const thread = t.servingFind(source, from, tid);
  if (changetype<usize>(thread) == 0) {
    failTo(source, tid, from);
    return;
  }
  thread.heard = now;
  if (thread.state == t.PUTREP) {
    if (thread.message.state == MESSAGE_IDLE) replyWanted(thread);
    else sendPlain(source, rpc.RPC_ALIVE, tid, from, thread.index);
    return;
  }
  sendPlain(source, rpc.RPC_ALIVE, tid, from, thread.index);
  if (rpc.rpcFlags(p) & rpc.RPC_SIGTRANS) serverSignalled(thread);
}

/** The client wants its call to end: told to the host once. */
export function serverSignalled(thread: Thread): void {
  if (thread.flags & t.SIGNAL_GIVEN || thread.state != t.SERVING) return;
  thread.flags |= t.SIGNAL_GIVEN;
  event(layout.EVENT_SIGNAL, t.threadHandle(thread), 0, SIGNAL_TRANS);
}

// ---- timers, deaths ---------------------------------------------------------------------

/** The timer of a server thread ran out. */
export function serverExpired(thread: Thread): void {
  if (thread.state == t.RECEIVING) receivingExpired(thread);
  else if (thread.state == t.PUTREP) replyExpired(thread);
}

function receivingExpired(thread: Thread): void {
  const silence = now - thread.heard;
  const selective = (thread.features & EXTENSION_SELECTIVE_REPEAT) != 0;
  const patience = selective ? (deadMs as i64) * 1000 : REASSEMBLY_US;
  if (silence >= patience) {
    abandon(thread);
    return;
  }
  if (!selective) {
    t.threadTimer(thread, thread.heard + REASSEMBLY_US);
    return;
  }
  if (silence >= thread.interval) {
    fragmentsAsk(thread, true);
    thread.interval = min<i64>(thread.interval * 2, REPLY_WAIT_LONGEST_US);
  }
  t.threadTimer(thread, now + thread.interval);
}

/** A signal to a thread that waits for requests ends its getreq; one that serves goes on. */
export function serverSignal(thread: Thread): void {
  if (thread.state == t.GETREQ) endWaiting(thread, RPC_ABORTED, true);
}

/** The thread dies: its client is told. No completion comes any more. */
export function serverKill(thread: Thread): void {
  if (thread.state == t.GETREQ) {
    endWaiting(thread, RPC_ABORTED, false);
    return;
  }
  if (thread.partner == 0 && thread.state != t.PUTREP) failTo(thread.peer, thread.tid, thread.peerThread);
  if (thread.state == t.RECEIVING) transactionMark(thread.peerKernel, thread.tid, TRANSACTION_EXECUTED);
  release(thread);
}

function endWaiting(thread: Thread, status: i32, tell: bool): void {
  t.listLeave(thread);
  portLeave(thread.port);
  if (tell) complete(t.threadHandle(thread), status, thread.header, 0);
  t.threadFree(thread);
}
