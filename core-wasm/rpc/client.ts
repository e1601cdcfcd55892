// The client side of RPC: trans, from the search for the port to the acknowledged reply.
//
// - The states are those of threads.ts; spec section 2.4 is the original's machine.
// - Each part is a file: client-locate (the port), client-request (the request is out),
//   client-reply (the reply comes in), client-ask (questions), client-end.
// - RPC_NOTFOUND: certainly not executed. RPC_FAILURE: it may have been.

import * as layout from "../layout";
import { RPC_ABORTED } from "../status";
import { nowMs } from "../memory/clock";
import { deadMs, locateTimeoutMs, pollMs, verifyMs } from "../memory/settings";
import { MESSAGE_IDLE } from "../flip/messages";
import { FLIP_SECURITY } from "../wire/flip";
import { enquire, probe } from "./client-ask";
import { clientSettle, fail } from "./client-end";
import { hereisTake, locate, locateExpired } from "./client-locate";
import { getReplyExpired } from "./client-reply";
import {
  RETRIES,
  backoffExpired,
  putRequest,
  putRequestExpired,
  verify,
  verifyExpired,
} from "./client-request";
import { MESSAGE_PREFIX } from "./fragments";
import { address, newTid } from "./packets";
import { Place, placeFind } from "./ports";
import * as t from "./threads";
import { Thread } from "./threads";

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

/** A HEREIS came (RPC header at `p`). */
export function clientHereis(p: usize, source: u64): void {
  const port = hereisTake(p, source);
  if (port != 0) clientPortFound(port);
}

/** All threads that look for this port go on: it is in the cache, or served here. */
function clientPortFound(port: u64): void {
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

/** The client thread of a packet to (thread, tid) from `source`, if it waits for that; else null. */
export function clientOf(thread: u32, tid: u32, source: u64): Thread {
  if (thread >= t.threadCapacity()) return changetype<Thread>(0);
  const client = t.threadAt(thread);
  const waits = client.state == t.PUTREQ || client.state == t.GETREP || client.state == t.VERIFY;
  if (!waits || client.tid != tid || client.peer != source) return changetype<Thread>(0);
  return client;
}

/** The address of a call's peer was found again: ask at once. */
export function clientLocated(thread: Thread): void {
  if (thread.state == t.VERIFY || (thread.state == t.PUTREQ && thread.message.state == MESSAGE_IDLE))
    probe(thread);
  else if (thread.state == t.GETREP) enquire(thread);
}

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

/** A signal to a thread that makes a call; see spec 2.6. */
export function clientSignal(thread: Thread): void {
  thread.flags |= t.SIGNALLED;
  if (thread.state == t.LOCATE || thread.state == t.VERIFY || thread.state == t.BACKOFF) {
    fail(thread, RPC_ABORTED);
  } else if (thread.state == t.GETREP) {
    enquire(thread);
  }
}
