// Two machines on a LAN in memory, in virtual time: servers on one, clients on the other, with
// ordinary promises.

import { randomTable } from "../../../control/interface/random.js";
import { segmentTable } from "../../../control/interface/segment.js";
import type { CallOptions } from "../../../control/kernel/calls.js";
import { serveRandom } from "../../../control/server/random/random.js";
import { SegmentServer } from "../../../control/server/segment/segment.js";
import { serveTime } from "../../../control/server/time/time.js";
import { stub } from "../../../control/stub/client.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import type { SharedMemory } from "../../../drivers/shared-memory.js";
import { Room } from "../kernel/booted.js";

const turnsMax = 20_000;

export class Pool {
  readonly room = new Room();
  readonly near = this.room.attached(this.#limits());
  readonly far = this.room.attached(this.#limits());
  /** Its machines are being emptied. */
  draining = false;
  /** What servers said that should not happen. */
  readonly failures: unknown[] = [];
  readonly failed = (error: unknown): void => {
    this.failures.push(error);
  };
  readonly #bits = new SeededRandom(7);

  #limits() {
    return { memoryBytes: 64 * 1024 * 1024, segmentBytes: 4 * 1024 * 1024, segments: 64 };
  }

  readonly random = (bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, () => this.#bits.next() >>> 24);

  /** What every server is made with. */
  given(kernel = this.far) {
    return { kernel, getPort: this.random(6), random: this.random, failed: this.failed };
  }

  segments(kernel = this.far, shared?: SharedMemory): SegmentServer {
    return new SegmentServer({
      ...{ ...this.given(kernel), memory: kernel.segments, locateTimeoutMs: 20, shared },
      draining: () => this.draining,
    });
  }

  randomServer = () => serveRandom(this.given());
  timeServer = (clock: () => number) => serveTime({ ...this.given(), clock });

  segmentStub = (capability: Parameters<typeof stub>[2], options?: CallOptions) =>
    stub(this.near, segmentTable, capability, options);
  randomStub = (capability: Parameters<typeof stub>[2]) => stub(this.near, randomTable, capability);

  /** Called with every turn. */
  protected turned(): void {
    // Nothing here has other clocks than the machines'.
  }

  /** Runs both machines until the promise has settled. */
  async end<Value>(promise: Promise<Value>): Promise<Value> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    promise.then(mark, mark);
    for (let turns = 0; !settled; turns++) {
      if (turns > turnsMax) throw new Error("nothing came of it");
      this.room.run(1);
      this.turned();
      for (let steps = 0; steps < 20; steps++) await Promise.resolve();
    }
    return promise;
  }

  /** The code of the error that a call ends with. */
  async refused(promise: Promise<unknown>): Promise<string> {
    try {
      await this.end(promise);
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
    return "it was granted";
  }
}
