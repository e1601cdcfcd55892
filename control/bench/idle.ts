// What a process costs while it serves and nobody calls: CPU time, wakes, memory.
//
// - A wake is a voluntary switch of one of its threads: each time it sleeps it had been woken.
// - The measurement itself is one timer.

import { readdirSync, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout } from "node:timers/promises";
import type { Run } from "./types.js";

function wakes(): number {
  return readdirSync("/proc/self/task").reduce((sum, task) => {
    const text = readFileSync(`/proc/self/task/${task}/status`, "utf8");
    return sum + Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(text)?.[1] ?? Number.NaN);
  }, 0);
}

/** Measures this process. */
export async function measureIdle(milliseconds: number): Promise<Run> {
  await setTimeout(milliseconds / 4); // what the start and the order set off is over
  const cpu = process.cpuUsage();
  const before = wakes();
  const begun = performance.now();
  await setTimeout(milliseconds);
  const elapsedMs = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpu);
  return {
    ...{ p50Us: null, p99Us: null, megabytesPerSecond: null, callsPerSecond: null, cpuUsPerCall: null },
    idleCpu: (user + system) / 1000 / elapsedMs,
    wakesPerSecond: ((wakes() - before) * 1000) / elapsedMs,
    residentMegabytes: process.memoryUsage.rss() / 1e6,
  };
}
