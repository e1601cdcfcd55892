// The kernel's tables as others may look at them: one entry at a time, copied out. For the sys
// server and its kstat; nothing in the kernel depends on it.
//
// - table_entry answers 1 for an entry that is in use, 0 for a free place, RPC_BADADDRESS for an
//   `out` outside of the memory and KERNEL_BADHANDLE for an index past the end or no such table.
// - What it writes: layout.ts, *_ENTRY_*; at most TABLE_ENTRY_BYTES. It changes nothing: get-ports,
//   nonces and other secrets stay inside.

import { neighboursTable, Neighbour } from "./flip/neighbours";
import { networkAt, networkCount } from "./flip/networks";
import { Location, Route, routesTable } from "./flip/routes";
import * as layout from "./layout";
import { inMemory } from "./memory/bounds";
import { nowMs } from "./memory/clock";
import { Entry, Table, tableAt } from "./memory/table";
import { Place, placesTable, Port, portsTable } from "./rpc/ports";
import { FREE, threadAt, threadCapacity } from "./rpc/threads";
import { KERNEL_BADHANDLE, RPC_BADADDRESS } from "./status";

function route(at: usize, out: usize): void {
  const entry = changetype<Route>(at);
  store<u64>(out, entry.key, layout.ROUTE_ENTRY_ADDRESS);
  store<u32>(out, entry.local, layout.ROUTE_ENTRY_LOCAL);
  store<u32>(out, nowMs() - entry.lastUsedMs, layout.ROUTE_ENTRY_IDLE_MS);
  let count: u32 = 0;
  let place: usize = entry.locations;
  while (place != 0) {
    const location = changetype<Location>(place);
    if (count < (layout.ROUTE_PLACES_MAX as u32)) {
      const to = out + (layout.ROUTE_ENTRY_FIRST + (count as i32) * layout.ROUTE_PLACE_BYTES);
      store<u64>(to, location.key, layout.ROUTE_PLACE_MAC);
      store<u32>(to, location.key2 as u32, layout.ROUTE_PLACE_NETWORK);
      store<u32>(to, location.hops, layout.ROUTE_PLACE_HOPS);
      store<u32>(to, location.count, layout.ROUTE_PLACE_COUNT);
      store<u32>(to, location.trusted, layout.ROUTE_PLACE_TRUSTED);
    }
    count++;
    place = location.sibling;
  }
  store<u32>(out, count, layout.ROUTE_ENTRY_PLACES);
}

function neighbour(at: usize, out: usize): void {
  const entry = changetype<Neighbour>(at);
  store<u64>(out, entry.key, layout.NEIGHBOUR_ENTRY_MAC);
  store<u32>(out, entry.key2 as u32, layout.NEIGHBOUR_ENTRY_NETWORK);
  store<u32>(out, entry.mtu, layout.NEIGHBOUR_ENTRY_MTU);
  store<i32>(out, entry.credits, layout.NEIGHBOUR_ENTRY_CREDITS);
  store<u32>(out, entry.known, layout.NEIGHBOUR_ENTRY_KNOWN);
  store<u32>(out, entry.checked, layout.NEIGHBOUR_ENTRY_CHECKED);
  store<u32>(out, nowMs() - entry.lastUsedMs, layout.NEIGHBOUR_ENTRY_IDLE_MS);
}

function port(at: usize, out: usize): void {
  const entry = changetype<Port>(at);
  store<u64>(out, entry.key, layout.PORT_ENTRY_PORT);
  store<u32>(out, entry.threads, layout.PORT_ENTRY_THREADS);
  store<u32>(out, entry.waiting.first != 0 ? 1 : 0, layout.PORT_ENTRY_WAITING);
}

function place(at: usize, out: usize): void {
  const entry = changetype<Place>(at);
  store<u64>(out, entry.key, layout.PLACE_ENTRY_PORT);
  store<u64>(out, entry.address, layout.PLACE_ENTRY_ADDRESS);
  store<u32>(out, entry.roundtripUs, layout.PLACE_ENTRY_ROUNDTRIP_US);
  store<u32>(out, nowMs() - entry.heardMs, layout.PLACE_ENTRY_IDLE_MS);
}

function thread(index: u32, out: usize): i32 {
  if (index >= threadCapacity()) return KERNEL_BADHANDLE;
  const entry = threadAt(index);
  if (entry.state == FREE) return 0;
  store<u64>(out, entry.port, layout.THREAD_ENTRY_PORT);
  store<u64>(out, entry.peer, layout.THREAD_ENTRY_PEER);
  store<u32>(out, entry.state, layout.THREAD_ENTRY_STATE);
  store<u32>(out, entry.tid, layout.THREAD_ENTRY_TRANSACTION);
  return 1;
}

function network(index: u32, out: usize): i32 {
  if (index >= networkCount) return KERNEL_BADHANDLE;
  const entry = networkAt(index);
  store<u64>(out, entry.mac, layout.NETWORK_ENTRY_MAC);
  store<u32>(out, entry.mtu, layout.NETWORK_ENTRY_MTU);
  store<u32>(out, entry.weight, layout.NETWORK_ENTRY_WEIGHT);
  store<u32>(out, entry.up, layout.NETWORK_ENTRY_UP);
  store<u32>(out, entry.trusted, layout.NETWORK_ENTRY_TRUSTED);
  return 1;
}

function tableOf(which: i32): Table {
  switch (which) {
    case layout.TABLE_ROUTES:
      return routesTable();
    case layout.TABLE_NEIGHBOURS:
      return neighboursTable();
    case layout.TABLE_PORTS:
      return portsTable();
    case layout.TABLE_PLACES:
      return placesTable();
    default:
      return changetype<Table>(0);
  }
}

/** Copies entry `index` of a table (TABLE_*) to `out`: 1, 0 when the place is free, or a status. */
export function table_entry(which: i32, index: i32, out: usize): i32 {
  if (!inMemory(out, layout.TABLE_ENTRY_BYTES)) return RPC_BADADDRESS;
  if (which == layout.TABLE_THREADS) return thread(index as u32, out);
  if (which == layout.TABLE_NETWORKS) return network(index as u32, out);
  const table = tableOf(which);
  if (changetype<usize>(table) == 0 || (index as u32) >= table.capacity) return KERNEL_BADHANDLE;
  const at = tableAt(table, index as u32);
  if (changetype<Entry>(at).used == 0) return 0;
  if (which == layout.TABLE_ROUTES) route(at, out);
  else if (which == layout.TABLE_NEIGHBOURS) neighbour(at, out);
  else if (which == layout.TABLE_PORTS) port(at, out);
  else place(at, out);
  return 1;
}
