// Segments of a pool machine's users: contiguous, of any size, in one region that boot sets aside.
//
// - Sizes are multiples of 16 bytes inside; 16-byte aligned. Contents are the caller's matter.
// - Taking and freeing take a fixed number of steps: a good fit out of lists by size class, 32
//   classes a power of two, neighbours joined at once. Only when no list of longer pieces has
//   one is the request's own list searched, so what fits anywhere is found.
// - Fragmentation: no two free pieces touch, so k segments leave at most k + 1 of them. A
//   request for n bytes (rounded) is refused only when no free piece is as long: with F bytes
//   free that needs F < n (k + 1). At most 15 bytes of a segment are lost inside it.
// - What a piece is, is written in a table beside the region: no write into a segment harms
//   another. Handles carry a generation, so that a stale one is told apart.
// - Not segments.ts: that one serves groups, whose members must agree on what a message takes
//   by its size alone, and give blocks back late; it rounds to powers of two, which 40 MiB in
//   one piece cannot bear.
// - Source: Masmano and others, "TLSF: a new dynamic memory allocator for real-time systems",
//   2004; its headers lie in the region, ours do not.

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
const GENERATION_MASK: u32 = 0x7fff;

/** A stretch of the region, taken or free. Links are addresses of pieces, or 0. */
@unmanaged
class Piece {
  address: u32;
  bytes: u32;
  before: u32; // its neighbours in the region
  after: u32;
  next: u32; // free, unused: the next in its list. Taken: the length that was asked for
  previous: u32; // free: the one before in its list
  state: u32;
  generation: u32; // 1 to 32767
}

let pieces: usize = 0;
let pieceCount: u32 = 0;
let unused: u32 = 0;
let heads: usize = 0; // u32 a class: first free piece
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
  const all = 2 * segments + 1; // every segment, and a free piece on each side of it
  pieces = allocate((all as u64) << PIECE_LOG);
  heads = allocate(POWERS * SPLIT * 4);
  classBits = allocate(POWERS * 4);
  const region = reserve(whole);
  if (pieces == 0 || heads == 0 || classBits == 0 || region == 0) return;
  regionBytes = whole;
  pieceCount = all;
  most = segments;
  for (let i = all; i > 0; i--) {
    const piece = changetype<Piece>(pieces + (((i - 1) as usize) << PIECE_LOG));
    piece.next = unused;
    unused = addressOf(piece);
  }
  const first = pieceNew(region as u32, whole);
  first.before = 0;
  first.after = 0;
  insert(first);
}

// ---- size classes ----------------------------------------------------------------

/** The class of pieces of this many granules: below 32 exactly so long, then 32 a power of two. */
// @ts-ignore: decorator
@inline
function classOf(granules: u32): u32 {
  if (granules < SPLIT) return granules;
  const shift = 31 - SPLIT_LOG - clz<u32>(granules);
  return ((shift + 1) << SPLIT_LOG) + ((granules >> shift) & (SPLIT - 1));
}

/** The lowest class in which every piece has this many granules. */
// @ts-ignore: decorator
@inline
function classFor(granules: u32): u32 {
  if (granules < SPLIT) return granules;
  return classOf(granules + (1 << (31 - SPLIT_LOG - clz<u32>(granules))) - 1);
}

// @ts-ignore: decorator
@inline
function headOf(class_: u32): usize {
  return heads + ((class_ as usize) << 2);
}

// @ts-ignore: decorator
@inline
function bitsOf(power: u32): usize {
  return classBits + ((power as usize) << 2);
}

function insert(piece: Piece): void {
  const class_ = classOf(piece.bytes >> GRANULE_LOG);
  const power = class_ >> SPLIT_LOG;
  const head = headOf(class_);
  const first = load<u32>(head);
  piece.state = FREE;
  piece.next = first;
  piece.previous = 0;
  if (first != 0) pieceAt(first).previous = addressOf(piece);
  store<u32>(head, addressOf(piece));
  store<u32>(bitsOf(power), load<u32>(bitsOf(power)) | (1 << (class_ & (SPLIT - 1))));
  powerBits |= 1 << power;
}

function remove(piece: Piece): void {
  const next = piece.next;
  const previous = piece.previous;
  if (next != 0) pieceAt(next).previous = previous;
  if (previous != 0) {
    pieceAt(previous).next = next;
    return;
  }
  const class_ = classOf(piece.bytes >> GRANULE_LOG);
  store<u32>(headOf(class_), next);
  if (next != 0) return;
  const power = class_ >> SPLIT_LOG;
  const bits = load<u32>(bitsOf(power)) & ~(1 << (class_ & (SPLIT - 1)));
  store<u32>(bitsOf(power), bits);
  if (bits == 0) powerBits &= ~(1 << power);
}

/** A free piece of at least this many granules, out of its list; null when there is none. */
function takeFit(granules: u32): Piece {
  // What came back last is often what is wanted next: the request's own list first.
  const own = classOf(granules);
  let found = load<u32>(headOf(own));
  if (found == 0 || pieceAt(found).bytes >> GRANULE_LOG < granules) {
    found = fit(classFor(granules));
    if (found == 0) found = search(own, granules);
    if (found == 0) return changetype<Piece>(0);
  }
  remove(pieceAt(found));
  return pieceAt(found);
}

/** The first piece of the lowest class from `class_` on that has one; or 0. */
// @ts-ignore: decorator
@inline
function fit(class_: u32): u32 {
  let power = class_ >> SPLIT_LOG;
  let bits = load<u32>(bitsOf(power)) & ((-1 as u32) << (class_ & (SPLIT - 1)));
  if (bits == 0) {
    const longer = powerBits & ((-2 as u32) << power);
    if (longer == 0) return 0;
    power = ctz<u32>(longer);
    bits = load<u32>(bitsOf(power));
  }
  return load<u32>(headOf((power << SPLIT_LOG) + ctz<u32>(bits)));
}

/** The first piece of a list that is long enough, or 0; at most as many looks as there are pieces. */
function search(class_: u32, granules: u32): u32 {
  let at = load<u32>(headOf(class_));
  while (at != 0 && pieceAt(at).bytes >> GRANULE_LOG < granules) at = pieceAt(at).next;
  return at;
}

// ---- pieces ----------------------------------------------------------------------

function pieceNew(address: u32, bytes: u32): Piece {
  insist(unused != 0, 140); // there are as many as the region can ever be cut into
  const piece = pieceAt(unused);
  unused = piece.next;
  piece.address = address;
  piece.bytes = bytes;
  return piece;
}

function pieceGive(piece: Piece): void {
  piece.state = UNUSED;
  piece.next = unused;
  unused = addressOf(piece);
}

/** Cuts a piece to `bytes`; what is left of it becomes free. What follows it is not free. */
function cut(piece: Piece, bytes: u32): void {
  const left = piece.bytes - bytes;
  if (left == 0) return;
  const rest = pieceNew(piece.address + bytes, left);
  piece.bytes = bytes;
  rest.before = addressOf(piece);
  rest.after = piece.after;
  if (rest.after != 0) pieceAt(rest.after).before = addressOf(rest);
  piece.after = addressOf(rest);
  insert(rest);
}

/** Adds the piece behind it, which is in no list, to a piece. */
function swallow(piece: Piece, behind: Piece): void {
  piece.bytes += behind.bytes;
  piece.after = behind.after;
  if (piece.after != 0) pieceAt(piece.after).before = addressOf(piece);
  pieceGive(behind);
}

/** The free piece at an address of a piece; null when it is none. */
// @ts-ignore: decorator
@inline
function freeAt(address: u32): Piece {
  const piece = pieceAt(address);
  return address != 0 && piece.state == FREE ? piece : changetype<Piece>(0);
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
  const piece = takeFit(room >> GRANULE_LOG);
  if (changetype<usize>(piece) == 0) return STD_NOMEM;
  piece.state = TAKEN;
  piece.next = bytes;
  piece.generation = max<u32>((piece.generation + 1) & GENERATION_MASK, 1);
  cut(piece, room);
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
  const behind = freeAt(segment.after);
  if (changetype<usize>(behind) != 0) {
    remove(behind);
    swallow(segment, behind);
  }
  const before = freeAt(segment.before);
  if (changetype<usize>(before) == 0) {
    insert(segment);
    return STD_OK;
  }
  remove(before);
  swallow(before, segment);
  insert(before);
  return STD_OK;
}

/** Makes a segment longer where it is; a status. STD_NOMEM: what lies behind it is taken. */
export function userSegmentGrow(handle: i32, bytes: u32): i32 {
  const segment = segmentOf(handle);
  if (changetype<usize>(segment) == 0) return KERNEL_BADHANDLE;
  if (bytes < segment.next) return STD_ARGBAD;
  const room = roomFor(bytes);
  if (room > segment.bytes) {
    const behind = freeAt(segment.after);
    if (changetype<usize>(behind) == 0 || room - segment.bytes > behind.bytes) return STD_NOMEM;
    takenBytes += room - segment.bytes;
    remove(behind);
    swallow(segment, behind);
    cut(segment, room);
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

/** Bytes of the longest free piece; looks through one list. */
export function userSegmentsLargest(): u32 {
  if (powerBits == 0) return 0;
  const power = 31 - clz<u32>(powerBits);
  const class_ = (power << SPLIT_LOG) + 31 - clz<u32>(load<u32>(bitsOf(power)));
  let longest: u32 = 0;
  for (let at = load<u32>(headOf(class_)); at != 0; at = pieceAt(at).next)
    longest = max<u32>(longest, pieceAt(at).bytes);
  return longest;
}
