// The loops of `proteus bench kernel`: parts of the kernel, each as often as the host says.
//
// - A module of its own (build/release/bench.wasm), compiled as the kernel is from the same
//   sources: the kernel itself carries no loop. The host looks at the clock around a loop, so
//   that a crossing into the module is one of thousands of operations.
// - open() first; what it lays out serves all loops. Every loop answers a number that depends
//   on what it read, so that no compiler leaves work out.
// - The native side does the same work in the same order: test/bench/native/kernel-control.c.

import { arenaOpen, arenaSeal, reserve } from "../memory/arena";
import { countersOpen } from "../memory/counters";
import { mix } from "../memory/table";
import { timersOpen } from "../memory/timers";
import { userSegmentFree, userSegmentTake, userSegmentsOpen } from "../memory/user-segments";
import { blockCopy } from "../mirror/copy";
import { crc32c, crc32cOpen } from "../mirror/crc32c";
import { xxh3 } from "../mirror/xxh3";
import { portFind, portWait, portsOpen } from "../rpc/ports";
import { threadTake, threadsOpen } from "../rpc/threads";
import * as header from "../wire/header";
import * as rpc from "../wire/rpc";

const PORTS: u32 = 10000;
const ORDER: u32 = 16384; // ports, and sizes, in the order in which they are asked for
const HEADERS: u32 = 256;
const HEADER_STRIDE: u32 = 64;
const SEGMENTS: u32 = 512; // live at a time
const SEGMENT_BYTES: u32 = 16 << 20;
const BLOCK_MOST: u32 = 1 << 20;

let ports: usize = 0; // u64 an entry
let sizes: usize = 0; // u32 an entry
let headers: usize = 0;
let live: usize = 0; // i32 a handle
let source: usize = 0;
let target: usize = 0;
let seed: u64 = 1;
let turn: u32 = 0; // of match and segment: a loop goes on where the last one ended

function random(): u32 {
  seed = seed * 6364136223846793005 + 1442695040888963407;
  return (seed >> 33) as u32;
}

/** The i-th port that is served: 48 bits without pattern. */
function port(i: u32): u64 {
  return (((mix(i, 1) as u64) << 16) | (mix(i, 2) as u64 & 0xffff)) & 0xffffffffffff;
}

/** Lays everything out in the memory up to `memoryEnd`; 0 when it does not fit. */
export function open(memoryEnd: usize): i32 {
  arenaOpen(__heap_base, memoryEnd);
  seed = 1;
  countersOpen();
  timersOpen(PORTS);
  threadsOpen(PORTS, 0);
  portsOpen(PORTS, 1);
  userSegmentsOpen(SEGMENT_BYTES, SEGMENTS);
  crc32cOpen();
  ports = reserve(ORDER * 8);
  sizes = reserve(ORDER * 4);
  headers = reserve(HEADERS * HEADER_STRIDE);
  live = reserve(SEGMENTS * 4);
  source = reserve(BLOCK_MOST);
  target = reserve(BLOCK_MOST);
  if (reserve(64) == 0) return 0;
  arenaSeal();
  for (let i: u32 = 0; i < PORTS; i++) if (!portWait(port(i), i, threadTake())) return 0;
  for (let i: u32 = 0; i < ORDER; i++) {
    store<u64>(ports + (i << 3), port(random() % PORTS));
    store<u32>(sizes + (i << 2), 16 + (random() % (16 << (random() % 11))));
  }
  for (let i: u32 = 0; i < SEGMENTS; i++)
    store<i32>(live + (i << 2), userSegmentTake(load<u32>(sizes + (i << 2))));
  for (let i: u32 = 0; i < BLOCK_MOST; i += 4) store<u32>(source + i, random());
  return 1;
}

/** A request's RPC header and message header written, judged, and every field read. */
export function codec(count: u32): u32 {
  let sum: u64 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const p = headers + (i & (HEADERS - 1)) * HEADER_STRIDE;
    const h = p + rpc.RPC_HEADER;
    rpc.rpcHeader(p, 0x1122334455667788 + i, i, rpc.RPC_REQUEST, 0, i, i & 0xffff, 7);
    header.setHeaderPort(h, i);
    header.setSignature(h, 0x665544332211);
    store<u64>(h, i, header.HEADER_PRIVATE_AT);
    store<u16>(h, i as u16, header.HEADER_PRIVATE_AT + 8);
    header.setCommand(h, i);
    header.setHeaderOffset(h, i);
    header.setHeaderSize(h, i);
    header.setHeaderExtra(h, i);
    sum += rpc.check(p, rpc.RPC_HEADER + header.HEADER) as u64;
    sum += rpc.kid(p) + rpc.port(p) + rpc.rpcType(p) + rpc.rpcFlags(p) + rpc.tid(p);
    sum += rpc.destThread(p) + rpc.fromThread(p);
    sum += header.headerPort(h) + header.signature(h) + load<u64>(h, header.HEADER_PRIVATE_AT);
    sum += load<u16>(h, header.HEADER_PRIVATE_AT + 8) + header.command(h) + header.headerOffset(h);
    sum += header.headerSize(h) + header.headerExtra(h);
  }
  return sum as u32;
}

/** The port of a request looked up among 10,000 that are served here, and who waits there. */
export function match(count: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    sum += portFind(load<u64>(ports + ((turn++ & (ORDER - 1)) << 3))).waiting.first;
  }
  return sum;
}

/** A segment freed and another of 16 bytes to 16 KiB allocated, with 512 of them live. */
export function segment(count: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const order = turn++ & (ORDER - 1);
    const at = live + ((order * 7) & (SEGMENTS - 1)) * 4;
    sum += userSegmentFree(load<i32>(at));
    const handle = userSegmentTake(load<u32>(sizes + (order << 2)));
    store<i32>(at, handle);
    sum += handle;
  }
  return sum;
}

/** A block of `length` copied to the same place again and again. */
export function copy(count: u32, length: u32): u32 {
  for (let i: u32 = 0; i < count; i++) blockCopy(target, source, length);
  return load<u32>(target);
}

/** XXH3-64 of the same `length` bytes again and again. */
export function hash(count: u32, length: u32): u32 {
  let sum: u64 = 0;
  for (let i: u32 = 0; i < count; i++) sum += xxh3(source, length, 0);
  return (sum >> 32) as u32;
}

/** CRC-32C of the same `length` bytes again and again, each going on where the last ended. */
export function crc(count: u32, length: u32): u32 {
  let sum: u32 = 0;
  for (let i: u32 = 0; i < count; i++) sum = crc32c(source, length, sum);
  return sum;
}
