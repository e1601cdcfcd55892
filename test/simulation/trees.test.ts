// Random updates of whole directories, at every server and beside them, against a model: if one of
// these fails, an update was lost or half done, or a server has other directories than the next; or
// the simulator would not notice a directory server with such a bug.
//
// - A failing seed is made small by `proteus simulate --workload trees --seed N`.

import { describe, expect, it } from "vitest";
import { commitSeed } from "../../control/cli/commit.js";
import { runSeed } from "../../simulation/run.js";
import type { PlantedBug } from "../../simulation/workloads/directory-hosts.js";
import { treesWorkload } from "../../simulation/workloads/trees.js";
import { isLong, perTier } from "./seeds.js";
import { kernelModule, SECOND } from "./world.js";

const first = commitSeed();
const module = kernelModule();
const seconds = perTier({ quick: 8, long: 60, nightly: 120 });

const run = (seed: number, bug?: PlantedBug) =>
  runSeed({ seed, module, workload: treesWorkload(bug), microseconds: seconds * SECOND });

describe("directories on three servers that stop, crash, lose their power and are cut off", () => {
  it("do what maps of names do, and are the same at all servers in the end", async () => {
    const sums: Record<string, number> = {};
    for (let seed = first; seed < first + perTier({ quick: 1, long: 9, nightly: 120 }); seed++) {
      const { violation, happened } = await run(seed);
      expect({ seed, violation }).toEqual({ seed, violation: null });
      for (const [what, times] of Object.entries(happened)) sums[what] = (sums[what] ?? 0) + times;
    }
    expect(sums["tree list answered"]).toBeGreaterThan(0);
    if (!isLong) return;
    for (const what of ["append", "replace", "install", "chmod", "delete", "rename", "discard", "lookup"])
      expect(sums[`tree ${what} answered`], what).toBeGreaterThan(20);
    for (const what of ["servers stopped", "blackouts", "crashes"])
      expect(sums[what], what).toBeGreaterThan(0);
    // The search for an order is bounded: almost always it comes to an end.
    expect(sums["histories not known"] ?? 0).toBeLessThan(3);
  });

  if (isLong)
    it("are missed by servers whose disks do not flush", async () => {
      for (let seed = first; seed < first + 40; seed++)
        if ((await run(seed, { noFlush: true })).violation !== null) return;
      throw new Error("nobody noticed");
    });
});
