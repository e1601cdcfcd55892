// Random bytes of a virtio-rng device, for the shim, when the processor has none to give (RDRAND).
//
// - Opened when it is first asked: the kernel's own boot asks, so devices have been looked for before.
//   Its memory is before the kernel's tables, since the host's part is not known yet (main.ts).
// - Bytes are fetched a buffer at a time and given out once.

import { DEVICE_ENTROPY, Device } from "../../drivers/virtio/transport";
import { Ring } from "../../drivers/virtio/ring";
import { Rng, rngBytes, rngFill, rngOpen } from "../../drivers/virtio-rng/rng";
import { devices, foundAt, locate } from "./devices";

const BUFFER: u32 = 256;

/** Bytes of memory that it takes, from an address aligned to 4096. */
export const ENTROPY_BYTES: usize = 8192;

let room: usize = 0;
const buffer = memory.data(256, 8);
const rng = memory.data(offsetof<Rng>(), 8);
const device = memory.data(offsetof<Device>(), 8);
const ring = memory.data(offsetof<Ring>(), 8);
let left: u32 = 0;
let opened: bool = false;
let works: bool = false;

function open(): bool {
  const source = changetype<Rng>(rng);
  source.device = changetype<Device>(device);
  source.ring = changetype<Ring>(ring);
  if (rngBytes() > ENTROPY_BYTES) return false;
  for (let index: u32 = 0; index < devices; index++) {
    const found = foundAt(index);
    if (found.kind == DEVICE_ENTROPY && locate(source.device, found) && rngOpen(source, room)) return true;
  }
  return false;
}

/** Says where its memory is. */
export function entropyOpen(at: usize): void {
  room = at;
}

/** Fills `length` bytes at `pointer`; 0: there is nothing to take them from. */
export function entropy(pointer: usize, length: u32): i32 {
  if (!opened) {
    opened = true;
    works = open();
  }
  for (let done: u32 = 0; done < length; done++) {
    if (left == 0 && works) left = rngFill(changetype<Rng>(rng), buffer, BUFFER);
    if (left == 0) {
      works = false;
      return 0;
    }
    left--;
    const from = buffer + (left as usize);
    store<u8>(pointer + (done as usize), load<u8>(from));
    store<u8>(from, 0);
  }
  return 1;
}
