// What was begun to be done to a storage: its answer when that comes soon, and what became of it later.
//
// - An operation that takes longer than a call should goes on; whoever began it asks for it by number.
// - A few are remembered; they end with the machine that serves the storage.
// - What the storage says no to is the job's result, in words: a status alone would not say which member.
//   What passes is thrown instead: whoever asked asks the next server.

import { STD_NOTNOW } from "../../../core-wasm/status.js";
import type { After } from "../../group/timer.js";
import type { StorageJob } from "../../interface/storage.js";
import { DiskError } from "../../server/disk/errors.js";
import { isPassing } from "../../server/disk/statuses.js";
import { refuse } from "../../stub/refused.js";

export type Result = Readonly<Record<string, unknown>>;
export type Progress = (result: Result) => void;

const remembered = 8;
const runningMax = 4;
const soonMs = 2000;

interface Job {
  readonly number: number;
  readonly operation: string;
  state: StorageJob["state"];
  result: Result;
}

export class Jobs {
  readonly #after: After;
  #jobs: Job[] = [];
  #next = 1;

  constructor(after: After) {
    this.#after = after;
  }

  all(): StorageJob[] {
    return this.#jobs.map((job) => ({ ...job, result: { ...job.result } }));
  }

  /** Begins one; answers when it has ended, or goes on for longer. Rejects with what passes, and with bugs. */
  async begin(operation: string, work: (progress: Progress) => Promise<Result>): Promise<StorageJob> {
    const running = this.#jobs.filter(({ state }) => state === "running");
    if (running.length >= runningMax || running.some((each) => each.operation === operation))
      refuse(STD_NOTNOW);
    const job: Job = { number: this.#next++, operation, state: "running", result: {} };
    this.#jobs = [...this.#jobs.slice(1 - remembered), job];
    const ended = work((result) => {
      if (job.state === "running") job.result = result;
    }).then(
      (result) => {
        job.state = "done";
        job.result = result;
      },
      (error: unknown) => {
        job.state = "failed";
        job.result =
          error instanceof DiskError
            ? { code: error.code, why: error.message }
            : { why: error instanceof Error ? error.message : String(error) };
        throw error;
      },
    );
    const late = new Promise<void>((resolve) => {
      this.#after(soonMs, resolve);
    });
    const told = ended.catch((error: unknown) => {
      if (!(error instanceof DiskError) || isPassing(error)) throw error;
    });
    told.catch(() => undefined); // told by `all` when nobody waits any more
    await Promise.race([told, late]);
    return { ...job, result: { ...job.result } };
  }
}
