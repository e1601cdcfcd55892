// The client side of RPC: trans, from the search for the port to the acknowledged reply.
//
// - The states are those of threads.ts; spec section 2.4 is the original's machine.
// - Towards a peer of ours a refused request comes back under a new transaction id, so a
//   NAK is final for the old one; towards an original it is the same id, as it expects.
// - A place not heard from for a while is asked first (VERIFY): a request is only sent
//   to a server that was there a moment ago. Once it is sent, an address that vanishes
//   means RPC_FAILURE, never a second try elsewhere: the server may have executed it.
// - RPC_NOTFOUND: certainly not executed. RPC_FAILURE: it may have been.

import * as layout from "../layout";
import { EXTENSION_FRESH_TID, EXTENSION_IMPLICIT_ACK, EXTENSION_SHORT_TIMERS } from "../limits";
import { RPC_ABORTED, RPC_FAILURE, RPC_NOTFOUND, RPC_TRYAGAIN, RPC_UNSAFE, STD_OK } from "../status";
import { insist } from "../memory/assert";
import { now, nowMs } from "../memory/clock";
import { countUp } from "../memory/counters";
import { ackDelayUs, deadMs, locateTimeoutMs, pollMs, verifyMs } from "../memory/settings";
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
import { networkCount } from "../flip/networks";
import { FLIP_SECURITY, HOPS_MAX } from "../wire/flip";
import * as rpc from "../wire/rpc";
import { complete } from "./completions";
import {
  MESSAGE_PREFIX,
  fragmentCopy,
  fragmentTake,
  fragmentsAsk,
  fragmentsAskFirst,
  fragmentsOpen,
  fragmentsUnstash,
} from "./fragments";
import { question, settledBits } from "./negotiate";
import { address, broadcastLocate, kernelId, newTid, sendAck, sendPlain, sendQuestion } from "./packets";
import { Place, placeDrop, placeFind, placeSet } from "./ports";
import * as t from "./threads";
import { Thread } from "./threads";

const LOCATE_INTERVAL_US: i64 = 100000;
const LOCATE_FIRST_HOPS: u32 = 3;
const SERVE_TIMEOUT_US: i64 = 1000000; // the original's SERVETIMEOUT
const RETRIES: u32 = 10;
const RETRIES_INVALIDATE: u32 = 5;
const PROBE_FIRST_US: i64 = 10000;
const PROBE_LONGEST_US: i64 = 100000;
const VERIFY_TRIES: u32 = 4;
const BACKOFF_US: i64 = 100;
const BACKOFF_LONGEST_US: i64 = 20000;
const REFUSALS_BEFORE_LOCATE: u32 = 5;

// ---- beginning and end -----------------------------------------------------------

/**
 * Begins a call; `thread` was just taken and has its buffers set, its prefix the
 * caller's header behind RPC_HEADER. `options`: the record of layout.ts, or 0.
 */
export function clientBegin(thread: Thread, port: u64, data: usize, size: u32, options: usize): void {
  thread.port = port;
  thread.locateUs = option(options, layout.OPTION_LOCATE_TIMEOUT_MS, locateTimeoutMs);
  thread.pollUs = option(options, layout.OPTION_POLL_MS, pollMs);
  thread.deadUs = option(options, layout.OPTION_DEAD_MS, deadMs);
  thread.retries = RETRIES;
  const message = thread.message;
  message.prefix = thread.prefix;
  message.prefixLength = MESSAGE_PREFIX;
  message.body = data as u32;
  message.total = MESSAGE_PREFIX + size;
  message.source = address;
  message.flags = FLIP_SECURITY;
  thread.tid = newTid();
}

function option(options: usize, field: usize, standard: u32): i64 {
  const given = options != 0 ? load<u32>(options + field) : 0;
  return ((given != 0 ? given : standard) as i64) * 1000;
}

/** Sends the call to where its port was last found, or looks for it. */
export function clientGo(thread: Thread): void {
  const place = placeFind(thread.port);
  if (changetype<usize>(place) == 0) {
    locate(thread);
    return;
  }
  follow(thread, place);
  if (nowMs() - place.heardMs > verifyMs) verify(thread);
  else putRequest(thread);
}

function follow(thread: Thread, place: Place): void {
  thread.peer = place.address;
  thread.peerThread = place.thread;
  thread.features = place.features;
  thread.roundtripMs = place.roundtripMs;
}

/** A thread that owes the server of this port an acknowledgement which the next request can be. */
export function clientTakeOwing(port: u64): Thread {
  const place = placeFind(port);
  if (changetype<usize>(place) == 0 || nowMs() - place.heardMs > verifyMs) return changetype<Thread>(0);
  let at = t.owing.first;
  for (let i = 0; at != 0 && i < 8; i++) {
    const thread = changetype<Thread>(at);
    if (thread.peer == place.address) {
      t.listLeave(thread);
      t.threadReset(thread);
      countUp(layout.COUNTER_ACKS_IMPLICIT);
      return thread;
    }
    at = thread.next;
  }
  return changetype<Thread>(0);
}

/** Makes a thread free by sending the acknowledgement that it owes. */
export function clientSettleOldest(): bool {
  const thread = changetype<Thread>(t.owing.last);
  if (changetype<usize>(thread) == 0) return false;
  clientSettle(thread);
  return true;
}

function clientSettle(thread: Thread): void {
  countUp(layout.COUNTER_ACKS_OUT);
  sendAck(thread.peer, thread.port, thread.tid, thread.peerThread, thread.index);
  t.threadFree(thread);
}

/** Ends a call without a reply. */
function fail(thread: Thread, status: i32): void {
  countUp(layout.COUNTER_CALLS_FAILED);
  const place = placeFind(thread.port);
  if (changetype<usize>(place) != 0 && place.address == thread.peer) placeDrop(thread.port);
  complete(t.threadHandle(thread), status, thread.header, 0);
  t.threadFree(thread);
}

// ---- looking for the port ----------------------------------------------------------

function locate(thread: Thread): void {
  messageCancel(thread.message);
  t.listLeave(thread);
  thread.state = t.LOCATE;
  thread.nonce = question();
  thread.hops = LOCATE_FIRST_HOPS;
  thread.interval = LOCATE_INTERVAL_US;
  thread.peer = 0;
  const alone = !othersLook(thread);
  t.listAppend(t.locating, thread);
  if (alone) ask(thread);
  else t.threadTimer(thread, now + LOCATE_INTERVAL_US);
}

/** True when another thread began to look for the same port a moment ago. */
function othersLook(thread: Thread): bool {
  let at = t.locating.last;
  while (at != 0) {
    const other = changetype<Thread>(at);
    if (other.port == thread.port && other.state == t.LOCATE && now - other.sent < LOCATE_INTERVAL_US)
      return true;
    at = other.previous;
  }
  return false;
}

function ask(thread: Thread): void {
  thread.sent = now;
  while (!broadcastLocate(thread.port, thread.nonce, thread.index, thread.hops) && thread.hops < HOPS_MAX) {
    thread.hops = min<u32>(2 * thread.hops + 1, HOPS_MAX);
  }
  t.threadTimer(thread, min<i64>(now + thread.interval, thread.started + thread.locateUs));
}

function locateExpired(thread: Thread): void {
  if (now - thread.started >= thread.locateUs) {
    fail(thread, thread.flags & t.UNTRUSTED ? RPC_UNSAFE : RPC_NOTFOUND);
    return;
  }
  if (thread.hops < HOPS_MAX) thread.hops = min<u32>(2 * thread.hops + 1, HOPS_MAX);
  else thread.interval *= 2;
  ask(thread);
}

/** A HEREIS came (RPC header at `p`). */
export function clientHereis(p: usize, source: u64): void {
  const port = rpc.port(p);
  const asker = rpc.destThread(p);
  let bits: u32 = 0;
  let found = false;
  if (asker < t.threadCapacity()) {
    const thread = t.threadAt(asker);
    if (thread.state == t.LOCATE && thread.port == port) {
      bits = settledBits(thread.nonce, rpc.kid(p));
      // An answer to a question of another time proves nothing, not even presence.
      const age = nowMs() - rpc.tid(p);
      const looking = ((now - thread.started) / 1000 + 1) as u32;
      if (bits == 0 && age > looking) return;
      found = true;
    }
  }
  if (!found) return;
  const roundtrip = nowMs() - rpc.tid(p);
  placeSet(port, source, rpc.fromThread(p), bits, roundtrip == 0 ? 10 : min<u32>(roundtrip, 1000));
  clientPortFound(port);
}

/** All threads that look for this port go on: it is in the cache, or served here. */
export function clientPortFound(port: u64): void {
  let at = t.locating.first;
  while (at != 0) {
    const thread = changetype<Thread>(at);
    at = thread.next;
    if (thread.port != port || thread.state != t.LOCATE) continue;
    const place = placeFind(port);
    if (changetype<usize>(place) == 0) return;
    t.listLeave(thread);
    follow(thread, place);
    putRequest(thread);
  }
}

// ---- the request -------------------------------------------------------------------

/** Asks a place that was silent for long whether it is there, before it gets a request. */
function verify(thread: Thread): void {
  thread.state = t.VERIFY;
  thread.retries = VERIFY_TRIES;
  thread.interval = thread.features & EXTENSION_SHORT_TIMERS ? PROBE_FIRST_US : SERVE_TIMEOUT_US / 4;
  verifyExpired(thread);
}

function verifyExpired(thread: Thread): void {
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
function putRequest(thread: Thread): void {
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

/** RECEIVED: did you get my request? */
function probe(thread: Thread): void {
  countUp(layout.COUNTER_RETRANSMISSIONS);
  sendQuestion(
    thread.peer,
    thread.features != 0 ? (thread.message.id as u64) : 0,
    rpc.RPC_RECEIVED,
    rpc.RPC_REQUEST_FLAG | (thread.features != 0 ? rpc.RPC_EXTENDED : 0),
    thread.tid,
    thread.peerThread,
    thread.index,
  );
}

function putRequestExpired(thread: Thread): void {
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

/** FLIP INVAL: forget the route, once a call, and look again. */
function invalidate(thread: Thread): void {
  if (thread.flags & t.INVALIDATED) return;
  thread.flags |= t.INVALIDATED;
  locateStart(thread.peer, address, true);
}

/** The address of a call's peer was found again: ask at once. */
export function clientLocated(thread: Thread): void {
  if (thread.state == t.VERIFY || (thread.state == t.PUTREQ && thread.message.state == MESSAGE_IDLE))
    probe(thread);
  else if (thread.state == t.GETREP) enquire(thread);
}

// ---- what the server says ----------------------------------------------------------

/** The client thread of a packet to (thread, tid) from `source`, if it waits for that; else null. */
export function clientOf(thread: u32, tid: u32, source: u64): Thread {
  if (thread >= t.threadCapacity()) return changetype<Thread>(0);
  const client = t.threadAt(thread);
  const waits = client.state == t.PUTREQ || client.state == t.GETREP || client.state == t.VERIFY;
  if (!waits || client.tid != tid || client.peer != source) return changetype<Thread>(0);
  return client;
}

function heard(thread: Thread): void {
  thread.heard = now;
  const place = placeFind(thread.port);
  if (changetype<usize>(place) == 0 || place.address != thread.peer) return;
  place.heardMs = nowMs();
  if (thread.flags & (t.SAMPLED | t.RETRANS) || thread.state != t.PUTREQ) return;
  thread.flags |= t.SAMPLED;
  const sample = min<i64>(now - thread.sent, 1000000) as u32;
  place.roundtripUs = place.roundtripUs == 0 ? sample : (place.roundtripUs * 7 + sample) >> 3;
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

function backoffExpired(thread: Thread): void {
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
  placeSet(thread.port, server, 0, 0, thread.roundtripMs);
  thread.peer = server;
  thread.peerThread = 0;
  thread.features = 0;
  thread.tid = newTid();
  thread.flags &= ~(t.RETRANS | t.INVALIDATED);
  putRequest(thread);
}

/** The server asks whether we have its reply; true when the thread waits for that one. */
export function clientAsked(thread: Thread, id: u32, from: u32): void {
  heard(thread);
  if (thread.state == t.GETREP && thread.receiving != 0) {
    if (thread.features != 0) fragmentsAsk(thread, true);
    else sendPlain(thread.peer, rpc.RPC_NAK, thread.tid, from, thread.index);
    return;
  }
  if (
    thread.features != 0 &&
    fragmentsAskFirst(thread.peer, id, rpc.RPC_REPLY_FLAG, thread.tid, from, thread.index)
  )
    return;
  sendPlain(thread.peer, rpc.RPC_NAK, thread.tid, from, thread.index);
}

/** REPEAT: the server lacks pieces of the request. */
export function clientRepeat(thread: Thread, ranges: usize, count: u32): void {
  if (thread.state != t.PUTREQ) return;
  heard(thread);
  for (let i: u32 = 0; i < count; i++) {
    messageRepeat(thread.message, load<u32>(ranges + i * 8), load<u32>(ranges + i * 8, 4));
  }
}

// ---- the reply ---------------------------------------------------------------------

/** The first fragment of a REPLY for this thread; `data` is the RPC header. */
export function clientReply(
  thread: Thread,
  data: usize,
  length: u32,
  total: u32,
  source: u64,
  id: u32,
): void {
  if (thread.state == t.VERIFY) return;
  heard(thread);
  thread.peerThread = rpc.fromThread(data);
  countUp(layout.COUNTER_REPLIES_IN);
  if (length == total) {
    fragmentCopy(thread, data, length, 0);
    thread.total = total;
    finish(thread);
    return;
  }
  thread.state = t.GETREP;
  messageCancel(thread.message);
  if (thread.receiving != 0 && thread.total == total) t.threadReceive(thread, source, id);
  else fragmentsOpen(thread, source, id, total);
  if (fragmentTake(thread, data, length, 0, total) || fragmentsUnstash(thread)) finish(thread);
  else t.threadTimer(thread, now + thread.interval);
}

/** A later fragment of the reply. */
export function clientFragment(thread: Thread, data: usize, length: u32, offset: u32, total: u32): void {
  if (fragmentTake(thread, data, length, offset, total)) finish(thread);
}

function finish(thread: Thread): void {
  insist(thread.total >= MESSAGE_PREFIX, 330);
  const length = min<u32>(thread.total - MESSAGE_PREFIX, thread.capacity);
  t.threadStopReceiving(thread);
  messageCancel(thread.message);
  complete(t.threadHandle(thread), STD_OK, thread.header, length);
  if (thread.features & EXTENSION_IMPLICIT_ACK) {
    thread.state = t.OWING;
    t.listPush(t.owing, thread);
    t.threadTimer(thread, now + (ackDelayUs as i64));
    return;
  }
  thread.state = t.OWING;
  clientSettle(thread);
}

function enquire(thread: Thread): void {
  countUp(layout.COUNTER_ENQUIRIES_OUT);
  const signal = thread.flags & t.SIGNALLED ? rpc.RPC_SIGTRANS : 0;
  sendQuestion(thread.peer, 0, rpc.RPC_ENQUIRE, signal, thread.tid, thread.peerThread, thread.index);
}

function getReplyExpired(thread: Thread): void {
  const silence = now - thread.heard;
  if (silence >= thread.deadUs) {
    fail(thread, RPC_FAILURE);
    return;
  }
  if (thread.receiving != 0 && thread.features != 0) {
    if (silence >= thread.interval) {
      if (silence > thread.deadUs / 2) invalidate(thread);
      fragmentsAsk(thread, true);
      thread.interval = min<i64>(thread.interval * 2, PROBE_LONGEST_US);
    }
    t.threadTimer(thread, now + thread.interval);
    return;
  }
  if (silence < thread.pollUs) {
    t.threadTimer(thread, thread.heard + thread.pollUs);
    return;
  }
  if (silence > thread.deadUs / 2) invalidate(thread);
  enquire(thread);
  t.threadTimer(thread, min<i64>(now + PROBE_LONGEST_US, thread.heard + thread.deadUs));
}

// ---- timers, signals, undeliverable packets -----------------------------------------

/** The timer of a client thread ran out. */
export function clientExpired(thread: Thread): void {
  switch (thread.state) {
    case t.LOCATE:
      locateExpired(thread);
      break;
    case t.VERIFY:
      verifyExpired(thread);
      break;
    case t.BACKOFF:
      backoffExpired(thread);
      break;
    case t.PUTREQ:
      putRequestExpired(thread);
      break;
    case t.GETREP:
      getReplyExpired(thread);
      break;
    case t.OWING:
      clientSettle(thread);
      break;
    default:
      break;
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

/** A signal to a thread that makes a call; see spec 2.6. */
export function clientSignal(thread: Thread): void {
  thread.flags |= t.SIGNALLED;
  if (thread.state == t.LOCATE || thread.state == t.VERIFY || thread.state == t.BACKOFF) {
    fail(thread, RPC_ABORTED);
  } else if (thread.state == t.GETREP) {
    enquire(thread);
  }
}

/** What a new call answers when no thread is free. */
export function clientFull(): i32 {
  countUp(layout.COUNTER_TABLE_FULL);
  return RPC_TRYAGAIN;
}

/** True when no network is attached: a call can only be served here. */
export function clientIsAlone(): bool {
  return networkCount == 0;
}
