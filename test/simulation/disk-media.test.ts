// Storages of every kind under the faults of their kind: media that lie, are blank or too small, members
// that come and go, members that lie on storages themselves, and falls on purpose in the middle of a resync.
//
// - If one fails, something acknowledged is lost, something wrong is read, or a storage does not become
//   whole by itself, or does not say what a person has to do.

import { afterAll, describe, expect, it } from "vitest";
import { met } from "./disk-counts.js";
import { crashInResync, lie } from "./disk-faults.js";
import { live } from "./disk-lives.js";
import { scenes } from "./disk-scenes.js";
import { forEachSeed, perTier } from "./seeds.js";

const file = "test/simulation/disk-media.test.ts";
describe("a storage", () => {
  const sum = { cuts: 0, media: 0 };
  afterAll(() => met("scenes", sum));

  it.each(scenes)(
    "$name is whole again, with all that was acknowledged",
    async ({ first, seeds, ...scene }) => {
      const total = { writes: 0, faults: 0, media: 0, cuts: 0, inResync: 0, together: 0 };
      const count = perTier(seeds);
      await forEachSeed(file, first, count, async (seed) => {
        const { counts } = await live({ ...scene.options(seed), seed }, 8, scene.faults, scene.habits);
        for (const key of Object.keys(total) as (keyof typeof total)[]) total[key] += counts[key];
      });
      sum.cuts += total.cuts;
      sum.media += total.media;
      console.log(`${scene.name}: ${JSON.stringify(total)}`);
      expect(total.writes).toBeGreaterThan(10 * count);
      if (scene.faults.includes(crashInResync)) expect(total.inResync).toBeGreaterThan(0);
      if (scene.faults.includes(lie)) expect(total.media).toBeGreaterThan(count);
    },
  );
});
