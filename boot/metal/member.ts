// The machine's disk as a member of a storage: what control/server/disk/member does under Linux, with the
// same bytes on the medium, as steps between requests to the device.
//
// - Requests wait in a queue and are done in turn; writes that stand behind each other and concern different
//   blocks are done together and share one flush. Who only asks is not in the queue (member-serve.ts).
// - A step never waits: memberTurn goes on when the step's requests to the device have ended.
// - A member that was opened anew serves nobody before it is fenced or adopted (DISK_GONE). A medium that
//   fails is opened anew after a while.
// - Unlike under Linux no hole is punched: zeros are written where there are none yet.

import {
  DISK_ADOPT,
  DISK_DIGESTS,
  DISK_DURABLE,
  DISK_FENCE,
  DISK_FLUSH,
  DISK_READ,
  DISK_UPDATE,
  DISK_WRITE,
  DISK_ZERO,
} from "../../build/metal/interface";
import { DISK_MEDIUM, STD_ARGBAD, STD_OK } from "../../core-wasm/status";
import * as activity from "./member-activity";
import { chooseWrites, commit, loadPages, mark, sequenced, write } from "./member-change";
import { adopt, erase, fence, identity, saved, settle, update } from "./member-claim";
import * as medium from "./member-pages";
import {
  COMMIT,
  COOL,
  COOLED,
  COOL_US,
  DIGEST,
  IDLE,
  JOB_IDENTITY,
  LOAD,
  MARK,
  NEVER,
  Now,
  OPEN,
  READ,
  SAVE,
  SETTLE,
  WRITE,
  ZERO_LOAD,
  ZERO_LOOK,
  ZERO_NEXT,
  enter,
  enterAt,
  failAll,
  heard,
  isWell,
  jobAt,
  reply,
} from "./member-queue";
import { digest, read } from "./member-read";
import * as record from "./member-record";
import { identityRead } from "./member-rights";
import { zeroLoad, zeroLook, zeroNext } from "./member-zero";

/** Takes the memory of a member at `room`, of memberBytes. */
export function memberBytes(): usize {
  return record.recordBytes() + activity.activityBytes() + medium.pagesBytes();
}

export function memberOpen(room: usize, time: f64): void {
  record.recordOpen(room);
  activity.activityOpen(room + record.recordBytes());
  medium.pagesOpen(room + record.recordBytes() + activity.activityBytes());
  Now.openAt = time;
}

function choose(): void {
  const job = jobAt(0);
  const asked = job.asked;
  Now.group = 1;
  Now.next = 0;
  Now.cold = false;
  Now.durable = false;
  Now.far = 0;
  if (!isWell()) return reply(DISK_MEDIUM);
  if (asked == DISK_WRITE) return chooseWrites();
  if (asked == JOB_IDENTITY) return identity(job);
  if (asked == DISK_FENCE) return fence(job);
  if (asked == DISK_ADOPT || asked == DISK_UPDATE) {
    if (!record.parse(record.given(), job.data, job.length)) return reply(STD_ARGBAD);
    return asked == DISK_ADOPT ? adopt() : update();
  }
  const status = asked == DISK_FLUSH ? enter(job.epoch) : enterAt(job);
  if (status != STD_OK) return reply(status);
  if (asked == DISK_FLUSH) {
    Now.durable = true;
    job.over = true;
    Now.phase = COMMIT;
  } else if (asked == DISK_READ) Now.phase = LOAD;
  else if (asked == DISK_DIGESTS) {
    Now.part = 0;
    Now.phase = DIGEST;
  } else {
    sequenced(job);
    if (job.over) return reply(job.status);
    Now.durable = (job.flags & DISK_DURABLE) != 0;
    mark();
  }
}

function cooling(): void {
  if (Now.phase == COOL) {
    if (!medium.flushReady()) return;
    activity.cool(Now.now, false);
    activity.activityInto(record.held().activity, record.mapBytes(record.held().blocks));
    Now.phase = COOLED;
  }
  if (!medium.saveReady()) return;
  coolLater();
  Now.phase = IDLE;
}

function coolLater(): void {
  Now.coolAt = activity.isHot() ? Now.now + COOL_US : NEVER;
}

function open(): void {
  if (Now.phase == IDLE) {
    medium.pagesDrop();
    medium.fail(false);
    Now.phase = OPEN;
    Now.openAt = NEVER;
    Now.coolAt = NEVER;
    Now.looked = false;
    medium.copiesRead();
    return;
  }
  Now.looked = true;
  Now.phase = IDLE;
  if (medium.wasUnread()) {
    medium.fail(true);
    return failAll();
  }
  record.recordRead();
  identityRead(record.identityAt(record.image));
  Now.fenced = false;
  if (!record.isMember) return;
  const held = record.held();
  activity.restart();
  activity.activityStart(held.blocks, held.activity, record.isClean(held));
  if (record.isBound()) heard();
}

function step(): void {
  if (medium.failed && Now.phase != IDLE) {
    if (Now.phase == OPEN) Now.looked = true;
    return failAll();
  }
  switch (Now.phase) {
    case IDLE:
      if (Now.openAt >= 0 && Now.now >= Now.openAt) open();
      else if (Now.count > 0) choose();
      else if (activity.coolable(Now.now)) Now.phase = COOL;
      else coolLater();
      return;
    case OPEN:
      return open();
    case MARK:
      if (!medium.saveReady()) return;
      activity.heatSaved();
      Now.phase = jobAt(0).asked == DISK_ZERO ? ZERO_LOAD : LOAD;
      return;
    case LOAD:
      return loadPages();
    case WRITE:
      return write();
    case COMMIT:
      return commit();
    case READ:
      return read();
    case ZERO_LOAD:
      return zeroLoad(jobAt(0).block, jobAt(0).blocks);
    case ZERO_LOOK:
      if (zeroLook(jobAt(0).block)) Now.phase = ZERO_NEXT;
      return;
    case ZERO_NEXT:
      return zeroNext();
    case DIGEST:
      return digest();
    case SETTLE:
      return settle();
    case SAVE:
      if (medium.saveReady()) saved();
      return;
    case COOL:
    case COOLED:
      return cooling();
    default:
      return erase();
  }
}

function hasWork(): bool {
  return (
    Now.phase != IDLE ||
    Now.count > 0 ||
    (Now.openAt >= 0 && Now.now >= Now.openAt) ||
    (Now.coolAt >= 0 && Now.now >= Now.coolAt)
  );
}

/** Goes on; answers how much was done. */
export function memberTurn(time: f64): u32 {
  Now.now = time;
  medium.setNow(time);
  let steps: u32 = 0;
  while (steps < 32 && medium.pending == 0 && hasWork()) {
    step();
    steps++;
  }
  return steps;
}

/** When it wants a turn; below zero: when something comes. */
export function memberDeadline(): f64 {
  if (medium.pending != 0) return NEVER;
  return Now.openAt < 0 || (Now.coolAt >= 0 && Now.coolAt < Now.openAt) ? Now.coolAt : Now.openAt;
}
