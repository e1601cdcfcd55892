// The machine's disk, where it has one: the first virtio-blk device that was found; and what the
// monitor can ask of it.
//
// - `disk` of the monitor tells what it is; `disk-check` reads the last sector, writes the same bytes
//   back, flushes, and reads them again: every way through the driver, and nothing is changed.
// - Others use it by diskBegin: what ends with a tag of theirs is told to memberDone (member-pages.ts).

import { STD_OK } from "../../core-wasm/status";
import {
  BLK_FAILED,
  BLK_FLUSH,
  BLK_GOOD,
  BLK_READ,
  BLK_SECTOR,
  BLK_WRITE,
  Blk,
  blkBegin,
  blkBytes,
  blkDeadline,
  blkNotify,
  blkOpen,
  blkPoll,
  blkTake,
} from "../../drivers/virtio-blk/blk";
import { Ring } from "../../drivers/virtio/ring";
import { DEVICE_BLOCK, Device } from "../../drivers/virtio/transport";
import { devices, foundAt, locate, wakeBy } from "./devices";
import { memberDone } from "./member-pages";
import { take } from "./memory";
import { put, putHex, putNumber } from "./text";

const blk = memory.data(offsetof<Blk>(), 8);
const device = memory.data(offsetof<Device>(), 8);
const ring = memory.data(offsetof<Ring>(), 8);
const SHOWN: u32 = 16;

/** Steps of a check, and the tags of its requests. */
const READS: u32 = 1;
const WRITES: u32 = 2;
const FLUSHES: u32 = 3;
const READS_AGAIN: u32 = 4;

/** There is one, and it was set up. */
export let hasDisk: bool = false;
/** A check has ended: what the console is to say is `putCheck`. */
export let checked: bool = false;
let step: u32 = 0;
let outcome: u32 = BLK_GOOD;
/** Two sectors: as it was read, and as it was read again. */
let sectors: usize = 0;

/** Tags from here on are the member's. */
export const MEMBER_TAG: u32 = 16;

@inline
export function disk(): Blk {
  return changetype<Blk>(blk);
}

/** Sets the disk up. False: there is one, and it refuses or there is no room. */
export function diskOpen(): bool {
  disk().device = changetype<Device>(device);
  disk().ring = changetype<Ring>(ring);
  for (let index: u32 = 0; index < devices; index++) {
    const found = foundAt(index);
    if (found.kind != DEVICE_BLOCK) continue;
    const room = take(blkBytes());
    sectors = take(2 * (BLK_SECTOR as usize));
    if (room == 0 || sectors == 0 || !locate(disk().device, found)) return false;
    wakeBy(disk().device, found);
    hasDisk = blkOpen(disk(), room);
    return hasDisk;
  }
  return true;
}

/** Begins a check. False: one is under way, or there is nothing to check. */
export function diskCheck(now: f64): bool {
  if (!hasDisk || step != 0 || disk().sectors == 0) return false;
  return begin(READS, now);
}

function begin(next: u32, now: f64): bool {
  const last = disk().sectors - 1;
  let at = sectors;
  let what = BLK_READ;
  if (next == WRITES) what = BLK_WRITE;
  else if (next == FLUSHES) what = BLK_FLUSH;
  else if (next == READS_AGAIN) at += BLK_SECTOR as usize;
  step = next;
  if (blkBegin(disk(), what, last, at, BLK_SECTOR, next, now) >= STD_OK) {
    blkNotify(disk());
    return true;
  }
  finish(BLK_FAILED);
  return false;
}

function finish(how: u32): void {
  outcome = how;
  checked = true;
}

/** Takes what the disk has done; answers how much. */
export function diskTurn(now: f64): u32 {
  if (!hasDisk) return 0;
  blkPoll(disk(), now);
  let count: u32 = 0;
  while (blkTake(disk()) >= 0) {
    count++;
    const done = disk().tag;
    if (done >= MEMBER_TAG) {
      memberDone(done, disk().outcome);
      continue;
    }
    if (disk().outcome != BLK_GOOD || done == READS_AGAIN) finish(disk().outcome);
    else if (done == READS && disk().readOnly) begin(READS_AGAIN, now);
    else begin(done + 1, now);
  }
  return count;
}

/** Begins a request; the device is told of it with the others of this turn. */
export function diskBegin(what: u32, sector: u64, pointer: usize, bytes: u32, tag: u32, now: f64): i32 {
  return blkBegin(disk(), what, sector, pointer, bytes, tag, now);
}

/** Tells the device what is new. */
export function diskNotify(): void {
  if (hasDisk) blkNotify(disk());
}

export function diskSectors(): u64 {
  return hasDisk ? disk().sectors : 0;
}

export function diskCached(): bool {
  return disk().cached;
}

/** When a request will have taken too long; below zero: none is under way. */
export function diskDeadline(): f64 {
  return hasDisk ? blkDeadline(disk()) : -1;
}

/** What it is. */
export function putDisk(): void {
  if (!hasDisk) {
    put("there is no disk");
    return;
  }
  put("disk of ");
  putNumber(disk().sectors);
  put(" sectors of 512 bytes");
  if (disk().readOnly) put(", read-only");
  if (!disk().cached) put(", without a cache");
  if (disk().broken) put(", out of use");
  put(", requests ");
  putNumber(disk().ended as u64);
  put(", faults ");
  putNumber(disk().faults as u64);
}

/** What a check came to; the next one may begin. */
export function putCheck(): void {
  const again = sectors + (BLK_SECTOR as usize);
  put("disk-check: the last sector ");
  if (outcome != BLK_GOOD) {
    put(outcome == BLK_FAILED ? "could not be " : "was lost with the disk when it was to be ");
    put(step == WRITES ? "written" : step == FLUSHES ? "flushed" : "read");
  } else if (memory.compare(sectors, again, BLK_SECTOR as usize) != 0)
    put("is another when it is read again");
  else {
    put(disk().readOnly ? "is the same when it is read again: " : "is the same when it was written back: ");
    putHex(sectors, SHOWN);
  }
  step = 0;
  checked = false;
}
