// Segments of a pool machine's users: contiguous, of any size, in one region fixed at boot.
//
// - A good fit by size class, 32 a power of two, in a fixed number of steps; free neighbours join
//   at once. Only when no longer piece is free is the request's own ring searched.
// - Bound: no two free pieces touch, so k segments leave at most k + 1. A request for n bytes
//   (rounded to 16) is refused only if no piece is as long: with F free, only if F < n (k + 1).
// - Records lie beside the region: no write into a segment harms another.
// - Not segments.ts: groups count what a message takes by its size alone and give it back late;
//   its powers of two are too coarse for 40 MiB in one piece.
// - Source: Masmano and others, "TLSF: a new dynamic memory allocator", 2004.

import { KERNEL_BADHANDLE, KERNEL_FULL, STD_ARGBAD, STD_NOMEM, STD_OK } from "../status";
import { allocate, reserve } from "./arena";
import { insist } from "./assert";

const GRANULE: u32 = 16;
const GRANULE_LOG: u32 = 4;
const SPLIT_LOG: u32 = 5; // classes a power of two
const SPLIT: u32 = 1 << SPLIT_LOG;
const POWERS: u32 = 25; // of up to 28 bits of granules, and the one above for classFor
const UNUSED: u32 = 0;
const FREE: u32 = 1;
const TAKEN: u32 = 2;
const PIECE_LOG: usize = 5;
const HEAD_LOG: u32 = 3;
const GENERATION_MASK: u32 = 0x7fff;

/** A stretch of the region, taken or free. Links are addresses of pieces. */
@unmanaged
class Piece {
  address: u32;
  bytes: u32;
  before: u32; // its neighbours in the region; NOBODY at the ends
  after: u32;
  next: u32; // free: in its ring. Unused: in the list of those. Taken: the length that was asked for
  previous: u32; // free: in its ring
  state: u32;
  generation: u32; // 1 to 32767
}

let pieces: usize = 0;
let pieceCount: u32 = 0;
let nobody: u32 = 0; // the first piece: neither free nor taken, takes any link, and saves branches
let unused: u32 = 0;
let heads: usize = 0; // both ends of each class's ring, where a piece at headOf would have them
let classBits: usize = 0; // u32 a power: its classes that have a piece
let powerBits: u32 = 0;
let regionBytes: u32 = 0;
let takenBytes: u32 = 0;
let count: u32 = 0;
let most: u32 = 0;

// @ts-ignore: decorator
@inline
function pieceAt(address: u32): Piece {
  return changetype<Piece>(address as usize);
}

// @ts-ignore: decorator
@inline
function addressOf(piece: Piece): u32 {
  return changetype<usize>(piece) as u32;
}

/** Sets aside `bytes` for at most `segments` at a time; 0 bytes: none at all. */
export function userSegmentsOpen(bytes: u32, segments: u32): void {
  powerBits = 0;
  takenBytes = 0;
  count = 0;
  unused = 0;
  regionBytes = 0;
  pieceCount = 0;
  most = 0;
  const whole = bytes & ~(GRANULE - 1);
  if (whole == 0) return;
  const all = 2 * segments + 2; // nobody, every segment, and a free piece on each side of it
  pieces = allocate((all as u64) << PIECE_LOG);
  heads = allocate((POWERS * SPLIT) << HEAD_LOG);
  classBits = allocate(POWERS * 4);
  const region = reserve(whole);
  if (pieces == 0 || heads == 0 || classBits == 0 || region == 0) return;
  regionBytes = whole;
  pieceCount = all;
  most = segments;
  nobody = pieces as u32;
  for (let i = all - 1; i > 0; i--) pieceGive(changetype<Piece>(pieces + ((i as usize) << PIECE_LOG)));
  for (let i: u32 = 0; i < POWERS * SPLIT; i++) {
    pieceAt(headOf(i)).next = headOf(i);
    pieceAt(headOf(i)).previous = headOf(i);
  }
  const first = pieceNew(region as u32, whole);
  first.before = nobody;
  first.after = nobody;
  insert(first, classOf(whole));
}

// ---- size classes ----------------------------------------------------------------

/** The class of pieces of so many bytes: to 63 granules exactly so long, then 32 a power of two. */
// @ts-ignore: decorator
@inline
function classOf(bytes: u32): u32 {
  const granules = bytes >> GRANULE_LOG;
  const shift = shiftOf(granules);
  return (shift << SPLIT_LOG) + (granules >> shift);
}

/** The lowest class in which every piece has so many bytes. */
// @ts-ignore: decorator
@inline
function classFor(bytes: u32): u32 {
  return classOf(bytes + (GRANULE << shiftOf(bytes >> GRANULE_LOG)) - GRANULE);
}

/** The low bits of a number of granules that its class leaves out. */
// @ts-ignore: decorator
@inline
function shiftOf(granules: u32): u32 {
  return max<i32>(31 - SPLIT_LOG - clz<u32>(granules), 0);
}

/** Where a piece would lie whose links are the ends of the class's ring. */
// @ts-ignore: decorator
@inline
function headOf(class_: u32): u32 {
  return (heads as u32) + (class_ << HEAD_LOG) - (offsetof<Piece>("next") as u32);
}

// @ts-ignore: decorator
@inline
function bitsOf(power: u32): usize {
  return classBits + ((power as usize) << 2);
}

// @ts-ignore: decorator
@inline
function insert(piece: Piece, class_: u32): void {
  const head = headOf(class_);
  const bits = bitsOf(class_ >> SPLIT_LOG);
  const next = pieceAt(head).next;
  piece.state = FREE;
  piece.next = next;
  piece.previous = head;
  pieceAt(next).previous = addressOf(piece);
  pieceAt(head).next = addressOf(piece);
  store<u32>(bits, load<u32>(bits) | (1 << (class_ & (SPLIT - 1))));
  powerBits |= 1 << (class_ >> SPLIT_LOG);
}

/** Takes a free piece out of the ring of its class. */
// @ts-ignore: decorator
@inline
function remove(piece: Piece, class_: u32): void {
  const next = piece.next;
  const previous = piece.previous;
  pieceAt(next).previous = previous;
  pieceAt(previous).next = next;
  const power = class_ >> SPLIT_LOG;
  const emptied = (next == previous) as u32; // what is left is the head
  const bits = load<u32>(bitsOf(power)) & ~(emptied << (class_ & (SPLIT - 1)));
  store<u32>(bitsOf(power), bits);
  powerBits &= ~(((bits == 0) as u32) << power);
}

/** Gives a free piece another length; its place in the region is the caller's matter. */
// @ts-ignore: decorator
@inline
function resize(piece: Piece, bytes: u32): void {
  const class_ = classOf(bytes);
  const before = classOf(piece.bytes);
  piece.bytes = bytes;
  if (class_ == before) return;
  remove(piece, before);
  insert(piece, class_);
}

/** A free piece of at least so many bytes; 0 when there is none. */
// @ts-ignore: decorator
@inline
function fit(bytes: u32): u32 {
  const own = headOf(classOf(bytes));
  const class_ = classFor(bytes);
  const power = class_ >> SPLIT_LOG;
  const here = load<u32>(bitsOf(power)) & ((-1 as u32) << (class_ & (SPLIT - 1)));
  const longer = powerBits & ((-2 as u32) << power);
  if ((here | longer) == 0) return search(own, bytes);
  const chosen = select<u32>(power, ctz<u32>(longer), here != 0);
  const bits = select<u32>(here, load<u32>(bitsOf(chosen)), here != 0);
  const found = pieceAt(headOf((chosen << SPLIT_LOG) + ctz<u32>(bits))).next;
  // What came back last is often what is wanted next: the first of its own ring, if it is as long.
  const first = pieceAt(own).next;
  return select<u32>(first, found, ((first != own) as u32) & ((pieceAt(first).bytes >= bytes) as u32));
}

/** The first piece of a ring that is long enough, or 0; at most as many looks as there are pieces. */
function search(head: u32, bytes: u32): u32 {
  let at = pieceAt(head).next;
  while (at != head && pieceAt(at).bytes < bytes) at = pieceAt(at).next;
  return at == head ? 0 : at;
}

// ---- pieces ----------------------------------------------------------------------

// @ts-ignore: decorator
@inline
function pieceNew(address: u32, bytes: u32): Piece {
  insist(unused != 0, 140); // there are as many as the region can ever be cut into
  const piece = pieceAt(unused);
  unused = piece.next;
  piece.address = address;
  piece.bytes = bytes;
  return piece;
}

// @ts-ignore: decorator
@inline
function pieceGive(piece: Piece): void {
  piece.state = UNUSED;
  piece.next = unused;
  unused = addressOf(piece);
}

/** Makes two pieces neighbours. */
// @ts-ignore: decorator
@inline
function join(before: u32, after: u32): void {
  pieceAt(before).after = after;
  pieceAt(after).before = before;
}

/** What `bytes` take of the region: more than the region has where they do not fit 32 bits. */
// @ts-ignore: decorator
@inline
function roomFor(bytes: u32): u32 {
  return bytes > regionBytes ? 0xffffffff : max<u32>((bytes + GRANULE - 1) & ~(GRANULE - 1), GRANULE);
}

/** The segment of a handle; null for any other number. */
// @ts-ignore: decorator
@inline
function segmentOf(handle: i32): Piece {
  const index = (handle as u32) & 0xffff;
  const piece = changetype<Piece>(pieces + ((index as usize) << PIECE_LOG));
  if (index >= pieceCount || piece.state != TAKEN || piece.generation != (handle as u32) >> 16)
    return changetype<Piece>(0);
  return piece;
}

// ---- segments --------------------------------------------------------------------

/** A segment of `bytes`: its handle (above 0), or a status. */
export function userSegmentTake(bytes: u32): i32 {
  const room = roomFor(bytes);
  if (room > regionBytes) return STD_NOMEM;
  if (count == most) return KERNEL_FULL;
  const found = fit(room);
  if (found == 0) return STD_NOMEM;
  let piece = pieceAt(found);
  if (piece.bytes == room) remove(piece, classOf(room));
  else {
    // The segment is the front of what was found; the rest stays free, often in the same ring.
    const rest = piece;
    piece = pieceNew(rest.address, room);
    join(rest.before, addressOf(piece));
    join(addressOf(piece), found);
    rest.address += room;
    resize(rest, rest.bytes - room);
  }
  piece.state = TAKEN;
  piece.next = bytes;
  piece.generation = max<u32>((piece.generation + 1) & GENERATION_MASK, 1);
  takenBytes += room;
  count++;
  return ((piece.generation << 16) | (((changetype<usize>(piece) - pieces) >> PIECE_LOG) as u32)) as i32;
}

/** Gives a segment back; a status. */
export function userSegmentFree(handle: i32): i32 {
  const segment = segmentOf(handle);
  if (changetype<usize>(segment) == 0) return KERNEL_BADHANDLE;
  takenBytes -= segment.bytes;
  count--;
  const before = pieceAt(segment.before);
  const after = pieceAt(segment.after);
  if (before.state == FREE) {
    let bytes = before.bytes + segment.bytes;
    let behind = addressOf(after);
    if (after.state == FREE) {
      bytes += after.bytes;
      behind = after.after;
      remove(after, classOf(after.bytes));
      pieceGive(after);
    }
    join(addressOf(before), behind);
    resize(before, bytes);
    pieceGive(segment);
  } else if (after.state == FREE) {
    after.address = segment.address;
    join(addressOf(before), addressOf(after));
    resize(after, after.bytes + segment.bytes);
    pieceGive(segment);
  } else insert(segment, classOf(segment.bytes));
  return STD_OK;
}

/** Makes a segment longer where it is; a status. STD_NOMEM: what lies behind it is taken. */
export function userSegmentGrow(handle: i32, bytes: u32): i32 {
  const segment = segmentOf(handle);
  if (changetype<usize>(segment) == 0) return KERNEL_BADHANDLE;
  if (bytes < segment.next) return STD_ARGBAD;
  const room = roomFor(bytes);
  if (room > segment.bytes) {
    const more = room - segment.bytes;
    const after = pieceAt(segment.after);
    if (after.state != FREE || more > after.bytes) return STD_NOMEM;
    if (more == after.bytes) {
      join(addressOf(segment), after.after);
      remove(after, classOf(more));
      pieceGive(after);
    } else {
      after.address += more;
      resize(after, after.bytes - more);
    }
    segment.bytes = room;
    takenBytes += more;
  }
  segment.next = bytes;
  return STD_OK;
}

/** Where a segment begins; 0 when there is none of this handle. */
export function userSegmentAddress(handle: i32): usize {
  const segment = segmentOf(handle);
  return changetype<usize>(segment) == 0 ? 0 : segment.address;
}

/** The bytes that were asked for, of a handle that has an address. */
export function userSegmentLength(handle: i32): u32 {
  return segmentOf(handle).next;
}

/** The bytes that it takes of the region, of a handle that has an address. */
export function userSegmentRoom(handle: i32): u32 {
  return segmentOf(handle).bytes;
}

// ---- counts ----------------------------------------------------------------------

export function userSegmentsRegion(): u32 {
  return regionBytes;
}

export function userSegmentsTaken(): u32 {
  return takenBytes;
}

export function userSegmentsCount(): u32 {
  return count;
}

export function userSegmentsMost(): u32 {
  return most;
}

/** Bytes of the longest free piece; looks through one ring. */
export function userSegmentsLargest(): u32 {
  if (powerBits == 0) return 0;
  const power = 31 - clz<u32>(powerBits);
  const class_ = (power << SPLIT_LOG) + 31 - clz<u32>(load<u32>(bitsOf(power)));
  const head = headOf(class_);
  let longest: u32 = 0;
  for (let at = pieceAt(head).next; at != head; at = pieceAt(at).next)
    longest = max<u32>(longest, pieceAt(at).bytes);
  return longest;
}
