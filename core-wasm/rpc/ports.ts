// Ports: which are served here and by whom, and where others were last found.
//
// - A port that is served here has a record while a thread waits for or serves a
//   request; its waiting threads queue first come, first served.
// - The cache holds one place a port; it is forgotten when that place fails or the port
//   is located again.
// - Ports are put-ports: 48 bits in a u64.

import { COUNTER_TABLE_FULL } from "../layout";
import { nowMs } from "../memory/clock";
import { countUp } from "../memory/counters";
import { Entry, Table, tableAdd, tableAt, tableFind, tableNew, tableRemove } from "../memory/table";
import { List, Thread, listAppend, listLeave } from "./threads";

@unmanaged
export class Port extends Entry {
  // key: put-port
  waiting: List;
  waitingFirst: u32; // the List itself: first, last
  waitingLast: u32;
  threads: u32; // waiting or serving
  getPort: u64;
}

@unmanaged
export class Place extends Entry {
  // key: put-port
  address: u64;
  thread: u32;
  features: u32;
  roundtripMs: u32;
  heardMs: u32; // when something last came from there
  roundtripUs: u32; // measured, smoothed; 0 when it was not
}

let ports: Table = changetype<Table>(0);
let places: Table = changetype<Table>(0);

export function portsOpen(portCount: u32, placeCount: u32): void {
  ports = tableNew(portCount, offsetof<Port>());
  places = tableNew(placeCount, offsetof<Place>());
}

/** For those who only look: tables.ts. */
export function portsTable(): Table {
  return ports;
}

/** The same for the cache. */
export function placesTable(): Table {
  return places;
}

// @ts-ignore: decorator
@inline
export function portFind(port: u64): Port {
  return changetype<Port>(tableFind(ports, port, 0));
}

/** A thread begins to wait; false when the port table is full. */
export function portWait(port: u64, getPort: u64, thread: Thread): bool {
  let record = portFind(port);
  if (changetype<usize>(record) == 0) {
    record = changetype<Port>(tableAdd(ports, port, 0));
    if (changetype<usize>(record) == 0) {
      countUp(COUNTER_TABLE_FULL);
      return false;
    }
    record.waiting = changetype<List>(changetype<usize>(record) + offsetof<Port>("waitingFirst"));
    record.getPort = getPort;
  }
  record.threads++;
  listAppend(record.waiting, thread);
  return true;
}

/** The longest waiting thread of a port, taken out of the queue; null when none waits. */
export function portTake(port: u64): Thread {
  const record = portFind(port);
  if (changetype<usize>(record) == 0) return changetype<Thread>(0);
  const thread = changetype<Thread>(record.waiting.first);
  if (changetype<usize>(thread) != 0) listLeave(thread);
  return thread;
}

/** True when a thread waits for a request to this port. */
export function portWaits(port: u64): bool {
  const record = portFind(port);
  return changetype<usize>(record) != 0 && record.waiting.first != 0;
}

/** A thread no longer waits for or serves this port. */
export function portLeave(port: u64): void {
  const record = portFind(port);
  if (changetype<usize>(record) == 0) return;
  if (--record.threads == 0) tableRemove(ports, changetype<usize>(record));
}

export function portsServed(): u32 {
  return ports.count;
}

// @ts-ignore: decorator
@inline
export function placeFind(port: u64): Place {
  return changetype<Place>(tableFind(places, port, 0));
}

/** Notes where a port is; gives up the oldest place when the cache is full. */
export function placeSet(port: u64, address: u64, thread: u32, features: u32, roundtripMs: u32): Place {
  let place = placeFind(port);
  if (changetype<usize>(place) == 0) {
    if (places.free == 0) dropOldest();
    place = changetype<Place>(tableAdd(places, port, 0));
  } else if (place.address == address) {
    place.heardMs = nowMs();
    if (features != 0) place.features = features;
    return place;
  }
  place.address = address;
  place.thread = thread;
  place.features = features;
  place.roundtripMs = roundtripMs;
  place.heardMs = nowMs();
  place.roundtripUs = 0;
  return place;
}

export function placeDrop(port: u64): void {
  const place = placeFind(port);
  if (changetype<usize>(place) != 0) tableRemove(places, changetype<usize>(place));
}

function dropOldest(): void {
  let oldest: usize = 0;
  let age: u32 = 0;
  for (let i: u32 = 0; i < places.capacity; i++) {
    const place = changetype<Place>(tableAt(places, i));
    const idle = nowMs() - place.heardMs;
    if (place.used && (oldest == 0 || idle >= age)) {
      oldest = changetype<usize>(place);
      age = idle;
    }
  }
  if (oldest != 0) tableRemove(places, oldest);
}
