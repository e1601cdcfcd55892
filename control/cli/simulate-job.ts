// What a job of `proteus simulate` is, and how one process does it: the workload is found by
// name or path, the kernel compiled once, seeds run one after the other.
//
// - A module of one's own is a path (it begins with ./ ../ or /); its default export is a
//   workload, or a function that makes one for each seed.

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { FaultRates, Schedule } from "../../simulation/faults/kinds.js";
import type { Recorder } from "../../simulation/record/recorder.js";
import { type RunResult, runSeed } from "../../simulation/run.js";
import { workloadNamed } from "../../simulation/workloads/registry.js";
import type { Workload } from "../../simulation/workloads/workload.js";
import { exitCodes, ProteusError, usageError } from "../kernel/errors.js";
import { kernelBytes } from "./package-files.js";

/** What every seed of a command has in common; can be sent to another process. */
export interface Job {
  readonly workload: string;
  readonly machines: number;
  readonly microseconds: number;
  readonly rates?: FaultRates;
  readonly schedule?: Schedule;
}

const isPath = (name: string): boolean => /^(\.{0,2}\/)/.test(name);

/** Answers what makes the workload of each seed. Throws a usage error. */
export async function workloadMaker(name: string): Promise<() => Workload> {
  if (!isPath(name)) {
    workloadNamed(name);
    return () => workloadNamed(name);
  }
  let loaded: { readonly default?: unknown };
  try {
    loaded = (await import(pathToFileURL(resolve(name)).href)) as typeof loaded;
  } catch (cause) {
    throw new ProteusError({
      code: "WORKLOAD_UNLOADABLE",
      exit: exitCodes.usage,
      message: `${name} cannot be loaded`,
      why: cause instanceof Error ? cause.message : String(cause),
      hint: "a workload is a JavaScript module whose default export is a workload; simulation/README.md",
      cause,
    });
  }
  const exported = loaded.default;
  return () => checked(typeof exported === "function" ? exported() : exported, name);
}

function checked(made: unknown, name: string): Workload {
  const given = made as Partial<Workload> | null | undefined;
  if (typeof given?.start !== "function" || typeof given.name !== "string") {
    throw usageError(
      `${name} exports no workload`,
      "its default export has a name and a function start(cluster); simulation/README.md shows one",
      "WORKLOAD_INVALID",
    );
  }
  return given as Workload;
}

/** One process that runs seeds. */
export class SeedRunner {
  readonly #job: Job;
  readonly #make: () => Workload;
  readonly #module: WebAssembly.Module;

  private constructor(job: Job, make: () => Workload) {
    this.#job = job;
    this.#make = make;
    this.#module = new WebAssembly.Module(kernelBytes());
  }

  /** Throws a usage error when there is no such workload, and KERNEL_MISSING. */
  static async open(job: Job): Promise<SeedRunner> {
    return new SeedRunner(job, await workloadMaker(job.workload));
  }

  run(
    seed: number,
    more: {
      readonly recorder?: Recorder | undefined;
      readonly schedule?: Schedule;
      readonly breathe?: (virtualSeconds: number) => Promise<void>;
    } = {},
  ): Promise<RunResult> {
    const { machines, microseconds, rates, schedule } = this.#job;
    return runSeed({
      seed,
      module: this.#module,
      workload: this.#make(),
      machines,
      microseconds,
      ...(rates !== undefined && { rates }),
      ...(schedule !== undefined && { schedule }),
      ...(more.schedule !== undefined && { schedule: more.schedule }),
      ...(more.recorder !== undefined && { recorder: more.recorder }),
      ...(more.breathe !== undefined && { breathe: more.breathe }),
    });
  }
}
