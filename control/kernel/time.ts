// The time that a kernel is given: the host's clock without the host's own stalls.
//
// - While the host cannot take a turn (a callback computes for a second), the kernel can
//   neither send what waits nor take in what came. That is no silence of a peer: from
//   STALL on it does not count, or the next tick would give calls up that nobody was
//   able to answer.
// - Sleep counts: whoever sleeps until a frame or a deadline says `rested` afterwards.
// - Calls that callbacks make within a turn get the turn's time: reading a clock costs as
//   much as a good part of a call. A callback that takes long ends in a stall, see above.
// - All this only with a device that knows when it was polled (Device.polledAt, by
//   CLOCK_MONOTONIC, which the clock must be too); otherwise the clock is read each time.

import type { Device } from "../../drivers/device.js";

/** A gap between two turns that is a stall; the coarse clock is off by some milliseconds. */
const stallUs = 20_000;

export class KernelTime {
  readonly #clock: () => number;
  readonly #monotonic: boolean;
  #last = 0; // by the clock
  #lost = 0; // what the clock is ahead of the kernel
  #inTurn = false;

  constructor(clock: () => number, monotonic: boolean) {
    this.#clock = clock;
    this.#monotonic = monotonic;
  }

  /** What the clock said when it was last looked at. */
  get last(): number {
    return this.#last;
  }

  /** After a poll: the time of the turn. `device` when it is the only one. */
  turn(device: Device | null): number {
    const polledAt = this.#monotonic && device !== null ? device.polledAt : undefined;
    if (polledAt === undefined) {
      this.#last = this.#clock();
    } else {
      const stalled = (device?.pollBegan ?? 0) - this.#last;
      if (stalled > stallUs && this.#last > 0) this.#lost += stalled;
      this.#last = polledAt;
      this.#inTurn = true;
    }
    return this.#last - this.#lost;
  }

  /** The callbacks of the turn are over. */
  endTurn(): void {
    this.#inTurn = false;
  }

  /** The time of a call. */
  read(): number {
    if (!this.#inTurn) this.#last = this.#clock();
    return this.#last - this.#lost;
  }

  /** The time of the last turn or call, for what begins no timer. */
  recent(): number {
    return this.#last - this.#lost;
  }

  /** The host slept until `now`, by the clock. */
  rested(now: number): void {
    this.#last = now;
  }

  /** A time of the kernel, by the clock. */
  byClock(time: number): number {
    return time + this.#lost;
  }
}
