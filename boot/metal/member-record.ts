// The record of the machine's medium as a member of a storage, in the bytes that lie on the medium:
// control/server/disk/member/record-codec.ts says what they are, and which of them change here.
//
// - One copy is held in memory, `image`, as it is written: head, record, the machine's identity, CRC. What
//   a server says replaces the record; epoch, server, flags and maps are changed in place.
// - The identity is ours (member-rights.ts): it lies in front of the CRC, where other machines write zeros
//   and look at nothing. A copy without a record has BLANK in front: to other machines a blank medium.
// - Texts are not looked at for UTF-8: nothing here reads them but for people.

import {
  EXTENT_BLOCKS_MIN,
  EXTENTS_MAX,
  HISTORY_MAX,
  MEMBERS_MAX,
  NAME_BYTES_MAX,
  NODE_BYTES_MAX,
  PATH_BYTES_MAX,
  RECORD_BYTES,
  RECORD_FORMAT,
  RECORD_MAGIC,
} from "../../build/metal/interface";
import { mirrorCrc32c } from "./kernel";

const BLANK: u32 = 0x4b4c4250; // "PBLK" in memory
const HEAD: usize = 24;
const CHECK_AT: usize = (RECORD_BYTES as usize) - 4;
export const IDENTITY_BYTES: usize = 64;
const BODY_MOST: u32 = (CHECK_AT - IDENTITY_BYTES - HEAD) as u32;
const BOUND: u32 = 1;
const BLOCKS_MOST: u64 = 1 << 40;
const COUNT_MOST: u64 = 0x1fffffffffffff;
const UPKEEP: u32 = 12 * 8;

export const IN_SYNC: u32 = 0;
export const SYNCING: u32 = 1;
export const OUT: u32 = 2;

/** A record that was taken apart: where its parts lie. */
@unmanaged
class Parsed {
  begin: usize;
  end: usize;
  name: usize;
  blocks: u64;
  member: usize;
  count: u32;
  /** Which entry is this member's; below zero: none. */
  own: i32;
  epoch: usize;
  clean: usize;
  activity: usize;
  // Of each member: its id, its state, what it lacks (0: nothing), its end
  entries: u32;
}

const ENTRY: usize = 16;
const PARSED: usize = offsetof<Parsed>("entries") + 8 * ENTRY;
const heldPlace = memory.data(256, 8);
const givenPlace = memory.data(256, 8);
const crc = memory.data(4, 4);

/** The copy that is held, and room for two others. */
export let image: usize = 0;
export let spare: usize = 0;
/** The image has a record. */
export let isMember: bool = false;
/** Of the copy that was written last, and which one it is. */
export let copySequence: u64 = 0;
export let copyLast: u32 = 1;

let at: usize = 0;
let end: usize = 0;
let good: bool = true;

@inline
export function held(): Parsed {
  return changetype<Parsed>(heldPlace);
}

@inline
export function given(): Parsed {
  return changetype<Parsed>(givenPlace);
}

export function recordBytes(): usize {
  return 3 * (RECORD_BYTES as usize);
}

export function recordOpen(room: usize): void {
  assert(PARSED <= 256);
  image = room;
  spare = room + (RECORD_BYTES as usize);
}

/** Blocks of an extent, as a power of two. */
export function extentShift(blocks: u64): u32 {
  let shift = 31 - clz(EXTENT_BLOCKS_MIN);
  while ((EXTENTS_MAX as u64) << (shift as u64) < blocks) shift++;
  return shift;
}

export function mapBytes(blocks: u64): u32 {
  const shift = extentShift(blocks) as u64;
  const extents = (blocks + (1 << shift) - 1) >> shift;
  return ((extents + 7) >> 3) as u32;
}

// ---- taking apart ------------------------------------------------------------------------

function pass(bytes: u32): usize {
  const from = at;
  if ((bytes as usize) > end - at) good = false;
  else at += bytes as usize;
  return from;
}

function passText(most: u32): usize {
  const from = at;
  while (at < end && at - from < (most as usize) && load<u8>(at) != 0) at++;
  if (load<u8>(pass(1)) != 0) good = false;
  return from;
}

function passCount(most: u64): u64 {
  const value = load<u64>(pass(8));
  if (value > most) good = false;
  return value;
}

function passWord(least: u32): u32 {
  const value = load<u8>(pass(1)) as u32;
  if (value >= least) good = false;
  return value;
}

/** A map of `bytes`; its address. */
function passMap(bytes: u32): usize {
  if (load<u32>(pass(4)) != bytes) good = false;
  return pass(bytes);
}

export function entryAt(record: Parsed, index: u32): usize {
  return changetype<usize>(record) + offsetof<Parsed>("entries") + ENTRY * (index as usize);
}

/** An id of sixteen bytes, or an age, is the same. */
export function sameId(one: usize, other: usize): bool {
  return load<u64>(one) == load<u64>(other) && load<u64>(one, 8) == load<u64>(other, 8);
}

function passEntry(record: Parsed, index: u32, map: u32): void {
  const entry = entryAt(record, index);
  store<u32>(entry, pass(16) as u32);
  passText(NODE_BYTES_MAX);
  passText(PATH_BYTES_MAX);
  pass(16);
  passWord(2);
  passCount(BLOCKS_MOST);
  store<u32>(entry, at as u32, 4);
  passWord(3);
  pass(8);
  store<u32>(entry, passWord(2) == 0 ? 0 : (passMap(map) as u32), 8);
  store<u32>(entry, at as u32, 12);
  if (good && sameId(load<u32>(entry) as usize, record.member)) record.own = index as i32;
}

/** Takes a record apart. False: it is none, or its maps are not of its size. */
export function parse(record: Parsed, from: usize, length: u32): bool {
  at = from;
  end = from + (length as usize);
  good = length <= BODY_MOST;
  record.begin = from;
  record.end = end;
  record.own = -1;
  pass(48);
  record.name = passText(NAME_BYTES_MAX);
  passText(32);
  record.blocks = passCount(BLOCKS_MOST);
  const map = mapBytes(min(record.blocks, BLOCKS_MOST));
  passWord(3);
  passWord(2);
  passWord(2);
  record.member = pass(16);
  record.count = load<u16>(pass(2)) as u32;
  if (record.count > MEMBERS_MAX) good = false;
  for (let index: u32 = 0; good && index < record.count; index++) passEntry(record, index, map);
  record.epoch = at;
  passCount(COUNT_MOST);
  pass(16);
  const generations = load<u16>(pass(2)) as u32;
  if (generations > HISTORY_MAX) good = false;
  pass(8 * min(generations, HISTORY_MAX));
  record.clean = at;
  passWord(2);
  record.activity = passMap(map);
  if (at != end) pass(UPKEEP);
  return good && at == end;
}

// ---- what it says ------------------------------------------------------------------------

@inline
export function stateOf(entry: usize): u32 {
  return load<u8>(load<u32>(entry, 4) as usize) as u32;
}

/** Blocks of the storage that this member has; a witness has none. */
export function ownBlocks(record: Parsed): u64 {
  const state = load<u32>(entryAt(record, record.own as u32), 4) as usize;
  return load<u8>(state - 9) != 0 ? 0 : load<u64>(state - 8);
}

@inline
export function epochOf(record: Parsed): u64 {
  return load<u64>(record.epoch);
}

@inline
export function serverOf(record: Parsed): u64 {
  return load<u64>(record.epoch, 8);
}

@inline
export function isClean(record: Parsed): bool {
  return load<u8>(record.clean) != 0;
}

export function length(record: Parsed): u32 {
  return (record.end - record.begin) as u32;
}

/** The flag of the copy: a server has fenced the member, and has not closed the storage in order since. */
export function isBound(): bool {
  return (load<u32>(image, 20) & BOUND) != 0;
}

export function setBound(bound: bool): void {
  store<u32>(image, bound ? BOUND : 0, 20);
}

/** Where the identity lies. */
export function identityAt(copy: usize): usize {
  return copy + CHECK_AT - IDENTITY_BYTES;
}

// ---- changing it -------------------------------------------------------------------------

/** The record is this one from now on, which was taken apart before and has room. */
export function recordTake(from: usize, bytes: u32): void {
  memory.copy(image + HEAD, from, bytes);
  memory.fill(image + HEAD + (bytes as usize), 0, BODY_MOST - bytes);
  isMember = parse(held(), image + HEAD, bytes);
  assert(isMember);
}

/** There is no record. */
export function recordDrop(): void {
  isMember = false;
  memory.fill(image, 0, HEAD + (BODY_MOST as usize));
}

/** to |= from */
function unite(to: usize, from: usize, bytes: u32): void {
  for (let i: u32 = 0; i < bytes; i++) {
    const place = to + (i as usize);
    store<u8>(place, load<u8>(place) | load<u8>(from + (i as usize)));
  }
}

/** What the member of this id lacked when it was out; 0: it was not. */
function lackedBefore(id: usize): usize {
  for (let index: u32 = 0; index < held().count; index++) {
    const entry = entryAt(held(), index);
    if (sameId(load<u32>(entry) as usize, id))
      return stateOf(entry) == OUT ? (load<u32>(entry, 8) as usize) : 0;
  }
  return 0;
}

/**
 * Makes of the given record, in `spare`, the one that this member keeps: epoch, server and member stay; one
 * that is out lacks what is active here too, and what it lacked before. Its length; 0: it does not fit.
 * `activity` is of the given record's size, `before` the bytes of the maps of the record that is held.
 */
export function merge(activity: usize, before: u32): u32 {
  const map = mapBytes(given().blocks);
  let from = given().begin;
  let to = spare;
  for (let index: u32 = 0; index < given().count; index++) {
    const entry = entryAt(given(), index);
    const state = stateOf(entry);
    const lacks = load<u32>(entry, 8) as usize;
    const stop = lacks == 0 ? (load<u32>(entry, 12) as usize) - 1 : lacks - 5;
    memory.copy(to, from, stop - from);
    to += stop - from;
    from = load<u32>(entry, 12) as usize;
    const keeps = state == OUT || (state == SYNCING && lacks != 0);
    store<u8>(to, keeps ? 1 : 0);
    to++;
    if (!keeps) continue;
    store<u32>(to, map);
    to += 4;
    if (lacks != 0) memory.copy(to, lacks, map);
    else memory.fill(to, 0, map);
    if (state == OUT) {
      unite(to, activity, map);
      const lacked = lackedBefore(load<u32>(entry) as usize);
      if (lacked != 0) unite(to, lacked, min(map, before));
    }
    to += map as usize;
  }
  const tail = given().end - from;
  memory.copy(to, from, tail);
  const rises = (to as isize) - (from as isize);
  memory.copy(((given().epoch as isize) + rises) as usize, held().epoch, 16);
  memory.copy(((given().activity as isize) + rises) as usize, activity, map);
  memory.copy(spare + (given().member - given().begin), held().member, 16);
  const bytes = (to + tail - spare) as u32;
  return bytes <= BODY_MOST ? bytes : 0;
}

// ---- on the medium -----------------------------------------------------------------------

function check(copy: usize): u32 {
  mirrorCrc32c(copy, CHECK_AT as u32, 0, crc);
  return load<u32>(crc);
}

/** Finishes the image, to be written as copy `copyNext()`. */
export function seal(): void {
  store<u32>(image, isMember ? RECORD_MAGIC : BLANK);
  store<u32>(image, RECORD_FORMAT, 4);
  store<u64>(image, copySequence + 1, 8);
  store<u32>(image, isMember ? length(held()) : 0, 16);
  store<u32>(image, check(image), CHECK_AT);
}

export function copyNext(): u32 {
  return copyLast ^ 1;
}

/** The image is on the medium. */
export function written(): void {
  copyLast ^= 1;
  copySequence++;
}

/** Takes the newer good copy of the two in `spare`. False: there is none; the image is blank then. */
export function recordRead(): bool {
  let found: usize = 0;
  copySequence = 0;
  copyLast = 1;
  for (let index: u32 = 0; index < 2; index++) {
    const copy = spare + ((index * RECORD_BYTES) as usize);
    const magic = load<u32>(copy);
    const bytes = load<u32>(copy, 16);
    if ((magic != RECORD_MAGIC && magic != BLANK) || load<u32>(copy, 4) != RECORD_FORMAT) continue;
    if (load<u32>(copy, CHECK_AT) != check(copy) || load<u64>(copy, 8) > COUNT_MOST) continue;
    if (magic == RECORD_MAGIC && (!parse(given(), copy + HEAD, bytes) || given().own < 0)) continue;
    if (found != 0 && copySequence > load<u64>(copy, 8)) continue;
    found = copy;
    copySequence = load<u64>(copy, 8);
    copyLast = index;
  }
  recordDrop();
  memory.fill(identityAt(image), 0, IDENTITY_BYTES);
  if (found == 0) return false;
  memory.copy(identityAt(image), identityAt(found), IDENTITY_BYTES);
  if (load<u32>(found) == RECORD_MAGIC) recordTake(found + HEAD, load<u32>(found, 16));
  store<u32>(image, load<u32>(found, 20), 20);
  return true;
}
