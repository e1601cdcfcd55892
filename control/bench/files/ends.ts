// The processes of a case, seen from the parent: one for each machine that serves, and one that
// calls.

import { fileURLToPath } from "node:url";
import { type Lan, lanInterface, machineOf } from "../group/lan.js";
import type { Run } from "../types.js";
import { pinned, Worker } from "../worker.js";
import type { Facts, FileJob, Order } from "./system.js";

const program = fileURLToPath(new URL("./end-main.js", import.meta.url));
const startMs = 60_000;

export type Answer = { readonly ready: Facts } | { readonly run: Run } | { readonly stopped: true };
export type End = Worker<Order, Answer>;

/** Starts the process of a machine of the LAN: 0 calls, the others serve. */
export function startEnd(lan: Lan, machine: number): End {
  const enter = lan.machines.enter(machineOf(machine));
  return new Worker(`m${machine + 1}`, pinned(enter, lan.core(machine), [process.execPath, program]));
}

/** Has the members of a case serve; what clients need to know. */
export async function serveAll(ends: readonly End[], jobs: readonly FileJob[]): Promise<Facts> {
  const answers = await Promise.all(
    ends.map((end, index) => end.order({ serve: jobs[index] as FileJob }, startMs)),
  );
  return Object.assign({}, ...answers.map((answer) => ("ready" in answer ? answer.ready : {}))) as Facts;
}

/** Measures. */
export async function runCase(caller: End, job: FileJob, facts: Facts): Promise<Run> {
  const answer = await caller.order({ run: job, facts }, startMs + 10 * job.milliseconds);
  if (!("run" in answer)) throw new Error("the client gave no figures");
  return answer.run;
}

export { lanInterface };
