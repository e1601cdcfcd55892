// Bullet servers for tests: on two machines of a LAN in memory, with files in memory below, and
// a clock for their sweeps.

import type { Capability } from "../../../../control/capability/capability.js";
import { bulletTable } from "../../../../control/interface/bullet.js";
import type { CallOptions } from "../../../../control/kernel/calls.js";
import type { Kernel } from "../../../../control/kernel/kernel.js";
import { BulletServer } from "../../../../control/server/bullet/server.js";
import { stub } from "../../../../control/stub/client.js";
import { FaultDevice } from "../../../../drivers/fault/fault.js";
import type { Faults } from "../../../../drivers/fault/faults.js";
import { Pool } from "../../stub/pool.js";
import { MemoryFiles, type MemoryOptions } from "./memory-files.js";

/** Actions for later, and the hand that makes it later. */
export class Alarms {
  now = 0;
  #waiting: { readonly at: number; readonly action: () => void }[] = [];

  readonly after = (milliseconds: number, action: () => void): (() => void) => {
    const alarm = { at: this.now + milliseconds, action };
    this.#waiting.push(alarm);
    return () => {
      this.#waiting = this.#waiting.filter((each) => each !== alarm);
    };
  };

  pass(milliseconds: number): void {
    const end = this.now + milliseconds;
    for (;;) {
      const next = this.#waiting.reduce((first, each) => (each.at < first.at ? each : first), {
        at: Number.POSITIVE_INFINITY,
        action: () => undefined,
      });
      if (next.at > end) break;
      this.#waiting = this.#waiting.filter((each) => each !== next);
      this.now = next.at;
      next.action();
    }
    this.now = end;
  }

  get count(): number {
    return this.#waiting.length;
  }
}

/** A pool with Bullet servers. */
export class Shelf extends Pool {
  readonly alarms = new Alarms();
  /** Its clock runs by itself, a millisecond a turn. */
  isTicking = false;

  protected override turned(): void {
    if (this.isTicking) this.alarms.pass(1);
  }

  /** A server with files of its own, and those. */
  bullet(kernel = this.far, options: Partial<MemoryOptions> = {}) {
    const files = new MemoryFiles({ random: this.random, ...options });
    return { files, server: this.serveFiles(files, kernel) };
  }

  serveFiles(files: MemoryFiles, kernel = this.far, secrets = this.bulletSecrets()): BulletServer {
    return new BulletServer({
      ...{ kernel, engine: files, ...secrets, threads: 4, locateTimeoutMs: 20 },
      ...{ after: this.alarms.after, failed: this.failed, draining: () => this.draining },
    });
  }

  bulletSecrets = () => ({ getPort: this.random(6), key: this.random(32) });

  /** A machine whose link loses or reorders frames, both ways. */
  faulty(faults: Partial<Faults>): Kernel {
    const kernel = this.room.kernel({ memoryBytes: 64 * 1024 * 1024 });
    const { schedule } = this.room.clock;
    kernel.attach(
      new FaultDevice(this.room.lan.port("faulty"), { seed: 3, schedule, in: faults, out: faults }),
    );
    return kernel;
  }

  calls = (capability: Capability, options?: CallOptions) =>
    stub(this.near, bulletTable, capability, options);
}
