// A store on a disk whose power goes at any moment: what was acknowledged is there afterwards,
// and a batch is there whole or not at all.

import { describe, expect, it } from "vitest";
import { DiskStore } from "../../control/store/disk/store.js";
import type { Operation } from "../../control/store/store.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { VirtualDisk } from "../../simulation/disk/disk.js";
import { forEachSeed, perTier } from "./seeds.js";

const file = "test/simulation/store-crash.test.ts";
const key = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

/** Every operation ends in the order in which it was begun, as soon as the code waits. */
const clock = { after: (_: number, action: () => void): void => queueMicrotask(action) };

describe("a power cut", () => {
  const names = ["a", "b", "c", "d"];

  /** Batches that each write all names alike, until the power goes; the last that was acknowledged. */
  async function life(disk: VirtualDisk, from: number, cutAt: number, after: boolean): Promise<number> {
    let acknowledged = from;
    let cut: () => void = () => undefined;
    const gone = new Promise<"cut">((resolve) => {
      cut = () => resolve("cut");
    });
    disk.armCut(disk.operations + cutAt, after, cut);
    const living = (async () => {
      const store = await DiskStore.open(disk);
      for (let round = from + 1; round < from + 40; round++) {
        const operations = names.map((name): Operation => {
          return { kind: "put", key: key(name), value: new Uint8Array(900).fill(round) };
        });
        await store.batch({ operations });
        acknowledged = round;
      }
      return "done";
    })();
    expect(await Promise.race([gone, living])).toBe("cut");
    return acknowledged;
  }

  it("at any write or flush, before or after it, loses nothing acknowledged and leaves nothing half", async () => {
    await forEachSeed(file, 1, perTier({ quick: 60, long: 700, nightly: 10_000 }), async (seed) => {
      const random = new SeededRandom(seed);
      // Small: several logs a life.
      const disk = new VirtualDisk({ blocks: 24, blockBytes: 2048, random: new SeededRandom(seed), clock });
      let acknowledged = 0;
      for (let lives = 0; lives < 6; lives++) {
        acknowledged = await life(disk, acknowledged, random.below(60), random.chance(0.5));
        disk.restore();
        const store = await DiskStore.open(disk);
        const { entries } = await store.range({});
        const rounds = new Set(entries.map((entry) => entry.value[0]));
        const [found = 0] = rounds;
        expect(rounds.size).toBeLessThan(2);
        expect(entries.length === names.length || acknowledged === 0).toBe(true);
        // What was under way may have been done as well.
        expect([acknowledged, acknowledged + 1]).toContain(found);
        acknowledged = found;
        await store.close();
      }
    });
  });
});
