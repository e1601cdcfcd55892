// If one of these fails, the simulator would not notice a bug of the kind that it is for.
//
// - Each mutant of test/mutants is the kernel with one bug planted in it. CI's own seeds, those
//   that runs.test.ts takes from the commit, are run against it until a checker finds it.
// - Long tier: the ones that are not rare, so many seeds at most, and it is printed how many it
//   took. Nightly: all of them. Quick tier: only that
//   every mutation still fits its source.
// - PROTEUS_MUTANT=NAME: only that one.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { commitSeed } from "../../control/cli/commit.js";
import { buildMutant, mutants, mutated } from "../../scripts/mutant-kernels.mjs";
import { type RunOptions, runSeed } from "../../simulation/run.js";
import { workloadNamed } from "../../simulation/workloads/registry.js";
import { perTier, tier } from "./seeds.js";
import { kernelModule, SECOND } from "./world.js";

interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly why: string;
  /** It takes a rare coincidence, and so more seeds than the long tier has: for the nightly one. */
  readonly rare?: boolean;
  /** What it is hunted with; default: groups at five sizes, and calls and groups. */
  readonly workload?: string;
}

const table = mutants as readonly Mutant[];
const only = process.env.PROTEUS_MUTANT;
const chosen = table.filter(({ name, rare = false }) =>
  only === undefined ? tier === "nightly" || !rare : name === only,
);
const first = commitSeed();
/** Rounds of seeds: each has one of groups at five sizes and one of calls and groups. */
const rounds = perTier({ quick: 0, long: 25, nightly: 100 });

/** CI's seeds, in the order in which they are tried. */
function* seeds(name?: string): Generator<Omit<RunOptions, "module">> {
  for (let round = 0; round < rounds; round++) {
    if (name !== undefined) {
      yield { seed: first + round, workload: workloadNamed(name), microseconds: 180 * SECOND };
      continue;
    }
    for (const machines of [3, 5, 7, 10, 15]) {
      const seed = first + 1000 * machines + round;
      yield { seed, machines, workload: workloadNamed("groups"), microseconds: 72 * SECOND };
    }
    yield { seed: first + round, workload: workloadNamed("mixed"), microseconds: 600 * SECOND };
  }
}

/** A seed that the kernel itself fails proves nothing about a mutant: runs.test.ts is the one to tell. */
async function isFoundAnyway({ workload, ...options }: Omit<RunOptions, "module">): Promise<boolean> {
  const again = { ...options, workload: workloadNamed(workload.name), module: kernelModule() };
  return (await runSeed(again)).violation !== null;
}

/** Runs them until a checker finds something; what it was and how many runs that took. */
async function hunt(
  module: WebAssembly.Module,
  workload?: string,
): Promise<{ runs: number; found: string | null }> {
  let runs = 0;
  for (const options of seeds(workload)) {
    runs++;
    const { violation } = await runSeed({ ...options, module });
    if (violation === null || (await isFoundAnyway(options))) continue;
    const { checker, what } = violation;
    return { runs, found: `${checker} (${options.workload.name} ${options.seed}): ${what.slice(0, 120)}` };
  }
  return { runs, found: null };
}

describe("a planted bug", () => {
  it("stands in its source once, in at least ten mutants of different names", () => {
    expect(new Set(table.map(({ name }) => name)).size).toBe(table.length);
    expect(table.length).toBeGreaterThanOrEqual(10);
    for (const mutant of table) expect(mutated(mutant)).toContain(mutant.replace);
  });

  // Nothing is registered in the quick tier: a skipped test would be a failed one.
  it.each(tier === "quick" ? [] : chosen)("is found by CI's own seeds: $name", async (mutant) => {
    const { runs, found } = await hunt(
      new WebAssembly.Module(readFileSync(buildMutant(mutant))),
      mutant.workload,
    );
    console.log(`${mutant.name}: ${found ?? "not found"}, ${runs} runs`);
    expect(found).not.toBeNull();
  });
});
