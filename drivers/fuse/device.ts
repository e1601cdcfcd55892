// What the FUSE device does besides requests: files that the kernel reads and writes itself
// (passthrough), and notifications.
//
// - A backing is a file of this process that the kernel holds by a number of its own, until it is given
//   back or the mount ends; the descriptor may be closed meanwhile.
// - Notifications may wait for requests that are under way: never from the thread that serves.

import { FuseBuffer } from "./buffer.js";
import { type FuseCalls, fuseCalls } from "./calls.js";
import { encodeInvalidation, type Invalidation } from "./encode.js";
import { BACKING_CLOSE, BACKING_OPEN } from "./protocol.js";

const ENOENT = 2;
const notificationBytes = 4096;

export class FuseDevice {
  readonly descriptor: number;
  readonly #calls: FuseCalls;
  readonly #map = new Uint8Array(16);
  readonly #id = new Uint8Array(4);
  readonly #out = new FuseBuffer(new Uint8Array(notificationBytes));

  constructor(descriptor: number) {
    this.descriptor = descriptor;
    this.#calls = fuseCalls();
  }

  /** The number of a new backing for an open file, or below zero -errno. */
  openBacking(file: number): number {
    this.#map.fill(0);
    new DataView(this.#map.buffer).setInt32(0, file, true);
    return this.#calls.ioctl(this.descriptor, BACKING_OPEN, this.#map);
  }

  closeBacking(backing: number): void {
    new DataView(this.#id.buffer).setUint32(0, backing, true);
    this.#calls.ioctl(this.descriptor, BACKING_CLOSE, this.#id);
  }

  /** Has the kernel forget; false when the mount has ended. What it does not know is forgotten already. */
  invalidate(what: Invalidation): boolean {
    const size = encodeInvalidation(this.#out, what);
    const status = this.#calls.write(this.descriptor, this.#out.bytes, size);
    return status >= 0 || status === -ENOENT;
  }
}
