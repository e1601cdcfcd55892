// If one of these fails, a cluster broke a promise under faults, or a run cannot be repeated.
//
// - Seeds are taken from the commit: each commit explores new ground. The first is printed.
// - In the long tier all of them together are a hundred simulated hours: 78 of calls and groups at once.
// - Those that once failed are kept in seeds.json and run for ever (quick and nightly tiers).

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { commitSeed } from "../../control/cli/commit.js";
import { runSeed } from "../../simulation/run.js";
import { callsWorkload } from "../../simulation/workloads/calls.js";
import { workloadNamed, workloadNames } from "../../simulation/workloads/registry.js";
import { type SimulateReport, simulate } from "./commands.js";
import { isLong, perTier, repeats } from "./seeds.js";
import { kernelModule, SECOND } from "./world.js";

interface Kept {
  readonly runs: readonly { seed: number; workload: string; machines: number; hours: number }[];
  readonly storms: readonly number[];
}

const kept = JSON.parse(readFileSync(new URL("seeds.json", import.meta.url), "utf8")) as Kept;
const first = commitSeed();
const minutes = perTier({ quick: 5, long: 28, nightly: 600 });

/** Runs so many fresh seeds; the report, which must be free of failures. */
async function explore(from: number, count: number, words: readonly string[]): Promise<SimulateReport> {
  console.log(`seeds ${from}..${from + count - 1} ${words.join(" ")}`);
  const report = await simulate(
    [...words, "--seeds", `${from}..${from + count - 1}`, "--no-shrink"],
    minutes,
  );
  console.log(
    report.simulatedHours.toFixed(1),
    "simulated hours,",
    report.realTimeFactor.toFixed(0),
    "x real time",
  );
  console.log(report.faults, report.happened);
  expect(report.failures).toEqual([]);
  return report;
}

describe("a cluster in virtual time", () => {
  it("gives the same event hash in two processes, and another for another seed", async () => {
    const words = ["--hours", "0.03", "--jobs", "1", "--seeds"];
    const range = `${first}..${first + 2}`;
    const one = await simulate([...words, range]);
    const other = await simulate(["--jobs", "2", "--hours", "0.03", "--seeds", range]);
    expect(other.eventHash).toBe(one.eventHash);
    expect(other.events).toBe(one.events);
    const next = await simulate([...words, `${first + 1}..${first + 3}`]);
    expect(next.eventHash).not.toBe(one.eventHash);
  });

  if (isLong)
    it.each(workloadNames)("gives the same event hash twice, whatever is at work: '%s'", async (workload) => {
      const words = ["--workload", workload, "--hours", "0.005", "--seed", String(first)];
      const [one, other] = [await simulate(words), await simulate(words)];
      expect(other.eventHash).toBe(one.eventHash);
    });

  it("keeps its promises to calls and groups at once", async () => {
    const count = perTier({ quick: 8, long: 445, nightly: 50_000 });
    const report = await explore(first, count, ["--workload", "mixed"]);
    expect(report.simulatedHours).toBeGreaterThanOrEqual(count / 6);
  });

  it("keeps groups in order through crashes, partitions, slow members and full histories", async () => {
    const count = perTier({ quick: 2, long: 60, nightly: 2000 });
    const delivered: number[] = [];
    for (const machines of [3, 5, 7, 10, 15]) {
      const words = ["--workload", "groups", "--hours", "0.02", "--machines", String(machines)];
      const { happened } = await explore(first + 1000 * machines, count, words);
      delivered.push(happened["delivered data"] ?? 0);
    }
    expect(Math.min(...delivered)).toBeGreaterThan(1000);
  });

  it("keeps a replicated state linearizable, whoever is cut off or crashes", async () => {
    const count = perTier({ quick: 4, long: 120, nightly: 4000 });
    const { happened } = await explore(first, count, ["--workload", "replica", "--hours", "0.02"]);
    expect(happened.operations ?? 0).toBeGreaterThan(100 * count);
    expect(happened["replica cutOff"] ?? 0).toBeGreaterThan(0);
  });

  it("keeps the promises of servers to clients that lose answers and machines", async () => {
    const count = perTier({ quick: 4, long: 120, nightly: 4000 });
    const { happened } = await explore(first, count, ["--workload", "servers", "--hours", "0.05"]);
    for (const what of [
      "segments made",
      "segments read at the end",
      "aged",
      "segments revoked",
      "server calls STD_DENIED",
    ])
      expect(happened[what] ?? 0, what).toBeGreaterThan(0);
  });

  it("keeps what a pool's daemons decided, and has them agree, whatever crashes", async () => {
    const count = perTier({ quick: 6, long: 150, nightly: 4000 });
    const { happened } = await explore(first, count, ["--workload", "pool", "--hours", "0.02"]);
    expect(happened.decisions ?? 0).toBeGreaterThan(count);
    expect(happened.blackouts ?? 0).toBeGreaterThan(0);
  });

  if (repeats) {
    it.each(kept.runs)(
      "still holds for seed $seed of $workload",
      async ({ seed, workload, machines, hours }) => {
        const run = await runSeed({
          ...{ seed, machines, module: kernelModule(), workload: workloadNamed(workload) },
          microseconds: Math.round(hours * 3600 * SECOND),
        });
        expect(run.violation).toBeNull();
      },
    );

    it.each(kept.storms)("still holds for storm %i", async (seed) => {
      const workload = callsWorkload({ storm: 250, originals: seed >= 1_000_000 ? 1 : 0 });
      const run = await runSeed({
        ...{ seed, machines: 9, module: kernelModule(), workload },
        microseconds: 30 * SECOND,
      });
      expect(run.violation).toBeNull();
    });
  }
});
