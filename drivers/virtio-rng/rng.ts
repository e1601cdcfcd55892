// virtio-rng: random bytes of the host, for machines whose processor has none to give.
//
// - One queue, one buffer: rngFill waits for the device, a while and no longer, and takes at most what
//   the buffer has room for, whatever length the device claims (ring.ts refuses more).
// - Source: VIRTIO 1.2, section 5.4.

import { fence } from "../virtio/machine";
import { NOTHING, Ring, ringBytes, ringGive, ringTake } from "../virtio/ring";
import { acknowledge, beginDevice, Device, negotiate, notify, openQueue, ready } from "../virtio/transport";

const QUEUE: u32 = 0;
const SIZE: u32 = 2;
/** Looks at the queue before the device is given up: a second or some. */
const PATIENCE: u32 = 20000000;

@unmanaged
export class Rng {
  device: Device;
  ring: Ring;
}

/** Bytes of memory that rngOpen takes, from an address aligned to 4096. */
export function rngBytes(): usize {
  return ringBytes(SIZE);
}

/** Sets up a device that is located. False: it refuses. */
export function rngOpen(rng: Rng, memory: usize): bool {
  beginDevice(rng.device);
  if (!negotiate(rng.device, 0) || !openQueue(rng.device, QUEUE, rng.ring, memory, SIZE)) return false;
  ready(rng.device);
  return true;
}

/** Random bytes to `to`, at most `capacity`; answers how many, 0 when the device gives none. */
export function rngFill(rng: Rng, to: usize, capacity: u32): u32 {
  ringGive(rng.ring, 0, to, capacity, true);
  notify(rng.device, QUEUE);
  let taken = NOTHING;
  for (let left = PATIENCE; left > 0 && taken == NOTHING; left--) {
    fence();
    taken = ringTake(rng.ring);
  }
  acknowledge(rng.device);
  return taken == 0 ? rng.ring.length : 0;
}
