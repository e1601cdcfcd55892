// How a kernel on several networks waits: a frame on one must not lie there while the kernel
// waits for another.

import { describe, expect, it } from "vitest";
import { Kernel } from "../../../control/kernel/kernel.js";
import type { Device } from "../../../drivers/device.js";
import { module } from "./booted.js";

/** A device that notes how long it was told to wait, and finds what it was given. */
class ToldDevice implements Device {
  readonly mtu = 1500;
  readonly receiveFrames = 8;
  readonly regionBytes = 65_536;
  readonly arrived = new Int32Array(16);
  readonly waits: number[] = [];
  /** Frames that its polls find, one after the other. */
  readonly finds: number[] = [];
  beside: readonly Device[] = [];
  private base = 0;

  constructor(
    readonly name: string,
    readonly address: Uint8Array,
    private readonly together: boolean,
  ) {}

  attach({ base }: { readonly base: number }): void {
    this.base = base;
  }
  transmit(): number {
    return 0;
  }
  flush(): void {}
  poll(spin: number): number {
    this.waits.push(spin);
    const count = this.finds.shift() ?? 0;
    for (let i = 0; i < count; i++) this.arrived.set([this.base, 60], 2 * i);
    return count;
  }
  spinWith(others: readonly Device[]): boolean {
    this.beside = others;
    return this.together;
  }
  watch(): void {}
  joinMulticast(): void {}
  leaveMulticast(): void {}
  counters() {
    return { received: 0, sent: 0, receiveDropped: 0, sendDropped: 0 };
  }
  close(): void {}
}

function three(together: boolean) {
  const kernel = new Kernel({ module, clock: () => 0, random: (bytes) => bytes.fill(7) });
  const devices = [1, 2, 3].map((n) => new ToldDevice(`d${n}`, Uint8Array.of(2, 0, 0, 0, 0, n), together));
  for (const device of devices) kernel.attach(device);
  return { kernel, devices, waits: () => devices.map((device) => device.waits.splice(0)) };
}

describe("a turn on several networks", () => {
  it("waits once for all of them where the devices can", () => {
    const { kernel, devices, waits } = three(true);
    expect(devices[0]?.beside).toEqual(devices.slice(1));
    expect(kernel.turn(20)).toBe(0);
    expect(waits()).toEqual([
      [0, 20],
      [0, 0],
      [0, 0],
    ]);
  });

  it("shares the wait out where they cannot, and ends it with the first frame", () => {
    const { kernel, devices, waits } = three(false);
    devices[1]?.finds.push(0, 1);
    expect(kernel.turn(30)).toBe(1);
    expect(waits()).toEqual([
      [0, 10],
      [0, 10],
      [0, 0],
    ]);
  });

  it("does not wait at all while a frame is there, on whichever network", () => {
    const { kernel, devices, waits } = three(true);
    devices[2]?.finds.push(1);
    expect(kernel.turn(20)).toBe(1);
    expect(waits()).toEqual([[0], [0], [0]]);
    expect(kernel.turn(0)).toBe(0);
    expect(waits()).toEqual([[0], [0], [0]]);
  });
});
