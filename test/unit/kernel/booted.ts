// Kernels for tests: one that is only booted, and whole ones on a LAN in memory, in
// virtual time.

import { kernelBytes } from "../../../control/cli/package-files.js";
import type { After } from "../../../control/group/timer.js";
import { Kernel } from "../../../control/kernel/kernel.js";
import { type Limits, writeLimits } from "../../../control/kernel/limits.js";
import { LIMITS_ADDRESS } from "../../../core-wasm/layout.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { MemoryLan } from "../../../drivers/memory/lan.js";
import { TestClock } from "../drivers/clock.js";

export const module = new WebAssembly.Module(kernelBytes());
const pages = 256;

/** What boot answers to these limits in 16 MiB. */
export function bootWith(limits: Partial<Limits>): number {
  const memory = new WebAssembly.Memory({ initial: pages });
  const trap = (code: number): void => {
    throw new Error(`trap ${code}`);
  };
  const env = { memory, transmit: () => 0, random: () => {}, log: () => {}, trap };
  const exports = new WebAssembly.Instance(module, { env }).exports as { boot: () => number };
  writeLimits(new Uint32Array(memory.buffer), LIMITS_ADDRESS, limits);
  return exports.boot();
}

/** Kernels that share a clock and a LAN. */
export class Room {
  readonly clock = new TestClock();
  readonly lan = new MemoryLan({ schedule: this.clock.schedule, latencyMicroseconds: 10 });
  readonly kernels: Kernel[] = [];
  readonly #random = new SeededRandom(1);

  /** Timers in the kernels' time. */
  readonly after: After = (milliseconds, action) => {
    let wanted = true;
    this.clock.schedule(milliseconds * 1000, () => {
      if (wanted) action();
    });
    return () => {
      wanted = false;
    };
  };

  kernel(limits: Partial<Limits> = {}): Kernel {
    const kernel = new Kernel({
      module,
      clock: () => this.clock.now,
      random: (bytes) => {
        for (let i = 0; i < bytes.length; i++) bytes[i] = this.#random.next() >>> 24;
      },
      limits: { memoryBytes: 24 * 1024 * 1024, clientKernels: 8, duplicateWindow: 1024, ...limits },
    });
    this.kernels.push(kernel);
    return kernel;
  }

  /** A kernel with a port on the LAN. */
  attached(limits: Partial<Limits> = {}): Kernel {
    const kernel = this.kernel(limits);
    kernel.attach(this.lan.port(`lan:${this.kernels.length}`));
    return kernel;
  }

  /** Turns of all kernels for so many milliseconds. */
  run(milliseconds: number): void {
    for (const end = this.clock.now + milliseconds * 1000; this.clock.now < end; this.clock.advance(10)) {
      while (this.kernels.map((kernel) => kernel.turn(0)).some((happened) => happened > 0));
    }
  }
}

/** The address of a 32-byte header with this port, and of a buffer behind it. */
export function header(kernel: Kernel, port: Uint8Array): number {
  const at = kernel.buffers.take(64);
  kernel.bytes.fill(0, at, at + 32);
  kernel.bytes.set(port, at);
  return at;
}
