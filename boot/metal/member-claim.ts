// Whose a member is: fence, update, adopt, and the medium's identity, until the record is on the medium.
//
// - A fence with an earlier epoch, or while another server has a lease, is refused.
// - Adopting drops both copies of the record first, then makes all blocks zeros, then writes the new record.
// - A reply is due only when the record that it speaks of is on the medium (saved).

import { DISK_ADOPT, DISK_FENCE, DISK_UPDATE } from "../../build/metal/interface";
import {
  DISK_FENCED,
  DISK_FOREIGN,
  DISK_SHORT,
  STD_ARGBAD,
  STD_EXISTS,
  STD_OK,
} from "../../core-wasm/status";
import { RIGHTS_ALL } from "../../core-wasm/wire/capability";
import { HEADER_PRIVATE_AT } from "../../core-wasm/wire/formats";
import * as activity from "./member-activity";
import * as medium from "./member-pages";
import {
  ATTACH,
  DETACH,
  ERASE,
  ERASE_LOOK,
  Job,
  NEVER,
  Now,
  RENEW,
  SAVE,
  SETTLE,
  enter,
  heard,
  isLeased,
  jobAt,
  reply,
} from "./member-queue";
import { differing } from "./member-read";
import * as record from "./member-record";
import { MEDIUM, diskPart, isAttached, mediumRenew, setAttached } from "./member-rights";
import { zeroLoad, zeroLook } from "./member-zero";
import { heldHeader } from "./services";

/** Writes the record as it is now; its length. The image stays as it is: it may be on its way to the medium. */
export function recordOut(to: usize): u32 {
  const held = record.held();
  const bytes = record.length(held);
  memory.copy(to, held.begin, bytes);
  activity.activityInto(to + (held.activity - held.begin), record.mapBytes(held.blocks));
  return bytes;
}

function save(): void {
  Now.phase = SAVE;
}

/** Attaches the medium, detaches it, or ends its capabilities. */
export function identity(job: Job): void {
  if (!medium.flushReady()) return;
  if (job.flags == ATTACH && isAttached()) return reply(STD_EXISTS);
  if (job.flags == RENEW) mediumRenew();
  else setAttached(job.flags == ATTACH);
  save();
}

export function fence(job: Job): void {
  const server = load<u64>(job.data, 4);
  if (!record.isMember || !record.sameId(record.held().begin, job.data + 12)) return reply(DISK_FOREIGN);
  const held = record.held();
  const same = (job.epoch as u64) == record.epochOf(held) && server == record.serverOf(held);
  if (!same && (job.epoch as u64) <= record.epochOf(held)) return reply(DISK_FENCED);
  if (isLeased(server)) return reply(DISK_FENCED);
  heard();
  if (same && Now.fenced) return saved();
  store<u64>(held.epoch, job.epoch as u64);
  store<u64>(held.epoch, server, 8);
  Now.fenced = false;
  record.setBound(true);
  activity.restart();
  activity.activityAge();
  activity.activityInto(held.activity, record.mapBytes(held.blocks));
  save();
}

export function update(): void {
  const job = jobAt(0);
  const given = record.given();
  const status = enter(record.epochOf(given) > 0xffffffff ? 0xffffffff : (record.epochOf(given) as u32));
  if (status != STD_OK) return reply(status);
  const held = record.held();
  if (!record.sameId(given.begin, held.begin)) return reply(DISK_FOREIGN);
  // Which of its members this one is, is this one's to say.
  memory.copy(given.member, held.member, 16);
  record.parse(given, job.data, job.length);
  if (given.own < 0) return reply(DISK_FOREIGN);
  const blocks = record.ownBlocks(given);
  if ((blocks as i64) > medium.capacity()) return reply(DISK_SHORT);
  if (blocks < record.ownBlocks(held) || given.blocks < held.blocks) return reply(STD_ARGBAD);
  Now.phase = SETTLE;
}

export function settle(): void {
  const given = record.given();
  const before = record.mapBytes(record.held().blocks);
  const clean = record.isClean(given);
  if (clean) {
    if (!medium.flushReady()) return;
    activity.cool(Now.now, true);
  }
  activity.activitySettle(given.blocks, given.activity);
  activity.activityInto(differing, record.mapBytes(given.blocks));
  const bytes = record.merge(differing, before);
  if (bytes == 0) return reply(STD_ARGBAD);
  record.recordTake(record.spare, bytes);
  record.setBound(!clean);
  save();
}

export function adopt(): void {
  const job = jobAt(0);
  const given = record.given();
  if (given.own < 0) return reply(DISK_FOREIGN);
  if ((record.ownBlocks(given) as i64) > medium.capacity()) return reply(DISK_SHORT);
  const held = record.held();
  if (
    record.isMember &&
    record.sameId(held.begin, given.begin) &&
    record.epochOf(held) > record.epochOf(given)
  )
    return reply(DISK_FENCED);
  if (isLeased(record.serverOf(given))) return reply(DISK_FENCED);
  // The medium is looked at in the request's place.
  memory.copy(record.spare, job.data, job.length);
  record.parse(given, record.spare, job.length);
  Now.fenced = false;
  Now.coolAt = NEVER;
  medium.pagesDrop();
  record.recordDrop();
  Now.erased = 0;
  Now.phase = ERASE;
}

/** No copy of a record is left, then no block that is not zeros, then there is the new record. */
export function erase(): void {
  if (Now.erased < 2) {
    if (medium.saveReady()) Now.erased++;
    return;
  }
  if (Now.phase == ERASE && Now.far < medium.copiesAt()) return zeroLoad(0, medium.copiesAt());
  if (Now.phase == ERASE_LOOK) {
    if (!zeroLook(0)) return;
    Now.far += Now.part as u64;
    Now.phase = ERASE;
    return;
  }
  if (!medium.flushReady()) return;
  const job = jobAt(0);
  record.recordTake(record.spare, job.length);
  const held = record.held();
  memory.fill(held.activity, 0, record.mapBytes(held.blocks));
  activity.activityStart(held.blocks, 0, record.isClean(held));
  activity.restart();
  record.setBound(true);
  save();
}

/** The record is on the medium: what the first job was for has been done. */
export function saved(): void {
  const job = jobAt(0);
  if (job.asked == DISK_FENCE) {
    Now.fenced = true;
    return reply(STD_OK, recordOut(job.data));
  }
  if (job.asked == DISK_ADOPT) {
    Now.fenced = true;
    heard();
  } else if (job.asked == DISK_UPDATE) {
    const clean = record.isClean(record.held());
    activity.activitySaved(!clean);
    if (clean) Now.leaseUntil = 0;
  } else {
    if (job.flags != RENEW) Now.fenced = false;
    if (job.flags != DETACH)
      diskPart(MEDIUM, RIGHTS_ALL, heldHeader(job.slot) + (HEADER_PRIVATE_AT as usize));
  }
  reply(STD_OK);
}
