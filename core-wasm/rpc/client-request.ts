// A client whose request is out, and what its server says of it.
//
// - Towards a peer of ours a refused request comes back under a new transaction id, so a
//   NAK is final for the old one; towards an original it is the same id, as it expects.
// - A place not heard from for a while is asked first (VERIFY): a request is only sent
//   to a server that was there a moment ago. Once it is sent, an address that vanishes
//   means RPC_FAILURE, never a second try elsewhere: the server may have executed it.

import * as layout from "../layout";
import { EXTENSION_FRESH_TID, EXTENSION_SHORT_TIMERS } from "../limits";
import { RPC_ABORTED, RPC_FAILURE, RPC_NOTFOUND, RPC_UNSAFE } from "../status";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { messageNewId } from "../flip/ids";
import { locateStart } from "../flip/locate";
import {
  MESSAGE_IDLE,
  MESSAGE_UNSAFE,
  messageCancel,
  messageProgress,
  messageRepeat,
  messageSend,
} from "../flip/messages";
import * as rpc from "../wire/rpc";
import { enquire, heard, invalidate, probe } from "./client-ask";
import { fail } from "./client-end";
import { locate } from "./client-locate";
import { address, kernelId, newTid, sendPlain } from "./packets";
import { placeDrop, placeFind, placeSet } from "./ports";
import * as t from "./threads";
import { Thread } from "./threads";

const SERVE_TIMEOUT_US: i64 = 1000000; // the original's SERVETIMEOUT
export const RETRIES: u32 = 10;
const RETRIES_INVALIDATE: u32 = 5;
const PROBE_FIRST_US: i64 = 10000;
const PROBE_LONGEST_US: i64 = 100000;
const VERIFY_TRIES: u32 = 4;
const BACKOFF_US: i64 = 100;
const BACKOFF_LONGEST_US: i64 = 20000;
const REFUSALS_BEFORE_LOCATE: u32 = 5;

/** Asks a place that was silent for long whether it is there, before it gets a request. */
export function verify(thread: Thread): void {
  thread.state = t.VERIFY;
  thread.retries = VERIFY_TRIES;
  thread.interval = thread.features & EXTENSION_SHORT_TIMERS ? PROBE_FIRST_US : SERVE_TIMEOUT_US / 4;
  verifyExpired(thread);
}

export function verifyExpired(thread: Thread): void {
  if (thread.retries == 0) {
    thread.retries = RETRIES;
    relocate(thread);
    return;
  }
  thread.retries--;
  probe(thread);
  t.threadTimer(thread, now + thread.interval);
  thread.interval *= 2;
}

function relocate(thread: Thread): void {
  const place = placeFind(thread.port);
  if (changetype<usize>(place) != 0 && place.address == thread.peer) placeDrop(thread.port);
  thread.flags &= ~(t.INVALIDATED | t.UNREACHABLE);
  locate(thread);
}

/** The place answered: the call goes on with a transaction id that it has not seen. */
function verified(thread: Thread): void {
  thread.retries = RETRIES;
  if (thread.features & EXTENSION_FRESH_TID) thread.tid = newTid();
  putRequest(thread);
}

/** Sends the request, from its beginning. */
export function putRequest(thread: Thread): void {
  const message = thread.message;
  messageCancel(message);
  thread.state = t.PUTREQ;
  thread.heard = now;
  thread.sent = now;
  const ours = thread.features != 0;
  rpc.rpcHeader(
    thread.prefix,
    kernelId,
    thread.port,
    rpc.RPC_REQUEST,
    (ours ? rpc.RPC_EXTENDED : 0) | (thread.flags & t.RETRANS ? rpc.RPC_RETRANS : 0),
    thread.tid,
    thread.roundtripMs,
    thread.index,
  );
  message.destination = thread.peer;
  message.id = messageNewId();
  message.careful = ours ? 1 : 0;
  countUp(layout.COUNTER_REQUESTS_OUT);
  messageSend(message);
  if (clientUnsafe(thread)) return;
  thread.progress = messageProgress(message);
  if (thread.features & EXTENSION_SHORT_TIMERS) {
    thread.interval = firstProbe(thread);
    t.threadTimer(thread, now + thread.interval);
  } else {
    t.threadTimer(thread, now + (thread.roundtripMs as i64) * 1000 + SERVE_TIMEOUT_US);
  }
}

/** Ends the call when its request has no way but over untrusted networks: it was never sent. */
export function clientUnsafe(thread: Thread): bool {
  if (thread.state != t.PUTREQ || thread.message.state != MESSAGE_UNSAFE) return false;
  fail(thread, thread.flags & t.RETRANS ? RPC_FAILURE : RPC_UNSAFE);
  return true;
}

/** The first question goes out when four times the usual round trip has passed. */
function firstProbe(thread: Thread): i64 {
  const place = placeFind(thread.port);
  const usual: i64 = changetype<usize>(place) != 0 ? (place.roundtripUs as i64) * 4 : 0;
  return min<i64>(max<i64>(usual, PROBE_FIRST_US), PROBE_LONGEST_US);
}

export function putRequestExpired(thread: Thread): void {
  const message = thread.message;
  const progress = messageProgress(message);
  if (message.state != MESSAGE_IDLE && progress != thread.progress) {
    thread.heard = now; // it is on its way out: that the peer is silent means nothing
  }
  thread.progress = progress;
  if (thread.features & EXTENSION_SHORT_TIMERS) {
    if (now - thread.heard >= thread.deadUs) {
      fail(thread, RPC_FAILURE);
      return;
    }
    if (message.state == MESSAGE_IDLE) {
      thread.flags |= t.RETRANS;
      if (now - thread.heard > thread.deadUs / 2) invalidate(thread);
      probe(thread);
    }
    thread.interval = min<i64>(thread.interval * 2, PROBE_LONGEST_US);
    t.threadTimer(thread, min<i64>(now + thread.interval, thread.heard + thread.deadUs));
    return;
  }
  thread.flags |= t.RETRANS;
  if (--thread.retries == 0) {
    fail(thread, RPC_FAILURE);
    return;
  }
  if (thread.retries <= RETRIES_INVALIDATE) invalidate(thread);
  probe(thread);
  t.threadTimer(thread, now + (thread.roundtripMs as i64) * 1000 + SERVE_TIMEOUT_US);
}

/** The server has the request. */
export function clientAck(thread: Thread): void {
  heard(thread);
  if (thread.state == t.VERIFY) {
    verified(thread);
    return;
  }
  if (thread.state == t.PUTREQ) {
    thread.state = t.GETREP;
    messageCancel(thread.message);
    if (thread.flags & t.SIGNALLED) enquire(thread);
  }
  t.threadTimer(thread, now + thread.pollUs);
}

/** The server does not have it, and (one of ours) will never execute this transaction. */
export function clientNak(thread: Thread): void {
  heard(thread);
  if (thread.state == t.VERIFY) {
    verified(thread);
    return;
  }
  if (thread.state != t.PUTREQ) return;
  messageCancel(thread.message);
  thread.flags |= t.NACKED;
  if (thread.features & EXTENSION_FRESH_TID) {
    thread.tid = newTid();
    thread.flags &= ~t.RETRANS;
    if (now - thread.started >= thread.locateUs) {
      fail(thread, RPC_NOTFOUND);
      return;
    }
    if (thread.flags & t.SIGNALLED) {
      fail(thread, RPC_ABORTED);
      return;
    }
    thread.refusals++;
    thread.state = t.BACKOFF;
    const wait = min<i64>(BACKOFF_US << (min<u32>(thread.refusals, 10) as i64), BACKOFF_LONGEST_US);
    t.threadTimer(thread, now + wait);
    return;
  }
  originalRefused(thread);
}

/** The original's answer to NAK and to an unreachable address (spec 2.4). */
function originalRefused(thread: Thread): void {
  if (thread.retries <= 1) {
    fail(thread, thread.flags & t.RETRANS ? RPC_FAILURE : RPC_NOTFOUND);
    return;
  }
  thread.retries--;
  if (!(thread.flags & t.RETRANS) && thread.retries <= RETRIES_INVALIDATE) relocate(thread);
  else putRequest(thread);
}

export function backoffExpired(thread: Thread): void {
  if (thread.refusals <= REFUSALS_BEFORE_LOCATE) putRequest(thread);
  else relocate(thread);
}

/** The server gave the transaction up, or cannot know what came of it. */
export function clientFail(thread: Thread): void {
  if (thread.state == t.VERIFY) {
    heard(thread);
    verified(thread);
    return;
  }
  fail(thread, RPC_FAILURE);
}

export function clientAlive(thread: Thread): void {
  heard(thread);
  thread.retries = RETRIES;
  if (thread.state == t.GETREP) t.threadTimer(thread, now + thread.pollUs);
}

/** FORWARD: another server serves this request; it begins again there. */
export function clientForward(thread: Thread, server: u64, from: u32): void {
  sendPlain(thread.peer, rpc.RPC_ACK, thread.tid, from, thread.index);
  t.threadStopReceiving(thread);
  placeSet(thread.port, server, 0, 0, thread.roundtripMs);
  thread.peer = server;
  thread.peerThread = 0;
  thread.features = 0;
  thread.tid = newTid();
  thread.flags &= ~(t.RETRANS | t.INVALIDATED);
  putRequest(thread);
}

/** REPEAT: the server lacks pieces of the request. */
export function clientRepeat(thread: Thread, ranges: usize, count: u32): void {
  if (thread.state != t.PUTREQ) return;
  heard(thread);
  for (let i: u32 = 0; i < count; i++) {
    messageRepeat(thread.message, load<u32>(ranges + i * 8), load<u32>(ranges + i * 8, 4));
  }
}

/** A REQUEST, RECEIVED or ENQUIRE of this thread came back. */
export function clientUndeliverable(thread: Thread, reason: u32): void {
  if (reason & 0x20) thread.flags |= t.UNTRUSTED;
  else thread.flags |= t.UNREACHABLE;
  if (thread.state == t.VERIFY) {
    thread.retries = RETRIES;
    relocate(thread);
    return;
  }
  if (thread.flags & t.UNTRUSTED) {
    fail(thread, thread.flags & t.RETRANS ? RPC_FAILURE : RPC_UNSAFE);
    return;
  }
  // It may have been executed before the address went away: look for that address, and ask.
  thread.flags |= t.RETRANS;
  messageCancel(thread.message);
  locateStart(thread.peer, address, true);
}
