// Segments: blocks of any size out of one region that boot sets aside, by the buddy system.
//
// - Sizes are rounded up to a power of two, at least 128 bytes; 16-byte aligned. A full
//   region answers 0.
// - retire() gives a block back at the next reclaim(): a frame that was transmitted may lie
//   in it until the host has flushed, and every tick begins with that.
// - What a block is, is written beside the region and not in it: a byte and a link for every
//   128 bytes.
// - Source: Knowlton, "A fast storage allocator", 1965.

import { allocate } from "./arena";
import { insist } from "./assert";

const SMALLEST: u32 = 7; // log2
const ORDERS: u32 = 32;
const FREE: u8 = 0x80;
const INSIDE: u8 = 0x40; // not the first block of anything

let base: usize = 0;
let blocks: u32 = 0; // of 128 bytes
let orders: usize = 0; // u8 a block: the order of what begins here, FREE or INSIDE
let forward: usize = 0; // u32 a block: next in its list, as an index + 1
let backward: usize = 0;
let heads: usize = 0; // u32 an order: first free, as an index + 1
let retired: u32 = 0; // as an index + 1
let taken: u32 = 0;

/** Bytes in blocks that somebody has. */
export function segmentsTaken(): u32 {
  return taken;
}

/** Sets aside about `bytes`. */
export function segmentsOpen(bytes: u32): void {
  blocks = bytes >> SMALLEST;
  retired = 0;
  taken = 0;
  orders = allocate(blocks);
  forward = allocate((blocks as u64) * 4);
  backward = allocate((blocks as u64) * 4);
  heads = allocate(ORDERS * 4);
  base = allocate((blocks as u64) << SMALLEST);
  if (base == 0) {
    blocks = 0;
    return;
  }
  memory.fill(orders, INSIDE, blocks);
  let at: u32 = 0;
  while (at < blocks) {
    // The largest block that is aligned here and fits.
    let order: u32 = at == 0 ? 24 : ctz<u32>(at);
    while (at + (1 << order) > blocks) order--;
    insert(at, order);
    at += 1 << order;
  }
}

// @ts-ignore: decorator
@inline
function orderAt(block: u32): u8 {
  return load<u8>(orders + block);
}

function insert(block: u32, order: u32): void {
  const head = heads + (order as usize) * 4;
  const first = load<u32>(head);
  store<u8>(orders + block, (order as u8) | FREE);
  store<u32>(forward + (block as usize) * 4, first);
  store<u32>(backward + (block as usize) * 4, 0);
  if (first != 0) store<u32>(backward + ((first - 1) as usize) * 4, block + 1);
  store<u32>(head, block + 1);
}

function remove(block: u32, order: u32): void {
  const next = load<u32>(forward + (block as usize) * 4);
  const before = load<u32>(backward + (block as usize) * 4);
  if (next != 0) store<u32>(backward + ((next - 1) as usize) * 4, before);
  if (before != 0) store<u32>(forward + ((before - 1) as usize) * 4, next);
  else store<u32>(heads + (order as usize) * 4, next);
  store<u8>(orders + block, INSIDE);
}

/** The order of a block of at least `bytes`, counted from the smallest. */
function orderFor(bytes: u32): u32 {
  const count = max<u32>((bytes + 127) >> SMALLEST, 1);
  return count == 1 ? 0 : 32 - clz<u32>(count - 1);
}

/** What a block for `bytes` takes of the region. */
export function segmentBytes(bytes: u32): u32 {
  return 1 << (orderFor(bytes) + SMALLEST);
}

/** A block of at least `bytes`, its contents undefined; 0 when there is none. */
export function segmentTake(bytes: u32): usize {
  if (bytes > 1 << 30) return 0;
  const wanted = orderFor(bytes);
  let order = wanted;
  while (order < ORDERS && load<u32>(heads + (order as usize) * 4) == 0) order++;
  if (order >= ORDERS) return 0;
  const block = load<u32>(heads + (order as usize) * 4) - 1;
  remove(block, order);
  while (order > wanted) {
    order--;
    insert(block + (1 << order), order);
  }
  store<u8>(orders + block, wanted as u8);
  taken += 1 << (wanted + SMALLEST);
  return base + ((block as usize) << SMALLEST);
}

/** Gives a block back when what was transmitted has left; it is its owner's no more. */
export function segmentRetire(address: usize): void {
  const block = ((address - base) >> SMALLEST) as u32;
  insist(address >= base && block < blocks && orderAt(block) < INSIDE, 130);
  store<u32>(forward + (block as usize) * 4, retired);
  store<u8>(orders + block, orderAt(block) | INSIDE); // retired once, not twice
  retired = block + 1;
}

/** What was transmitted has left: the retired blocks are free. */
export function segmentsReclaim(): void {
  while (retired != 0) {
    const block = retired - 1;
    retired = load<u32>(forward + (block as usize) * 4);
    const order = (orderAt(block) & ~INSIDE) as u32;
    taken -= 1 << (order + SMALLEST);
    free(block, order);
  }
}

function free(block: u32, order: u32): void {
  store<u8>(orders + block, INSIDE);
  while (order < ORDERS - 1) {
    const buddy = block ^ (1 << order);
    if (buddy + (1 << order) > blocks || orderAt(buddy) != ((order as u8) | FREE)) break;
    remove(buddy, order);
    block &= ~(1 << order);
    order++;
  }
  insert(block, order);
}
