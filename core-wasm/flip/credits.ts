// Credits: how much a neighbour may send before we have taken it in.
//
// - A fragment of a long message costs the sender one. The receiver gives them back in
//   lots (CREDIT, or in the count of a DATA going the other way).
// - We grant more than we took, once: an original's balance simply grows. To originals
//   credits go back six at a time as theirs do, to our own by the quarter window.
// - When a sender runs dry it asks (REQCREDIT) and is told its balance (ABSCREDIT): our
//   own at once and every few milliseconds, so that lost credits cost a round trip; an
//   original every two seconds, five times, as it expects.
// - Source: spec section 1.2.

import { COUNTER_CREDIT_REQUESTS } from "../layout";
import { now } from "../memory/clock";
import { countUp } from "../memory/counters";
import { NEVER, timerClear, timerDeadline, timerSet } from "../memory/timers";
import { FC_ABSCREDIT, FC_CREDIT, FC_REQCREDIT } from "../wire/ethernet";
import { CREDITS_FIRST, Neighbour, neighbourIndex, neighbourWindow } from "./neighbours";
import { headNew, sendControl } from "./networks";

const ASK_ORIGINAL_US: i64 = 2000000;
const ASK_FIRST_US: i64 = 3000;
const ASK_LONGEST_US: i64 = 500000;
const TRIALS_ORIGINAL: u32 = 5;
const TRIALS: u32 = 12;
const GIVE_BACK_ORIGINAL: u32 = 6;

let timerBase: u32 = 0;

/** The timers of neighbours are the ids from `base` on, by the neighbour's index. */
export function creditsOpen(base: u32): void {
  timerBase = base;
}

function control(neighbour: Neighbour, type: u32, count: u32): void {
  const network = neighbour.key2 as u32;
  sendControl(network, neighbour.key, type, count, headNew(), 0);
}

/** A fragment of a long message was taken in from this neighbour. */
export function creditsTaken(neighbour: Neighbour): void {
  const window = neighbourWindow(neighbour);
  neighbour.owed++;
  if (!neighbour.generous) {
    neighbour.generous = 1;
    if ((window as i32) > CREDITS_FIRST) neighbour.owed += window - CREDITS_FIRST;
  }
  creditsReturn(neighbour);
}

/** Gives credits back when there is a lot of them. */
export function creditsReturn(neighbour: Neighbour): void {
  const window = neighbourWindow(neighbour);
  let threshold = max<u32>(window >> 2, 1);
  if (!neighbour.known && threshold > GIVE_BACK_ORIGINAL) threshold = GIVE_BACK_ORIGINAL;
  if (neighbour.owed >= threshold) control(neighbour, FC_CREDIT, creditsOwed(neighbour));
}

/** The credits that a frame to this neighbour may carry; they count as given. */
export function creditsOwed(neighbour: Neighbour): u32 {
  const count = min<u32>(neighbour.owed, 255);
  neighbour.owed -= count;
  return count;
}

/** CREDIT or a piggybacked count came. */
export function creditsGranted(neighbour: Neighbour, count: u32): void {
  if (count == 0) return;
  neighbour.credits = min<i32>(neighbour.credits + (count as i32), 4096);
  settle(neighbour);
}

/** ABSCREDIT came: the balance as the neighbour counts it, less what went out since we asked. */
export function creditsSet(neighbour: Neighbour, count: u32): void {
  if (!neighbour.asking) return; // an answer come twice: what was sent since is not known
  neighbour.asking = 0;
  neighbour.credits = max<i32>((count as i32) - neighbour.sentSinceAsked, 0);
  settle(neighbour);
}

function settle(neighbour: Neighbour): void {
  neighbour.trials = 0;
  if (neighbour.credits > 0) timerClear(timerBase + neighbourIndex(neighbour));
}

/** REQCREDIT came: everything that is not held here is the neighbour's again. */
export function creditsAsked(neighbour: Neighbour): void {
  neighbour.owed = 0;
  neighbour.generous = 1;
  const window = neighbourWindow(neighbour);
  const held = min<u32>(neighbour.held, window);
  control(neighbour, FC_ABSCREDIT, min<u32>(window - held, 255));
}

/** Something waits and there is no credit: ask, now or when the timer says so. */
export function creditsGone(neighbour: Neighbour): void {
  const timer = timerBase + neighbourIndex(neighbour);
  if (timerDeadline(timer) != NEVER) return;
  if (!neighbour.known) timerSet(timer, now + ASK_ORIGINAL_US);
  else if (neighbour.asking)
    timerSet(timer, now + ASK_FIRST_US); // one question at a time
  else ask(neighbour);
}

function ask(neighbour: Neighbour): void {
  countUp(COUNTER_CREDIT_REQUESTS);
  neighbour.sentSinceAsked = 0;
  neighbour.asking = 1;
  control(neighbour, FC_REQCREDIT, 0);
  const wait = neighbour.known
    ? min<i64>(ASK_FIRST_US << (min<u32>(neighbour.trials, 10) as i64), ASK_LONGEST_US)
    : ASK_ORIGINAL_US;
  timerSet(timerBase + neighbourIndex(neighbour), now + wait);
}

/** The timer of a neighbour without credit expired: true when it is to be given up. */
export function creditsExpired(neighbour: Neighbour): bool {
  if (neighbour.ring == 0) {
    neighbour.trials = 0;
    neighbour.asking = 0;
    return false;
  }
  neighbour.trials++;
  if (neighbour.trials > (neighbour.known ? TRIALS : TRIALS_ORIGINAL)) {
    neighbour.trials = 0;
    return true;
  }
  ask(neighbour);
  return false;
}
