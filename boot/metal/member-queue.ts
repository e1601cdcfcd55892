// The queue of a member's requests: its jobs, the state that the steps share, who may ask, and replies.
//
// - Jobs wait in turn, and only the first ones are under way; a job's place is free when it has its reply.
// - Who asks with an earlier epoch, or before a fence, is refused here.
// - Now is written by the files member*.ts alone, in the step that is being done.

import { DISK_BLOCK_BYTES, LEASE_MS } from "../../build/metal/interface";
import {
  DISK_FENCED,
  DISK_FOREIGN,
  DISK_GONE,
  DISK_MEDIUM,
  STD_ARGBAD,
  STD_OK,
} from "../../core-wasm/status";
import * as medium from "./member-pages";
import * as record from "./member-record";
import { replyHeldWith } from "./services";

export const BLOCK: u32 = DISK_BLOCK_BYTES;
const JOBS: u32 = 16;
/** Changes of the identity alone are put in the queue as if they were operations; which one is in `flags`. */
export const JOB_IDENTITY: u32 = 1;
export const RENEW: u32 = 0;
export const ATTACH: u32 = 1;
export const DETACH: u32 = 2;
const AGAIN_US: f64 = 5000000;
export const COOL_US: f64 = 1000000;
export const NEVER: f64 = -1;

// What the machine is about to do when a step's requests have ended
export const IDLE: u32 = 0;
export const OPEN: u32 = 1;
export const MARK: u32 = 2;
export const LOAD: u32 = 3;
export const WRITE: u32 = 4;
export const COMMIT: u32 = 5;
export const READ: u32 = 6;
export const ERASE_LOOK: u32 = 7;
export const ZERO_LOAD: u32 = 8;
export const ZERO_LOOK: u32 = 9;
export const ZERO_NEXT: u32 = 10;
export const DIGEST: u32 = 11;
export const SETTLE: u32 = 12;
export const SAVE: u32 = 13;
export const ERASE: u32 = 14;
export const COOL: u32 = 15;
export const COOLED: u32 = 16;
const jobs = memory.data(offsetof<Job>() * 16, 8); // JOBS

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

/** Where the machine is: what the files of the member share. */
export abstract class Now {
  static phase: u32 = 0;
  static first: u32 = 0;
  static count: u32 = 0;
  /** Jobs that are done together; the next of them to begin. */
  static group: u32 = 0;
  static next: u32 = 0;
  static cold: bool = false;
  static durable: bool = false;
  /** How far the first job is, in blocks, and how many it is at. */
  static far: u64 = 0;
  static part: u32 = 0;
  static single: u32 = 0;
  static singleData: usize = 0;
  static erased: u32 = 0;
  static now: f64 = 0;
  static fenced: bool = false;
  static leaseUntil: f64 = 0;
  static coolAt: f64 = -1;
  static openAt: f64 = -1;
  /** The medium was looked at, whatever came of it. */
  static looked: bool = false;
}

export function jobAt(index: u32): Job {
  return changetype<Job>(jobs + offsetof<Job>() * (((Now.first + index) % JOBS) as usize));
}

/** A place in the queue, to be filled: there are as many as threads that serve. */
export function jobNew(): Job {
  assert(Now.count < JOBS);
  const job = jobAt(Now.count);
  Now.count++;
  memory.fill(changetype<usize>(job), 0, offsetof<Job>());
  return job;
}

/** It can be asked. */
export function isWell(): bool {
  return Now.looked && !medium.failed;
}

export function enter(epoch: u32): i32 {
  if (!isWell()) return DISK_MEDIUM;
  if (!record.isMember) return DISK_FOREIGN;
  const known = record.epochOf(record.held());
  if ((epoch as u64) < known) return DISK_FENCED;
  if ((epoch as u64) > known || !Now.fenced) return DISK_GONE;
  heard();
  return STD_OK;
}

export function enterAt(job: Job): i32 {
  const status = enter(job.epoch);
  if (status != STD_OK) return status;
  const room = record.ownBlocks(record.held());
  return job.blocks != 0 && (job.block as u64) + (job.blocks as u64) <= room ? STD_OK : STD_ARGBAD;
}

export function heard(): void {
  Now.leaseUntil = Now.now + 1000 * (LEASE_MS as f64);
}

export function isLeased(server: u64): bool {
  return record.isMember && record.serverOf(record.held()) != server && Now.now < Now.leaseUntil;
}

/** The first job has ended. */
export function reply(status: i32, length: u32 = 0): void {
  const job = jobAt(0);
  const slot = job.slot;
  const data = job.data;
  Now.first = (Now.first + 1) % JOBS;
  Now.count--;
  Now.phase = IDLE;
  replyHeldWith(slot, status, data, status == STD_OK ? length : 0, Now.now);
}

export function failAll(): void {
  while (Now.count > 0) reply(DISK_MEDIUM);
  Now.phase = IDLE;
  Now.fenced = false;
  Now.openAt = Now.now + AGAIN_US;
}
