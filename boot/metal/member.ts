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
  DIGESTS_A_PAGE,
  DIGESTS_READ,
  DISK_ADOPT,
  DISK_BLOCK_BYTES,
  DISK_DIGESTS,
  DISK_DURABLE,
  DISK_FENCE,
  DISK_FLUSH,
  DISK_RAW,
  DISK_READ,
  DISK_TRANSFER_BYTES,
  DISK_UPDATE,
  DISK_WRITE,
  DISK_ZERO,
  LEASE_MS,
} from "../../build/metal/interface";
import {
  DISK_FENCED,
  DISK_FOREIGN,
  DISK_GONE,
  DISK_MEDIUM,
  DISK_SHORT,
  DISK_TRANSFER,
  STD_ARGBAD,
  STD_EXISTS,
  STD_NOTNOW,
  STD_OK,
} from "../../core-wasm/status";
import { RIGHTS_ALL } from "../../core-wasm/wire/capability";
import { HEADER_PRIVATE_AT } from "../../core-wasm/wire/formats";
import { BLK_READ, BLK_WRITE } from "../../drivers/virtio-blk/blk";
import { mirrorDiffer, mirrorDigests } from "./kernel";
import * as activity from "./member-activity";
import * as medium from "./member-pages";
import * as record from "./member-record";
import { diskPart, identityRead, isAttached, MEDIUM, mediumRenew, setAttached } from "./member-rights";
import { heldHeader, replyHeldWith } from "./services";

const BLOCK: u32 = DISK_BLOCK_BYTES;
const CHUNK: u32 = DISK_TRANSFER_BYTES / DISK_BLOCK_BYTES;
const JOBS: u32 = 16;
const TOGETHER: u32 = 8;
/** Of blocks that are read for their digests: so many at once, behind the digests of the reply. */
const COMPUTED: u32 = 64;
const COMPUTED_AT: usize = 640 << 10;
const COOL_US: f64 = 1000000;
const AGAIN_US: f64 = 5000000;
const NEVER: f64 = -1;

/** Changes of the identity alone are put in the queue as if they were operations; which one is in `flags`. */
export const JOB_IDENTITY: u32 = 1;
export const RENEW: u32 = 0;
export const ATTACH: u32 = 1;
export const DETACH: u32 = 2;

@unmanaged
export class Job {
  slot: u32;
  asked: u32;
  data: usize;
  length: u32;
  block: u32;
  blocks: u32;
  flags: u32;
  epoch: u32;
  sequence: u64;
  done: u64;
  /** Of the request's digests, and of the blocks behind them. */
  digests: usize;
  status: i32;
  /** It is done, or refused, and only its reply is due. */
  over: bool;
}

// What the machine is about to do when a step's requests have ended
const IDLE: u32 = 0;
const OPEN: u32 = 1;
const MARK: u32 = 2;
const LOAD: u32 = 3;
const WRITE: u32 = 4;
const COMMIT: u32 = 5;
const READ: u32 = 6;
const ZERO_LOAD: u32 = 8;
const ZERO_LOOK: u32 = 9;
const ZERO_NEXT: u32 = 10;
const DIGEST: u32 = 11;
const SETTLE: u32 = 12;
const SAVE: u32 = 13;
const ERASE: u32 = 14;
const COOL: u32 = 15;
const COOLED: u32 = 16;
const ERASE_LOOK: u32 = 7;

const jobs = memory.data(offsetof<Job>() * 16, 8); // JOBS
const differing = memory.data(1024, 8); // a map of blocks, or of extents
const lost = memory.data(64, 8);
let first: u32 = 0;
let count: u32 = 0;
let phase: u32 = IDLE;
/** Jobs that are done together; the next of them to begin. */
let group: u32 = 0;
let next: u32 = 0;
let cold: bool = false;
let durable: bool = false;
/** How far the first job is, in blocks, and how many it is at. */
let far: u64 = 0;
let part: u32 = 0;
let single: u32 = 0;
let singleData: usize = 0;
let erased: u32 = 0;

let now: f64 = 0;
let fenced: bool = false;
let leaseUntil: f64 = 0;
let coolAt: f64 = NEVER;
let openAt: f64 = NEVER;
/** The medium was looked at, whatever came of it. */
export let looked: bool = false;

/** Takes the memory of a member at `room`, of memberBytes. */
export function memberBytes(): usize {
  return record.recordBytes() + activity.activityBytes() + medium.pagesBytes();
}

export function memberOpen(room: usize, time: f64): void {
  record.recordOpen(room);
  activity.activityOpen(room + record.recordBytes());
  medium.pagesOpen(room + record.recordBytes() + activity.activityBytes());
  openAt = time;
}

function jobAt(index: u32): Job {
  return changetype<Job>(jobs + offsetof<Job>() * (((first + index) % JOBS) as usize));
}

/** A place in the queue, to be filled: there are as many as threads that serve. */
export function jobNew(): Job {
  assert(count < JOBS);
  const job = jobAt(count);
  count++;
  memory.fill(changetype<usize>(job), 0, offsetof<Job>());
  return job;
}

/** It can be asked. */
export function isWell(): bool {
  return looked && !medium.failed;
}

// ---- who may -----------------------------------------------------------------------------

export function enter(epoch: u32): i32 {
  if (!isWell()) return DISK_MEDIUM;
  if (!record.isMember) return DISK_FOREIGN;
  const known = record.epochOf(record.held());
  if ((epoch as u64) < known) return DISK_FENCED;
  if ((epoch as u64) > known || !fenced) return DISK_GONE;
  heard();
  return STD_OK;
}

function enterAt(job: Job): i32 {
  const status = enter(job.epoch);
  if (status != STD_OK) return status;
  const room = record.ownBlocks(record.held());
  return job.blocks != 0 && (job.block as u64) + (job.blocks as u64) <= room ? STD_OK : STD_ARGBAD;
}

function heard(): void {
  leaseUntil = now + 1000 * (LEASE_MS as f64);
}

function isLeased(server: u64): bool {
  return record.isMember && record.serverOf(record.held()) != server && now < leaseUntil;
}

// ---- the end of jobs ---------------------------------------------------------------------

/** Writes the record as it is now; its length. The image stays as it is: it may be on its way to the medium. */
export function recordOut(to: usize): u32 {
  const held = record.held();
  const bytes = record.length(held);
  memory.copy(to, held.begin, bytes);
  activity.activityInto(to + (held.activity - held.begin), record.mapBytes(held.blocks));
  return bytes;
}

/** The first job has ended. */
function reply(status: i32, length: u32 = 0): void {
  const job = jobAt(0);
  const slot = job.slot;
  const data = job.data;
  first = (first + 1) % JOBS;
  count--;
  phase = IDLE;
  replyHeldWith(slot, status, data, status == STD_OK ? length : 0, now);
}

function failAll(): void {
  while (count > 0) reply(DISK_MEDIUM);
  phase = IDLE;
  fenced = false;
  openAt = now + AGAIN_US;
}

// ---- steps -------------------------------------------------------------------------------

function choose(): void {
  const job = jobAt(0);
  const asked = job.asked;
  group = 1;
  next = 0;
  cold = false;
  durable = false;
  far = 0;
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
    durable = true;
    job.over = true;
    phase = COMMIT;
  } else if (asked == DISK_READ) phase = LOAD;
  else if (asked == DISK_DIGESTS) {
    part = 0;
    phase = DIGEST;
  } else {
    sequenced(job);
    if (job.over) return reply(job.status);
    durable = (job.flags & DISK_DURABLE) != 0;
    mark();
  }
}

/** Whether a job that changes blocks is to be done; its extents are hot from now on. */
function sequenced(job: Job): void {
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
  if (activity.heat(job.block, job.blocks, job.sequence, now)) cold = true;
  if (coolAt < 0) coolAt = now + COOL_US;
}

function seedAt(half: usize): u32 {
  return load<u32>(record.held().begin + half);
}

/** How many blocks have another digest; a map of them is in `differing`. */
function differs(data: usize, blocks: u32, digests: usize): i32 {
  return mirrorDiffer(data, blocks, BLOCK, seedAt(0), seedAt(4), digests, differing);
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

function chooseWrites(): void {
  for (group = 0; group < min(count, TOGETHER); group++) {
    const job = jobAt(group);
    if (job.asked != DISK_WRITE) break;
    let clashes = false;
    for (let index: u32 = 0; index < group; index++)
      if (!jobAt(index).over && clash(job, jobAt(index))) clashes = true;
    if (clashes) break;
    job.status = enterAt(job);
    job.over = job.status != STD_OK;
    if (!job.over) sequenced(job);
    if (!job.over && (job.flags & DISK_DURABLE) != 0) durable = true;
  }
  mark();
}

/** Puts the bits of cold extents on the medium first, also in what members that are out lack. */
function mark(): void {
  phase = jobAt(0).asked == DISK_ZERO ? ZERO_LOAD : LOAD;
  if (!cold) return;
  const held = record.held();
  record.setBound(true);
  store<u8>(held.clean, 0);
  for (let index: u32 = 0; index < held.count; index++) {
    const entry = record.entryAt(held, index);
    const lacks = load<u32>(entry, 8) as usize;
    if (record.stateOf(entry) == record.OUT && lacks != 0) activity.coldInto(lacks);
  }
  activity.activityInto(held.activity, record.mapBytes(held.blocks));
  phase = MARK;
}

/** Where the blocks of a read go: behind what its reply has before them. */
function readAt(job: Job): usize {
  return job.data + 6 + 8 * (job.blocks as usize);
}

function loadPages(): void {
  for (let index: u32 = 0; index < group; index++) {
    const job = jobAt(index);
    if (!job.over && !medium.pagesReady(job.block, job.blocks)) return;
  }
  phase = WRITE;
  if (jobAt(0).asked == DISK_READ) {
    single = 0;
    singleData = readAt(jobAt(0));
    if (medium.begin(BLK_READ, jobAt(0).block, singleData, jobAt(0).blocks)) phase = READ;
    else phase = LOAD;
  }
}

function write(): void {
  for (; next < group; next++) {
    const job = jobAt(next);
    if (job.over) continue;
    if (!medium.begin(BLK_WRITE, job.block, job.digests + 8 * (job.blocks as usize), job.blocks)) return;
    medium.digestsSet(job.block, job.blocks, job.digests);
  }
  if (durable) medium.pagesWrite();
  phase = COMMIT;
}

function commit(): void {
  if (durable && !medium.flushReady()) return;
  for (; group > 0; group--) {
    const job = jobAt(0);
    if (!job.over) activity.ended(job.sequence);
    reply(job.status);
  }
}

/** What was to be read at once is read block by block; those that cannot be are zeros, and known. */
function singles(block: u64, blocks: u32): bool {
  if (single == 0) memory.fill(lost, 0, 64);
  if (medium.wasUnread() && single > 0) {
    memory.fill(singleData + ((single - 1) as usize) * (BLOCK as usize), 0, BLOCK);
    activity.setBit(lost, single - 1);
  }
  if (single == blocks) return true;
  if (medium.begin(BLK_READ, block + (single as u64), singleData + (single as usize) * (BLOCK as usize), 1))
    single++;
  return false;
}

/** Blocks were read: whether they are all there, or are read one by one. */
function hasRead(block: u64, blocks: u32): bool {
  if (single == 0 && !medium.unread) {
    memory.fill(lost, 0, 64);
    return true;
  }
  return singles(block, blocks);
}

function isLost(index: u32): bool {
  return ((load<u8>(lost + ((index >> 3) as usize)) >> ((index & 7) as u8)) & 1) != 0;
}

function read(): void {
  const job = jobAt(0);
  if (!hasRead(job.block, job.blocks)) return;
  const digests = job.data + 6;
  medium.digestsOut(job.block, job.blocks, digests);
  differs(singleData, job.blocks, digests);
  let rotten: u32 = 0;
  if ((job.flags & DISK_RAW) == 0)
    for (let index: u32 = 0; index < job.blocks; index++) {
      const differ = (load<u8>(differing + ((index >> 3) as usize)) >> ((index & 7) as u8)) & 1;
      if (differ == 0 && !isLost(index)) continue;
      rotten++;
      store<u16>(job.data + 2 * (rotten as usize), index as u16);
    }
  store<u16>(job.data, rotten as u16);
  const behind = job.data + 2 + 2 * (rotten as usize);
  store<u32>(behind, rotten != 0 ? 0 : 8 * job.blocks);
  reply(STD_OK, rotten != 0 ? 6 + 2 * rotten : 6 + 8 * job.blocks + job.blocks * BLOCK);
}

function isZeros(data: usize, bytes: u32): bool {
  for (let at: u32 = 0; at < bytes; at += 8) if (load<u64>(data + (at as usize)) != 0) return false;
  return true;
}

/** Reads what is to be zeros next, from `block` on, into the first job's place. */
function zeroLoad(block: u64, blocks: u64): void {
  const job = jobAt(0);
  part = min<u64>(CHUNK, blocks - far) as u32;
  if (phase == ZERO_LOAD && !medium.pagesReady((block + far) as u32, part)) return;
  if (medium.begin(BLK_READ, block + far, job.data, part))
    phase = phase == ZERO_LOAD ? ZERO_LOOK : ERASE_LOOK;
}

/** What is zeros already is not written. */
function zeroLook(block: u64): bool {
  const job = jobAt(0);
  if (!medium.wasUnread() && isZeros(job.data, part * BLOCK)) return true;
  memory.fill(job.data, 0, part * BLOCK);
  return medium.begin(BLK_WRITE, block + far, job.data, part);
}

function zeroNext(): void {
  const job = jobAt(0);
  medium.digestsSet(job.block + (far as u32), part, 0);
  far += part as u64;
  phase = far < (job.blocks as u64) ? ZERO_LOAD : COMMIT;
}

function digest(): void {
  const job = jobAt(0);
  const to = job.data + 8 * (far as usize);
  const block = job.block + (far as u32);
  const left = job.blocks - (far as u32);
  if ((job.flags & DIGESTS_READ) == 0) {
    const here = min(left, DIGESTS_A_PAGE - (block % DIGESTS_A_PAGE));
    if (!medium.pagesReady(block, here)) return;
    medium.digestsOut(block, here, to);
    far += here as u64;
  } else if (part == 0) {
    singleData = job.data + COMPUTED_AT;
    single = 0;
    const here = min(left, COMPUTED);
    if (medium.begin(BLK_READ, block, singleData, here)) part = here;
    return;
  } else {
    if (!hasRead(block, part)) return;
    mirrorDigests(singleData, part, BLOCK, seedAt(0), seedAt(4), to);
    for (let index: u32 = 0; index < part; index++)
      if (isLost(index)) store<u64>(to + 8 * (index as usize), 0xffffffffffffffff);
    far += part as u64;
    part = 0;
  }
  if (far == (job.blocks as u64)) reply(STD_OK, 8 * job.blocks);
}

// ---- the record --------------------------------------------------------------------------

function save(): void {
  phase = SAVE;
}

/** Attaches the medium, detaches it, or ends its capabilities. */
function identity(job: Job): void {
  if (!medium.flushReady()) return;
  if (job.flags == ATTACH && isAttached()) return reply(STD_EXISTS);
  if (job.flags == RENEW) mediumRenew();
  else setAttached(job.flags == ATTACH);
  save();
}

function fence(job: Job): void {
  const server = load<u64>(job.data, 4);
  if (!record.isMember || !record.sameId(record.held().begin, job.data + 12)) return reply(DISK_FOREIGN);
  const held = record.held();
  const same = (job.epoch as u64) == record.epochOf(held) && server == record.serverOf(held);
  if (!same && (job.epoch as u64) <= record.epochOf(held)) return reply(DISK_FENCED);
  if (isLeased(server)) return reply(DISK_FENCED);
  heard();
  if (same && fenced) return saved();
  store<u64>(held.epoch, job.epoch as u64);
  store<u64>(held.epoch, server, 8);
  fenced = false;
  record.setBound(true);
  activity.restart();
  activity.activityAge();
  activity.activityInto(held.activity, record.mapBytes(held.blocks));
  save();
}

function update(): void {
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
  phase = SETTLE;
}

function settle(): void {
  const given = record.given();
  const before = record.mapBytes(record.held().blocks);
  const clean = record.isClean(given);
  if (clean) {
    if (!medium.flushReady()) return;
    activity.cool(now, true);
  }
  activity.activitySettle(given.blocks, given.activity);
  activity.activityInto(differing, record.mapBytes(given.blocks));
  const bytes = record.merge(differing, before);
  if (bytes == 0) return reply(STD_ARGBAD);
  record.recordTake(record.spare, bytes);
  record.setBound(!clean);
  save();
}

function adopt(): void {
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
  fenced = false;
  coolAt = NEVER;
  medium.pagesDrop();
  record.recordDrop();
  erased = 0;
  phase = ERASE;
}

/** No copy of a record is left, then no block that is not zeros, then there is the new record. */
function erase(): void {
  if (erased < 2) {
    if (medium.saveReady()) erased++;
    return;
  }
  if (phase == ERASE && far < medium.copiesAt()) return zeroLoad(0, medium.copiesAt());
  if (phase == ERASE_LOOK) {
    if (!zeroLook(0)) return;
    far += part as u64;
    phase = ERASE;
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
function saved(): void {
  const job = jobAt(0);
  if (job.asked == DISK_FENCE) {
    fenced = true;
    return reply(STD_OK, recordOut(job.data));
  }
  if (job.asked == DISK_ADOPT) {
    fenced = true;
    heard();
  } else if (job.asked == DISK_UPDATE) {
    const clean = record.isClean(record.held());
    activity.activitySaved(!clean);
    if (clean) leaseUntil = 0;
  } else {
    if (job.flags != RENEW) fenced = false;
    if (job.flags != DETACH)
      diskPart(MEDIUM, RIGHTS_ALL, heldHeader(job.slot) + (HEADER_PRIVATE_AT as usize));
  }
  reply(STD_OK);
}

function cooling(): void {
  if (phase == COOL) {
    if (!medium.flushReady()) return;
    activity.cool(now, false);
    activity.activityInto(record.held().activity, record.mapBytes(record.held().blocks));
    phase = COOLED;
  }
  if (!medium.saveReady()) return;
  coolLater();
  phase = IDLE;
}

function coolLater(): void {
  coolAt = activity.isHot() ? now + COOL_US : NEVER;
}

function open(): void {
  if (phase == IDLE) {
    medium.pagesDrop();
    medium.fail(false);
    phase = OPEN;
    openAt = NEVER;
    coolAt = NEVER;
    looked = false;
    medium.copiesRead();
    return;
  }
  looked = true;
  phase = IDLE;
  if (medium.wasUnread()) {
    medium.fail(true);
    return failAll();
  }
  record.recordRead();
  identityRead(record.identityAt(record.image));
  fenced = false;
  if (!record.isMember) return;
  const held = record.held();
  activity.restart();
  activity.activityStart(held.blocks, held.activity, record.isClean(held));
  if (record.isBound()) heard();
}

function step(): void {
  if (medium.failed && phase != IDLE) {
    if (phase == OPEN) looked = true;
    return failAll();
  }
  switch (phase) {
    case IDLE:
      if (openAt >= 0 && now >= openAt) open();
      else if (count > 0) choose();
      else if (activity.coolable(now)) phase = COOL;
      else coolLater();
      return;
    case OPEN:
      return open();
    case MARK:
      if (!medium.saveReady()) return;
      activity.heatSaved();
      phase = jobAt(0).asked == DISK_ZERO ? ZERO_LOAD : LOAD;
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
      if (zeroLook(jobAt(0).block)) phase = ZERO_NEXT;
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
  return phase != IDLE || count > 0 || (openAt >= 0 && now >= openAt) || (coolAt >= 0 && now >= coolAt);
}

/** Goes on; answers how much was done. */
export function memberTurn(time: f64): u32 {
  now = time;
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
  return openAt < 0 || (coolAt >= 0 && coolAt < openAt) ? coolAt : openAt;
}
