// The services of the machine: threads that wait for requests at a port, and what each of them does
// with one. As control/kernel/service.ts, without callbacks: a completion finds its slot.
//
// - A server is a number (SERVER_*) that main.ts turns into a function; it reads the request's
//   header and data and writes the reply's over them, or points to other data with replyWith.
// - Put-ports come from get-ports that are random at each boot: nobody else can serve them.

import { HEADER } from "../../core-wasm/wire/formats";
import { setHeaderPort } from "../../core-wasm/wire/header";
import { load48 } from "../../core-wasm/wire/order";
import { random } from "./host";
import { getreq, portOneWay, putrep } from "./kernel";
import { take } from "./memory";

export const SLOTS_MOST: u32 = 16;
export const SERVERS_MOST: u32 = 4;

@unmanaged
class Slot {
  handle: i32;
  server: u32;
  header: usize;
  data: usize;
  capacity: u32;
  replying: bool;
}

const slots = memory.data(offsetof<Slot>() * 16, 8);
const ports = memory.data(16 * 4, 8); // of each server: get-port, put-port, eight bytes each
let count: u32 = 0;
let replyData: usize = 0;
let replyLength: u32 = 0;

function slotAt(index: u32): Slot {
  return changetype<Slot>(slots + offsetof<Slot>() * (index as usize));
}

/** The six bytes of a server's put-port. */
export function putPortAt(server: u32): usize {
  return ports + 16 * (server as usize) + 8;
}

function listen(slot: Slot, now: f64): void {
  slot.replying = false;
  setHeaderPort(slot.header, load48(ports + 16 * (slot.server as usize)));
  slot.handle = getreq(slot.header, slot.data, slot.capacity as i32, now);
}

/** Begins to serve with so many threads, each with room for requests of `capacity` bytes. False: no room. */
export function serve(server: u32, threads: u32, capacity: u32, now: f64): bool {
  const getPort = ports + 16 * (server as usize);
  random(getPort, 6);
  portOneWay(getPort, getPort + 8);
  for (let i: u32 = 0; i < threads; i++) {
    if (count == SLOTS_MOST) return false;
    const room = take((HEADER as usize) + (capacity as usize));
    if (room == 0) return false;
    const slot = slotAt(count);
    count++;
    slot.server = server;
    slot.header = room;
    slot.data = room + (HEADER as usize);
    slot.capacity = capacity;
    listen(slot, now);
    if (slot.handle < 0) return false;
  }
  return true;
}

/** What a server function says when its reply's data is elsewhere than in the request's place. */
export function replyWith(data: usize, length: u32): void {
  replyData = data;
  replyLength = length;
}

type Serve = (server: u32, header: usize, data: usize, length: u32, capacity: u32) => void;

/** A completion of the kernel's: true when it was a service's. `perform` serves a request. */
export function serviceCompleted(handle: i32, status: i32, length: u32, now: f64, perform: Serve): bool {
  for (let index: u32 = 0; index < count; index++) {
    const slot = slotAt(index);
    if (slot.handle != handle) continue;
    if (slot.replying || status < 0) {
      listen(slot, now);
      return true;
    }
    replyWith(slot.data, 0);
    perform(slot.server, slot.header, slot.data, length, slot.capacity);
    slot.replying = true;
    if (putrep(handle, slot.header, replyData, replyLength as i32, now) < 0) listen(slot, now);
    return true;
  }
  return false;
}
