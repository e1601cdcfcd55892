// Storages under faults: if a run fails, something acknowledged is lost, something wrong is read, or the
// storage does not become whole again by itself.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { met } from "./disk-counts.js";
import { kinds, live, real } from "./disk-lives.js";
import { forEachSeed, perTier } from "./seeds.js";

const file = "test/simulation/disks.test.ts";

const kept = JSON.parse(readFileSync(new URL("seeds.json", import.meta.url), "utf8")) as {
  readonly disks: readonly number[];
  /** With members on disks. */
  readonly realDisks: readonly number[];
};

describe("a storage whose servers, members and links fail", () => {
  it.each(kept.disks)("still holds for seed %i", async (seed) => {
    await live({ ...kinds[seed % kinds.length], seed }, 12);
  });

  it.each(kept.realDisks)("still holds for seed %i with members on disks", async (seed) => {
    await live({ ...kinds[seed % kinds.length], ...real, seed }, 8);
  });

  it("loses nothing that was acknowledged, and is whole again at the end", async () => {
    const total = { runs: 0, writes: 0, reads: 0, faults: 0, takeovers: 0, cuts: 0, media: 0 };
    await forEachSeed(file, 1, perTier({ quick: 24, long: 400, nightly: 4000 }), async (seed) => {
      const life = await live({ ...kinds[seed % kinds.length], seed }, 12);
      total.runs++;
      for (const key of ["writes", "reads", "faults", "takeovers", "cuts", "media"] as const)
        total[key] += life.counts[key];
    });
    expect(total.writes).toBeGreaterThan(10 * total.runs);
    expect(total.takeovers).toBeGreaterThan(total.runs);
    met("mirrors in memory", total);
  });

  it("does so with members on disks that lose power", async () => {
    const total = { runs: 0, writes: 0, cuts: 0, media: 0 };
    await forEachSeed(file, 5001, perTier({ quick: 6, long: 100, nightly: 1000 }), async (seed) => {
      const life = await live({ ...kinds[seed % kinds.length], ...real, seed }, 8);
      total.runs++;
      for (const key of ["writes", "cuts", "media"] as const) total[key] += life.counts[key];
    });
    // In one of them all may wait for a server that never gets the storage (seed 5022).
    expect(total.writes).toBeGreaterThan(10 * total.runs);
    met("mirrors on disks", total);
  });
});
