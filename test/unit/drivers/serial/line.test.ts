// If one of these fails, a slow line is taken for a fast one: its queue outlasts FLIP's clocks, or
// routes go over it where there is an Ethernet.

import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { disturb } from "../../../../drivers/serial/cable.js";
import { lineFacts, speedMax, speedMin } from "../../../../drivers/serial/line.js";

const speeds = [speedMin, 9600, 19_200, 57_600, 115_200, 460_800, 921_600, 4_000_000, speedMax];

describe("a serial line", () => {
  it("weighs at least as much as an Ethernet, less the faster it is, and never more than a way may", () => {
    const weights = speeds.map((speed) => lineFacts(speed).weight);
    expect(weights).toEqual([...weights].sort((a, b) => b - a));
    expect(Math.min(...weights)).toBe(3);
    expect(Math.max(...weights)).toBeLessThanOrEqual(12); // two of them reach each other
  });

  it("has an MTU that a kernel takes, and no more under way than half a second where that is possible", () => {
    for (const speed of speeds) {
      const { mtu, receiveFrames } = lineFacts(speed);
      expect(mtu).toBeGreaterThanOrEqual(576);
      expect(mtu).toBeLessThanOrEqual(1500);
      const seconds = (Math.max(1, receiveFrames / 4) * mtu * 10) / speed;
      if (speed >= 19_200) expect(seconds, `${speed}`).toBeLessThanOrEqual(0.5);
    }
  });
});

describe("noise on a cable", () => {
  it("depends on its seed alone, and is about as much as is asked for", () => {
    const bytes = Buffer.alloc(100_000, 0x55);
    const noisy = disturb(bytes, 0.001, new SeededRandom(3));
    expect(disturb(bytes, 0.001, new SeededRandom(3))).toEqual(noisy);
    expect(disturb(bytes, 0, new SeededRandom(3))).toEqual(bytes);
    const changed = noisy.filter((byte) => byte !== 0x55).length;
    expect(changed).toBeGreaterThan(100);
    expect(changed).toBeLessThan(400);
  });
});
