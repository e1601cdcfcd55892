// Looking for a port: LOCATE over ever more hops, until a server answers or the time is up.
//
// - The first one goes out at once, over the networks at hand; then 7, 15, 25 hops every
//   100 ms, and from there in doubling intervals.
// - Threads that look for the same port at the same time ask once.
// - Source: spec sections 2.3 and 2.4.

import { RPC_NOTFOUND, RPC_UNSAFE } from "../status";
import { now, nowMs } from "../memory/clock";
import { messageCancel } from "../flip/messages";
import { HOPS_MAX } from "../wire/flip";
import * as rpc from "../wire/rpc";
import { fail } from "./client-end";
import { looksLikeOurs, question, settledBits } from "./negotiate";
import { broadcastLocate } from "./packets";
import { placeSet } from "./ports";
import * as t from "./threads";
import { Thread } from "./threads";

const LOCATE_INTERVAL_US: i64 = 100000;
const LOCATE_FIRST_HOPS: u32 = 3;

export function locate(thread: Thread): void {
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

export function locateExpired(thread: Thread): void {
  if (now - thread.started >= thread.locateUs) {
    fail(thread, thread.flags & t.UNTRUSTED ? RPC_UNSAFE : RPC_NOTFOUND);
    return;
  }
  if (thread.hops < HOPS_MAX) thread.hops = min<u32>(2 * thread.hops + 1, HOPS_MAX);
  else thread.interval *= 2;
  ask(thread);
}

/** Takes a HEREIS (RPC header at `p`): the port that is in the cache now, or 0 when it answers nobody. */
export function hereisTake(p: usize, source: u64): u64 {
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
      if (bits == 0 && age > looking) return 0;
      // One of ours answered another question, or this one was damaged on its way: it will
      // answer the next. Only an original with rubbish in that field goes on like that.
      if (bits == 0 && looksLikeOurs(rpc.kid(p)) && thread.hops < HOPS_MAX) return 0;
      found = true;
    }
  }
  if (!found) return 0;
  const roundtrip = nowMs() - rpc.tid(p);
  placeSet(port, source, rpc.fromThread(p), bits, roundtrip == 0 ? 10 : min<u32>(roundtrip, 1000));
  return port;
}
