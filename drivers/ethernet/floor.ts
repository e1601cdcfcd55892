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
  bytes[scratch + KIND_AT] = END;
  device.transmit(scratch, frameBytes, 0, 0);
  device.flush();
  return samples;
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
