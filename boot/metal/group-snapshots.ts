// Snapshots between members: kept for joiners by this one, fetched by it when it joins. As
// control/group/snapshots.ts: a joiner names itself by eight bytes that are in the header of its join.
//
// - The two lowest members that were there before a joiner keep its snapshot: the state before the join.
// - Fetching asks the members in turn, and again after a pause; whoever gives the first piece gives all.

import {
  GROUP_PORT_MEMBER,
  GROUP_SNAPSHOT,
  GROUP_SNAPSHOT_DONE,
  SNAPSHOT_PIECE_BYTES,
} from "../../build/metal/interface";
import { HEADER_PRIVATE_AT } from "../../core-wasm/wire/formats";
import { ask, answered, answerLength, answerOffset, answerStatus, DONE_ASK } from "./group-asks";
import { derivedPort, groupPort } from "./group-port";
import { SNAPSHOT_BYTES, snapshotWrite } from "./group-sessions";
import { take } from "./memory";

const KEPT: u32 = 2;
/** The longest that is taken, with a piece more than it may be found to have. */
const FETCHED_BYTES: u32 = 256 * 1024;
const PAUSE_US: f64 = 50000;
const ROUNDS: u32 = 40;
const LOCATE_MS: u32 = 250;
const DEAD_MS: u32 = 1000;

let kept: usize = 0;
const names = memory.data(8 * 2, 8); // KEPT: of joiners
const lengths = memory.data(4 * 2, 4);
let next: u32 = 0;

/** Where a snapshot is fetched to; also where documents of members are. */
export let fetched: usize = 0;
export let fetchedLength: u32 = 0;
export const joiner = memory.data(8, 8);

export function snapshotsOpen(): bool {
  kept = take((KEPT * SNAPSHOT_BYTES) as usize);
  fetched = take(FETCHED_BYTES as usize);
  return kept != 0 && fetched != 0;
}

/** Is keeping the state for a joiner on member `me`? */
export function isKeeper(view: u64, joining: u32, me: u32): bool {
  const mine = (1 as u64) << (me as u64);
  const others = view & ~((1 as u64) << (joining as u64));
  const lower = others & (mine - 1); // at most one that is not ours may be before us
  return joining != me && (others & mine) != 0 && (lower & (lower - 1)) == 0;
}

/** Keeps the state as it is before the join `header`. */
export function snapshotKeep(header: usize, seqno: u32, minimum: u32, detectMs: u32): void {
  const place = (next++ % KEPT) as usize;
  store<u64>(names + 8 * place, load<u64>(header + HEADER_PRIVATE_AT));
  const length = snapshotWrite(kept + (SNAPSHOT_BYTES as usize) * place, seqno, minimum, detectMs);
  store<u32>(lengths + 4 * place, length);
}

/** The place of a joiner's snapshot; below zero: it is not kept. */
export function keptPlace(name: u64): i32 {
  for (let i: u32 = 0; i < KEPT; i++)
    if (load<u64>(names + 8 * (i as usize)) == name && keptLength(i) > 0) return i as i32;
  return -1;
}

export function keptLength(place: u32): u32 {
  return load<u32>(lengths + 4 * (place as usize));
}

export function keptAt(place: u32): usize {
  return kept + ((SNAPSHOT_BYTES * place) as usize);
}

/** The joiner has it. */
export function snapshotDrop(place: u32): void {
  store<u32>(lengths + 4 * (place as usize), 0);
}

// ---- fetching ---------------------------------------------------------------------------

let givers: u64 = 0;
let left: u64 = 0; // givers of this round that were not asked yet
let giver: u32 = 0;
let round: u32 = 0;
/** When the next round begins; below zero: a member is asked. */
export let fetchAt: f64 = -1;

/** Begins to fetch from the members of a view. */
export function fetchBegin(view: u64, now: f64): void {
  givers = view;
  left = view;
  round = 0;
  fetchNext(now);
}

function fetchNext(now: f64): void {
  if (left == 0) {
    left = givers;
    round++;
    fetchAt = now + PAUSE_US;
    return;
  }
  giver = ctz(left) as u32;
  left &= left - 1;
  fetchedLength = 0;
  fetchPiece(now);
}

function fetchPiece(now: f64): void {
  fetchAt = -1;
  const port = derivedPort(groupPort, GROUP_PORT_MEMBER, giver);
  const to = fetched + (fetchedLength as usize);
  const offset = fetchedLength as i32;
  ask(0, port, GROUP_SNAPSHOT, offset, joiner, 8, to, SNAPSHOT_PIECE_BYTES, LOCATE_MS, DEAD_MS, now);
}

export const FETCHING: u32 = 0;
export const FETCHED: u32 = 1;
export const FETCH_FAILED: u32 = 2;

/** Goes on: FETCHING, FETCHED, FETCH_FAILED. */
export function fetchTurn(now: f64): u32 {
  if (fetchAt >= 0) {
    if (now >= fetchAt) fetchNext(now);
    return FETCHING;
  }
  if (!answered(0)) return FETCHING;
  const length = answerLength(0);
  const whole = answerOffset(0);
  const good = answerStatus(0) >= 0 && (length > 0 || whole == fetchedLength);
  if (!good || whole > FETCHED_BYTES - SNAPSHOT_PIECE_BYTES) {
    if (left == 0 && round >= ROUNDS) return FETCH_FAILED;
    fetchNext(now);
    return FETCHING;
  }
  fetchedLength += length;
  if (fetchedLength >= whole) {
    fetchedLength = whole;
    const port = derivedPort(groupPort, GROUP_PORT_MEMBER, giver);
    ask(DONE_ASK, port, GROUP_SNAPSHOT_DONE, 0, joiner, 8, 0, 0, LOCATE_MS, DEAD_MS, now);
    return FETCHED;
  }
  fetchPiece(now);
  return FETCHING;
}
