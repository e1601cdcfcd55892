// When a machine looks at its network and when it sleeps. If this fails, files and sockets wait while
// a disk's machine spins, or calls wait for a machine that sleeps.

import { setTimeout } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import type { Kernel } from "../../../control/kernel/kernel.js";
import { Loop, microseconds } from "../../../control/node/loop.js";

/** A kernel that has nothing to do, and keeps for how long each turn was to wait, microseconds. */
class IdleKernel {
  readonly waits: number[] = [];
  wake: (() => void) | null = null;
  turnedAt = 0;
  readonly sendsPending = false;
  readonly transmits = 0;
  readonly devices = [];

  turn(waitUs: number): number {
    this.waits.push(waitUs);
    const end = microseconds() + waitUs;
    do this.turnedAt = microseconds();
    while (this.turnedAt < end);
    return 0;
  }

  rested(now: number): void {
    this.turnedAt = now;
  }

  nextDeadline = (): number => Number.POSITIVE_INFINITY;
  close(): void {}
}

const loops: Loop[] = [];
afterEach(() => {
  for (const loop of loops.splice(0)) loop.close();
});

async function looksAfterAWake(prepare: (loop: Loop) => void): Promise<number> {
  const kernel = new IdleKernel();
  const loop = new Loop(kernel as unknown as Kernel);
  loops.push(loop);
  await setTimeout(20); // its first turns
  prepare(loop);
  kernel.waits.length = 0;
  kernel.wake?.();
  await setTimeout(20);
  expect(kernel.waits.length).toBeGreaterThan(0);
  return kernel.waits.filter((wait) => wait > 0).length;
}

describe("the loop of a machine", () => {
  it("looks at the ring for a while before it sleeps", async () => {
    expect(await looksAfterAWake(() => undefined)).toBeGreaterThan(0);
  });

  it("sleeps at once while files and sockets are being used, and looks again later", async () => {
    expect(await looksAfterAWake((loop) => loop.calm())).toBe(0);
    const kernel = new IdleKernel();
    const loop = new Loop(kernel as unknown as Kernel);
    loops.push(loop);
    loop.calm();
    await setTimeout(150);
    kernel.waits.length = 0;
    kernel.wake?.();
    await setTimeout(20);
    expect(kernel.waits.filter((wait) => wait > 0).length).toBeGreaterThan(0);
  });

  it("does not look when it is not to spin", async () => {
    const looks = await looksAfterAWake((loop) => {
      loop.spins = false;
    });
    expect(looks).toBe(0);
  });
});
