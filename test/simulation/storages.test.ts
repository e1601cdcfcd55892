// If one of these fails, a storage of pool machines lost what it had acknowledged, or did not become whole
// by itself; or the simulator would not notice disks with such a bug.

import { describe, expect, it } from "vitest";
import { commitSeed } from "../../control/cli/commit.js";
import { runSeed } from "../../simulation/run.js";
import type { PlantedBug } from "../../simulation/workloads/disk-hosts.js";
import { disksWorkload } from "../../simulation/workloads/disks.js";
import { isLong, perTier } from "./seeds.js";
import { kernelModule, SECOND } from "./world.js";

const first = commitSeed();
const module = kernelModule();
const seconds = perTier({ quick: 5, long: 60, nightly: 300 });

const run = (seed: number, bug?: PlantedBug) =>
  runSeed({ seed, module, workload: disksWorkload(bug), microseconds: seconds * SECOND });

describe("a storage on disk servers that crash, are cut off, and get blank media", () => {
  it("has what was acknowledged, whoever serves it, and is whole again by itself", async () => {
    const sums: Record<string, number> = {};
    for (let seed = first; seed < first + perTier({ quick: 1, long: 8, nightly: 200 }); seed++) {
      const { violation, happened } = await run(seed);
      expect({ seed, violation }).toEqual({ seed, violation: null });
      for (const [what, times] of Object.entries(happened)) sums[what] = (sums[what] ?? 0) + times;
    }
    const rare = isLong ? ["crashes", "media exchanged"] : [];
    for (const what of ["storage served", "blocks written", "blocks read", ...rare])
      expect(sums[what] ?? 0, what).toBeGreaterThan(0);
  });

  if (isLong)
    it("is missed when writes are acknowledged before the members have them", async () => {
      for (let seed = first; seed < first + 40; seed++)
        if ((await run(seed, { acknowledgesEarly: true })).violation !== null) return;
      throw new Error("nobody noticed");
    });
});
