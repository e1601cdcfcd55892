// The kernel's exports: what a host may call. Everything else is behind these.
//
// - A host writes the limits record, calls boot, attaches its networks, and from then on
//   turns: flush what was transmitted; tick(now); receive each frame; flush; drain the
//   completion ring; sleep until nextDeadline or the next frame.
// - Calls answer at once: a handle (>= 0) or a status of status.ts. Buffers lie in the
//   linear memory and are the kernel's until the handle's completion.
// - Time is whole microseconds in a double (exact below 2^53), never read, never compared
//   as a double.
// - Offline functions (one-way functions, capabilities, text, checks): offline.ts.

import * as host from "./host";
import * as layout from "./layout";
import * as limits from "./limits";
import * as status from "./status";
import { flipOneWay } from "./crypto/des";
import { portOneWay } from "./crypto/oneway";
import { creditsExpired, creditsOpen } from "./flip/credits";
import { idsOpen, messageNewId } from "./flip/ids";
import { locateExpired, locateOpen } from "./flip/locate";
import { framesHeld, framesReclaim, messagesOpen, neighbourDiscard } from "./flip/messages";
import { multicastOpen, multicastSend } from "./flip/multicast";
import { neighbourAt, neighbourExpired, neighboursOpen, neighboursSweep } from "./flip/neighbours";
import { headsReclaim, networkAdd, networkAt, networkCount, networksOpen } from "./flip/networks";
import {
  routeAddLocal,
  routeCount,
  routeIsLocal,
  routeRemoveLocal,
  routesOpen,
  routesSweep,
} from "./flip/routes";
import { switchListen, switchOpen, switchReceive } from "./flip/switch";
import { upcallsOpen } from "./flip/upcalls";
import { allocate, arenaOpen, arenaSeal } from "./memory/arena";
import { insist, kernelAbort } from "./memory/assert";
import { now as clock, resetNow, setNow } from "./memory/clock";
import { countersOpen } from "./memory/counters";
import { setting, settingsOpen } from "./memory/settings";
import { NEVER, timerPop, timerSet, timersNext, timersOpen } from "./memory/timers";
import { clientBegin, clientGo, clientSignal } from "./rpc/client";
import { clientFull, clientSettleOldest, clientTakeOwing } from "./rpc/client-end";
import { completionMask, completionsOpen, completionsPending, event } from "./rpc/completions";
import { duplicatesOpen } from "./rpc/duplicates";
import {
  localBegin,
  localClientGone,
  localFound,
  localOrphan,
  localOrphanGone,
  localReply,
  localServerGone,
  localSignal,
} from "./rpc/local";
import { negotiateOpen } from "./rpc/negotiate";
import { address, packetsOpen } from "./rpc/packets";
import { portWait, portsOpen } from "./rpc/ports";
import { rpcDeliver, rpcExpired, rpcLocated, rpcSettled, rpcUndeliverable } from "./rpc/receive";
import { serverForward, serverKill, serverReply, serverSignal } from "./rpc/server";
import { stashOpen } from "./rpc/stash";
import * as threads from "./rpc/threads";
import { Thread, threadHandle, threadOf, threadTake, threadsOpen } from "./rpc/threads";
import { isMulticast, macOf, setMac } from "./wire/ethernet";
import { headerCopy, headerPort } from "./wire/header";
import { RPC_HEADER } from "./wire/rpc";

export * from "./offline";

export const ABI_VERSION: i32 = layout.ABI;

const PAGE: usize = 65536;
const SWEEP_US: i64 = 5000000;
const ROUTE_IDLE_MS: u32 = 100000;

let memoryEnd: usize = 0;
let neighbourTimers: u32 = 0;
let locateTimers: u32 = 0;
let sweepTimer: u32 = 0;
let threadTimers: u32 = 0;
let eventMac: usize = 0;
let endpoints: u32 = 0; // registered by the host
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
  memoryEnd = given != 0 ? given : all;
  const base: usize = setting(limits.LIMIT_TABLE_BASE);
  arenaOpen(base != 0 ? base : __heap_base, memoryEnd);
  resetNow();
  openTables();
  const end = arenaSeal();
  if (end >= memoryEnd) return status.KERNEL_NOMEMORY;
  record(layout.LAYOUT_ABI, layout.ABI);
  record(layout.LAYOUT_HOST_BASE, ((end + PAGE - 1) & ~(PAGE - 1)) as u32);
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
  timersOpen(threadTimers + threadCount);
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
  messagesOpen(threadCount + frames, frames, setting(limits.LIMIT_FRAME_BYTES));
  switchOpen(setting(limits.LIMIT_BROADCASTS_SEEN));
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
  record(layout.LAYOUT_COMPLETIONS, completionsOpen(threadCount * 2 + 64) as u32);
  record(layout.LAYOUT_COMPLETION_MASK, completionMask());
  upcallsOpen(rpcDeliver, rpcUndeliverable, rpcLocated, rpcSettled, listen);
  if (arenaFull()) return;
  routeAddLocal(own);
  endpoints = 0;
  switchListen();
  timerSet(sweepTimer, clock + SWEEP_US);
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
  busy();
  return answer;
}

/** Runs the timers that are due. Frames transmitted before must have been flushed. */
export function tick(now: f64): void {
  setNow(now);
  if (!booted) return;
  framesReclaim();
  headsReclaim();
  // Bounded: a timer that sets itself to a time already past waits for the next tick.
  for (let left = threadTimers + threads.threadCapacity(); left > 0; left--) {
    const id = timerPop(clock);
    if (id < 0) break;
    expired(id as u32);
  }
  busy();
}

function expired(id: u32): void {
  if (id >= threadTimers) rpcExpired(id - threadTimers);
  else if (id == sweepTimer) {
    neighboursSweep();
    routesSweep(ROUTE_IDLE_MS);
    timerSet(sweepTimer, clock + SWEEP_US);
  } else if (id >= neighbourTimers * 2) locateExpired(id - neighbourTimers * 2);
  else if (id >= neighbourTimers) {
    if (neighbourExpired(neighbourAt(id - neighbourTimers))) rpcSettled();
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

function busy(): void {
  record(layout.LAYOUT_THREADS_BUSY, threads.threadsBusy);
  record(layout.LAYOUT_FRAMES_HELD, framesHeld());
}

// ---- arguments -------------------------------------------------------------------

// @ts-ignore: decorator
@inline
function inMemory(pointer: usize, length: u32): bool {
  return pointer >= (layout.SCRATCH_ADDRESS as usize) && (pointer as u64) + length <= (memoryEnd as u64);
}

/** A buffer that a caller may give: nothing of length 0, or something inside the memory. */
// @ts-ignore: decorator
@inline
function isBuffer(pointer: usize, length: i32): bool {
  if (length < 0 || length > limits.DATA_BYTES_MAX) return false;
  return length == 0 || inMemory(pointer, length as u32);
}

/** Two entries for every busy thread fit the ring: no completion can ever be lost. */
// @ts-ignore: decorator
@inline
function ringIsFull(): bool {
  return completionsPending() + 2 * (threads.threadsBusy + 1) > completionMask() + 1;
}

// ---- RPC -------------------------------------------------------------------------

/**
 * Calls the port in the header at `header`; `data`, `size`: the request. The reply's header
 * goes to `replyHeader`, its data to `replyBuffer` (at most `replyCapacity` bytes; more is
 * cut off). `options`: the record of layout.ts, or 0. A handle, or a status.
 */
export function rpc_trans(
  header: usize,
  data: usize,
  size: i32,
  replyHeader: usize,
  replyBuffer: usize,
  replyCapacity: i32,
  options: usize,
  now: f64,
): i32 {
  setNow(now);
  if (!booted || !inMemory(header, 32) || !inMemory(replyHeader, 32)) return status.RPC_BADADDRESS;
  if (!isBuffer(data, size) || !isBuffer(replyBuffer, replyCapacity)) return status.RPC_BADADDRESS;
  if (options != 0 && !inMemory(options, layout.OPTION_BYTES)) return status.RPC_BADADDRESS;
  const port = headerPort(header);
  if (port == 0) return status.RPC_BADPORT;
  if (ringIsFull()) return clientFull();
  let thread = clientTakeOwing(port);
  if (changetype<usize>(thread) == 0) thread = threadTake();
  if (changetype<usize>(thread) == 0 && clientSettleOldest()) thread = threadTake();
  if (changetype<usize>(thread) == 0) return clientFull();
  thread.header = replyHeader as u32;
  thread.buffer = replyBuffer as u32;
  thread.capacity = replyCapacity as u32;
  headerCopy(thread.prefix + RPC_HEADER, header);
  thread.state = threads.LOCATE;
  clientBegin(thread, port, data, size as u32, options);
  const handle = threadHandle(thread);
  if (!localBegin(thread)) clientGo(thread);
  busy();
  return handle;
}

/**
 * Waits for a request to the get-port in the header at `header`; the request's header
 * goes there, its data to `buffer`. A handle, or a status.
 */
export function rpc_getreq(header: usize, buffer: usize, capacity: i32, now: f64): i32 {
  setNow(now);
  if (!booted || !inMemory(header, 32) || !isBuffer(buffer, capacity)) return status.RPC_BADADDRESS;
  const getPort = headerPort(header);
  if (getPort == 0) return status.RPC_BADPORT;
  if (ringIsFull()) return clientFull();
  let thread = threadTake();
  if (changetype<usize>(thread) == 0 && clientSettleOldest()) thread = threadTake();
  if (changetype<usize>(thread) == 0) return clientFull();
  thread.header = header as u32;
  thread.buffer = buffer as u32;
  thread.capacity = capacity as u32;
  thread.state = threads.GETREQ;
  thread.port = publicPort(getPort);
  if (!portWait(thread.port, getPort, thread)) {
    threads.threadFree(thread);
    return status.KERNEL_FULL;
  }
  const handle = threadHandle(thread);
  if (threads.locating.first != 0) localFound(thread.port);
  busy();
  return handle;
}

let lastGetPort: u64 = 0;
let lastPutPort: u64 = 0;

/** The put-port of a get-port; a server asks for the same one again and again. */
function publicPort(getPort: u64): u64 {
  if (getPort != lastGetPort) {
    lastGetPort = getPort;
    lastPutPort = portOneWay(getPort);
  }
  return lastPutPort;
}

/**
 * Replies to the request of a service; the buffers are the kernel's until the handle's
 * second completion (acknowledged, or RPC_FAILURE). A status.
 */
export function rpc_putrep(handle: i32, header: usize, data: usize, size: i32, now: f64): i32 {
  setNow(now);
  const thread = threadOf(handle);
  if (changetype<usize>(thread) == 0 || thread.state != threads.SERVING) return status.KERNEL_BADHANDLE;
  if (!inMemory(header, 32) || !isBuffer(data, size)) return status.RPC_BADADDRESS;
  if (thread.flags & threads.ORPHAN) localOrphan(thread);
  else if (thread.partner != 0) localReply(thread, header, data, size as u32);
  else serverReply(thread, header, data, size as u32);
  busy();
  return status.STD_OK;
}

/** trans, getreq, putrep: as above with the original's limit of 30,000 bytes a buffer. */
export function trans(
  header: usize,
  data: usize,
  size: i32,
  replyHeader: usize,
  replyBuffer: usize,
  replyCapacity: i32,
  options: usize,
  now: f64,
): i32 {
  if (size > limits.LEGACY_BYTES_MAX || replyCapacity > limits.LEGACY_BYTES_MAX) return status.RPC_FAILURE;
  return rpc_trans(header, data, size, replyHeader, replyBuffer, replyCapacity, options, now);
}

export function getreq(header: usize, buffer: usize, capacity: i32, now: f64): i32 {
  if (capacity > limits.LEGACY_BYTES_MAX) return status.RPC_FAILURE;
  return rpc_getreq(header, buffer, capacity, now);
}

export function putrep(handle: i32, header: usize, data: usize, size: i32, now: f64): i32 {
  if (size > limits.LEGACY_BYTES_MAX) return status.RPC_FAILURE;
  return rpc_putrep(handle, header, data, size, now);
}

/** Sends the client of a service on to the server at the FLIP address at `target`. */
export function rpc_forward(handle: i32, target: usize, now: f64): i32 {
  setNow(now);
  const thread = threadOf(handle);
  if (changetype<usize>(thread) == 0 || thread.state != threads.SERVING) return status.KERNEL_BADHANDLE;
  if (!inMemory(target, 8)) return status.RPC_BADADDRESS;
  if (thread.partner != 0 || thread.flags & threads.ORPHAN) return status.RPC_FAILURE;
  serverForward(thread, load<u64>(target));
  return status.STD_OK;
}

/** A signal: ends a wait, or asks the server of a call to end it early. A status. */
export function rpc_signal(handle: i32, now: f64): i32 {
  setNow(now);
  const thread = threadOf(handle);
  if (changetype<usize>(thread) == 0 || thread.state == threads.OWING) return status.KERNEL_BADHANDLE;
  if (thread.state == threads.LOCAL) localSignal(thread);
  else if (thread.state >= threads.GETREQ) serverSignal(thread);
  else clientSignal(thread);
  busy();
  return status.STD_OK;
}

/** The death of a thread: no completion of it comes any more, its buffers are free. A status. */
export function rpc_kill(handle: i32, now: f64): i32 {
  setNow(now);
  const thread = threadOf(handle);
  if (changetype<usize>(thread) == 0 || thread.state == threads.OWING) return status.KERNEL_BADHANDLE;
  if (thread.state == threads.LOCAL) {
    localClientGone(thread);
    threads.threadFree(thread);
  } else if (thread.state < threads.GETREQ) threads.threadFree(thread);
  else if (thread.state == threads.SERVING && thread.partner != 0) localServerGone(thread);
  else if (thread.state == threads.SERVING && thread.flags & threads.ORPHAN) localOrphanGone(thread);
  else serverKill(thread);
  busy();
  return status.STD_OK;
}

// ---- FLIP for other protocols ------------------------------------------------------

/** Registers the private FLIP address at `pointer`: packets to its public form come here. */
export function flip_register(pointer: usize): i32 {
  if (!booted || !inMemory(pointer, 8)) return status.RPC_BADADDRESS;
  if (endpoints >= setting(limits.LIMIT_ENDPOINTS)) return status.KERNEL_FULL; // routes are for others too
  if (!routeAddLocal(flipOneWay(load<u64>(pointer)))) return status.KERNEL_FULL;
  endpoints++;
  return status.STD_OK;
}

export function flip_unregister(pointer: usize): i32 {
  if (!booted || !inMemory(pointer, 8)) return status.RPC_BADADDRESS;
  const own = flipOneWay(load<u64>(pointer));
  if (!routeIsLocal(own)) return status.STD_OK;
  routeRemoveLocal(own);
  endpoints--;
  return status.STD_OK;
}

/**
 * Sends `size` bytes to all endpoints of the public address at `group`, when `endpoints`
 * of them are known; RPC_TRYAGAIN while they are being looked for.
 */
export function flip_multicast(group: usize, data: usize, size: i32, endpoints: i32, now: f64): i32 {
  setNow(now);
  if (!booted || !inMemory(group, 8) || !isBuffer(data, size)) return status.RPC_BADADDRESS;
  const sent = multicastSend(
    load<u64>(group),
    address,
    messageNewId(),
    data,
    size as u32,
    max<i32>(endpoints, 0) as u32,
  );
  return sent ? status.STD_OK : status.RPC_TRYAGAIN;
}

/** How many endpoints of the public address at `pointer` are known, here and elsewhere. */
export function flip_known(pointer: usize): i32 {
  if (!booted || !inMemory(pointer, 8)) return status.RPC_BADADDRESS;
  return routeCount(load<u64>(pointer), 0xffffffff, false) as i32;
}
