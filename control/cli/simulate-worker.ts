// A process that runs seeds for `proteus simulate --jobs`. Over the channel of `fork`:
//
//   {job}        -> {ready}          once
//   {seed}       -> {outcome, cpu}   with the CPU seconds that it took
//   what throws  -> {failed}
//
// It ends when the channel is closed.

import type { RunResult } from "../../simulation/run.js";
import { type Job, SeedRunner } from "./simulate-job.js";

export type WorkerOrder = { readonly job: Job } | { readonly seed: number };
export type WorkerAnswer =
  | { readonly ready: true }
  | { readonly outcome: RunResult; readonly cpu: number }
  | { readonly failed: string };

const answer = (given: WorkerAnswer): boolean | undefined => process.send?.(given);
let runner: SeedRunner | null = null;

async function obey(order: WorkerOrder): Promise<void> {
  if ("job" in order) {
    runner = await SeedRunner.open(order.job);
    answer({ ready: true });
    return;
  }
  if (runner === null) throw new Error("a seed came before its job");
  const before = process.cpuUsage();
  const outcome = await runner.run(order.seed);
  const { user, system } = process.cpuUsage(before);
  answer({ outcome, cpu: (user + system) / 1e6 });
}

process.on("disconnect", () => process.exit(0));
process.on("message", (order: WorkerOrder) => {
  obey(order).catch((error: unknown) => {
    answer({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  });
});
