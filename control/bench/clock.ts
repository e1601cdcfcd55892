// Times calls: first to warm up, then to measure. One client after the other, or several
// clients at once, each with one call under way.
//
// - By callback: the end of one call begins the next of the same client. Nothing is
//   allocated between two calls, and the clock is read once a call.
// - Warm-up and measurement each last a given time and a given number of calls at least;
//   the compilers of JavaScript and WebAssembly have done their work by then. So the warm-up
//   of a quick look is not shorter than that of any other.
// - Several processes measure in the same span of time when they are told its beginning.

import { performance } from "node:perf_hooks";
import { runOf } from "./samples.js";
import type { Run } from "./types.js";

export interface Span {
  readonly milliseconds: number;
  readonly callsMin: number;
  /** Bytes of data that a call carries. */
  readonly bytes?: number;
  /** Least length of the warm-up; default 150, or 1,500 for several clients. */
  readonly warmupMs?: number;
  /** When the measurement begins, in milliseconds since 1970; left out: after the warm-up. */
  readonly from?: number;
}

/** A run, and how many calls there were with those of the warm-up. */
export interface Timed {
  readonly run: Run;
  readonly calls: number;
}

/** Samples kept of one measurement. */
const callsMax = 1_000_000;
/** The warm-up as a part of the measurement. */
export const warmupPart = 0.5;
const warmupLeastMs = 150;
/** Of several clients: the compilers see more ways through the code, and are done later. */
const warmupManyMs = 1500;

/** Starts a call; `done` gets undefined, or what was wrong. Never calls back at once. */
export type Begin = (done: (fault?: unknown) => void) => void;

/** Measures one call after the other. Rejects at the first that fails. */
export async function timeCalls(begin: Begin, span: Span): Promise<Run> {
  return (await timeClients([begin], span)).run;
}

/** Measures the calls of several clients. Rejects at the first that fails. */
export function timeClients(
  begins: readonly Begin[],
  { milliseconds, callsMin, bytes = 0, warmupMs = 0, from }: Span,
): Promise<Timed> {
  const times = new Float64Array(callsMax);
  const least = Math.max(warmupMs, begins.length > 1 ? warmupManyMs : warmupLeastMs);
  return new Promise((resolve, reject) => {
    const common = from === undefined ? null : from - performance.timeOrigin;
    const warmUntil = common ?? performance.now() + Math.max(milliseconds * warmupPart, least);
    const lasts = new Float64Array(begins.length);
    let measuring = false;
    let ended = false;
    let calls = 0;
    let warmCalls = 0;
    let first = 0;
    let until = Number.POSITIVE_INFINITY;
    let cpu = process.cpuUsage();
    const warm = (now: number) => {
      if (++warmCalls < callsMin / 2 || now < warmUntil) return;
      measuring = true;
      until = (common ?? now) + milliseconds;
      cpu = process.cpuUsage();
      first = performance.now();
      lasts.fill(first);
    };
    const finish = (now: number) => {
      ended = true;
      const { user, system } = process.cpuUsage(cpu);
      const elapsedUs = (now - first) * 1000;
      const run = runOf(times.slice(0, calls), { elapsedUs, cpuUs: user + system, bytes });
      resolve({ run, calls: calls + warmCalls });
    };
    begins.forEach((begin, client) => {
      const done = (fault?: unknown): void => {
        if (ended) return;
        if (fault !== undefined) {
          ended = true;
          reject(fault);
          return;
        }
        const now = performance.now();
        if (measuring) {
          times[calls++] = (now - (lasts[client] as number)) * 1000;
          lasts[client] = now;
          if ((now >= until && calls >= callsMin) || calls === callsMax) {
            finish(now);
            return;
          }
        } else warm(now);
        begin(done);
      };
      begin(done);
    });
  });
}
