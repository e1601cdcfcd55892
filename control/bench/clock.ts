// Times calls that follow each other: first to warm up, then to measure.
//
// - By callback: the end of one call begins the next. Nothing is allocated between two
//   calls, and the clock is read once a call.
// - Warm-up and measurement each last a given time and a given number of calls at least;
//   the compilers of JavaScript and WebAssembly have done their work by then.

import { performance } from "node:perf_hooks";
import { runOf } from "./samples.js";
import type { Run } from "./types.js";

export interface Span {
  readonly milliseconds: number;
  readonly callsMin: number;
  /** Bytes of data that a call carries. */
  readonly bytes?: number;
}

/** Samples kept of one measurement. */
const callsMax = 1_000_000;
const warmupPart = 0.5;

/** Starts a call; `done` gets undefined, or what was wrong. Never calls back at once. */
export type Begin = (done: (fault?: unknown) => void) => void;

/** Measures one call after the other. Rejects at the first that fails. */
export function timeCalls(begin: Begin, { milliseconds, callsMin, bytes = 0 }: Span): Promise<Run> {
  const times = new Float64Array(callsMax);
  return new Promise((resolve, reject) => {
    const warmUntil = performance.now() + milliseconds * warmupPart;
    let measuring = false;
    let calls = 0;
    let last = 0;
    let first = 0;
    let until = Number.POSITIVE_INFINITY;
    let cpu = process.cpuUsage();
    const warm = (now: number) => {
      if (++calls < callsMin / 2 || now < warmUntil) return;
      measuring = true;
      calls = 0;
      until = now + milliseconds;
      cpu = process.cpuUsage();
      first = performance.now();
      last = first;
    };
    const done = (fault?: unknown): void => {
      if (fault !== undefined) {
        reject(fault);
        return;
      }
      const now = performance.now();
      if (measuring) {
        times[calls++] = (now - last) * 1000;
        last = now;
        if ((now >= until && calls >= callsMin) || calls === callsMax) {
          const { user, system } = process.cpuUsage(cpu);
          const elapsedUs = (now - first) * 1000;
          resolve(runOf(times.slice(0, calls), { elapsedUs, cpuUs: user + system, bytes }));
          return;
        }
      } else warm(now);
      begin(done);
    };
    begin(done);
  });
}
