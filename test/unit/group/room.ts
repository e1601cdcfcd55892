// Machines with groups that need no network of their own (fake-groups.ts).
//
// - RPC between them is real, in virtual time; promises go on between two steps of it.

import type { After } from "../../../control/group/timer.js";
import type { Kernel } from "../../../control/kernel/kernel.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { Room } from "../kernel/booted.js";
import { type FakeGroups, FakeNetwork } from "./fake-groups.js";

export class GroupRoom {
  readonly room = new Room();
  readonly network: FakeNetwork;
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed);
    this.network = new FakeNetwork((of) => this.#random.next() % of);
  }

  chance(of: number): number {
    return this.#random.next() % of;
  }

  machine(): { kernel: Kernel; groups: FakeGroups } {
    const kernel = this.room.attached({
      memoryBytes: 16 * 1024 * 1024,
      threads: 128,
      locates: 64,
      ports: 256,
    });
    return { kernel, groups: this.network.attach(kernel) };
  }

  readonly random = (bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, () => this.#random.next() & 0xff);

  readonly after: After = this.room.after;

  /** Runs until `done` says so; throws when it does not within so many virtual milliseconds. */
  async until(done: () => boolean, milliseconds = 10_000): Promise<void> {
    for (let left = milliseconds; !done(); left--) {
      if (left <= 0) throw new Error(`not within ${milliseconds} ms of virtual time`);
      this.network.step();
      this.room.clock.advance(1000);
      while (this.room.kernels.map((kernel) => kernel.turn(0)).some((happened) => happened > 0));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Runs so many virtual milliseconds. */
  run(milliseconds: number): Promise<void> {
    const end = this.room.clock.now + milliseconds * 1000;
    return this.until(() => this.room.clock.now >= end, milliseconds + 1);
  }

  /** Runs until a promise is settled. */
  async settled<Value>(promise: Promise<Value>, milliseconds = 20_000): Promise<Value> {
    let over = false;
    const end = () => {
      over = true;
    };
    promise.then(end, end);
    await this.until(() => over, milliseconds);
    return promise;
  }
}
