// A tap on a real wire. If one of these fails, a capture misses frames without saying so, or
// those who talk notice it.

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openEthernet } from "../../drivers/ethernet/ethernet.js";
import { openTap } from "../../drivers/ethernet/tap.js";
import type { Tap, TapFrame } from "../../drivers/tap.js";
import { BROADCAST, frame, payload, TestHost } from "../unit/drivers/host.js";
import { until } from "./programs.js";
import { TestWire } from "./wire.js";

const root = process.getuid?.() === 0;
if (!root) console.warn("skipped: a tap needs root (network namespaces, raw sockets)");

describe.skipIf(!root).each(["auto", "koffi"] as const)("a tap, mode %s", (mode) => {
  let wire: TestWire;
  const open: { close(): void }[] = [];
  const host = (machine: number) => {
    const made = new TestHost(wire.inside(machine, () => openEthernet("eth0")));
    open.push(made.device);
    return made;
  };
  const tapOn = (machine: number): Tap => {
    const tap = wire.inside(machine, () => openTap("eth0", { mode }));
    open.push(tap);
    return tap;
  };
  /** Frames of a tap until there are so many; their bytes are copied. */
  const seen = async (tap: Tap, count: number): Promise<TapFrame[]> => {
    const frames: TapFrame[] = [];
    await until(`${count} frames at the tap`, () => {
      for (const each of tap.poll()) frames.push({ ...each, bytes: each.bytes.slice() });
      return frames.length >= count || undefined;
    });
    return frames;
  };

  beforeAll(() => {
    wire = new TestWire(3);
  });
  afterEach(() => {
    for (const each of open.splice(0)) each.close();
  });
  afterAll(() => wire?.remove());

  it("sees what its machine sends and receives, with the time and the direction", async () => {
    const tap = tapOn(1);
    const [a, b] = [host(1), host(2)];
    const before = Date.now() * 1000;
    a.send(b.device.address, payload(1, 300));
    b.send(a.device.address, payload(2, 1400));
    b.send(BROADCAST, payload(3));
    const frames = await seen(tap, 3);
    const sent = [
      frame(b.device.address, a.device.address, payload(1, 300)),
      frame(a.device.address, b.device.address, payload(2, 1400)),
      frame(BROADCAST, b.device.address, payload(3)),
    ];
    expect(frames.map(({ bytes }) => bytes)).toEqual(sent);
    const directions = mode === "koffi" ? [undefined, undefined, undefined] : [true, false, false];
    expect(frames.map(({ outgoing }) => outgoing)).toEqual(directions);
    for (const { timeUs } of frames) {
      expect(Number.isInteger(timeUs)).toBe(true);
      expect(timeUs).toBeGreaterThanOrEqual(before - 5000);
      expect(timeUs).toBeLessThanOrEqual(Date.now() * 1000 + 5000);
    }
    expect(tap.dropped()).toBe(0);
  });

  it("takes no address: the next program on the interface is still its first", () => {
    const own = host(1);
    own.device.close();
    tapOn(1);
    const [first, second] = [host(1), host(1)];
    expect(first.device.address).toEqual(own.device.address);
    expect(second.device.address).not.toEqual(own.device.address);
  });

  it("sees frames that are for other machines, where the wire brings them", async () => {
    const tap = tapOn(3);
    const a = host(1);
    host(3);
    const nobody = Uint8Array.of(2, 9, 9, 9, 9, 9); // unknown to the bridge: flooded
    a.send(nobody, payload(4));
    const [only] = await seen(tap, 1);
    expect(only?.bytes.slice(0, 6)).toEqual(nobody);
  });

  it("counts what it was too slow for: taken and lost are all that passed", async () => {
    const tap = tapOn(2);
    const a = host(1);
    const sent = 30_000;
    for (let i = 0; i < sent; i++) {
      a.queue(frame(BROADCAST, a.device.address, payload(i, 46)));
      if (i % 64 === 63) a.device.flush();
    }
    a.device.flush();
    expect(a.device.counters().sent).toBe(sent);
    let taken = 0;
    await until("every frame", () => {
      taken += tap.poll().length;
      return taken + tap.dropped() >= sent || undefined;
    });
    expect(taken + tap.dropped()).toBe(sent);
    if (mode === "auto") expect(tap.dropped()).toBeGreaterThan(0); // the other one's buffer holds more
  });
});
