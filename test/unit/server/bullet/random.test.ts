// Random operations on a volume: it holds what a plain map holds, and gives back all it took.

import { expect, it } from "vitest";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { MemoryBlockDevice } from "../../../../drivers/memory/block.js";
import { perTier } from "../../../simulation/seeds.js";
import { ModelRun } from "./model.js";

it("a volume holds what a map of contents holds, whatever is done to it", { timeout: 600_000 }, async () => {
  const counts: Record<string, number> = {};
  const only = process.env.PROTEUS_SEED;
  const runs = perTier({ quick: 12, long: 300, nightly: 3000 });
  for (let seed = only ? Number(only) : 1; seed <= (only ? Number(only) : runs); seed++) {
    const random = new SeededRandom(seed);
    // Tight for some, so that it is full now and then.
    const device = new MemoryBlockDevice(random.chance(0.5) ? 150 : 2000);
    const run = await ModelRun.begin(device, random);
    try {
      for (let step = 0; step < 60; step++) await run.step();
      await run.end();
    } catch (cause) {
      throw new Error(`seed ${seed} (PROTEUS_SEED repeats it)`, { cause });
    }
    for (const [what, times] of Object.entries(run.counts)) counts[what] = (counts[what] ?? 0) + times;
  }
  if (process.env.SHOW) console.log(counts);
  if (!only)
    for (const what of ["begin", "change", "commit", "read", "remove", "care", "VOLUME_FULL"])
      expect(counts[what], what).toBeGreaterThan(0);
});
