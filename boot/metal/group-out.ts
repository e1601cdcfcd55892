// What this machine sends to its group: lines of its console, and messages of programs that are no
// members (SUBMIT). As control/group/replica.ts sends commands: a session of our own, numbers from 1.
//
// - One is under way at a time, so they go out in the order of asking. It is sent until it was applied
//   here: a reset that left it out, or a membership that ended, has it sent again, and the session sees
//   to it that it is applied once.
// - A message of a program is in its request's buffer: when the membership ends, the program hears that
//   it failed, and not whether it was ordered.

import { GROUP_COMMAND } from "../../build/metal/interface";
import { BC_FAIL, BC_TOOBIG, BC_TOOMANY, STD_OK } from "../../core-wasm/status";
import { HEADER_PRIVATE_AT } from "../../core-wasm/wire/formats";
import { setCommand, setHeaderExtra, setHeaderOffset, setHeaderSize } from "../../core-wasm/wire/header";
import { setStatus } from "../../core-wasm/wire/header";
import { gid, hasState } from "./group-here";
import { TEXT } from "./group-inbox";
import { groupPort } from "./group-port";
import { sessionApplied, sessionResult } from "./group-sessions";
import { random } from "./host";
import { groupSend } from "./kernel";
import { heldHeader, replyHeld } from "./services";

/** Threads of each of the two servers that take SUBMIT. */
export const SUBMIT_THREADS: u32 = 2;
const AGAIN_US: f64 = 20000;
const NONE: u32 = 0;
const CONSOLE: u32 = 1;
const PROGRAM: u32 = 2;

const session = memory.data(8, 8);
const header = memory.data(32, 8);
const line = memory.data(96, 8); // TEXT
let lineLength: u32 = 0; // of a line that waits or is under way
const queue = memory.data(16 * 4, 8); // 2 * SUBMIT_THREADS: slot, data, length of each
let queued: u32 = 0;

let from: u32 = NONE;
let slot: u32 = 0;
let data: usize = 0;
let length: u32 = 0;
let number: u32 = 0;
let handle: i32 = -1;
let ordered: bool = false;
/** When to try again, as the kernel had no room; below zero: not. */
export let outAt: f64 = -1;
/** The seqno of a line of the console that was applied, for it to say; 0: there is none. */
export let lineSeqno: u32 = 0;

export function outOpen(): void {
  random(session, 8);
}

/** The name of our session. */
export function ownSession(): u64 {
  return load<u64>(session);
}

/** A line of the console. False: the last one is still on its way. */
export function outLine(at: usize, bytes: u32): bool {
  if (lineLength > 0 || bytes == 0) return false;
  lineLength = min(bytes, TEXT);
  memory.copy(line, at, lineLength);
  return true;
}

export function lineSaid(): void {
  lineSeqno = 0;
}

/** A message of a program, whose request is held: there are no more of them than threads. */
export function outProgram(heldSlot: u32, at: usize, bytes: u32): void {
  const place = queue + 16 * (queued as usize);
  queued++;
  store<u32>(place, heldSlot);
  store<u32>(place, at as u32, 4);
  store<u32>(place, bytes, 8);
}

function next(): void {
  if (queued > 0) {
    from = PROGRAM;
    slot = load<u32>(queue);
    data = load<u32>(queue, 4) as usize;
    length = load<u32>(queue, 8);
    queued--;
    memory.copy(queue, queue + 16, 16 * (queued as usize));
  } else if (lineLength > 0) {
    from = CONSOLE;
    data = line;
    length = lineLength;
  } else return;
  number++;
  ordered = false;
}

function end(status: i32, seqno: u32, now: f64): void {
  if (from == PROGRAM) {
    const reply = heldHeader(slot);
    setStatus(reply, status);
    setHeaderOffset(reply, seqno as i32);
    setHeaderSize(reply, 0);
    replyHeld(slot, now);
  } else {
    lineLength = 0;
    lineSeqno = seqno;
  }
  from = NONE;
}

/** Sends what is to be sent; a status below zero: the group wants a reset. */
export function outPump(now: f64): i32 {
  outAt = -1;
  if (handle >= 0) return STD_OK; // of this one, or of one that was applied before its send ended
  if (from == NONE) next();
  if (from == NONE || ordered || !hasState) return STD_OK;
  if (sessionApplied(ownSession(), number)) {
    const seqno = sessionResult(ownSession(), number);
    end(seqno == 0 ? BC_FAIL : STD_OK, seqno, now);
    return STD_OK;
  }
  memory.fill(header, 0, 32);
  memory.copy(header, groupPort, 6);
  memory.copy(header + HEADER_PRIVATE_AT, session, 8);
  setCommand(header, GROUP_COMMAND);
  setHeaderOffset(header, number as i32);
  setHeaderSize(header, length & 0xffff);
  setHeaderExtra(header, 0);
  const sent = groupSend(gid, header, data, length as i32, now);
  if (sent >= 0) handle = sent;
  else if (sent == BC_TOOBIG) end(sent, 0, now);
  else if (sent == BC_TOOMANY) outAt = now + AGAIN_US;
  else return sent;
  return STD_OK;
}

/** Is it the send that is under way? Its status, when it failed, wants a reset. */
export function outCompleted(completed: i32, status: i32): bool {
  if (handle < 0 || completed != handle) return false;
  handle = -1;
  ordered = status >= 0;
  return true;
}

/** A command of our session was applied. */
export function outApplied(applied: u32, seqno: u32, now: f64): void {
  if (from == NONE || applied != number) return;
  ordered = true;
  end(STD_OK, seqno, now);
}

/** The membership is over: what programs wait for is given up, a line of the console goes out again. */
export function outForget(): void {
  handle = -1;
  ordered = false;
  queued = 0;
  if (from == PROGRAM) from = NONE;
}
