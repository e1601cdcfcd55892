// Polling the devices of a kernel that has several: looks at all of them before it waits for any.
//
// - Where one device can wait for the frames of all, one wait does; otherwise each gets its part.
// - Nothing is allocated: this is a part of every turn. A kernel with one device does without.

import type { Device } from "../../drivers/device.js";

export class Polling {
  /** Frames of the last poll, by network. */
  readonly counts: number[] = [];
  readonly #devices: readonly Device[];
  #together = false; // a poll of the first device waits for the frames of all

  /** The devices, by network; more may come: `changed`. */
  constructor(devices: readonly Device[]) {
    this.#devices = devices;
  }

  /** A device was attached. */
  changed(): void {
    const [first, ...others] = this.#devices;
    this.#together = others.length > 0 && first?.spinWith?.(others) === true;
  }

  /**
   * Looks at every device, and waits only when there is nothing anywhere: for all of them
   * at once, or for one after the other where that is all that they can do. Fills `counts`
   * and answers their sum.
   */
  all(spinMicroseconds: number): number {
    const devices = this.#devices;
    const { counts } = this;
    let all = 0;
    for (let network = 0; network < devices.length; network++)
      all += counts[network] = (devices[network] as Device).poll(0);
    if (all > 0 || spinMicroseconds === 0) return all;
    let wait = this.#together ? spinMicroseconds : spinMicroseconds / devices.length;
    for (let network = 0; network < devices.length; network++) {
      all += counts[network] = (devices[network] as Device).poll(wait);
      if (all > 0 || this.#together) wait = 0;
    }
    return all;
  }
}
