// The machine as a member of a group: control/group/{replica,membership,member}.ts under Linux, as a
// state machine that the kernel's completions drive. It is the same group: same order, same resets.
//
// - group=NAME on the command line: at start it joins that group, or creates it when there is none and
//   no other candidate wins (group-found.ts). It goes on by itself whatever happens.
// - Once inside, group-order.ts goes along with the order. When that is over (`cut`) it joins anew, takes
//   the state that the group has then, and creates nothing.

import {
  GROUP_DESCRIBE,
  GROUP_JOIN,
  GROUP_LOG_HISTORY,
  GROUP_LOG_MESSAGE,
  GROUP_MEMBERS,
  GROUP_PORT_ANY,
  GROUP_PORT_ENTERING,
  GROUP_PORT_MEMBER,
} from "../../build/metal/interface";
import * as layout from "../../core-wasm/layout";
import { STD_NOMEM } from "../../core-wasm/status";
import { HEADER_PRIVATE_AT } from "../../core-wasm/wire/formats";
import { setCommand } from "../../core-wasm/wire/header";
import { answered, answerStatus, ask, asksCompleted, asksOpen, askStop } from "./group-asks";
import { infoField, look, messagesOpen, putGroup } from "./group-describe";
import { foundBegin, foundEnd, foundOpen, foundOver, foundWon } from "./group-found";
import { detectMs, gid, hasState, hereConfigure, hereMember, hereState, me } from "./group-here";
import { inboxForget, inboxOpen } from "./group-inbox";
import { cut, orderBegin, orderCompleted, orderDeadline, orderFrom, orderTurn, view } from "./group-order";
import { outForget, outOpen, SUBMIT_THREADS } from "./group-out";
import { derivedPort, groupNamed, groupPort, groupWanted } from "./group-port";
import { rosterClaim, rosterOpen, rosterTurn } from "./group-roster";
import { readDetectMs, readMinimum, readSeqno, sessionsForget, sessionsOpen } from "./group-sessions";
import { snapshotRead } from "./group-sessions";
import { FETCH_FAILED, FETCHED, fetchAt, fetchBegin, fetched, fetchedLength } from "./group-snapshots";
import { fetchTurn, joiner, snapshotsOpen } from "./group-snapshots";
import { tell, tellMember } from "./group-tell";
import { random } from "./host";
import { groupCreate, groupEnd, groupJoin, groupLeave, groupSet } from "./kernel";
import { listenAt, reserve, serverClose } from "./services";
import { SERVER_GROUP, SERVER_MEMBER } from "./status";
import { put } from "./text";

const REQUEST_BYTES: u32 = 12288 - 32;
const AGAIN_US: f64 = 150000;
const AGAIN_MOST_US: f64 = 5000000;
const LINGER_US: f64 = 2000000;
const LOOK_MS: u32 = 500;
const LOOK_AGAIN_MS: u32 = 300;
const DEAD_MS: u32 = 1000;

// Phases
const OFF: u32 = 0;
const WAITING: u32 = 1; // until wakeAt
const LOOKING: u32 = 2; // whether the group exists
const FOUNDING: u32 = 3;
const CONFIRMING: u32 = 4; // that nobody created it meanwhile
const JOINING: u32 = 5;
const FETCHING: u32 = 6; // a member without the state
const INSIDE: u32 = 7;
const LEAVING: u32 = 8;

let phase: u32 = OFF;
let creates: bool = true; // until it has been a member
let stays: bool = true; // it joins again when it has left
let rounds: u32 = 0;
let wakeAt: f64 = -1;
let lingerAt: f64 = -1;
let handle: i32 = -1; // of a join or leave
const header = memory.data(32, 8);

/** Bytes of the kernel's for the histories of groups: enough for one of usual parameters. */
export function groupBytes(): u32 {
  return groupWanted() ? 1048576 : 0;
}

/** Begins, when the command line has a group. False: there is no room. */
export function groupOpen(now: f64): bool {
  if (!groupWanted()) return true;
  asksOpen();
  outOpen();
  if (!sessionsOpen() || !snapshotsOpen() || !inboxOpen() || !messagesOpen() || !foundOpen()) return false;
  if (!reserve(SERVER_MEMBER, SUBMIT_THREADS, REQUEST_BYTES) || !rosterOpen(REQUEST_BYTES)) return false;
  if (!reserve(SERVER_GROUP, SUBMIT_THREADS, REQUEST_BYTES)) return false;
  if (groupNamed()) again(now);
  else tell("this is no name: 1 to 55 bytes, or 12 hex digits that are a port");
  return true;
}

// ---- getting in -------------------------------------------------------------------------

function again(now: f64): void {
  phase = WAITING;
  wakeAt = now + min<f64>(AGAIN_US * (rounds as f64), AGAIN_MOST_US);
  rounds++;
}

function find(locateMs: u32, next: u32, now: f64): void {
  phase = next;
  wakeAt = -1;
  const port = derivedPort(groupPort, GROUP_PORT_ANY, 0);
  ask(0, port, GROUP_DESCRIBE, 0, joiner, 0, fetched, 32768, locateMs, DEAD_MS, now);
}

function prepareHeader(): void {
  memory.fill(header, 0, 32);
  memory.copy(header, groupPort, 6);
}

function join(now: f64): void {
  random(joiner, 8);
  prepareHeader();
  setCommand(header, GROUP_JOIN);
  memory.copy(header + HEADER_PRIVATE_AT, joiner, 8);
  handle = groupJoin(header, now);
  if (handle < 0) again(now);
  else phase = JOINING;
}

/** A member from now on, of the group that the kernel knows as `id`. False: it is gone already. */
function become(id: i32, now: f64): bool {
  if (!look(id)) return false;
  hereMember(id, infoField(layout.GROUP_INFO_MY_ID));
  orderBegin();
  listenAt(SERVER_MEMBER, derivedPort(groupPort, GROUP_PORT_MEMBER, me), now);
  return true;
}

function create(now: f64): void {
  const members = GROUP_MEMBERS as i32;
  const made = groupCreate(groupPort, 0, members, GROUP_LOG_HISTORY as i32, GROUP_LOG_MESSAGE as i32, now);
  if (made < 0 || !become(made, now)) {
    if (made == STD_NOMEM && rounds == 1) tell("there is not enough memory for its history");
    again(now);
    return;
  }
  sessionsForget();
  hereConfigure(1, 0);
  enter("created, as member ", infoField(layout.GROUP_INFO_EXPECT) - 1, now);
}

/** It has the state as it is after message `seqno`. */
function enter(how: string, seqno: u32, now: f64): void {
  phase = INSIDE;
  creates = false;
  rounds = 0;
  groupSet(gid, layout.GROUP_SET_DETECT_MS, detectMs as i32, now);
  hereState(true);
  listenAt(SERVER_GROUP, derivedPort(groupPort, GROUP_PORT_ANY, 0), now);
  tellMember(how, view);
  rosterClaim(now);
  orderFrom(seqno, now);
}

function joined(status: i32, id: i32, now: f64): void {
  if (status < 0 || !become(id, now)) {
    if (status == STD_NOMEM && rounds == 1) tell("its history does not fit into this machine's memory");
    again(now);
    return;
  }
  phase = FETCHING;
  listenAt(SERVER_GROUP, derivedPort(groupPort, GROUP_PORT_ENTERING, 0), now);
  fetchBegin(view & ~((1 as u64) << (me as u64)), now);
}

function fetchEnded(now: f64): void {
  if (!snapshotRead(fetched, fetchedLength)) {
    tell("its state is not lines alone, or too long: this machine cannot be a member");
    stays = false;
    leave(now);
    return;
  }
  hereConfigure(readMinimum, readDetectMs);
  enter("joined, as member ", readSeqno, now);
}

// ---- getting out ------------------------------------------------------------------------

/** Leaves a group whose state we have not got. */
function leave(now: f64): void {
  phase = LEAVING;
  prepareHeader();
  handle = groupLeave(gid, header, now);
  if (handle < 0) ended(now);
}

/** The membership is over. */
function ended(now: f64): void {
  groupEnd(gid, now);
  askStop(0, now);
  serverClose(SERVER_MEMBER, now);
  serverClose(SERVER_GROUP, now);
  hereMember(-1, 0);
  inboxForget();
  outForget();
  handle = -1;
  again(now);
  if (!stays) phase = OFF;
}

function cutOff(now: f64): void {
  tell("it goes on without this machine, or cannot: joining it again");
  ended(now);
}

// ---- the host's turn --------------------------------------------------------------------

/** A completion of the kernel's: true when it was the group's. */
export function groupCompleted(completed: i32, status: i32, length: u32, now: f64): bool {
  if (phase == OFF) return false;
  if (asksCompleted(completed, status, length)) return true;
  if ((completed & layout.HANDLE_GROUP) == 0) return false;
  if (completed == handle) {
    handle = -1;
    if (phase == JOINING) joined(status, length as i32, now);
    else ended(now);
  } else orderCompleted(completed, status, now);
  return true;
}

/** Does what is due; answers how much of it will want another turn at once. */
export function groupTurn(now: f64): u32 {
  if (lingerAt >= 0 && now >= lingerAt) {
    lingerAt = -1;
    foundEnd(now);
  }
  switch (phase) {
    case OFF:
      return 0;
    case WAITING:
      if (now < wakeAt || lingerAt >= 0) return 0;
      find(LOOK_MS, LOOKING, now);
      return 1;
    case LOOKING:
      if (!answered(0)) return 0;
      if (answerStatus(0) >= 0) join(now);
      else if (creates) {
        phase = FOUNDING;
        foundBegin(now);
      } else again(now);
      return 1;
    case FOUNDING:
      if (!foundOver()) return 0;
      if (foundWon()) find(LOOK_AGAIN_MS, CONFIRMING, now);
      else {
        foundEnd(now);
        again(now);
      }
      return 1;
    case CONFIRMING:
      if (!answered(0)) return 0;
      lingerAt = now + LINGER_US;
      if (answerStatus(0) >= 0) again(now);
      else create(now);
      return 1;
    case FETCHING: {
      const how = fetchTurn(now);
      if (how == FETCHED) fetchEnded(now);
      else if (how == FETCH_FAILED) leave(now);
      return how;
    }
    case INSIDE:
      return inside(now);
    default:
      return 0;
  }
}

function inside(now: f64): u32 {
  rosterTurn(now);
  const count = orderTurn(now);
  if (cut) cutOff(now);
  return count;
}

/** When it wants a turn; below zero: when something comes. */
export function groupDeadline(): f64 {
  let next = lingerAt;
  if (phase == WAITING && lingerAt < 0) next = wakeAt;
  if (phase == FETCHING) next = sooner(next, fetchAt);
  if (phase == INSIDE) next = sooner(next, orderDeadline());
  return next;
}

function sooner(a: f64, b: f64): f64 {
  return a < 0 || (b >= 0 && b < a) ? b : a;
}

/** The monitor's row. */
export function putGroups(): void {
  if (phase == OFF && !groupWanted()) put("this machine is in no group: group=NAME on its command line");
  else putGroup(gid, hasState && look(gid) ? "" : phase == OFF ? "out" : "joining");
}
