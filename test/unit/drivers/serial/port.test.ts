// If one of these fails, a serial port that sends and receives at once stops sending, for as long as
// the other end has nothing to say: two ends that wait for each other lose a call that was not lost.

import * as serialport from "serialport";
import { describe, expect, it } from "vitest";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { openPort } from "../../../../drivers/serial/port.js";
import { PseudoTerminal } from "../../../../drivers/serial/pseudo-terminal.js";
import { perTier } from "../../../simulation/seeds.js";

const rounds = perTier({ quick: 60, long: 600, nightly: 6000 });
/** More than a pseudo-terminal holds: the write has to wait for room. */
const bytesMax = 60_000;

describe("a port that sends and receives at once", () => {
  it("has sent all, though the other end says nothing while it takes it", async () => {
    const random = new SeededRandom(7);
    const terminal = new PseudoTerminal();
    const port = await openPort(serialport, { path: terminal.path, speed: 9_600, rtscts: false });
    port.on("data", () => {});
    let taken = 0;
    let enough = 0;
    let done = (): void => {};
    terminal.hold(true);
    terminal.onData((bytes) => {
      taken += bytes.length;
      if (taken === enough) done();
    });
    try {
      for (let round = 0; round < rounds; round++) {
        const bytes = 1 + random.below(bytesMax);
        taken = 0;
        enough = bytes;
        const all = new Promise<void>((resolve) => {
          done = resolve;
        });
        port.write(Buffer.alloc(bytes, round));
        for (let i = random.below(5); i > 0; i--) {
          terminal.send(Buffer.alloc(1 + random.below(20)));
          if (random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
        }
        terminal.hold(false);
        await all;
        terminal.hold(true);
      }
      expect(taken).toBe(enough);
    } finally {
      await new Promise((resolve) => port.close(resolve));
      terminal.close();
    }
  });
});
