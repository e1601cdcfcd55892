// How much a run does (PROTEUS_TIER), the seeds it takes, and what a failing one says.
//
// - Seeds are counted from 1 in every suite: two runs of one tier do the same.
//   PROTEUS_FUZZ_FIRST moves the start; nightly runs may give it the date.
// - PROTEUS_FUZZ_SEED=suite:N runs that one case and nothing else.
// - seeds.json holds seeds that found bugs; they run first, in every tier. A seed is good
//   for as long as the generator draws the same: the fix's own test is what lasts.
// - A case that never comes back cannot be interrupted from its own thread: a watching
//   thread prints its seed and ends the process.

import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";

export const tier = process.env.PROTEUS_TIER ?? "quick";

/** What this tier takes. */
export function perTier(quick: number, long: number, nightly: number): number {
  return tier === "nightly" ? nightly : tier === "long" ? long : quick;
}

export type Suite = "frames" | "conversations" | "tables" | "groups";

interface Found {
  readonly suite: Suite;
  readonly seed: number;
  readonly found: string;
}

const found = JSON.parse(readFileSync(new URL("seeds.json", import.meta.url), "utf8")) as readonly Found[];
const hangSeconds = 60;

const watching = `
  const { workerData } = require("node:worker_threads");
  const { writeSync } = require("node:fs");
  const { shared, suites, seconds } = workerData;
  const cells = new Int32Array(shared);
  let last = -1;
  for (;;) {
    if (Atomics.wait(cells, 3, 0, seconds * 1000) !== "timed-out") break;
    const count = Atomics.load(cells, 0);
    if (count === last && cells[1] >= 0) {
      writeSync(2, "fuzz: a case hangs: PROTEUS_FUZZ_SEED=" + suites[cells[1]] + ":" + cells[2] + "\\n");
      process.kill(process.pid, "SIGKILL");
    }
    last = count;
  }
`;

const suites: readonly Suite[] = ["frames", "conversations", "tables", "groups"];

/** Tells when a case does not end. */
export class Watchdog {
  readonly #cells = new Int32Array(new SharedArrayBuffer(16));
  readonly #worker: Worker;

  constructor() {
    this.#cells[1] = -1;
    const shared = this.#cells.buffer;
    this.#worker = new Worker(watching, { eval: true, workerData: { shared, suites, seconds: hangSeconds } });
    this.#worker.unref();
  }

  begin(suite: Suite, seed: number): void {
    this.#cells[1] = suites.indexOf(suite);
    this.#cells[2] = seed;
    Atomics.add(this.#cells, 0, 1);
  }

  end(): void {
    this.#cells[1] = -1;
  }

  async close(): Promise<void> {
    Atomics.store(this.#cells, 3, 1);
    Atomics.notify(this.#cells, 3);
    await this.#worker.terminate();
  }
}

/** Runs the cases of a suite until `enough` says so; a failure names its seed and how to repeat it. */
export function runSeeds(
  suite: Suite,
  watchdog: Watchdog,
  enough: (cases: number) => boolean,
  run: (seed: number) => void,
): number {
  const once = (seed: number): void => {
    watchdog.begin(suite, seed);
    try {
      run(seed);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const repeat = `PROTEUS_FUZZ_SEED=${suite}:${seed} npx vitest run --project fuzz`;
      throw new Error(`${suite} seed ${seed}: ${why}\nrepeat it with: ${repeat}`, { cause });
    } finally {
      watchdog.end();
    }
  };
  const only = process.env.PROTEUS_FUZZ_SEED?.split(":");
  if (only !== undefined) {
    if (only[0] === suite) once(Number(only[1]));
    return 1;
  }
  for (const entry of found) if (entry.suite === suite) once(entry.seed);
  const first = Number(process.env.PROTEUS_FUZZ_FIRST ?? 1);
  let cases = 0;
  while (!enough(cases)) once(first + cases++);
  return cases;
}

/** For a test that plays many seeds in one go, milliseconds. */
export const manySeedsMs = perTier(30_000, 240_000, 3_600_000);
