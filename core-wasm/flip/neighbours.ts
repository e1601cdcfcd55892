// The machines on attached networks: what each can take, and what it has been promised.
//
// - A neighbour is (network, MAC). Until it says otherwise it is an original: MTU 1500,
//   eight credits to begin with, timers of seconds.
// - HELLO (0x50), ours: {version 1, answer, features u16, mtu u32, nonce u32, check u32},
//   by unicast on first contact, answered once; originals drop the unknown type. A new
//   nonce means that the machine booted again: everything starts over.
// - Source: spec section 1.2; CONTRACTS for HELLO.

import { COUNTER_HELLOS_IN, COUNTER_TABLE_FULL } from "../layout";
import { EXTENSION_CHECKED, EXTENSION_LINK } from "../limits";
import { now, nowMs } from "../memory/clock";
import { countUp } from "../memory/counters";
import { extensions } from "../memory/settings";
import {
  Entry,
  Table,
  tableAdd,
  tableAt,
  tableFind,
  tableIndex,
  tableNew,
  tableRemove,
} from "../memory/table";
import { NEVER, timerDeadline, timerSet } from "../memory/timers";
import { checkAdd, checkOpen, checkValue } from "../wire/check";
import { FC_HELLO } from "../wire/ethernet";
import { FLIP_DATA_1500 } from "../wire/flip";
import { HEAD_DATA, headNew, networkAt, sendControl } from "./networks";

/** What an original promises at first, given at least eight receive buffers. */
export const CREDITS_FIRST: i32 = 8;
const MTU_ORIGINAL: u32 = 1500;
const HELLO_VERSION: u32 = 1;
const HELLO_BYTES: u32 = 16;
const HELLO_TRIES: u32 = 3; // in passing, a second apart
const HELLO_TRIES_MAX: u32 = 16; // when a message waits for the answer
const HELLO_RETRY_MS: u32 = 1000;
const HELLO_AGAIN_MS: u32 = 10000; // to one that never answered: it may have been cut off
const HELLO_AWAIT_US: i64 = 5000;
const HELLO_AWAIT_LONGEST_US: i64 = 50000;
const DOUBT_MS: u32 = 100;
const DOUBTS_MAX: u32 = 4;
const LINK_FEATURES: u32 = EXTENSION_LINK | EXTENSION_CHECKED;

@unmanaged
export class Neighbour extends Entry {
  // key: MAC, key2: network
  mtu: u32; // of the link: the smaller of both ends
  credits: i32; // fragments that we may still send to it
  sentSinceAsked: i32; // fragments sent since we asked for our credits
  asking: u32; // we asked, and the answer has not come
  trials: u32; // times that we asked in vain
  owed: u32; // fragments taken from it and not yet given back as credits
  held: u32; // fragments of it that still wait here, on their way through
  generous: u32; // the larger window has been granted
  known: u32; // it said HELLO: the extensions of the link hold
  checked: u32; // frames between us carry a check
  doubts: u32; // times that it was asked whether that still holds
  nonce: u32; // of its boot
  helloTries: u32;
  helloMs: u32;
  lastUsedMs: u32;
  ring: u32; // the Flow whose turn it is; 0 when nothing waits for credit
}

let table: Table = changetype<Table>(0);
let bootNonce: u32 = 0;
let timerBase: u32 = 0;

/** The greeting timers are the ids from `timers` on, by the neighbour's index. */
export function neighboursOpen(neighbours: u32, nonce: u32, timers: u32): void {
  timerBase = timers;
  table = tableNew(neighbours, offsetof<Neighbour>());
  bootNonce = nonce;
}

/** For those who only look: tables.ts. */
export function neighboursTable(): Table {
  return table;
}

// @ts-ignore: decorator
@inline
export function neighbourIndex(neighbour: Neighbour): u32 {
  return tableIndex(table, changetype<usize>(neighbour));
}

export function neighbourAt(index: u32): Neighbour {
  return changetype<Neighbour>(tableAt(table, index));
}

// @ts-ignore: decorator
@inline
export function neighbourFind(network: u32, mac: u64): Neighbour {
  return changetype<Neighbour>(tableFind(table, mac, network));
}

/** The neighbour, made when it is new; null when the table is full of busy ones. */
export function neighbourFor(network: u32, mac: u64): Neighbour {
  const found = neighbourFind(network, mac);
  if (changetype<usize>(found) != 0) return found;
  if (table.free == 0) dropIdlest();
  const made = changetype<Neighbour>(tableAdd(table, mac, network));
  if (changetype<usize>(made) == 0) return made;
  reset(made);
  made.lastUsedMs = nowMs();
  return made;
}

function reset(neighbour: Neighbour): void {
  neighbour.mtu = min<u32>(MTU_ORIGINAL, networkAt(neighbour.key2 as u32).mtu);
  neighbour.credits = CREDITS_FIRST;
  neighbour.sentSinceAsked = 0;
  neighbour.asking = 0;
  neighbour.trials = 0;
  neighbour.owed = 0;
  neighbour.generous = 0;
  neighbour.known = 0;
  neighbour.checked = 0;
  neighbour.doubts = 0;
}

function dropIdlest(): void {
  let oldest: usize = 0;
  let age: u32 = 0;
  for (let i: u32 = 0; i < table.capacity; i++) {
    const neighbour = neighbourAt(i);
    if (!neighbour.used || neighbour.ring || neighbour.held) continue;
    const idle = nowMs() - neighbour.lastUsedMs;
    if (oldest == 0 || idle > age) {
      oldest = changetype<usize>(neighbour);
      age = idle;
    }
  }
  countUp(COUNTER_TABLE_FULL);
  if (oldest != 0) tableRemove(table, oldest);
}

/** Bytes of FLIP data that one fragment to it carries. */
// @ts-ignore: decorator
@inline
export function neighbourData(neighbour: Neighbour): u32 {
  return neighbour.mtu - (neighbour.checked ? 46 : 42);
}

/** Messages up to this long cost no credit: one fragment, on either kind of link. */
// @ts-ignore: decorator
@inline
export function neighbourFree(neighbour: Neighbour): u32 {
  return neighbour.checked ? FLIP_DATA_1500 - 4 : FLIP_DATA_1500;
}

/** Fragments that a neighbour may have under way to us on its network. */
// @ts-ignore: decorator
@inline
export function neighbourWindow(neighbour: Neighbour): u32 {
  return networkAt(neighbour.key2 as u32).window;
}

/** True when every frame to this neighbour carries a check. */
// @ts-ignore: decorator
@inline
export function neighbourChecked(neighbour: Neighbour): bool {
  return changetype<usize>(neighbour) != 0 && neighbour.checked != 0;
}

/**
 * True when a message may go to this neighbour. One that is ours waits for its HELLO, so that
 * the message goes with a check: for good when the receiver (`ours`) is the neighbour itself
 * (`direct`), else as long as there is hope.
 */
// @ts-ignore: decorator
@inline
export function neighbourSettled(neighbour: Neighbour, ours: bool, direct: bool): bool {
  if (neighbour.known != 0 || !(extensions & EXTENSION_LINK)) return true;
  return !(ours && direct) && neighbour.helloTries >= (ours ? HELLO_TRIES_MAX : HELLO_TRIES);
}

/** Says HELLO to a neighbour that we are about to talk to, unless that is settled. */
// @ts-ignore: decorator
@inline
export function neighbourGreet(neighbour: Neighbour): void {
  neighbour.lastUsedMs = nowMs();
  if (!neighbour.known) greet(neighbour);
}

function greet(neighbour: Neighbour): void {
  if (!(extensions & EXTENSION_LINK)) return;
  const pause = neighbour.helloTries >= HELLO_TRIES ? HELLO_AGAIN_MS : HELLO_RETRY_MS;
  if (neighbour.helloTries > 0 && nowMs() - neighbour.helloMs < pause) return;
  if (neighbour.helloTries >= HELLO_TRIES) neighbour.helloTries = HELLO_TRIES_MAX;
  sayHello(neighbour);
}

function sayHello(neighbour: Neighbour): void {
  neighbour.helloTries++;
  neighbour.helloMs = nowMs();
  hello(neighbour, 0);
}

/** A message waits to know what this neighbour is: ask every few milliseconds. */
export function neighbourAwait(neighbour: Neighbour): void {
  const timer = timerBase + neighbourIndex(neighbour);
  if (timerDeadline(timer) != NEVER) return;
  if (neighbour.helloTries == 0) sayHello(neighbour);
  timerSet(timer, now + patience(neighbour));
}

/** Every few milliseconds at first, then twenty times a second. */
function patience(neighbour: Neighbour): i64 {
  return neighbour.helloTries > 2 * HELLO_TRIES ? HELLO_AWAIT_LONGEST_US : HELLO_AWAIT_US;
}

/** The timer of a neighbour that messages wait for expired; true when it is settled now. */
export function neighbourExpired(neighbour: Neighbour): bool {
  if (!neighbour.used || neighbour.known) return true;
  const tries = neighbour.helloTries;
  sayHello(neighbour);
  // At either number of tries some of those who wait may go on.
  if (tries == HELLO_TRIES || tries >= HELLO_TRIES_MAX) return true;
  timerSet(timerBase + neighbourIndex(neighbour), now + patience(neighbour));
  return false;
}

function hello(neighbour: Neighbour, answer: u32): void {
  const index = neighbour.key2 as u32;
  const network = networkAt(index);
  const head = headNew();
  const data = head + HEAD_DATA;
  store<u8>(data, HELLO_VERSION as u8);
  store<u8>(data, answer as u8, 1);
  store<u16>(data, (extensions & LINK_FEATURES) as u16, 2);
  store<u32>(data, network.mtu, 4);
  store<u32>(data, bootNonce, 8);
  store<u32>(data, helloCheck(data), 12);
  sendControl(index, neighbour.key, FC_HELLO, 0, head, HELLO_BYTES);
}

function helloCheck(data: usize): u32 {
  checkOpen();
  checkAdd(data, 12);
  return checkValue();
}

/** A HELLO came; `data` is what follows the fragment control. False when it is malformed. */
export function neighbourHello(network: u32, mac: u64, data: usize, length: u32): bool {
  if (length < HELLO_BYTES || load<u32>(data, 12) != helloCheck(data)) return false;
  const mtu = load<u32>(data, 4);
  if (load<u8>(data) == 0 || mtu < 576 || mtu > 65535) return false;
  countUp(COUNTER_HELLOS_IN);
  if (extensions == 0) return true;
  const neighbour = neighbourFor(network, mac);
  if (changetype<usize>(neighbour) == 0) return true;
  const nonce = load<u32>(data, 8);
  if (neighbour.nonce != nonce) {
    reset(neighbour);
    neighbour.nonce = nonce;
  }
  const both = (load<u16>(data, 2) as u32) & extensions;
  neighbour.known = 1;
  neighbour.doubts = 0;
  neighbour.mtu = min<u32>(both & EXTENSION_LINK ? mtu : MTU_ORIGINAL, networkAt(network).mtu);
  neighbour.checked = both & EXTENSION_CHECKED ? 1 : 0;
  if (load<u8>(data, 1) == 0) hello(neighbour, 1);
  return true;
}

/**
 * A frame without a check came from a neighbour that we believed to know us: it was late on
 * its way, or that machine booted again, or an original has its address now. It is asked;
 * only when it goes on like that without an answer is it an original.
 */
export function neighbourDoubt(neighbour: Neighbour): void {
  if (!neighbour.checked || nowMs() - neighbour.helloMs < DOUBT_MS) return;
  neighbour.helloMs = nowMs();
  if (neighbour.doubts++ < DOUBTS_MAX) {
    hello(neighbour, 0);
    return;
  }
  reset(neighbour);
  neighbour.nonce = 0;
  neighbour.helloTries = HELLO_TRIES_MAX;
}

/** Idle neighbours go after 300 s (spec 1.2). */
export function neighboursSweep(): void {
  for (let i: u32 = 0; i < table.capacity; i++) {
    const neighbour = neighbourAt(i);
    if (!neighbour.used || neighbour.ring || neighbour.held) continue;
    if (nowMs() - neighbour.lastUsedMs > 300000) tableRemove(table, changetype<usize>(neighbour));
  }
}
