// The calls that the machine's membership makes: to other members, to candidates, to the roster. A
// place each, told apart by number; an answer stays until the place is used again.
//
// - Ports are get-ports: their put-ports are called. The request's data is the kernel's until the
//   answer is there.
// - Answers go where the caller says; those of candidates, eight bytes, have a place here.

import { OPTION_DEAD_MS, OPTION_LOCATE_TIMEOUT_MS, OPTION_POLL_MS } from "../../core-wasm/layout";
import { STD_OK } from "../../core-wasm/status";
import { HEADER } from "../../core-wasm/wire/formats";
import {
  headerOffset,
  setCommand,
  setHeaderOffset,
  status as replyStatus,
} from "../../core-wasm/wire/header";
import { kill, portOneWay, trans } from "./kernel";

/** A membership's one, and those of group-found.ts; then these. */
export const ROSTER_ASK: u32 = 30;
export const DONE_ASK: u32 = 31;
const ASKS: u32 = 32;
const SMALL: u32 = 8;
const POLL_MS: u32 = 200;
/** Of a call that is over. */
const OVER: i32 = -1;

const handles = memory.data(4 * 32, 4); // ASKS of each
const statuses = memory.data(4 * 32, 4);
const lengths = memory.data(4 * 32, 4);
const headers = memory.data(64 * 32, 8); // of the request, of the reply
const smalls = memory.data(8 * 32, 8);
const options = memory.data(12, 4);

function word(table: usize, index: u32): usize {
  return table + 4 * (index as usize);
}

function headerAt(index: u32): usize {
  return headers + 64 * (index as usize);
}

/** Where a short answer is. */
export function smallAnswer(index: u32): usize {
  return smalls + (SMALL as usize) * (index as usize);
}

export function asksOpen(): void {
  for (let i: u32 = 0; i < ASKS; i++) store<i32>(word(handles, i), OVER);
}

/** Asks at a get-port; the answer's data goes to `to`, or, when that is 0, to smallAnswer. */
export function ask(
  index: u32,
  getPort: usize,
  command: u32,
  offset: i32,
  data: usize,
  length: u32,
  to: usize,
  capacity: u32,
  locateMs: u32,
  deadMs: u32,
  now: f64,
): void {
  askStop(index, now);
  const header = headerAt(index);
  memory.fill(header, 0, 64);
  portOneWay(getPort, header);
  setCommand(header, command);
  setHeaderOffset(header, offset);
  store<u32>(options, locateMs, OPTION_LOCATE_TIMEOUT_MS);
  store<u32>(options, POLL_MS, OPTION_POLL_MS);
  store<u32>(options, deadMs, OPTION_DEAD_MS);
  if (to == 0) {
    to = smallAnswer(index);
    capacity = SMALL;
  }
  const reply = header + (HEADER as usize);
  const handle = trans(header, data, length as i32, reply, to, capacity as i32, options, now);
  store<i32>(word(handles, index), handle < 0 ? OVER : handle);
  store<i32>(word(statuses, index), handle < 0 ? handle : STD_OK);
}

/** Is it over, however? */
export function answered(index: u32): bool {
  return load<i32>(word(handles, index)) == OVER;
}

/** Did somebody answer, whatever it was? */
export function heard(index: u32): bool {
  return load<i32>(word(statuses, index)) >= 0;
}

/** RPC's status when that is below zero, else the reply's. */
export function answerStatus(index: u32): i32 {
  const status = load<i32>(word(statuses, index));
  return status < 0 ? status : replyStatus(headerAt(index) + (HEADER as usize));
}

export function answerOffset(index: u32): u32 {
  return headerOffset(headerAt(index) + (HEADER as usize)) as u32;
}

/** Bytes of its data. */
export function answerLength(index: u32): u32 {
  return load<u32>(word(lengths, index));
}

/** A completion of the kernel's: true when it was one of these. */
export function asksCompleted(handle: i32, status: i32, length: u32): bool {
  for (let i: u32 = 0; i < ASKS; i++) {
    if (load<i32>(word(handles, i)) != handle) continue;
    store<i32>(word(handles, i), OVER);
    store<i32>(word(statuses, i), status);
    store<u32>(word(lengths, i), length);
    return true;
  }
  return false;
}

/** Gives up what is under way in a place: what comes of it is passed over. */
export function askStop(index: u32, now: f64): void {
  const handle = load<i32>(word(handles, index));
  if (handle != OVER) kill(handle, now);
  store<i32>(word(handles, index), OVER);
}
