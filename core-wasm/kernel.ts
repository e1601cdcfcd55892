// The kernel's exports: what a host may call. Everything else is behind these.
//
// - A host writes the limits record, calls boot, attaches its networks, and from then on
//   turns: flush what was transmitted; tick(now); receive each frame; flush; drain the
//   completion ring; sleep until nextDeadline or the next frame.
// - The calls themselves: calls.ts of rpc, flip, group, memory, mirror; those without a network: offline.ts.
// - Time is whole microseconds in a double (exact below 2^53), never read, never compared
//   as a double.

import * as host from "./host";
import * as layout from "./layout";
import * as limits from "./limits";
import * as status from "./status";
import { flipOneWay } from "./crypto/des";
import { kernelAbort } from "./memory/assert";
import { now as clock, resetNow, setNow } from "./memory/clock";
import { broadcastsOpen } from "./flip/broadcasts";
import { flipCallsOpen } from "./flip/calls";
import { creditsExpired, creditsOpen } from "./flip/credits";
import { framesHeld, framesOpen, framesReclaim } from "./flip/frames";
import { idsOpen } from "./flip/ids";
import { locateExpired, locateOpen } from "./flip/locate";
import { multicastOpen } from "./flip/multicast";
import { neighbourAt, neighbourExpired, neighboursOpen, neighboursSweep } from "./flip/neighbours";
import { headsReclaim, networkAdd, networkAt, networkCount, networksOpen } from "./flip/networks";
import { neighbourDiscard, queuesOpen } from "./flip/queues";
import { routeAddLocal, routesOpen, routesSweep } from "./flip/routes";
import { switchListen, switchOpen, switchReceive } from "./flip/switch";
import { upcallsOpen } from "./flip/upcalls";
import { COURIERS, couriersLocated, couriersSettled } from "./group/couriers";
import { groupExpired, groupKnows, groupOpen, groupReclaim } from "./group/group";
import { TIMERS, groupCapacity } from "./group/groups";
import { groupDeliver } from "./group/receive";
import { allocate, arenaOpen, arenaSeal } from "./memory/arena";
import { boundsOpen, inMemory } from "./memory/bounds";
import { countersOpen } from "./memory/counters";
import { segmentsOpen, segmentsTaken } from "./memory/segments";
import { setting, settingsOpen } from "./memory/settings";
import { userSegmentsOpen } from "./memory/user-segments";
import { NEVER, timerPop, timerSet, timersNext, timersOpen } from "./memory/timers";
import { crc32cOpen } from "./mirror/crc32c";
import { completionMask, completionsOpen, event } from "./rpc/completions";
import { duplicatesOpen } from "./rpc/duplicates";
import { negotiateOpen } from "./rpc/negotiate";
import { packetsOpen } from "./rpc/packets";
import { portsOpen } from "./rpc/ports";
import { rpcDeliver, rpcExpired, rpcLocated, rpcSettled, rpcUndeliverable } from "./rpc/receive";
import { stashOpen } from "./rpc/stash";
import { threadCapacity, threadsOpen } from "./rpc/threads";
import { isMulticast, macOf, setMac } from "./wire/ethernet";

export * from "./flip/calls";
export * from "./group/calls";
export * from "./memory/calls";
export * from "./mirror/calls";
export * from "./offline";
export * from "./rpc/calls";
export * from "./tables";

export const ABI_VERSION: i32 = layout.ABI;

const PAGE: usize = 65536;
const SWEEP_US: i64 = 5000000;
const ROUTE_IDLE_MS: u32 = 100000;

let neighbourTimers: u32 = 0;
let locateTimers: u32 = 0;
let sweepTimer: u32 = 0;
let threadTimers: u32 = 0;
let groupTimers: u32 = 0;
let eventMac: usize = 0;
let ownAddress: u64 = 0;
let booted: bool = false;

// ---- boot ------------------------------------------------------------------------

/** Lays out the tables and takes a fresh kernel id and FLIP address; a status. */
export function boot(): i32 {
  booted = false;
  const bad = settingsOpen();
  if (bad != 0) return bad;
  const given: usize = setting(limits.LIMIT_MEMORY_BYTES);
  const all: usize = (memory.size() as usize) * PAGE;
  if (given > all) return status.KERNEL_NOMEMORY;
  const memoryEnd = given != 0 ? given : all;
  boundsOpen(0);
  const base: usize = setting(limits.LIMIT_TABLE_BASE);
  arenaOpen(base != 0 ? base : __heap_base, memoryEnd);
  resetNow();
  openTables();
  const end = arenaSeal();
  if (end >= memoryEnd) return status.KERNEL_NOMEMORY;
  record(layout.LAYOUT_ABI, layout.ABI);
  record(layout.LAYOUT_HOST_BASE, ((end + PAGE - 1) & ~(PAGE - 1)) as u32);
  boundsOpen(memoryEnd);
  booted = true;
  return status.STD_OK;
}

function record(field: i32, value: u32): void {
  store<u32>((layout.LAYOUT_ADDRESS as usize) + (field as usize) * 4, value);
}

function openTables(): void {
  const neighbours = setting(limits.LIMIT_NEIGHBOURS);
  const locates = setting(limits.LIMIT_LOCATES);
  const threadCount = setting(limits.LIMIT_THREADS);
  const frames = setting(limits.LIMIT_FRAMES);
  neighbourTimers = neighbours;
  locateTimers = neighbours * 2 + locates;
  sweepTimer = locateTimers;
  threadTimers = sweepTimer + 1;
  record(layout.LAYOUT_COUNTERS, countersOpen() as u32);
  const groups = setting(limits.LIMIT_GROUPS);
  groupTimers = threadTimers + threadCount;
  timersOpen(groupTimers + groups * TIMERS);
  networksOpen(setting(limits.LIMIT_NETWORKS));
  const identity = allocate(32);
  eventMac = allocate(16 * 64);
  if (identity == 0 || eventMac == 0) return;
  host.random(identity, 24);
  const kid = load<u64>(identity);
  const secret = (load<u64>(identity, 8) & 0x00ffffffffffffff) | 1; // space byte 0
  const own = flipOneWay(secret);
  store<u64>(identity, own, 24);
  record(layout.LAYOUT_KERNEL_ID, identity as u32);
  record(layout.LAYOUT_ADDRESS_PUBLIC, (identity + 24) as u32);
  neighboursOpen(neighbours, load<u32>(identity, 16), neighbours);
  creditsOpen(0);
  routesOpen(setting(limits.LIMIT_ROUTES), setting(limits.LIMIT_LOCATIONS));
  locateOpen(locates, neighbours * 2);
  idsOpen();
  multicastOpen();
  queuesOpen(threadCount + frames + COURIERS);
  framesOpen(frames, setting(limits.LIMIT_FRAME_BYTES));
  switchOpen();
  broadcastsOpen(setting(limits.LIMIT_BROADCASTS_SEEN));
  threadsOpen(threadCount, threadTimers);
  portsOpen(setting(limits.LIMIT_PORTS), setting(limits.LIMIT_PORT_CACHE));
  duplicatesOpen(
    setting(limits.LIMIT_CLIENT_KERNELS),
    setting(limits.LIMIT_DUPLICATE_WINDOW),
    setting(limits.LIMIT_FORGOTTEN_KERNELS),
  );
  stashOpen(setting(limits.LIMIT_STASH_BYTES));
  negotiateOpen();
  packetsOpen(kid, own);
  flipCallsOpen(own);
  record(
    layout.LAYOUT_COMPLETIONS,
    completionsOpen(threadCount * 2 + setting(limits.LIMIT_GROUP_OPERATIONS) + 64) as u32,
  );
  record(layout.LAYOUT_COMPLETION_MASK, completionMask());
  segmentsOpen(setting(limits.LIMIT_GROUP_BYTES));
  groupOpen(groups, groupTimers, setting(limits.LIMIT_GROUP_OPERATIONS), own);
  ownAddress = own;
  userSegmentsOpen(setting(limits.LIMIT_SEGMENT_BYTES), setting(limits.LIMIT_SEGMENTS));
  crc32cOpen();
  upcallsOpen(deliver, undeliverable, located, settled, listen);
  if (arenaFull()) return;
  routeAddLocal(own);
  switchListen();
  timerSet(sweepTimer, clock + SWEEP_US);
}

// What FLIP tells goes to RPC or to groups, by address; the word in front of a broadcast tells which.

function deliver(
  data: usize,
  length: u32,
  destination: u64,
  source: u64,
  id: u32,
  offset: u32,
  total: u32,
  flags: u32,
): void {
  if (destination == ownAddress) rpcDeliver(data, length, destination, source, id, offset, total, flags);
  else if (destination != 0) groupDeliver(data, length, destination, source, id, offset, total);
  else {
    rpcDeliver(data, length, destination, source, id, offset, total, flags);
    groupDeliver(data, length, destination, source, id, offset, total);
  }
}

function undeliverable(data: usize, length: u32, destination: u64, offset: u32, reason: u32): void {
  if (!groupKnows(destination)) rpcUndeliverable(data, length, destination, offset, reason);
}

function located(address: u64, found: bool): void {
  rpcLocated(address, found);
  couriersLocated(address, found);
}

function settled(): void {
  rpcSettled();
  couriersSettled();
}

/** True when some table did not fit; boot then answers KERNEL_NOMEMORY. */
function arenaFull(): bool {
  return allocate(64) == 0;
}

function listen(network: u32, mac: u64, on: bool): void {
  const at = eventMac + (network as usize) * 64;
  setMac(at, mac);
  event(on ? layout.EVENT_MULTICAST_JOIN : layout.EVENT_MULTICAST_LEAVE, network as i32, at, 6);
}

/**
 * Attaches a network: `mac` points to 6 bytes, `mtu` counts behind the Ethernet header,
 * `weight` is what crossing it costs in hops (3 for Ethernet), `receiveFrames` how many
 * frames the host can hold. Answers its number, or a status.
 */
export function network_add(mac: usize, mtu: i32, weight: i32, trusted: i32, receiveFrames: i32): i32 {
  if (!booted || !inMemory(mac, 6)) return status.RPC_BADADDRESS;
  const own = macOf(mac);
  if (own == 0 || isMulticast(own)) return status.KERNEL_BADNETWORK;
  return networkAdd(own, mtu as u32, weight as u32, trusted != 0, max<i32>(receiveFrames, 1) as u32);
}

/** Takes a network out of use (or back): its routes are passed over while it is down. */
export function network_set(network: i32, up: i32, trusted: i32): i32 {
  if ((network as u32) >= networkCount) return status.KERNEL_BADNETWORK;
  networkAt(network).up = up != 0 ? 1 : 0;
  networkAt(network).trusted = trusted != 0 ? 1 : 0;
  return status.STD_OK;
}

// ---- the turn --------------------------------------------------------------------

/** One frame from a network, Ethernet header first. A FRAME_* status; never traps. */
export function receive(network: i32, pointer: usize, length: i32, now: f64): i32 {
  setNow(now);
  if (!booted || length < 0 || !inMemory(pointer, length as u32)) return status.RPC_BADADDRESS;
  const answer = switchReceive(network as u32, pointer, length as u32);
  held();
  return answer;
}

/** Runs the timers that are due. Frames transmitted before must have been flushed. */
export function tick(now: f64): void {
  setNow(now);
  if (!booted) return;
  framesReclaim();
  headsReclaim();
  groupReclaim();
  // Bounded: a timer that sets itself to a time already past waits for the next tick.
  for (let left = groupTimers + groupCapacity * TIMERS; left > 0; left--) {
    const id = timerPop(clock);
    if (id < 0) break;
    expired(id as u32);
  }
  held();
}

function expired(id: u32): void {
  if (id >= groupTimers) groupExpired(id - groupTimers);
  else if (id >= threadTimers) rpcExpired(id - threadTimers);
  else if (id == sweepTimer) {
    neighboursSweep();
    routesSweep(ROUTE_IDLE_MS);
    timerSet(sweepTimer, clock + SWEEP_US);
  } else if (id >= neighbourTimers * 2) locateExpired(id - neighbourTimers * 2);
  else if (id >= neighbourTimers) {
    if (neighbourExpired(neighbourAt(id - neighbourTimers))) settled();
  } else {
    const neighbour = neighbourAt(id);
    if (neighbour.used && creditsExpired(neighbour)) neighbourDiscard(neighbour);
  }
}

/** When tick is wanted next, in microseconds; below zero: not before something arrives. */
export function nextDeadline(): f64 {
  const next = timersNext();
  return next == NEVER ? -1 : (next as f64);
}

function held(): void {
  record(layout.LAYOUT_FRAMES_HELD, framesHeld());
  record(layout.LAYOUT_GROUP_BYTES, segmentsTaken());
}
