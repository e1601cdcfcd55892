// A client that has been heard: the reply comes in, or the server is still at it.
//
// - A reply goes straight to the caller's buffer. When it stops coming, the missing part
//   is asked for; when all is silent, ENQUIRE asks whether the server lives.

import * as layout from "../layout";
import { EXTENSION_IMPLICIT_ACK } from "../limits";
import { RPC_FAILURE, STD_OK } from "../status";
import { insist } from "../memory/assert";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { ackDelayUs } from "../memory/settings";
import { messageCancel } from "../flip/messages";
import * as rpc from "../wire/rpc";
import { enquire, heard, invalidate } from "./client-ask";
import { clientSettle, fail } from "./client-end";
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
import { sendPlain } from "./packets";
import * as t from "./threads";
import { Thread } from "./threads";

const PROBE_LONGEST_US: i64 = 100000;

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

export function getReplyExpired(thread: Thread): void {
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
