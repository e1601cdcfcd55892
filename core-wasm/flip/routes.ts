// The routing table: FLIP address -> where it was seen, with its distance.
//
// - An address has any number of locations (network, MAC); the nearest one is used.
// - Addresses registered here are local: distance 0, always trusted, never aged out.
// - A full table gives up the remote address that was used longest ago.
// - Source: FLIP, spec section 1.7.

import { COUNTER_TABLE_FULL } from "../layout";
import { insist } from "../memory/assert";
import { nowMs } from "../memory/clock";
import { countUp } from "../memory/counters";
import { Entry, Table, tableAdd, tableAt, tableFind, tableNew, tableRemove } from "../memory/table";
import { networkAt } from "./networks";

export const ROUTE_NONE: i32 = -4;
export const ROUTE_TOO_FAR: i32 = -1;
export const ROUTE_UNSAFE: i32 = -2;
export const ANY_NETWORK: u32 = 0xffffffff;

@unmanaged
export class Route extends Entry {
  locations: u32; // first Location, most recent first
  lastUsedMs: u32;
  local: u32; // how many endpoints here have this address
}

@unmanaged
export class Location extends Entry {
  // key: MAC, key2: network
  sibling: u32;
  hops: u32;
  count: u32;
  trusted: u32;
  multicast: u32; // this neighbour listens to the group's hardware multicast
}

let routes: Table = changetype<Table>(0);
let locations: Table = changetype<Table>(0);

/** Changes whenever a route is added, moved or taken away: what was remembered is stale. */
export let routesEpoch: u32 = 1;

export function routesOpen(addresses: u32, places: u32): void {
  routes = tableNew(addresses, offsetof<Route>());
  locations = tableNew(places, offsetof<Location>());
  routesEpoch = 1;
  lastLocalEpoch = 0;
}

/** For those who only look: tables.ts. */
export function routesTable(): Table {
  return routes;
}

// @ts-ignore: decorator
@inline
export function routeFind(address: u64): Route {
  return changetype<Route>(tableFind(routes, address, 0));
}

function forget(route: Route): void {
  let at: usize = route.locations;
  while (at != 0) {
    const next: usize = changetype<Location>(at).sibling;
    tableRemove(locations, at);
    at = next;
  }
  route.locations = 0;
  routesEpoch++;
}

/** Makes room by giving up the remote address idle longest (not `keep`). */
function purge(keep: usize): bool {
  let oldest: usize = 0;
  let age: u32 = 0;
  for (let i: u32 = 0; i < routes.capacity; i++) {
    const route = changetype<Route>(tableAt(routes, i));
    if (!route.used || route.local || changetype<usize>(route) == keep) continue;
    const idle = nowMs() - route.lastUsedMs;
    if (oldest == 0 || idle > age) {
      oldest = changetype<usize>(route);
      age = idle;
    }
  }
  countUp(COUNTER_TABLE_FULL);
  if (oldest == 0) return false;
  forget(changetype<Route>(oldest));
  tableRemove(routes, oldest);
  return true;
}

function routeFor(address: u64): Route {
  let route = routeFind(address);
  if (changetype<usize>(route) == 0) {
    if (routes.free == 0) purge(0);
    route = changetype<Route>(tableAdd(routes, address, 0));
    routesEpoch++;
  }
  return route;
}

/** Registers an address here; false when the table is full of local ones. */
export function routeAddLocal(address: u64): bool {
  const route = routeFor(address);
  if (changetype<usize>(route) == 0) return false;
  route.local++;
  routesEpoch++;
  return true;
}

export function routeRemoveLocal(address: u64): void {
  const route = routeFind(address);
  if (changetype<usize>(route) == 0 || route.local == 0) return;
  route.local--;
  routesEpoch++;
  if (route.local == 0 && route.locations == 0) tableRemove(routes, changetype<usize>(route));
}

let lastLocal: u64 = 0; // the local address that was asked for last, while lastLocalEpoch is routesEpoch
let lastLocalEpoch: u32 = 0;

// @ts-ignore: decorator
@inline
export function routeIsLocal(address: u64): bool {
  return (address == lastLocal && routesEpoch == lastLocalEpoch) || isLocal(address);
}

function isLocal(address: u64): bool {
  const route = routeFind(address);
  if (changetype<usize>(route) == 0 || route.local == 0) return false;
  lastLocal = address;
  lastLocalEpoch = routesEpoch;
  return true;
}

/** Notes that `address` was seen behind `mac` on `network`, `hops` away. */
export function routeInstall(
  address: u64,
  network: u32,
  mac: u64,
  hops: u32,
  count: u32,
  trusted: u32,
): void {
  insist(address != 0, 200);
  const net = networkAt(network);
  if (
    net.lastSource == address &&
    net.lastMac == mac &&
    net.lastHops == hops &&
    net.lastEpoch == routesEpoch &&
    count == 1 &&
    trusted == 1
  )
    return;
  const route = routeFor(address);
  if (changetype<usize>(route) == 0) return;
  route.lastUsedMs = nowMs();
  let at: usize = route.locations;
  while (at != 0) {
    const location = changetype<Location>(at);
    if (location.key == mac && (location.key2 as u32) == network) break;
    at = location.sibling;
  }
  if (at == 0) {
    while (locations.free == 0 && purge(changetype<usize>(route))) {} // one without places frees none
    at = tableAdd(locations, mac, network);
    if (at == 0) return;
    changetype<Location>(at).sibling = route.locations;
    route.locations = at as u32;
    routesEpoch++;
  }
  const location = changetype<Location>(at);
  if (location.hops != hops || location.trusted != trusted) routesEpoch++;
  location.hops = hops;
  location.count = count;
  location.trusted = trusted;
  if (count == 1 && trusted == 1) {
    net.lastSource = address;
    net.lastMac = mac;
    net.lastHops = hops;
    net.lastEpoch = routesEpoch;
  }
}

/** Forgets where a remote address is; local registrations stay. */
export function routeRemoveAll(address: u64): void {
  const route = routeFind(address);
  if (changetype<usize>(route) == 0) return;
  forget(route);
  if (route.local == 0) tableRemove(routes, changetype<usize>(route));
}

/** Forgets the places of an address that are not on `network`. */
export function routeRemoveElsewhere(address: u64, network: u32): void {
  removeWhere(address, network, 0, false);
}

/** Forgets one place of an address. */
export function routeRemove(address: u64, network: u32, mac: u64): void {
  removeWhere(address, network, mac, true);
}

function removeWhere(address: u64, network: u32, mac: u64, there: bool): void {
  const route = routeFind(address);
  if (changetype<usize>(route) == 0) return;
  let link = changetype<usize>(route) + offsetof<Route>("locations");
  while (load<u32>(link) != 0) {
    const at: usize = load<u32>(link);
    const location = changetype<Location>(at);
    const match = there
      ? (location.key2 as u32) == network && location.key == mac
      : (location.key2 as u32) != network;
    if (match) {
      store<u32>(link, location.sibling);
      tableRemove(locations, at);
      routesEpoch++;
    } else {
      link = at + offsetof<Location>("sibling");
    }
  }
  if (route.local == 0 && route.locations == 0) tableRemove(routes, changetype<usize>(route));
}

/**
 * The nearest location that is not on `except`, at most `hops` away and, when `secure`,
 * reached over trusted networks only. A Location's address, or a ROUTE_* below zero.
 */
export function routeBest(address: u64, except: u32, hops: u32, secure: bool): i32 {
  const route = routeFind(address);
  if (changetype<usize>(route) == 0) return ROUTE_NONE;
  let best: usize = 0;
  let distance: u32 = 0xffffffff;
  let unsafeSeen = false;
  let farSeen = false;
  let at: usize = route.locations;
  while (at != 0) {
    const location = changetype<Location>(at);
    at = location.sibling;
    const network = location.key2 as u32;
    if (network == except || !networkAt(network).up) continue;
    if (secure && location.trusted == 0) {
      unsafeSeen = true;
      continue;
    }
    if (location.hops > hops) {
      farSeen = true;
      continue;
    }
    if (location.hops < distance) {
      distance = location.hops;
      best = changetype<usize>(location);
    }
  }
  if (best != 0) {
    route.lastUsedMs = nowMs();
    return best as i32;
  }
  return unsafeSeen ? ROUTE_UNSAFE : farSeen ? ROUTE_TOO_FAR : ROUTE_NONE;
}

/** How many endpoints with this address are known: here and at all locations but `except`. */
export function routeCount(address: u64, except: u32, trustedOnly: bool): u32 {
  const route = routeFind(address);
  if (changetype<usize>(route) == 0) return 0;
  let total = route.local;
  let at: usize = route.locations;
  while (at != 0) {
    const location = changetype<Location>(at);
    if ((location.key2 as u32) != except) total += trustedOnly ? location.trusted : location.count;
    at = location.sibling;
  }
  return min<u32>(total, 0xffff);
}

/** Ages the table: past three quarters full, what is idle for longer than `idleMs` goes. */
export function routesSweep(idleMs: u32): void {
  if (routes.count * 4 < routes.capacity * 3) return;
  for (let i: u32 = 0; i < routes.capacity; i++) {
    const route = changetype<Route>(tableAt(routes, i));
    if (route.used && !route.local && nowMs() - route.lastUsedMs > idleMs) {
      forget(route);
      tableRemove(routes, changetype<usize>(route));
    }
  }
}
