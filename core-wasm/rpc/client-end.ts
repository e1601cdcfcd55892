// How a call ends: completed, failed, or with an acknowledgement that is still owed.
//
// - A finished call towards a peer of ours stays OWING: its acknowledgement rides on the
//   thread's next request to the same server, or goes out after the ack delay.
// - A failed call forgets where its port was.

import * as layout from "../layout";
import { RPC_TRYAGAIN } from "../status";
import { nowMs } from "../memory/clock";
import { countUp } from "../memory/counters";
import { verifyMs } from "../memory/settings";
import { complete } from "./completions";
import { sendAck } from "./packets";
import { placeDrop, placeFind } from "./ports";
import * as t from "./threads";
import { Thread } from "./threads";

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

export function clientSettle(thread: Thread): void {
  countUp(layout.COUNTER_ACKS_OUT);
  sendAck(thread.peer, thread.port, thread.tid, thread.peerThread, thread.index);
  t.threadFree(thread);
}

/** Ends a call without a reply. */
export function fail(thread: Thread, status: i32): void {
  countUp(layout.COUNTER_CALLS_FAILED);
  const place = placeFind(thread.port);
  if (changetype<usize>(place) != 0 && place.address == thread.peer) placeDrop(thread.port);
  complete(t.threadHandle(thread), status, thread.header, 0);
  t.threadFree(thread);
}

/** What a new call answers when no thread is free. */
export function clientFull(): i32 {
  countUp(layout.COUNTER_TABLE_FULL);
  return RPC_TRYAGAIN;
}
