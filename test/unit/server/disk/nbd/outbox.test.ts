// What a connection sends: if one of these fails, a client gets bytes of another reply, because a
// buffer was used again before it had left.

import { describe, expect, it } from "vitest";
import { Outbox } from "../../../../../control/server/disk/nbd/outbox.js";
import { SeededRandom } from "../../../../../drivers/fault/random.js";
import { perTier } from "../../../../simulation/seeds.js";

describe("an outbox", () => {
  it("sends what was added, in order, whenever it really leaves", () => {
    for (let seed = 1; seed <= perTier({ quick: 30, long: 500, nightly: 5000 }); seed++) {
      const random = new SeededRandom(seed);
      const expected: Buffer[] = [];
      const left: Buffer[] = [];
      /** Sends that the system has not looked at yet: it reads their bytes only then. */
      const waiting: { chunks: readonly Buffer[]; sent: () => void }[] = [];
      const outbox = new Outbox(
        (chunks, sent) => waiting.push({ chunks, sent }),
        () => undefined,
      );
      const leave = (): void => {
        const first = waiting.shift();
        for (const chunk of first?.chunks ?? []) left.push(Buffer.from(chunk));
        first?.sent();
      };
      let value = 0;
      for (let step = 0; step < 400; step++) {
        const header = Buffer.alloc(16 + random.below(20), ++value);
        const at = outbox.reserve(header.length);
        outbox.buffer.set(header, at);
        expected.push(header);
        if (random.chance(0.5)) {
          const data = Buffer.alloc(random.chance(0.9) ? 4096 : 20_000, ++value);
          const kept = Buffer.from(data);
          expected.push(kept);
          outbox.add(data, () => data.fill(0xee));
        }
        if (random.chance(0.3)) outbox.flush();
        for (let times = random.below(3); times > 0; times--) leave();
      }
      outbox.flush();
      while (waiting.length > 0) leave();
      expect(outbox.bytes).toBe(0);
      expect(Buffer.concat(left).equals(Buffer.concat(expected)), `seed ${seed}`).toBe(true);
    }
  });
});
