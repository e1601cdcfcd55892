// Runs the seeds of `proteus simulate`: in this process, or by several at a time.
//
// - Seeds are handed out one by one, so that a slow one holds nobody up; the order in which
//   they end does not matter to anyone.
// - `stop` ends the handing out: what runs is killed, what has ended counts.

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { RunResult } from "../../simulation/run.js";
import type { Job, SeedRunner } from "./simulate-job.js";
import type { WorkerAnswer, WorkerOrder } from "./simulate-worker.js";

/** Hears of every seed that has ended, with the CPU seconds that it took. */
export type SeedEnded = (outcome: RunResult, cpuSeconds: number) => void;

export interface Seeds {
  readonly first: number;
  readonly count: number;
}

/** Runs all seeds in this process; `breathe` is awaited about every simulated second. */
export async function runHere(
  runner: SeedRunner,
  seeds: Seeds,
  ended: SeedEnded,
  breathe: (virtualSeconds: number) => Promise<void>,
  stopped: () => boolean,
): Promise<void> {
  for (let seed = seeds.first; seed < seeds.first + seeds.count && !stopped(); seed++) {
    const before = process.cpuUsage();
    const outcome = await runner.run(seed, { breathe });
    const { user, system } = process.cpuUsage(before);
    ended(outcome, (user + system) / 1e6);
  }
}

const program = fileURLToPath(new URL("./simulate-worker.js", import.meta.url));

/** One process that takes seeds until there are no more. */
function work(
  job: Job,
  next: () => number | undefined,
  ended: SeedEnded,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = fork(program, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    const kill = (): void => void child.kill("SIGKILL");
    let done = false;
    const give = (): void => {
      const seed = next();
      if (seed === undefined) {
        done = true;
        child.disconnect();
      } else order({ seed });
    };
    const order = (given: WorkerOrder): void => {
      child.send(given, (error) => {
        if (error !== null && !signal.aborted) reject(error);
      });
    };
    signal.addEventListener("abort", kill, { once: true });
    child.on("error", reject);
    child.on("exit", (code, how) => {
      signal.removeEventListener("abort", kill);
      if (done || signal.aborted) resolve();
      else reject(new Error(`a process that ran seeds ended (${how ?? code})`));
    });
    child.on("message", (answer: WorkerAnswer) => {
      if ("failed" in answer) {
        kill();
        reject(new Error(answer.failed));
        return;
      }
      if ("outcome" in answer) ended(answer.outcome, answer.cpu);
      give();
    });
    order({ job });
  });
}

/** Runs all seeds with so many processes. */
export async function runApart(
  job: Job,
  seeds: Seeds,
  jobs: number,
  ended: SeedEnded,
  signal: AbortSignal,
): Promise<void> {
  let given = 0;
  const next = (): number | undefined =>
    given < seeds.count && !signal.aborted ? seeds.first + given++ : undefined;
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const workers = Array.from({ length: Math.min(jobs, seeds.count) }, () => work(job, next, ended, either));
  try {
    await Promise.all(workers);
  } catch (error) {
    failed.abort();
    await Promise.allSettled(workers);
    throw error;
  }
}
