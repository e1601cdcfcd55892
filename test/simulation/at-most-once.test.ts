// If this fails, a call was executed twice, answered wrongly, or never came to an end on a
// bad wire: somebody's money is booked twice, or a shell hangs.
//
// At least 100,000 calls over many seeds in the long tier, a sample in the quick one. Calls
// follow each other as fast as they end, and faults are ten times as frequent as in a run of
// `proteus simulate`.

import { describe, expect, it } from "vitest";
import { standardRates } from "../../simulation/faults/generate.js";
import type { FaultRates } from "../../simulation/faults/kinds.js";
import { runSeed } from "../../simulation/run.js";
import { callsWorkload } from "../../simulation/workloads/calls.js";
import { forEachSeed, perTier } from "./seeds.js";
import { kernelModule, SECOND } from "./world.js";

const callsPerSeed = 250;
const file = "test/simulation/at-most-once.test.ts";
const rates: FaultRates = Object.fromEntries(
  Object.entries(standardRates).map(([kind, rate]) => [kind, rate * 8]),
);

interface Outcome {
  calls: number;
  readonly happened: Record<string, number>;
}

/** One seed of trouble; throws with what was wrong. */
async function storm(seed: number, originals: number, outcome: Outcome): Promise<void> {
  const workload = callsWorkload({ storm: callsPerSeed, originals });
  const machines = 6 + (seed % 4) * 3;
  const run = await runSeed({
    seed,
    module: kernelModule(),
    workload,
    machines,
    rates,
    microseconds: 40 * SECOND,
  });
  if (run.violation !== null) throw new Error(`${run.violation.checker}: ${run.violation.what}`);
  outcome.calls += run.happened.calls ?? 0;
  for (const counts of [run.happened, run.faults])
    for (const [name, count] of Object.entries(counts))
      outcome.happened[name] = (outcome.happened[name] ?? 0) + count;
}

/** Runs the seeds and adds up what happened. */
async function runAll(name: string, first: number, calls: number, originals: number): Promise<Outcome> {
  const outcome: Outcome = { calls: 0, happened: {} };
  const seeds = Math.ceil(calls / callsPerSeed);
  await forEachSeed(`${file} -t "${name}"`, first, seeds, (seed) => storm(seed, originals, outcome));
  console.log(name, outcome.happened);
  return outcome;
}

/** What should have happened at least once in a run, and never did. */
function missing(outcome: Outcome, names: readonly string[]): readonly string[] {
  return process.env.PROTEUS_SEED === undefined ? names.filter((name) => !outcome.happened[name]) : [];
}

const wire = ["loss", "duplication", "reordering", "delay", "partition", "frames overrun", "signals"];
const machines = ["crash", "move", "forgotten"];
const kernels = ["repeated", "impliedAcks", "duplicates", "refusals", "failures", "creditWaits"];

describe("at most once", () => {
  it("holds between our own machines through every fault, crash and move", async () => {
    const calls = perTier({ quick: 8000, long: 100_000, nightly: 1_000_000 });
    const outcome = await runAll("between our own machines", 1, calls, 0);
    expect(missing(outcome, [...wire, ...machines, ...kernels, "bitFlips", "malformed"])).toEqual([]);
    if (process.env.PROTEUS_SEED === undefined) expect(outcome.calls).toBeGreaterThanOrEqual(calls * 0.95);
  });

  it("holds with originals among the machines, as far as these promise it", async () => {
    const calls = perTier({ quick: 2000, long: 20_000, nightly: 200_000 });
    const outcome = await runAll("with originals", 1_000_000, calls, 1);
    expect(missing(outcome, [...wire, "duplicates", "refusals"])).toEqual([]);
  });
});
