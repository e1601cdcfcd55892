// The services of the machine: threads that wait for requests at a port, and what each of them does
// with one. As control/kernel/service.ts, without callbacks: a completion finds its slot.
//
// - A server is a number (SERVER_*) that main.ts turns into a function; it reads the request's
//   header and data and writes the reply's over them, or points to other data with replyWith.
// - Put-ports come from get-ports that are random at each boot: nobody else can serve them; those of a
//   group are known, and come and go with it (listenAt, serverClose).
// - A function may hold its reply (holdReply) and give it later (replyHeld).

import { HEADER } from "../../core-wasm/wire/formats";
import { setHeaderPort } from "../../core-wasm/wire/header";
import { load48 } from "../../core-wasm/wire/order";
import { random } from "./host";
import { getreq, kill, portOneWay, putrep } from "./kernel";
import { take } from "./memory";

const SLOTS_MOST: u32 = 20;
const SERVERS_MOST: u32 = 10;

// What a slot does
const CLOSED: u32 = 0;
const LISTENING: u32 = 1;
const HELD: u32 = 2; // has a request whose reply comes later
const REPLYING: u32 = 3;

@unmanaged
class Slot {
  handle: i32;
  server: u32;
  header: usize;
  data: usize;
  capacity: u32;
  state: u32;
}

const slots = memory.data(offsetof<Slot>() * 20, 8); // SLOTS_MOST
const ports = memory.data(16 * 10, 8); // SERVERS_MOST; of each server: get-port, put-port, eight bytes each
let count: u32 = 0;
let replyData: usize = 0;
let replyLength: u32 = 0;
let held: bool = false;
let current: u32 = 0;

function slotAt(index: u32): Slot {
  return changetype<Slot>(slots + offsetof<Slot>() * (index as usize));
}

/** The six bytes of a server's put-port. */
export function putPortAt(server: u32): usize {
  return ports + 16 * (server as usize) + 8;
}

function listen(slot: Slot, now: f64): void {
  slot.state = LISTENING;
  setHeaderPort(slot.header, load48(ports + 16 * (slot.server as usize)));
  slot.handle = getreq(slot.header, slot.data, slot.capacity as i32, now);
}

/** Takes room for so many threads, each for requests of `capacity` bytes. False: there is none. */
export function reserve(server: u32, threads: u32, capacity: u32): bool {
  for (let i: u32 = 0; i < threads; i++) {
    if (count == SLOTS_MOST || server >= SERVERS_MOST) return false;
    const room = take((HEADER as usize) + (capacity as usize));
    if (room == 0) return false;
    const slot = slotAt(count);
    count++;
    slot.server = server;
    slot.header = room;
    slot.data = room + (HEADER as usize);
    slot.capacity = capacity;
    slot.handle = -1;
  }
  return true;
}

/** The server's threads listen to a get-port of six bytes. False: a table is full. */
export function listenAt(server: u32, getPort: usize, now: f64): bool {
  const at = ports + 16 * (server as usize);
  serverClose(server, now);
  memory.copy(at, getPort, 6);
  portOneWay(at, at + 8);
  let all = true;
  for (let index: u32 = 0; index < count; index++) {
    const slot = slotAt(index);
    if (slot.server != server) continue;
    listen(slot, now);
    if (slot.handle < 0) all = false;
  }
  return all;
}

/** They listen no more; requests that they have are given up. */
export function serverClose(server: u32, now: f64): void {
  for (let index: u32 = 0; index < count; index++) {
    const slot = slotAt(index);
    if (slot.server != server || slot.state == CLOSED) continue;
    kill(slot.handle, now);
    slot.handle = -1;
    slot.state = CLOSED;
  }
}

/** Begins to serve with so many threads at a port of its own. False: no room. */
export function serve(server: u32, threads: u32, capacity: u32, now: f64): bool {
  const getPort = memory.data(8, 8);
  random(getPort, 6);
  return reserve(server, threads, capacity) && listenAt(server, getPort, now);
}

/** What a server function says when its reply's data is elsewhere than in the request's place. */
export function replyWith(data: usize, length: u32): void {
  replyData = data;
  replyLength = length;
}

/** The request that is being performed is answered later; its slot. */
export function holdReply(): u32 {
  held = true;
  return current;
}

/** The header of a held request: the reply's goes there. */
export function heldHeader(index: u32): usize {
  return slotAt(index).header;
}

/** Gives a held request its reply, which has no data. */
export function replyHeld(index: u32, now: f64): void {
  const slot = slotAt(index);
  if (slot.state != HELD) return;
  replyWith(slot.data, 0);
  give(slot, now);
}

function give(slot: Slot, now: f64): void {
  slot.state = REPLYING;
  if (putrep(slot.handle, slot.header, replyData, replyLength as i32, now) < 0) listen(slot, now);
}

type Serve = (server: u32, header: usize, data: usize, length: u32, capacity: u32) => void;

/** A completion of the kernel's: true when it was a service's. `perform` serves a request. */
export function serviceCompleted(handle: i32, status: i32, length: u32, now: f64, perform: Serve): bool {
  for (let index: u32 = 0; index < count; index++) {
    const slot = slotAt(index);
    if (slot.handle != handle) continue;
    if (slot.state != LISTENING || status < 0) {
      listen(slot, now);
      return true;
    }
    replyWith(slot.data, 0);
    held = false;
    current = index;
    perform(slot.server, slot.header, slot.data, length, slot.capacity);
    if (held) slot.state = HELD;
    else give(slot, now);
    return true;
  }
  return false;
}
