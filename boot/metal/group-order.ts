// The order of the group as this machine goes along with it: deliveries, resets, what is sent when.
//
// - A group that closes (BC_ABORT) is reset with at least its minimum of members, again after a growing
//   pause; after RESETS failures `cut` says that the membership is over.
// - Messages that are told with an incarnation whose reset has not come wait for it. After a reset that
//   left out half of the members or more, those are asked first whether they go on without us: then
//   nothing of it is delivered here, and `cut` says so.
// - As control/group/{member,membership}.ts under Linux.

import { GROUP_COMMAND, GROUP_DESCRIBE, GROUP_JOIN, GROUP_PORT_MEMBER } from "../../build/metal/interface";
import * as layout from "../../core-wasm/layout";
import { BC_ABORT } from "../../core-wasm/status";
import { HEADER_PRIVATE_AT } from "../../core-wasm/wire/formats";
import { command, headerExtra, headerOffset } from "../../core-wasm/wire/header";
import { answered, answerLength, answerStatus, ask } from "./group-asks";
import { infoField, infoView, look, messageKeep, yieldsTo } from "./group-describe";
import { detectMs, gid, hasState, me, minimum } from "./group-here";
import { deliveryAt, filled, head, INBOX, inboxCompleted, inboxForget } from "./group-inbox";
import { inboxPost, inboxTaken } from "./group-inbox";
import { outApplied, outAt, outCompleted, outPump, ownSession } from "./group-out";
import { derivedPort, groupPort } from "./group-port";
import { sessionApplied, sessionRecord } from "./group-sessions";
import { fetched, isKeeper, joiner, snapshotKeep } from "./group-snapshots";
import { tellMember } from "./group-tell";
import { groupReset } from "./kernel";

const RESETS: u32 = 8;
const PAUSE_US: f64 = 50000;
const PAUSE_MOST_US: f64 = 1000000;
const LOST_MS: u32 = 250;
const LOST_DEAD_MS: u32 = 500;
const DOCUMENT: u32 = 32768;

/** The membership is over: others go on without us, or nobody can. */
export let cut: bool = false;
/** Members after the last message, a bit each. */
export let view: u64 = 0;
let incarnation: u32 = 0; // whose reset was delivered
let begun: u32 = 0; // messages up to this one are in the state that we took

let recovering: bool = false;
let holding: bool = false; // nothing is sent before the reset is delivered
let resets: u32 = 0; // since a message was delivered
let handle: i32 = -1; // of a reset
let resetAt: f64 = -1;
let lost: u64 = 0; // members to ask whether they go on without us
let asking: bool = false;
let asked: bool = false; // about the reset that is next
const header = memory.data(32, 8);

/** A member from now on: `look` has looked at the group. */
export function orderBegin(): void {
  view = infoView();
  incarnation = infoField(layout.GROUP_INFO_INCARNATION);
  recovering = false;
  holding = false;
  resets = 0;
  handle = -1;
  resetAt = -1;
  asking = false;
  asked = false;
  cut = false;
  inboxForget();
}

/** What comes behind `seqno` is delivered. */
export function orderFrom(seqno: u32, now: f64): void {
  begun = seqno;
  receive(now);
}

// ---- recovery ---------------------------------------------------------------------------

/** A receive or a send failed: the group wants a reset, or is none any more. */
export function stopped(status: i32, now: f64): void {
  if (!hasState || recovering) return;
  if (status != BC_ABORT && !look(gid)) {
    cut = true;
    return;
  }
  recovering = true;
  holding = true;
  reset(now);
}

function reset(now: f64): void {
  resetAt = -1;
  resets++;
  memory.fill(header, 0, 32);
  memory.copy(header, groupPort, 6);
  handle = groupReset(gid, header, minimum as i32, now);
  if (handle < 0) resetEnded(handle, now);
}

function resetEnded(status: i32, now: f64): void {
  handle = -1;
  const here = look(gid);
  if (status >= 0 && here) {
    recovering = false;
    // Nothing was reset: there is no delivery to wait for.
    if (infoField(layout.GROUP_INFO_INCARNATION) == incarnation) holding = false;
    receive(now);
  } else if (!here || resets >= RESETS) cut = true;
  else resetAt = now + min<f64>(PAUSE_US * ((1 << (resets - 1)) as f64), PAUSE_MOST_US);
}

// ---- inside -----------------------------------------------------------------------------

/** Begins to receive with every place that is free. */
export function receive(now: f64): void {
  const status = inboxPost(gid, now);
  if (status < 0) stopped(status, now);
}

function field(delivery: usize, at: i32): u32 {
  return load<u32>(delivery + (at as usize));
}

function viewOf(delivery: usize): u64 {
  return load<u64>(delivery, layout.DELIVERY_VIEW);
}

/** The first message is delivered. */
function give(now: f64): void {
  const delivery = deliveryAt(head);
  const seqno = field(delivery, layout.DELIVERY_SEQNO);
  const kind = field(delivery, layout.DELIVERY_KIND);
  const from = field(delivery, layout.DELIVERY_MEMBER);
  resets = 0;
  inboxTaken();
  if (((seqno - begun) as i32) <= 0) return;
  view = viewOf(delivery);
  if (kind == layout.DELIVERED_JOIN && command(delivery) == GROUP_JOIN && isKeeper(view, from, me))
    snapshotKeep(delivery, seqno, minimum, detectMs);
  messageKeep(delivery);
  if (kind == layout.DELIVERED_DATA && command(delivery) == GROUP_COMMAND) apply(delivery, seqno, now);
}

function apply(delivery: usize, seqno: u32, now: f64): void {
  const session = load<u64>(delivery + HEADER_PRIVATE_AT);
  const number = headerOffset(delivery) as u32;
  if (!sessionApplied(session, number)) sessionRecord(session, number, number - headerExtra(delivery), seqno);
  if (session == ownSession()) outApplied(number, seqno, now);
}

/** Delivers what may be; answers how many messages. */
function deliver(now: f64): u32 {
  const before = head;
  while (head != filled && !asking && !cut) {
    const first = deliveryAt(head);
    const isReset = field(first, layout.DELIVERY_KIND) == layout.DELIVERED_RESET;
    if (!isReset && field(first, layout.DELIVERY_INCARNATION) == incarnation) give(now);
    else if (!reform(now)) break;
  }
  return head - before;
}

/** Delivers the next reset, and what became final by it. False: it has not come, or members are asked. */
function reform(now: f64): bool {
  let at = head;
  let last = view;
  while (at != filled && field(deliveryAt(at), layout.DELIVERY_KIND) != layout.DELIVERED_RESET) {
    last = viewOf(deliveryAt(at));
    at++;
  }
  if (at == filled) {
    if (filled - head == INBOX) cut = true; // more than is kept here: the group's state is as good
    return false;
  }
  const next = viewOf(deliveryAt(at));
  if (!asked && 2 * popcnt(last & next) <= popcnt(last)) {
    lost = last & ~next;
    asking = true;
    askLost(now);
    return false;
  }
  asked = false;
  incarnation = field(deliveryAt(at), layout.DELIVERY_INCARNATION);
  while (head != at) give(now);
  give(now);
  if (!recovering && look(gid) && infoField(layout.GROUP_INFO_INCARNATION) == incarnation) holding = false;
  tellMember("reset, here as member ", view);
  return true;
}

/** Asks the next of those that a reset left out. */
function askLost(now: f64): void {
  if (lost == 0) {
    asking = false;
    asked = true;
    return;
  }
  const port = derivedPort(groupPort, GROUP_PORT_MEMBER, ctz(lost) as u32);
  lost &= lost - 1;
  ask(0, port, GROUP_DESCRIBE, 0, joiner, 0, fetched, DOCUMENT, LOST_MS, LOST_DEAD_MS, now);
}

function lostAnswered(now: f64): void {
  if (answerStatus(0) >= 0 && look(gid) && yieldsTo(gid, fetched, answerLength(0), now)) cut = true;
  else askLost(now);
}

// ---- the host's turn --------------------------------------------------------------------

/** A completion of the kernel's: true when it was of this. */
export function orderCompleted(completed: i32, status: i32, now: f64): bool {
  if (completed == handle) resetEnded(status, now);
  else if (!outCompleted(completed, status) && !inboxCompleted(completed, status)) return false;
  else if (status < 0) stopped(status, now);
  return true;
}

/** Does what is due; answers how many messages were delivered. */
export function orderTurn(now: f64): u32 {
  if (resetAt >= 0 && now >= resetAt) reset(now);
  if (asking && answered(0)) lostAnswered(now);
  const count = deliver(now);
  if (cut || recovering) return count;
  if (count > 0) receive(now);
  if (recovering || holding || asking) return count;
  const status = outPump(now);
  if (status < 0) stopped(status, now);
  return count;
}

/** When it wants a turn; below zero: when something comes. */
export function orderDeadline(): f64 {
  return resetAt < 0 || (outAt >= 0 && outAt < resetAt) ? outAt : resetAt;
}
