// Taking in a message that comes in fragments: a request at a server, a reply at a client.
//
// - The thread's gaps say what is missing; data goes straight to the caller's buffer,
//   the 32-byte header to its place. What does not fit the buffer is dropped, silently,
//   as the original does.
// - With a peer of ours a fragment that is missing is asked for (REPEAT) once three have
//   come behind it, or when nothing comes for a while; with an original its timers rule.
// - How long that while is follows from what comes twice: where most of what was asked for
//   had only been waiting, in a queue on its way or in a ring that nobody looked at, it
//   doubles, and shrinks again with the messages that come without. Losses do not lengthen
//   it: what was lost does not come twice.

import { COUNTER_DUPLICATES, COUNTER_REPEATS_ASKED } from "../layout";
import { EXTENSION_SELECTIVE_REPEAT } from "../limits";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { HEADER, headerCopy } from "../wire/header";
import { RPC_HEADER, RPC_REPLY_FLAG, RPC_REQUEST_FLAG } from "../wire/rpc";
import { gapEnd, gapStart, gapsCount, gapsFill, gapsHave, gapsOpen } from "./gaps";
import { REPEAT_RANGES_MAX, repeatRange, sendRepeat } from "./packets";
import {
  recordData,
  recordLength,
  recordOffset,
  recordTotal,
  stashForget,
  stashLowest,
  stashNext,
} from "./stash";
import { GETREP, Thread, threadReceive } from "./threads";

/** RPC header and message header: the bytes of a message in front of its data. */
export const MESSAGE_PREFIX: u32 = RPC_HEADER + HEADER;
/** Without a fragment for so long, the rest is asked for: at least, and at most. */
const STALL_US: i64 = 4000;
const STALL_LONGEST_US: i64 = 64000;
const BEHIND_BEFORE_ASKING: u32 = 3;
/** So many fragments twice, after silence: it was too short. */
const TWICE_TOO_MANY: u32 = 16;

let stallUs: i64 = STALL_US;
let raised: i64 = 0; // when it was last found too short: once for all that asked before

/** Gets ready for a message of `total` bytes. */
export function fragmentsOpen(thread: Thread, source: u64, id: u32, total: u32): void {
  gapsOpen(thread.gaps, total);
  thread.total = total;
  thread.highest = 0;
  thread.behind = 0;
  thread.asked = 0;
  thread.stalled = 0;
  thread.interval = stallUs;
  threadReceive(thread, source, id);
}

/** Takes one fragment; true when the message is complete with it. */
export function fragmentTake(thread: Thread, data: usize, length: u32, offset: u32, total: u32): bool {
  if (total != thread.total || offset + length > total) return false;
  const end = offset + length;
  if (length == 0 || gapsHave(thread.gaps, offset, end)) {
    countUp(COUNTER_DUPLICATES);
    if (thread.stalled > 0 && --thread.stalled == 0) stallTooShort(thread);
    return false;
  }
  if (!gapsFill(thread.gaps, offset, end)) return false;
  thread.heard = now;
  thread.interval = stallUs;
  fragmentCopy(thread, data, length, offset);
  if (end > thread.highest) thread.highest = end;
  const missing = gapsCount(thread.gaps);
  if (missing == 0) {
    if (thread.stalled == TWICE_TOO_MANY) stallUs = max<i64>(stallUs - (stallUs >> 3), STALL_US);
    else if (thread.asked == 0) stallUs = max<i64>(stallUs - (stallUs >> 6), STALL_US);
    return true;
  }
  if (gapStart(thread.gaps, 0) < thread.highest) {
    if (++thread.behind >= BEHIND_BEFORE_ASKING) fragmentsAsk(thread, false);
  } else {
    thread.behind = 0;
  }
  return false;
}

function stallTooShort(thread: Thread): void {
  if (thread.asked <= raised) return;
  raised = now;
  stallUs = min<i64>(stallUs * 2, STALL_LONGEST_US);
}

/** Copies what a fragment holds of the header and the data to the caller's. */
// @ts-ignore: decorator
@inline
export function fragmentCopy(thread: Thread, data: usize, length: u32, offset: u32): void {
  const end = offset + length;
  if (offset < MESSAGE_PREFIX) {
    // check() has seen to it that a first fragment holds both headers whole.
    if (offset == 0) headerCopy(thread.header, data + RPC_HEADER);
    if (end <= MESSAGE_PREFIX) return;
    data += MESSAGE_PREFIX - offset;
    offset = MESSAGE_PREFIX;
  }
  const at = offset - MESSAGE_PREFIX;
  if (at >= thread.capacity) return;
  memory.copy(thread.buffer + at, data, min<u32>(end - offset, thread.capacity - at));
}

/** Asks the peer for what is missing; with `all`, also for what has not begun to come. */
export function fragmentsAsk(thread: Thread, all: bool): void {
  if (!(thread.features & EXTENSION_SELECTIVE_REPEAT)) return;
  if (!all && now - thread.asked < STALL_US / 2) return;
  thread.asked = now;
  thread.behind = 0;
  thread.stalled = all ? TWICE_TOO_MANY : 0;
  let ranges: u32 = 0;
  const count = gapsCount(thread.gaps);
  for (let i: u32 = 0; i < count && ranges < REPEAT_RANGES_MAX; i++) {
    const start = gapStart(thread.gaps, i);
    if (!all && start >= thread.highest) break;
    repeatRange(ranges++, start, gapEnd(thread.gaps, i));
  }
  if (ranges == 0) return;
  countUp(COUNTER_REPEATS_ASKED);
  const flag = thread.state == GETREP ? RPC_REPLY_FLAG : RPC_REQUEST_FLAG;
  sendRepeat(thread.peer, ranges, flag, thread.tid, thread.peerThread, thread.index);
}

/** Feeds what came before the first fragment; true when the message is complete with it. */
export function fragmentsUnstash(thread: Thread): bool {
  let record = stashNext(thread.source, thread.incoming, 0);
  while (record != 0) {
    const done = fragmentTake(
      thread,
      recordData(record),
      recordLength(record),
      recordOffset(record),
      recordTotal(record),
    );
    stashForget(record);
    if (done) return true;
    record = stashNext(thread.source, thread.incoming, record);
  }
  return false;
}

/** Of a message that we have pieces of but not the first: asks for that one. False: nothing is known of it. */
export function fragmentsAskFirst(source: u64, id: u32, flag: u32, tid: u32, dest: u32, from: u32): bool {
  const lowest = stashLowest(source, id);
  if (lowest == 0) return false;
  repeatRange(0, 0, lowest);
  countUp(COUNTER_REPEATS_ASKED);
  return sendRepeat(source, 1, flag, tid, dest, from);
}
