// virtio-blk: sectors of a disk, straight to and from buffers in the linear memory.
//
//   a request, 32 bytes    what it is u32, 0 u32, first sector u64, status u8
//   its descriptors        3 i: the first 16 bytes; 3 i + 1: the caller's buffer; 3 i + 2: the status
//
// - Up to BLK_REQUESTS under way, in any order. The buffer is the device's until blkTake has answered
//   the request; who waits for it is told by `blkTag`.
// - blkBegin refuses what is not whole sectors within the disk, and writes to a disk that is read-only.
// - A write is on the medium when a flush that began later has ended. A device without a flush has
//   no cache: it says so by not offering one.
// - The device is not trusted: one that breaks the rules of its ring, or that answers nothing for
//   BLK_PATIENCE_US, is reset and out of use; what was under way has failed (BLK_GONE).
// - Source: VIRTIO 1.2, section 5.2.

import { BROKEN, NOTHING, Ring, ringBytes, ringDescribe, ringOffer, ringTake } from "../virtio/ring";
import {
  acknowledge,
  beginDevice,
  configuration,
  Device,
  negotiate,
  notify,
  openQueue,
  ready,
} from "../virtio/transport";

export const BLK_SECTOR: u32 = 512;
export const BLK_REQUESTS: u32 = 16;
/** Bytes of one request at most. */
export const BLK_BYTES_MAX: u32 = 1 << 20;
export const BLK_PATIENCE_US: f64 = 30000000;

export const BLK_READ: u32 = 0;
export const BLK_WRITE: u32 = 1;
export const BLK_FLUSH: u32 = 4;

/** What became of a request. */
export const BLK_GOOD: u32 = 0;
export const BLK_FAILED: u32 = 1;
export const BLK_GONE: u32 = 2;

/** blkBegin: all requests are under way; try again when one has ended. */
export const BLK_BUSY: i32 = -1;
/** blkBegin: outside of the disk, not whole sectors, or not allowed. */
export const BLK_REFUSED: i32 = -2;
/** blkBegin: the device is out of use. */
export const BLK_LOST: i32 = -3;

const QUEUE: u32 = 0;
const DESCRIPTORS: u32 = 64; // three for each request, a power of two
const FEATURE_READ_ONLY: u32 = 1 << 5;
const FEATURE_FLUSH: u32 = 1 << 9;
const REQUEST: usize = 32;
const STATUS_AT: usize = 16;
const HEAD: u32 = 16;
const UNANSWERED: u8 = 0xff;

@unmanaged
export class Blk {
  device: Device;
  ring: Ring;
  requests: usize;
  /** Bit i: request i is under way. */
  under: u32;
  sectors: u64;
  readOnly: bool;
  /** It has a cache that a flush empties. */
  cached: bool;
  unsent: bool;
  broken: bool;
  ended: u32;
  faults: u32;
  /** Of the request that blkTake answered: its tag, and what became of it. */
  tag: u32;
  outcome: u32;
  tags: usize;
  begun: usize;
}

/** Bytes of memory that blkOpen takes, from an address aligned to 4096. */
export function blkBytes(): usize {
  return ringRoom() + (REQUEST + 4 + 8) * (BLK_REQUESTS as usize);
}

function ringRoom(): usize {
  return (ringBytes(DESCRIPTORS) + 4095) & ~4095;
}

/** Sets up a device that is located. False: it refuses. */
export function blkOpen(blk: Blk, memory: usize): bool {
  const device = blk.device;
  beginDevice(device);
  if (!negotiate(device, FEATURE_READ_ONLY | FEATURE_FLUSH)) return false;
  blk.readOnly = (device.features & FEATURE_READ_ONLY) != 0;
  blk.cached = (device.features & FEATURE_FLUSH) != 0;
  if (!openQueue(device, QUEUE, blk.ring, memory, DESCRIPTORS)) return false;
  blk.requests = memory + ringRoom();
  blk.tags = blk.requests + REQUEST * (BLK_REQUESTS as usize);
  blk.begun = blk.tags + 4 * (BLK_REQUESTS as usize);
  blk.under = 0;
  blk.sectors = 0;
  for (let i: u32 = 0; i < 8; i++) blk.sectors |= (configuration(device, i) as u64) << ((8 * i) as u64);
  ready(device);
  return true;
}

function isWithin(blk: Blk, sector: u64, bytes: u32): bool {
  if (bytes == 0 || bytes > BLK_BYTES_MAX || bytes % BLK_SECTOR != 0) return false;
  return sector < blk.sectors && ((bytes / BLK_SECTOR) as u64) <= blk.sectors - sector;
}

/**
 * Begins a request of `bytes` at `pointer` (a flush has none); `tag` comes back with it. Its number, or
 * BLK_BUSY, BLK_REFUSED, BLK_LOST. blkNotify tells the device, once for several.
 */
export function blkBegin(
  blk: Blk,
  what: u32,
  sector: u64,
  pointer: usize,
  bytes: u32,
  tag: u32,
  now: f64,
): i32 {
  if (blk.broken) return BLK_LOST;
  const flush = what == BLK_FLUSH;
  if (!flush && ((what == BLK_WRITE && blk.readOnly) || !isWithin(blk, sector, bytes))) return BLK_REFUSED;
  const free = ~blk.under & ((1 << BLK_REQUESTS) - 1);
  if (free == 0) return BLK_BUSY;
  const index = ctz(free);
  const request = blk.requests + REQUEST * (index as usize);
  store<u32>(request, what);
  store<u32>(request, 0, 4);
  store<u64>(request, flush ? 0 : sector, 8);
  store<u8>(request, UNANSWERED, STATUS_AT);
  store<u32>(blk.tags + 4 * (index as usize), tag);
  store<f64>(blk.begun + 8 * (index as usize), now);
  const head = 3 * index;
  ringDescribe(blk.ring, head, request, HEAD, false, (head + (flush ? 2 : 1)) as i32);
  if (!flush) ringDescribe(blk.ring, head + 1, pointer, bytes, what == BLK_READ, (head + 2) as i32);
  ringDescribe(blk.ring, head + 2, request + STATUS_AT, 1, true, -1);
  ringOffer(blk.ring, head, what == BLK_READ ? bytes + 1 : 1);
  blk.under |= 1 << index;
  blk.unsent = true;
  return index as i32;
}

/** Tells the device what is new. */
export function blkNotify(blk: Blk): void {
  if (blk.unsent && !blk.broken) notify(blk.device, QUEUE);
  blk.unsent = false;
}

/** Takes the interrupt back, and gives up a device that has answered nothing for too long. */
export function blkPoll(blk: Blk, now: f64): void {
  if (blk.broken) return;
  acknowledge(blk.device);
  const until = blkDeadline(blk);
  if (until >= 0 && now >= until) breaks(blk);
}

/** When the oldest request has taken too long; below zero: none is under way. */
export function blkDeadline(blk: Blk): f64 {
  let oldest: f64 = -1;
  if (blk.broken) return oldest;
  for (let index: u32 = 0; index < BLK_REQUESTS; index++) {
    if ((blk.under & (1 << index)) == 0) continue;
    const begun = load<f64>(blk.begun + 8 * (index as usize));
    if (oldest < 0 || begun < oldest) oldest = begun;
  }
  return oldest < 0 ? oldest : oldest + BLK_PATIENCE_US;
}

function breaks(blk: Blk): void {
  blk.broken = true;
  blk.faults++;
  beginDevice(blk.device); // reset, and never ready again: it lets go of the buffers
}

function end(blk: Blk, index: u32, outcome: u32): i32 {
  blk.under &= ~(1 << index);
  blk.tag = load<u32>(blk.tags + 4 * (index as usize));
  blk.outcome = outcome;
  blk.ended++;
  return index as i32;
}

/** The next request that has ended, with blk.tag and blk.outcome; NOTHING. */
export function blkTake(blk: Blk): i32 {
  if (!blk.broken) {
    const head = ringTake(blk.ring);
    if (head >= 0) {
      const index = (head as u32) / 3;
      const answered = load<u8>(blk.requests + REQUEST * (index as usize), STATUS_AT);
      return end(blk, index, answered == 0 ? BLK_GOOD : BLK_FAILED);
    }
    if (head == BROKEN) breaks(blk);
  }
  return blk.broken && blk.under != 0 ? end(blk, ctz(blk.under), BLK_GONE) : NOTHING;
}
