// A split virtqueue: descriptors, what is available to the device, what it has used. Memory only;
// registers are transport.ts.
//
//   memory        descriptors   16 bytes each: address u64, length u32, flags u16, next u16
//   + 16 * size   available     flags u16, index u16, u16[size], 2 bytes
//   next 4 KiB    used          flags u16, index u16, {id u32, length u32}[size], 2 bytes
//
// - A descriptor is one buffer, or a part of a chain; the driver says which (0 .. size - 1) and whose it
//   is then. What the device has is in flight, and comes back once, by the first of its chain.
// - The device is not trusted: an id that is out of range or not in flight, a length beyond the
//   buffer's, an index that runs ahead of what it was given: ringTake answers BROKEN, and nothing
//   that the device wrote is used as an address.
// - Source: VIRTIO 1.2, section 2.7.

import { fence, physical } from "./machine";

/** What legacy devices ask for, and modern ones take. */
export const RING_ALIGN: usize = 4096;
/** ringTake: there is nothing. */
export const NOTHING: i32 = -1;
/** ringTake: the device breaks the rules. */
export const BROKEN: i32 = -2;

const DESCRIPTOR: usize = 16;
const CHAINED: u16 = 1;
const DEVICE_WRITES: u16 = 2;

@unmanaged
export class Ring {
  memory: usize;
  size: u32;
  /** What the device has been given and has given back, modulo 65536. */
  given: u32;
  taken: u32;
  /** Length of the buffer that ringTake answered. */
  length: u32;
}

/** Bytes of memory for a ring, and behind it the table of what is in flight. */
export function ringBytes(size: u32): usize {
  return align(available(size) + 6 + 2 * (size as usize)) + 6 + 8 * (size as usize) + 4 * (size as usize);
}

@inline
function align(at: usize): usize {
  return (at + RING_ALIGN - 1) & ~(RING_ALIGN - 1);
}

@inline
function available(size: u32): usize {
  return DESCRIPTOR * (size as usize);
}

export function ringAvailable(ring: Ring): usize {
  return ring.memory + available(ring.size);
}

export function ringUsed(ring: Ring): usize {
  return ring.memory + align(available(ring.size) + 6 + 2 * (ring.size as usize));
}

/** Where the capacity of each buffer in flight is kept; 0: it is not in flight. The device never sees it. */
@inline
function flight(ring: Ring, index: u32): usize {
  return ringUsed(ring) + 8 + 8 * (ring.size as usize) + 4 * (index as usize);
}

/** Empties a ring in `memory` (aligned to RING_ALIGN); `size` is a power of two, at most 32768. */
export function ringOpen(ring: Ring, memory: usize, size: u32): void {
  ring.memory = memory;
  ring.size = size;
  ring.given = 0;
  ring.taken = 0;
  memory_fill(memory, ringBytes(size));
}

function memory_fill(at: usize, bytes: usize): void {
  memory.fill(at, 0, bytes);
}

/** Says what buffer a descriptor is; `next` is the descriptor behind it in a chain, below zero: none. */
export function ringDescribe(
  ring: Ring,
  index: u32,
  pointer: usize,
  length: u32,
  deviceWrites: bool,
  next: i32,
): void {
  const descriptor = ring.memory + DESCRIPTOR * (index as usize);
  store<u64>(descriptor, physical(pointer));
  store<u32>(descriptor, length, 8);
  store<u16>(descriptor, (deviceWrites ? DEVICE_WRITES : 0) | (next >= 0 ? CHAINED : 0), 12);
  store<u16>(descriptor, next >= 0 ? (next as u16) : 0, 14);
}

/** Lets the device have the chain from `index` on; it may say that it wrote at most `capacity` bytes. */
export function ringOffer(ring: Ring, index: u32, capacity: u32): void {
  store<u32>(flight(ring, index), capacity);
  const list = ringAvailable(ring);
  store<u16>(list + 2 * ((ring.given & (ring.size - 1)) as usize), index as u16, 4);
  ring.given = (ring.given + 1) & 0xffff;
  fence();
  store<u16>(list, ring.given as u16, 2);
}

/** Lets the device have a buffer: to write into, or to read. The notification is the caller's. */
export function ringGive(ring: Ring, index: u32, pointer: usize, length: u32, deviceWrites: bool): void {
  ringDescribe(ring, index, pointer, length, deviceWrites, -1);
  ringOffer(ring, index, length);
}

/** The buffer that the device gives back next, its length in `ring.length`; NOTHING, or BROKEN. */
export function ringTake(ring: Ring): i32 {
  fence();
  const used = ringUsed(ring);
  const ahead = ((load<u16>(used, 2) as u32) - ring.taken) & 0xffff;
  if (ahead == 0) return NOTHING;
  const flying = (ring.given - ring.taken) & 0xffff;
  if (ahead > flying) return BROKEN;
  const entry = used + 4 + 8 * ((ring.taken & (ring.size - 1)) as usize);
  const index = load<u32>(entry);
  const length = load<u32>(entry, 4);
  if (index >= ring.size) return BROKEN;
  const capacity = load<u32>(flight(ring, index));
  if (capacity == 0 || length > capacity) return BROKEN;
  store<u32>(flight(ring, index), 0);
  ring.taken = (ring.taken + 1) & 0xffff;
  ring.length = length;
  return index as i32;
}
