// Measures any system that can say how a call of its begins.
//
// - Connects, measures as the job asks, and closes, also after a failure.
// - How calls are timed: clock.ts, and open-loop.ts for latency against load.

import { timeClients } from "../clock.js";
import { immediately, timeCurve } from "../open-loop.js";
import type { Run } from "../types.js";
import type { Facts, Job, System } from "./system.js";

/** One run of a job, and how many calls it took with those of the warm-up. */
export async function measure(
  system: System,
  job: Job,
  facts: Facts,
): Promise<{ readonly run: Run; readonly calls?: number }> {
  if (system.measure !== undefined) return { run: await system.measure(job) };
  if (system.connect === undefined) throw new Error(`${job.system} has no client`);
  const client = await system.connect(job, facts);
  const { milliseconds, callsMin } = job;
  try {
    if (job.test === "open-loop") {
      const { begins, pace = immediately } = client;
      return { run: await timeCurve({ begins, pace, milliseconds }) };
    }
    const { request, reply, from } = job;
    const span = { milliseconds, callsMin, bytes: request + reply };
    return await timeClients(client.begins, from === undefined ? span : { ...span, from });
  } finally {
    await client.close();
  }
}

/** A `begin` for systems that hold the callback of the one call under way. */
export class Slot {
  done: (fault?: unknown) => void = () => undefined;

  /** Ends the call. */
  end(fault?: unknown): void {
    const { done } = this;
    done(fault);
  }
}
