// metal.wasm: what a machine without an operating system runs beside the kernel, on the same memory.
// The host (boot/shim, or a model of a machine in a test) calls start once and turn again and again.
//
// - The turn is the one that core-wasm/kernel.ts asks of a host: flush, tick, receive, flush, drain.
//   It answers when it wants to be called again: 0 at once, else microseconds by the host's clock,
//   below zero: when something comes.
// - Memory: its static data is at METAL_BASE (scripts/build-metal.mjs, which also sees that the
//   kernel's ends below); a ring for entropy.ts and the kernel's tables begin behind it, the host's part
//   behind them.
// - Tables are sized by the memory that there is: CONTRACTS of the limits are core-wasm/limits.ts.

import * as layout from "../../core-wasm/layout";
import * as limits from "../../core-wasm/limits";
import { ECHO_BYTES_MAX, SEGMENT_PIECE_BYTES } from "../../build/metal/interface";
import { consoleOpen, monitorOpen, monitorTurn, say, sayText } from "./console";
import { diskDeadline, diskOpen, diskTurn } from "./disk";
import { echoOpen, echoServe } from "./echo";
import { value, valueLength } from "./command-line";
import { devicesScan, polled } from "./devices";
import { ENTROPY_BYTES, entropy, entropyOpen } from "./entropy";
import { groupBytes, groupCompleted, groupDeadline, groupOpen, groupTurn } from "./group";
import { groupServe } from "./group-serve";
import { now as clock, watchdog } from "./host";
import { boot, nextDeadline, tick } from "./kernel";
import { left, memoryOpen, take } from "./memory";
import { networks, networksFlush, networksOpen, networksPoll, networksTransmit, refused } from "./networks";
import { announceAt, poolCompleted, poolOpen, poolTurn } from "./pool";
import { serve, serviceCompleted } from "./services";
import { OBJECTS_MOST } from "./objects";
import { segmentOpen, segmentPart, segmentServe } from "./segment";
import { putServing, SERVER_ECHO, SERVER_MEMBER, SERVER_SEGMENT, SERVER_SYS } from "./status";
import { systemServe } from "./system";
import { numberAt, putNumber, put, textBegin, textLength } from "./text";

const MEBIBYTE: u32 = 1 << 20;
const SYS_BYTES: u32 = 32768;
const ECHO_THREADS: u32 = 2;
const SEGMENT_THREADS: u32 = 2;
/** A machine with less memory than this, in pages of 64 KiB, takes shorter pieces of segments. */
const SMALL_PAGES: u32 = 256;
const SMALL_PIECE: u32 = 65536 + 4096;
const WATCHDOG_SECONDS: u32 = 5;
/** How often a machine looks that has a device without interrupts. */
const POLL_US: f64 = 1000;

/** What the machine could not begin with, for the console; empty: it serves. */
let dead: bool = false;

function limit(field: i32, value: u32): void {
  store<u32>((layout.LIMITS_ADDRESS as usize) + 4 * (field as usize), value);
}

function setLimits(): void {
  const mebibytes = ((memory.size() as u32) << 16) / MEBIBYTE;
  memory.fill(layout.LIMITS_ADDRESS, 0, 4 * (limits.LIMIT_FIELDS as usize));
  const room = (__heap_base + 4095) & ~4095;
  entropyOpen(room);
  limit(limits.LIMIT_TABLE_BASE, (room + ENTROPY_BYTES) as u32);
  // A quarter of the memory is for segments, less where there is little.
  limit(limits.LIMIT_SEGMENT_BYTES, mebibytes < 16 ? MEBIBYTE / 2 : (mebibytes / 4) * MEBIBYTE);
  limit(limits.LIMIT_SEGMENTS, OBJECTS_MOST);
  if (mebibytes >= 128) return;
  const small = mebibytes < 32;
  limit(limits.LIMIT_NEIGHBOURS, small ? 64 : 256);
  limit(limits.LIMIT_ROUTES, small ? 256 : 1024);
  limit(limits.LIMIT_LOCATIONS, small ? 512 : 2048);
  limit(limits.LIMIT_LOCATES, 64);
  limit(limits.LIMIT_FRAMES, small ? 64 : 256);
  limit(limits.LIMIT_THREADS, 64);
  limit(limits.LIMIT_PORTS, small ? 256 : 1024);
  limit(limits.LIMIT_PORT_CACHE, 128);
  limit(limits.LIMIT_CLIENT_KERNELS, small ? 32 : 128);
  limit(limits.LIMIT_FORGOTTEN_KERNELS, 1024);
  limit(limits.LIMIT_STASH_BYTES, 65536);
  limit(limits.LIMIT_GROUPS, 2);
  limit(limits.LIMIT_GROUP_OPERATIONS, 32);
  limit(limits.LIMIT_GROUP_BYTES, small ? max<u32>(262144, groupBytes()) : 1048576);
}

function fail(reason: string, code: i32): void {
  dead = true;
  const words = memory.data(160, 8);
  textBegin(words, 160);
  put("this machine cannot serve: ");
  put(reason);
  if (code != 0) {
    put(", status -");
    putNumber(-(code as i64) as u64);
  }
  say(words, textLength());
}

/** Whole pages of so many bytes. */
function whole(bytes: usize): u32 {
  return (bytes & ~4095) as u32;
}

function begin(): void {
  watch();
  devicesScan();
  setLimits();
  const status = boot();
  if (status < 0) return fail("the kernel does not boot; it may need more memory", status);
  memoryOpen();
  networksOpen();
  if (refused > 0) sayText("a network device is out of use: it refuses, is not there, or there is no room");
  if (!diskOpen()) sayText("the disk is out of use: it refuses, or there is no room");
  if (networks == 0)
    return fail("there is no network device that it knows (virtio-net, or Intel 82574L on PCI)", 0);
  const now = clock();
  monitorOpen();
  if (!serve(SERVER_SYS, 2, SYS_BYTES, now) || !poolOpen(now)) return fail("there is not enough memory", 0);
  if (!groupOpen(now)) return fail("there is not enough memory for a group", 0);
  const piece = (memory.size() as u32) < SMALL_PAGES ? SMALL_PIECE : SEGMENT_PIECE_BYTES + 4096;
  if (!segmentOpen() || !serve(SERVER_SEGMENT, SEGMENT_THREADS, piece, now))
    return fail("there is not enough memory", 0);
  // A third of what is left for each request that echo may hold, the rest for what it is a source of.
  const echo = min<u32>(whole(left() / 3), ECHO_BYTES_MAX + 4096) - 4096;
  if (!serve(SERVER_ECHO, ECHO_THREADS, echo, now)) return fail("there is not enough memory", 0);
  const source = whole(left());
  echoOpen(take(min<u32>(source, ECHO_BYTES_MAX) as usize), min<u32>(source, ECHO_BYTES_MAX));
  const words = memory.data(512, 8);
  textBegin(words, 512);
  put("serves ");
  putServing(segmentPart());
  say(words, textLength());
}

/** A turn may take so many seconds: watchdog=SECONDS of the command line, 0 for ever. */
function watch(): void {
  const wanted = value("watchdog=");
  watchdog(wanted == 0 ? WATCHDOG_SECONDS : numberAt(wanted, valueLength));
}

/** Boots the kernel and begins to serve. What is missing is said on the console. */
export function start(): void {
  consoleOpen();
  begin();
}

function perform(server: u32, header: usize, data: usize, length: u32, capacity: u32): void {
  if (server >= SERVER_MEMBER) groupServe(server, header, data, length, capacity);
  else if (server == SERVER_ECHO) echoServe(header, data, length);
  else if (server == SERVER_SEGMENT) segmentServe(header, data, length, capacity);
  else systemServe(header, data, capacity);
}

function field(index: i32): usize {
  return load<u32>((layout.LAYOUT_ADDRESS as usize) + 4 * (index as usize)) as usize;
}

/** Serves the completions that have come; answers how many. */
function drain(now: f64): u32 {
  const ring = field(layout.LAYOUT_COMPLETIONS);
  const mask = field(layout.LAYOUT_COMPLETION_MASK) as u32;
  const end = load<u32>(ring);
  let consumed = load<u32>(ring, layout.COMPLETION_CONSUMED);
  let count: u32 = 0;
  while (consumed != end) {
    const entry = ring + layout.COMPLETION_ENTRIES + ((consumed & mask) as usize) * layout.COMPLETION_BYTES;
    const handle = load<i32>(entry, layout.COMPLETION_HANDLE);
    const status = load<i32>(entry, layout.COMPLETION_STATUS);
    const length = load<u32>(entry, layout.COMPLETION_LENGTH);
    consumed++;
    store<u32>(ring, consumed, layout.COMPLETION_CONSUMED);
    count++;
    // Events (below zero) say which multicast to listen to; virtio-net passes all of it on.
    if (handle < 0 || poolCompleted(handle, status, length, now)) continue;
    if (groupCompleted(handle, status, length, now)) continue;
    serviceCompleted(handle, status, length, now, perform);
  }
  return count;
}

/** The earlier of two times; below zero: never. */
function earlier(a: f64, b: f64): f64 {
  return a < 0 || (b >= 0 && b < a) ? b : a;
}

/** One turn at `now`; when the next one is wanted. */
export function turn(now: f64): f64 {
  monitorTurn();
  if (dead) return -1;
  networksFlush();
  tick(now);
  let busy = networksPoll(now);
  poolTurn(now);
  networksFlush();
  busy += drain(now) + diskTurn(now);
  busy += groupTurn(now);
  networksFlush();
  if (busy > 0) return 0;
  const deadline = earlier(earlier(nextDeadline(), diskDeadline()), groupDeadline());
  const next = polled && (deadline < 0 || deadline > now + POLL_US) ? now + POLL_US : deadline;
  return announceAt >= 0 && (next < 0 || announceAt < next) ? max(announceAt, now + 1) : next;
}

/** The kernel's transmit. */
export function transmit(network: i32, head: usize, headLength: i32, body: usize, bodyLength: i32): i32 {
  return networksTransmit(network as u32, head, headLength as u32, body, bodyLength as u32);
}

/** The kernel's log. */
export function log(pointer: usize, length: i32): void {
  say(pointer, length as u32);
}

/** Random bytes for the shim; 0: there are none. */
export function entropyFill(pointer: usize, length: i32): i32 {
  return entropy(pointer, length as u32);
}
