// The machine announces itself to the control daemons of its pool, at once and again as often as
// they ask for: control/interface/pool.ts, as control/node/announce.ts does it under Linux.
//
// - pool=NAME on the command line says which pool; without it the machine announces itself to nobody.
// - While nobody answers it asks again, ever more rarely, at least every ten seconds.

import { POOL_ANNOUNCE, POOL_PORT_PURPOSE } from "../../build/metal/interface";
import { OPTION_DEAD_MS, OPTION_LOCATE_TIMEOUT_MS, OPTION_POLL_MS } from "../../core-wasm/layout";
import { HEADER } from "../../core-wasm/wire/formats";
import { setCommand, status as replyStatus } from "../../core-wasm/wire/header";
import { value, valueLength } from "./command-line";
import { portOneWay, trans } from "./kernel";
import { take } from "./memory";
import { putAnnouncement } from "./status";
import { behind, numberAt, put, textBegin, textLength } from "./text";

const MESSAGE: u32 = 2048;
const AGAIN_US: f64 = 500000;
const AGAIN_MOST_US: f64 = 10000000;
const INTERVAL_LEAST_MS: u32 = 500;
const INTERVAL_MOST_MS: u32 = 60000;

const headers = memory.data(64, 8); // of the request, of the reply
const port = memory.data(8, 8);
const options = memory.data(12, 4);
let message: usize = 0;
let handle: i32 = -1;
let wait: f64 = AGAIN_US;
/** When to announce next; below zero: never. */
export let announceAt: f64 = -1;
/** A daemon has answered the last time. */
export let inPool: bool = false;

/** The pool's put-port: its name, six bytes at a time, through the one-way function. */
function poolPort(name: usize, length: u32): void {
  const seed = memory.data<u8>([0x70, 0x6f, 0x6f, 0x6c]); // pool
  memory.copy(port, seed, 4);
  store<u8>(port, POOL_PORT_PURPOSE as u8, 4);
  store<u8>(port, length as u8, 5);
  for (let at: u32 = 0; at < length; at += 6) {
    for (let i: u32 = 0; i < 6 && at + i < length; i++) {
      const place = port + (i as usize);
      store<u8>(place, load<u8>(place) ^ load<u8>(name + ((at + i) as usize)));
    }
    portOneWay(port, port);
  }
  portOneWay(port, port);
}

/** Begins to announce, when the command line has a pool. False: no room. */
export function poolOpen(now: f64): bool {
  const name = value("pool=");
  if (name == 0) return true;
  message = take(2 * (MESSAGE as usize));
  if (message == 0) return false;
  poolPort(name, valueLength);
  store<u32>(options, 300, OPTION_LOCATE_TIMEOUT_MS);
  store<u32>(options, 250, OPTION_POLL_MS);
  store<u32>(options, 1000, OPTION_DEAD_MS);
  announceAt = now;
  return true;
}

/** Announces when it is time. */
export function poolTurn(now: f64): void {
  if (handle >= 0 || announceAt < 0 || now < announceAt) return;
  textBegin(message, MESSAGE);
  putAnnouncement();
  const reply = message + (MESSAGE as usize);
  memory.fill(headers, 0, 64);
  memory.copy(headers, port, 6);
  setCommand(headers, POOL_ANNOUNCE);
  handle = trans(
    headers,
    message,
    textLength() as i32,
    headers + (HEADER as usize),
    reply,
    MESSAGE as i32,
    options,
    now,
  );
  if (handle < 0) later(now);
}

function later(now: f64): void {
  inPool = false;
  announceAt = now + wait;
  wait = min(wait * 2, AGAIN_MOST_US);
}

/** A completion of the kernel's: true when it was the announcement's. */
export function poolCompleted(completed: i32, status: i32, length: u32, now: f64): bool {
  if (handle < 0 || completed != handle) return false;
  handle = -1;
  const reply = message + (MESSAGE as usize);
  const at = behind(reply, length, '"intervalMs":');
  if (status < 0 || replyStatus(headers + (HEADER as usize)) != 0 || at < 0) {
    later(now);
    return true;
  }
  const interval = numberAt(reply + (at as usize), length - (at as u32));
  wait = AGAIN_US;
  inPool = true;
  announceAt = now + (min(max(interval, INTERVAL_LEAST_MS), INTERVAL_MOST_MS) as f64) * 1000;
  return true;
}
