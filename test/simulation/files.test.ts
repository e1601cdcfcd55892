// If one of these fails, a file that was acknowledged is lost, or is another's bytes, or half of
// one is seen; or the simulator would not notice a Bullet server with such a bug.

import { describe, expect, it } from "vitest";
import { commitSeed } from "../../control/cli/commit.js";
import { runSeed } from "../../simulation/run.js";
import { filesWorkload, type PlantedBug } from "../../simulation/workloads/files.js";
import { isLong, perTier } from "./seeds.js";
import { kernelModule, SECOND } from "./world.js";

const first = commitSeed();
const module = kernelModule();
const seconds = perTier({ quick: 30, long: 120, nightly: 300 });

const run = (seed: number, bug?: PlantedBug) =>
  runSeed({ seed, module, machines: 5, workload: filesWorkload(bug), microseconds: seconds * SECOND });

describe("files on Bullet servers that lose their power, and whose media rot", () => {
  it("are there as they were written, or are said to be lost, and nothing half-made is", async () => {
    const sums: Record<string, number> = {};
    for (let seed = first; seed < first + perTier({ quick: 2, long: 30, nightly: 400 }); seed++) {
      const { violation, happened } = await run(seed);
      expect({ seed, violation }).toEqual({ seed, violation: null });
      for (const [what, times] of Object.entries(happened)) sums[what] = (sums[what] ?? 0) + times;
    }
    const met = ["files made", "files read", "files destroyed", "files media checked", "power cuts"];
    for (const what of [...met, ...(isLong ? ["files not read STD_SYSERR", "blocks rotted or lost"] : [])])
      expect(sums[what] ?? 0, what).toBeGreaterThan(0);
  });

  it("are missed when disks do not flush", async () => {
    for (let seed = first; seed < first + perTier({ quick: 4, long: 8, nightly: 8 }); seed++)
      if ((await run(seed, { noFlush: true })).violation !== null) return;
    throw new Error("nobody noticed");
  });
});
