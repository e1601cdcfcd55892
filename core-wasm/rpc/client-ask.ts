// What a client asks while it waits: RECEIVED, ENQUIRE, and FLIP where its peer is.
//
// - Each answer is a sign of life (heard); silence is measured from the last one.

import * as layout from "../layout";
import { now, nowMs } from "../memory/clock";
import { countUp } from "../memory/counters";
import { locateStart } from "../flip/locate";
import * as rpc from "../wire/rpc";
import { address, sendQuestion } from "./packets";
import { placeFind } from "./ports";
import * as t from "./threads";
import { Thread } from "./threads";

export function heard(thread: Thread): void {
  thread.heard = now;
  const place = placeFind(thread.port);
  if (changetype<usize>(place) == 0 || place.address != thread.peer) return;
  place.heardMs = nowMs();
  if (thread.flags & (t.SAMPLED | t.RETRANS) || thread.state != t.PUTREQ) return;
  thread.flags |= t.SAMPLED;
  const sample = min<i64>(now - thread.sent, 1000000) as u32;
  place.roundtripUs = place.roundtripUs == 0 ? sample : (place.roundtripUs * 7 + sample) >> 3;
}

/** RECEIVED: did you get my request? */
export function probe(thread: Thread): void {
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

export function enquire(thread: Thread): void {
  countUp(layout.COUNTER_ENQUIRIES_OUT);
  const signal = thread.flags & t.SIGNALLED ? rpc.RPC_SIGTRANS : 0;
  sendQuestion(thread.peer, 0, rpc.RPC_ENQUIRE, signal, thread.tid, thread.peerThread, thread.index);
}

/** FLIP INVAL: forget the route, once a call, and look again. */
export function invalidate(thread: Thread): void {
  if (thread.flags & t.INVALIDATED) return;
  thread.flags |= t.INVALIDATED;
  locateStart(thread.peer, address, true);
}
