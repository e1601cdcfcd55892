// Writes to a member's medium: which are done together, and their steps to the medium and the reply.
//
// - The bit of a cold extent is on the medium before a block of the extent is written.
// - Writes that are done together concern different blocks, and share one flush.
// - A job that is durable is answered after the flush; sequence numbers that have ended are answered again.

import { DIGESTS_A_PAGE, DISK_DURABLE, DISK_READ, DISK_WRITE, DISK_ZERO } from "../../build/metal/interface";
import { DISK_TRANSFER, STD_NOTNOW, STD_OK } from "../../core-wasm/status";
import { BLK_READ, BLK_WRITE } from "../../drivers/virtio-blk/blk";
import * as activity from "./member-activity";
import * as medium from "./member-pages";
import {
  COMMIT,
  COOL_US,
  Job,
  LOAD,
  MARK,
  Now,
  READ,
  WRITE,
  ZERO_LOAD,
  enterAt,
  jobAt,
  reply,
} from "./member-queue";
import { differs, readAt } from "./member-read";
import * as record from "./member-record";

const TOGETHER: u32 = 8;

/** Whether a job that changes blocks is to be done; its extents are hot from now on. */
export function sequenced(job: Job): void {
  activity.advance(job.done);
  job.over = true;
  if (activity.hasEnded(job.sequence)) return;
  if (activity.isAhead(job.sequence)) {
    job.status = STD_NOTNOW;
    return;
  }
  if (
    job.asked == DISK_WRITE &&
    differs(job.digests + 8 * (job.blocks as usize), job.blocks, job.digests) != 0
  ) {
    job.status = DISK_TRANSFER;
    return;
  }
  job.over = false;
  if (activity.heat(job.block, job.blocks, job.sequence, Now.now)) Now.cold = true;
  if (Now.coolAt < 0) Now.coolAt = Now.now + COOL_US;
}

/** Whether two writes may not be done at once: the same blocks, or pages of the same place. */
function clash(one: Job, other: Job): bool {
  if (one.block < other.block + other.blocks && other.block < one.block + one.blocks) return true;
  const places = medium.PAGES - 1;
  const last = (one.block + one.blocks - 1) / DIGESTS_A_PAGE;
  for (let page = one.block / DIGESTS_A_PAGE; page <= last; page++) {
    const end = (other.block + other.blocks - 1) / DIGESTS_A_PAGE;
    for (let there = other.block / DIGESTS_A_PAGE; there <= end; there++)
      if (page != there && (page & places) == (there & places)) return true;
  }
  return false;
}

export function chooseWrites(): void {
  for (Now.group = 0; Now.group < min(Now.count, TOGETHER); Now.group++) {
    const job = jobAt(Now.group);
    if (job.asked != DISK_WRITE) break;
    let clashes = false;
    for (let index: u32 = 0; index < Now.group; index++)
      if (!jobAt(index).over && clash(job, jobAt(index))) clashes = true;
    if (clashes) break;
    job.status = enterAt(job);
    job.over = job.status != STD_OK;
    if (!job.over) sequenced(job);
    if (!job.over && (job.flags & DISK_DURABLE) != 0) Now.durable = true;
  }
  mark();
}

/** Puts the bits of cold extents on the medium first, also in what members that are out lack. */
export function mark(): void {
  Now.phase = jobAt(0).asked == DISK_ZERO ? ZERO_LOAD : LOAD;
  if (!Now.cold) return;
  const held = record.held();
  record.setBound(true);
  store<u8>(held.clean, 0);
  for (let index: u32 = 0; index < held.count; index++) {
    const entry = record.entryAt(held, index);
    const lacks = load<u32>(entry, 8) as usize;
    if (record.stateOf(entry) == record.OUT && lacks != 0) activity.coldInto(lacks);
  }
  activity.activityInto(held.activity, record.mapBytes(held.blocks));
  Now.phase = MARK;
}

export function loadPages(): void {
  for (let index: u32 = 0; index < Now.group; index++) {
    const job = jobAt(index);
    if (!job.over && !medium.pagesReady(job.block, job.blocks)) return;
  }
  Now.phase = WRITE;
  if (jobAt(0).asked == DISK_READ) {
    Now.single = 0;
    Now.singleData = readAt(jobAt(0));
    if (medium.begin(BLK_READ, jobAt(0).block, Now.singleData, jobAt(0).blocks)) Now.phase = READ;
    else Now.phase = LOAD;
  }
}

export function write(): void {
  for (; Now.next < Now.group; Now.next++) {
    const job = jobAt(Now.next);
    if (job.over) continue;
    if (!medium.begin(BLK_WRITE, job.block, job.digests + 8 * (job.blocks as usize), job.blocks)) return;
    medium.digestsSet(job.block, job.blocks, job.digests);
  }
  if (Now.durable) medium.pagesWrite();
  Now.phase = COMMIT;
}

export function commit(): void {
  if (Now.durable && !medium.flushReady()) return;
  for (; Now.group > 0; Now.group--) {
    const job = jobAt(0);
    if (!job.over) activity.ended(job.sequence);
    reply(job.status);
  }
}
