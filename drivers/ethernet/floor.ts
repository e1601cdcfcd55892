// The floor under every round trip: a bare frame echo over a Device, with no kernel.
//
// - One crossing a turn, as the kernel's host loop does it: `poll` sends the frame of the
//   turn before and spins for the next one.
// - Needs the wire for itself: these are not FLIP packets, kernels count them as malformed.
// - Client and server find each other by broadcast, so no address has to be passed.
//
//   Ethernet header 14 | "flor" | kind u8, 3 unused | round u32 | zeros

import { performance } from "node:perf_hooks";
import type { Device } from "../device.js";
import { FLIP_ETHERTYPE } from "./filter.js";

const HEADER_BYTES = 14;
const MAGIC = 0x666c6f72;
const MAGIC_AT = HEADER_BYTES;
const KIND_AT = HEADER_BYTES + 4;
const ROUND_AT = HEADER_BYTES + 8;
const PING = 1;
const PONG = 2;
const END = 3;
const FRAME_BYTES_MIN = 60;
const RESEND_MS = 100;
const SILENCE_MS = 1000;
/** Room for a frame of a stream. */
const FRAME_SLOT_BYTES = 2048;
const FIND_ROUND = 0xffffffff;

export interface Floor {
  /** Attached, with nobody else using it. */
  readonly device: Device;
  readonly memory: WebAssembly.Memory;
  /** Linear memory for one frame, outside the device's region. */
  readonly scratch: number;
  /** Bytes of a whole frame, Ethernet header included; at least 60. */
  readonly frameBytes: number;
  /** How long one turn spins. */
  readonly spinMicroseconds: number;
}

export interface FloorStream {
  /** Frames under way at the same time. */
  readonly window: number;
  readonly ms: number;
  readonly findMs: number;
  /** Called between warm-up and measurement. */
  readonly measuring?: () => void;
}

/** Echoes until the client says that it is done, or until `idleMs` of silence; returns how many frames. */
export function floorServer(floor: Floor, idleMs: number): number {
  const { device, spinMicroseconds } = floor;
  const bytes = new Uint8Array(floor.memory.buffer);
  const view = new DataView(floor.memory.buffer);
  let echoed = 0;
  let silentSince = 0;
  for (;;) {
    const count = device.poll(spinMicroseconds);
    if (count === 0) {
      const now = performance.now();
      if (silentSince === 0) silentSince = now;
      if (now - silentSince > idleMs) return echoed;
      continue;
    }
    silentSince = 0;
    for (let i = 0; i < count; i++) {
      const frame = device.arrived[2 * i] ?? 0;
      const length = device.arrived[2 * i + 1] ?? 0;
      if (length < FRAME_BYTES_MIN || view.getUint32(frame + MAGIC_AT) !== MAGIC) continue;
      const kind = bytes[frame + KIND_AT];
      if (kind === END) return echoed;
      if (kind !== PING) continue;
      for (let b = 0; b < 6; b++) {
        bytes[frame + b] = bytes[frame + 6 + b] ?? 0;
        bytes[frame + 6 + b] = device.address[b] ?? 0;
      }
      bytes[frame + KIND_AT] = PONG;
      device.transmit(frame, length, 0, 0); // goes out in the next poll, before this frame is given back
      echoed++;
    }
  }
}

/**
 * Finds the server, then does `warmup` + `rounds` round trips; returns the µs of each of the
 * last `rounds`, before which it calls `measuring`. A lost frame is sent again after 100 ms. Throws when
 * no server answers within `findMs`.
 */
export function floorClient(
  floor: Floor,
  rounds: number,
  warmup: number,
  findMs: number,
  measuring?: () => void,
): Float64Array {
  const { bytes, view } = findServer(floor, findMs);
  const samples = new Float64Array(rounds);
  let before = performance.now();
  for (let round = -warmup; round < rounds; round++) {
    if (round === 0) {
      measuring?.();
      before = performance.now();
    }
    roundTrip(floor, bytes, view, round + warmup, before + findMs);
    const after = performance.now();
    if (round >= 0) samples[round] = (after - before) * 1000;
    before = after;
  }
  end(floor, bytes);
  return samples;
}

/**
 * Keeps `window` frames under way for `ms` after a warm-up of half that: each goes out again as
 * soon as it is back. Returns round trips a second; each is a frame sent and one received.
 * Throws when no server answers within `findMs`, or when no frame comes back for a second.
 */
export function floorStream(
  floor: Floor,
  { window, ms, findMs, measuring }: FloorStream,
): { readonly trips: number; readonly elapsedMs: number } {
  const { device, scratch, frameBytes, spinMicroseconds } = floor;
  const { bytes, view } = findServer(floor, findMs);
  bytes[scratch + KIND_AT] = PING;
  for (let slot = window - 1; slot >= 0; slot--) {
    const at = scratch + slot * FRAME_SLOT_BYTES;
    bytes.copyWithin(at, scratch, scratch + frameBytes);
    view.setUint32(at + ROUND_AT, slot);
    device.transmit(at, frameBytes, 0, 0);
  }
  const begun = performance.now();
  let first = 0;
  let trips = 0;
  let heard = begun;
  for (;;) {
    const count = device.poll(spinMicroseconds);
    const now = performance.now();
    for (let i = 0; i < count; i++) {
      const frame = device.arrived[2 * i] ?? 0;
      if (view.getUint32(frame + MAGIC_AT) !== MAGIC || bytes[frame + KIND_AT] !== PONG) continue;
      if (view.getUint32(frame + ROUND_AT) >= window) continue;
      trips++;
      heard = now;
      bytes.copyWithin(frame, scratch, scratch + 12);
      bytes[frame + KIND_AT] = PING;
      device.transmit(frame, device.arrived[2 * i + 1] ?? frameBytes, 0, 0);
    }
    if (now - heard > SILENCE_MS) throw new Error(`${device.name}: frames of the floor were lost`);
    if (first === 0) {
      if (now - begun < ms / 2) continue;
      measuring?.();
      first = performance.now();
      trips = 0;
    } else if (now - first >= ms) {
      end(floor, bytes);
      return { trips, elapsedMs: now - first };
    }
  }
}

/** Makes the frame at `scratch`, finds the server by broadcast, and addresses the frame to it. */
function findServer(floor: Floor, findMs: number): { bytes: Uint8Array; view: DataView } {
  const { device, scratch, frameBytes } = floor;
  const bytes = new Uint8Array(floor.memory.buffer);
  const view = new DataView(floor.memory.buffer);
  bytes.fill(0, scratch, scratch + frameBytes);
  bytes.fill(0xff, scratch, scratch + 6);
  bytes.set(device.address, scratch + 6);
  view.setUint16(scratch + 12, FLIP_ETHERTYPE);
  view.setUint32(scratch + MAGIC_AT, MAGIC);
  const server = roundTrip(floor, bytes, view, FIND_ROUND, performance.now() + findMs);
  bytes.copyWithin(scratch, server + 6, server + 12);
  return { bytes, view };
}

/** Tells the server that it is over. */
function end({ device, scratch, frameBytes }: Floor, bytes: Uint8Array): void {
  device.flush(); // what waits of the stream may lie in frames that are given back now
  bytes[scratch + KIND_AT] = END;
  device.transmit(scratch, frameBytes, 0, 0);
  device.flush();
}

/** Where the answer lies. */
function roundTrip(floor: Floor, bytes: Uint8Array, view: DataView, round: number, deadline: number): number {
  const { device, scratch, frameBytes, spinMicroseconds } = floor;
  view.setUint32(scratch + ROUND_AT, round);
  bytes[scratch + KIND_AT] = PING;
  device.transmit(scratch, frameBytes, 0, 0);
  let sendAgain = 0;
  for (;;) {
    const count = device.poll(spinMicroseconds);
    for (let i = 0; i < count; i++) {
      const frame = device.arrived[2 * i] ?? 0;
      if (view.getUint32(frame + MAGIC_AT) !== MAGIC || bytes[frame + KIND_AT] !== PONG) continue;
      if (view.getUint32(frame + ROUND_AT) === round) return frame;
    }
    if (count > 0) continue;
    const now = performance.now();
    if (now > deadline) throw new Error(`${device.name}: no answer from the floor server`);
    if (sendAgain === 0) sendAgain = now + RESEND_MS;
    if (now < sendAgain) continue;
    device.transmit(scratch, frameBytes, 0, 0);
    sendAgain = now + RESEND_MS;
  }
}
