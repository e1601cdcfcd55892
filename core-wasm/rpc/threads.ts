// Threads: one record for every call being made and every service being given.
//
// - A thread's index is its number on the wire; (FLIP address, index) names it. Its
//   handle carries a generation, so that a stale one is refused.
// - Clients:  FREE → LOCATE → (VERIFY) → PUTREQ → GETREP → OWING → FREE
//   Servers:  FREE → GETREQ → RECEIVING → SERVING → PUTREP → FREE
// - OWING: the reply is in the caller's hands, its acknowledgement rides on this
//   thread's next request or goes out by itself after the ack delay.
// - Lists are doubly linked by thread address; a thread is in one list at a time.

import { LAYOUT_ADDRESS, LAYOUT_THREADS_BUSY } from "../layout";
import { allocate } from "../memory/arena";
import { insist } from "../memory/assert";
import { now } from "../memory/clock";
import { mix } from "../memory/table";
import { timerClear, timerSet } from "../memory/timers";
import { MESSAGE_BYTES, Message, messageCancel } from "../flip/messages";
import { GAPS_BYTES } from "./gaps";

export const FREE: u32 = 0;
export const LOCATE: u32 = 1; // client: looking for the port
export const VERIFY: u32 = 2; // client: asking an old acquaintance whether it is there
export const BACKOFF: u32 = 3; // client: refused, tries again in a moment
export const PUTREQ: u32 = 4; // client: request sent, nothing heard
export const GETREP: u32 = 5; // client: request acknowledged, or the reply is coming in
export const OWING: u32 = 6; // client: done, acknowledgement outstanding
export const LOCAL: u32 = 7; // client: served by a thread of this kernel
export const GETREQ: u32 = 8; // server: waiting for a request
export const RECEIVING: u32 = 9; // server: a request is coming in
export const SERVING: u32 = 10; // server: the request is the caller's
export const PUTREP: u32 = 11; // server: reply sent, not acknowledged

// Flags of a call
export const RETRANS: u32 = 1; // a timer ran out: the request may have been executed
export const NACKED: u32 = 2;
export const UNREACHABLE: u32 = 4;
export const UNTRUSTED: u32 = 8;
export const SIGNALLED: u32 = 16;
export const INVALIDATED: u32 = 32;
export const LEGACY: u32 = 64;
export const SIGNAL_GIVEN: u32 = 128; // server: the signal was handed to the host
export const FORWARDING: u32 = 256; // server: the reply is a FORWARD
export const ORPHAN: u32 = 1024; // server: its client, of this kernel, has died
export const SAMPLED: u32 = 512; // client: the round trip of this call was measured

@unmanaged
export class Thread {
  index: u32;
  generation: u32;
  state: u32;
  flags: u32;
  next: u32; // in a list
  previous: u32;
  list: u32; // the List it is in, 0 in none
  bucketNext: u32; // in the index of clients being served
  port: u64;
  header: u32; // where the 32-byte header goes
  buffer: u32; // where the data goes
  capacity: u32;
  tid: u32;
  peer: u64; // the other side's FLIP address
  peerKernel: u64; // server: the client's kernel id
  peerThread: u32;
  features: u32; // extensions that hold with the peer
  source: u64; // FLIP address messages of which are being received
  incoming: u32; // id of the message being received
  total: u32; // its bytes
  highest: u32; // the end of the last byte of it that came
  progress: u32; // of the outgoing message when its timer last ran out
  receiving: u32; // in the list of receivers
  behind: u32; // fragments that came behind a gap since it was last asked for
  stalled: u32; // asked for all after silence: how many may come twice before that was too soon
  retries: u32;
  refusals: u32;
  roundtripMs: u32; // as the original estimates it
  hops: u32;
  started: i64;
  heard: i64; // when the peer last gave a sign of life
  sent: i64; // when the request left
  asked: i64; // when missing fragments were last asked for
  interval: i64; // until the next try
  locateUs: i64;
  pollUs: i64;
  deadUs: i64;
  nonce: u64;
  partner: u32; // the thread on the other side, when it is in this kernel
  message: Message;
  prefix: u32; // 64 bytes: RPC header, message header
  gaps: u32;
}

@unmanaged
export class List {
  first: u32;
  last: u32;
}

let base: usize = 0;
let stride: u32 = 0;
let capacity: u32 = 0;
let timerBase: u32 = 0;
let buckets: usize = 0;
let bucketMask: u32 = 0;
let free: List = changetype<List>(0);

/** Clients that look for their port; clients that owe an acknowledgement; receivers. */
export let locating: List = changetype<List>(0);
export let owing: List = changetype<List>(0);
export let threadsBusy: u32 = 0;

const PREFIX_BYTES: u32 = 64;

/** Their timers are the ids from `timers` on. */
export function threadsOpen(threads: u32, timers: u32): void {
  stride = (offsetof<Thread>() + PREFIX_BYTES + GAPS_BYTES + MESSAGE_BYTES + 15) & ~15;
  capacity = threads;
  timerBase = timers;
  busy(0);
  receivers = 0;
  base = allocate((threads as u64) * stride);
  free = listNew();
  locating = listNew();
  owing = listNew();
  let size: u32 = 16;
  while (size < threads) size <<= 1;
  bucketMask = size - 1;
  buckets = allocate((size as u64) * 4);
  if (buckets == 0 || base == 0) return;
  for (let i = threads; i > 0; i--) {
    const thread = threadAt(i - 1);
    const at = changetype<usize>(thread) as u32;
    thread.index = i - 1;
    thread.prefix = at + offsetof<Thread>();
    thread.gaps = thread.prefix + PREFIX_BYTES;
    thread.message = changetype<Message>((thread.gaps + GAPS_BYTES) as usize);
    listPush(free, thread);
  }
}

export function threadCapacity(): u32 {
  return capacity;
}

// @ts-ignore: decorator
@inline
export function threadAt(index: u32): Thread {
  return changetype<Thread>(base + (index as usize) * stride);
}

// ---- lists -----------------------------------------------------------------------

export function listNew(): List {
  return changetype<List>(allocate(offsetof<List>()));
}

/** In front. */
export function listPush(list: List, thread: Thread): void {
  insist(thread.list == 0, 320);
  const at = changetype<usize>(thread) as u32;
  thread.list = changetype<usize>(list) as u32;
  thread.previous = 0;
  thread.next = list.first;
  if (list.first != 0) changetype<Thread>(list.first).previous = at;
  else list.last = at;
  list.first = at;
}

/** At the end. */
export function listAppend(list: List, thread: Thread): void {
  insist(thread.list == 0, 321);
  const at = changetype<usize>(thread) as u32;
  thread.list = changetype<usize>(list) as u32;
  thread.next = 0;
  thread.previous = list.last;
  if (list.last != 0) changetype<Thread>(list.last).next = at;
  else list.first = at;
  list.last = at;
}

/** Out of whatever list it is in. */
export function listLeave(thread: Thread): void {
  if (thread.list == 0) return;
  const list = changetype<List>(thread.list);
  if (thread.previous != 0) changetype<Thread>(thread.previous).next = thread.next;
  else list.first = thread.next;
  if (thread.next != 0) changetype<Thread>(thread.next).previous = thread.previous;
  else list.last = thread.previous;
  thread.list = 0;
}

/** The host reads it in the layout record. */
// @ts-ignore: decorator
@inline
function busy(count: u32): void {
  threadsBusy = count;
  store<u32>((LAYOUT_ADDRESS as usize) + (LAYOUT_THREADS_BUSY as usize) * 4, count);
}

// ---- life ------------------------------------------------------------------------

/** A free thread, or null. */
export function threadTake(): Thread {
  const thread = changetype<Thread>(free.first);
  if (changetype<usize>(thread) == 0) return thread;
  listLeave(thread);
  busy(threadsBusy + 1);
  threadReset(thread);
  return thread;
}

/** Clears what a call leaves behind; the thread stays taken, under a new handle. */
export function threadReset(thread: Thread): void {
  thread.generation = (thread.generation + 1) & 0x7fff;
  thread.flags = 0;
  thread.retries = 0;
  thread.refusals = 0;
  thread.partner = 0;
  thread.peer = 0;
  thread.features = 0;
  thread.roundtripMs = 10;
  thread.started = now;
  thread.heard = now;
  thread.asked = 0;
  thread.stalled = 0;
  thread.behind = 0;
}

export function threadFree(thread: Thread): void {
  insist(thread.state != FREE, 322);
  timerClear(timerBase + thread.index);
  messageCancel(thread.message);
  threadStopReceiving(thread);
  listLeave(thread);
  thread.state = FREE;
  thread.generation = (thread.generation + 1) & 0x7fff;
  busy(threadsBusy - 1);
  listPush(free, thread);
}

// @ts-ignore: decorator
@inline
export function threadHandle(thread: Thread): i32 {
  return ((thread.generation << 15) | thread.index) as i32;
}

/** The thread of a handle, or null when the handle is stale. */
export function threadOf(handle: i32): Thread {
  const index = (handle as u32) & 0x7fff;
  if (handle < 0 || index >= capacity) return changetype<Thread>(0);
  const thread = threadAt(index);
  if (thread.generation != (handle as u32) >> 15 || thread.state == FREE) return changetype<Thread>(0);
  return thread;
}

// @ts-ignore: decorator
@inline
export function threadTimer(thread: Thread, deadline: i64): void {
  timerSet(timerBase + thread.index, deadline);
}

// @ts-ignore: decorator
@inline
export function threadTimerOff(thread: Thread): void {
  timerClear(timerBase + thread.index);
}

// ---- who is being served ---------------------------------------------------------

// @ts-ignore: decorator
@inline
function bucketOf(address: u64, thread: u32): usize {
  return buckets + ((mix(address, thread) & bucketMask) as usize) * 4;
}

/** Notes that this thread serves (peer, peerThread). */
export function servingAdd(thread: Thread): void {
  const bucket = bucketOf(thread.peer, thread.peerThread);
  thread.bucketNext = load<u32>(bucket);
  store<u32>(bucket, changetype<usize>(thread) as u32);
}

export function servingRemove(thread: Thread): void {
  let link = bucketOf(thread.peer, thread.peerThread);
  const at = changetype<usize>(thread) as u32;
  while (load<u32>(link) != at) {
    link = changetype<usize>(changetype<Thread>(load<u32>(link))) + offsetof<Thread>("bucketNext");
    insist(load<u32>(link) != 0, 323);
  }
  store<u32>(link, thread.bucketNext);
}

/** The first thread in the chain of a client's thread; go on by bucketNext, compare by yourself. */
// @ts-ignore: decorator
@inline
export function servingFirst(address: u64, thread: u32): Thread {
  return changetype<Thread>(load<u32>(bucketOf(address, thread)));
}

/** The thread that serves exactly this transaction, or null. */
export function servingFind(address: u64, thread: u32, tid: u32): Thread {
  let at = servingFirst(address, thread);
  while (changetype<usize>(at) != 0) {
    if (at.peer == address && at.peerThread == thread && at.tid == tid) return at;
    at = changetype<Thread>(at.bucketNext);
  }
  return at;
}

// ---- who is receiving fragments ---------------------------------------------------

let receivers: u32 = 0; // chain by `receiving`, most recent first; 1 ends it

/** This thread takes fragments of (source, incoming) from now on. */
export function threadReceive(thread: Thread, source: u64, id: u32): void {
  thread.source = source;
  thread.incoming = id;
  if (thread.receiving != 0) return;
  thread.receiving = receivers == 0 ? 1 : receivers;
  receivers = changetype<usize>(thread) as u32;
}

export function threadStopReceiving(thread: Thread): void {
  if (thread.receiving == 0) return;
  const at = changetype<usize>(thread) as u32;
  if (receivers == at) {
    receivers = thread.receiving == 1 ? 0 : thread.receiving;
  } else {
    let other = changetype<Thread>(receivers);
    while (other.receiving != at) {
      insist(other.receiving > 1, 324);
      other = changetype<Thread>(other.receiving);
    }
    other.receiving = thread.receiving;
  }
  thread.receiving = 0;
}

/** The thread that takes fragments of this message, or null. */
export function receiverFind(source: u64, id: u32): Thread {
  let at = receivers;
  while (at > 1) {
    const thread = changetype<Thread>(at);
    if (thread.incoming == id && thread.source == source) return thread;
    at = thread.receiving;
  }
  return changetype<Thread>(0);
}
