// Rings of legacy descriptors, as Intel's gigabit cards have them. Memory only; registers are card.ts.
//
//   to receive    address u64, length u16, checksum u16, status u8, errors u8, special u16
//   to send       address u64, length u16, offset u8, command u8, status u8, start u8, special u16
//
// - The card has the descriptors from its head to before its tail; it gives them back in order, by the
//   bit DONE. One stays out of its hands, else full and empty would look alike.
// - The card is not trusted: descriptors are the driver's by their number, and an address or a length
//   that the card wrote is never used before it was checked against the buffer's own.
// - Source: Intel 82574 GbE Controller Family Datasheet, 7.1.4, 7.2.10.

import { fence, physical } from "../virtio/machine";

/** ringArrived: there is nothing. */
export const NOTHING: i32 = -1;
/** ringArrived: the card breaks the rules. */
export const BROKEN: i32 = -2;

const DESCRIPTOR: usize = 16;
const DONE: u32 = 1;
const END: u32 = 2;
const SEND: u8 = 0x0b; // end of the packet, with a checksum, and say when it is done

@unmanaged
export class DescriptorRing {
  memory: usize;
  size: u32;
  /** The descriptor that comes next: to be looked at, or to be given. */
  next: u32;
  /** To send: how many the card has. */
  flying: u32;
  /** To receive: length of the frame that ringArrived answered; 0: what came is no frame. */
  length: u32;
}

export function descriptorBytes(size: u32): usize {
  return DESCRIPTOR * (size as usize);
}

/** Empties a ring in `memory`, aligned to 128. */
export function descriptorsOpen(ring: DescriptorRing, at: usize, size: u32): void {
  ring.memory = at;
  ring.size = size;
  ring.next = 0;
  ring.flying = 0;
  memory.fill(at, 0, descriptorBytes(size));
}

@inline
function descriptor(ring: DescriptorRing, index: u32): usize {
  return ring.memory + DESCRIPTOR * (index as usize);
}

/** Lets the card receive into a buffer; its tail is the caller's. */
export function ringOffer(ring: DescriptorRing, index: u32, pointer: usize): void {
  const at = descriptor(ring, index);
  store<u64>(at, 0, 8);
  store<u64>(at, physical(pointer));
}

/** The descriptor of the next frame that came, its length in `ring.length`; NOTHING, or BROKEN. */
export function ringArrived(ring: DescriptorRing, capacity: u32): i32 {
  fence();
  const at = descriptor(ring, ring.next);
  const status = load<u8>(at, 12) as u32;
  if ((status & DONE) == 0) return NOTHING;
  const length = load<u16>(at, 8) as u32;
  if (length > capacity) return BROKEN;
  const whole = (status & END) != 0 && load<u8>(at, 13) == 0;
  ring.length = whole ? length : 0;
  const index = ring.next;
  ring.next = index + 1 == ring.size ? 0 : index + 1;
  return index as i32;
}

export function ringHasRoom(ring: DescriptorRing): bool {
  return ring.flying + 1 < ring.size;
}

/** The descriptor that is to be sent from next. */
export function ringSend(ring: DescriptorRing, pointer: usize, length: u32): void {
  const at = descriptor(ring, ring.next);
  store<u64>(at, physical(pointer));
  store<u64>(at, 0, 8);
  store<u16>(at, length as u16, 8);
  store<u8>(at, SEND, 11);
  ring.next = ring.next + 1 == ring.size ? 0 : ring.next + 1;
  ring.flying++;
}

/** Takes back what the card has sent; answers how many. */
export function ringReclaim(ring: DescriptorRing): u32 {
  fence();
  let count: u32 = 0;
  while (ring.flying > 0) {
    const oldest = (ring.next + ring.size - ring.flying) % ring.size;
    if (((load<u8>(descriptor(ring, oldest), 12) as u32) & DONE) == 0) break;
    ring.flying--;
    count++;
  }
  return count;
}
