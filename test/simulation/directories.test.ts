// If one of these fails, a name was lost or told as it no longer was; or the simulator would not
// notice a directory server with such a bug.

import { describe, expect, it } from "vitest";
import { commitSeed } from "../../control/cli/commit.js";
import { runSeed } from "../../simulation/run.js";
import { directoriesWorkload } from "../../simulation/workloads/directories.js";
import type { PlantedBug } from "../../simulation/workloads/directory-hosts.js";
import { isLong, perTier } from "./seeds.js";
import { kernelModule, SECOND } from "./world.js";

const first = commitSeed();
const module = kernelModule();

const run = (seed: number, bug?: PlantedBug) =>
  runSeed({ seed, module, workload: directoriesWorkload(bug), microseconds: 60 * SECOND });

describe("names on directory servers that crash, lose their power, and are cut off", () => {
  it("are never lost, and never told as they no longer are", async () => {
    let operations = 0;
    for (let seed = first; seed < first + perTier({ quick: 1, long: 9, nightly: 120 }); seed++) {
      const { violation, happened } = await run(seed);
      expect({ seed, violation }).toEqual({ seed, violation: null });
      operations += happened.operations ?? 0;
    }
    expect(operations).toBeGreaterThan(50);
  });

  const bugs: readonly (readonly [string, PlantedBug])[] = [
    ["leases that count for longer than they were granted", { leaseMs: 60_000 }],
    ...(isLong ? ([["disks that do not flush", { noFlush: true }]] as const) : []),
  ];

  it.each(bugs)("are missed by servers with %s", async (_name, bug) => {
    for (let seed = first; seed < first + 40; seed++) if ((await run(seed, bug)).violation !== null) return;
    throw new Error("nobody noticed");
  });
});
