// Latency against load in an open loop: calls begin when their time has come, whatever
// became of those before, and the time of a call counts from when it should have begun.
//
// - So a stall shows in every call that it delayed ("coordinated omission" is what leaves
//   them out). A call whose turn comes while all clients are busy waits, and its wait counts.
// - First the time of a lone call and the peak (all clients, one call after the other),
//   then a fixed rate for each part of that peak, from low to high, after some that only
//   warm up.
// - The clock is looked at between all other events of the process, and nothing sleeps: by
//   setImmediate in the event loop, or where a system has a loop of its own, after its turns.
// - A point ends when its calls have ended, or after a bounded time: above what a system
//   can do the rest would take for ever.

import { performance } from "node:perf_hooks";
import { type Begin, timeClients } from "./clock.js";
import { quantile } from "./samples.js";
import type { LoadPoint, Run } from "./types.js";

export const loads: readonly number[] = [0.1, 0.25, 0.5, 0.75, 0.9];
const warmLoads: readonly number[] = [0.5, 0.9, 0.1];
const peakClients = 32;
const callsMost = 1_000_000;
/** A point may take so many times as long as it should. */
const patience = 3;
const quietDeadlineMs = 5000;

/** Has a look at the clock taken again and again until it answers false. */
export type Pace = (look: () => boolean) => void;

/** In the event loop. */
export const immediately: Pace = (look) => {
  if (look()) setImmediate(immediately, look);
};

export interface OpenLoop {
  readonly begins: readonly Begin[];
  readonly pace: Pace;
  /** Of each point. */
  readonly milliseconds: number;
}

/** Measures one rate. Rejects at the first call that fails. */
export function timeRate(
  { begins, pace, milliseconds }: OpenLoop,
  perSecond: number,
): Promise<Omit<LoadPoint, "load">> {
  const wanted = Math.max(1, Math.min(callsMost, Math.floor((perSecond * milliseconds) / 1000)));
  const gap = 1000 / perSecond;
  const times = new Float64Array(wanted);
  const dues = new Float64Array(begins.length);
  const idle = begins.map((_, client) => client);
  return new Promise((resolve, reject) => {
    const first = performance.now() + gap;
    const give = first + milliseconds * patience;
    let begun = 0;
    let answered = 0;
    let over = false;
    const finish = (now: number): void => {
      over = true;
      let known = answered;
      // Given up: what is still under way or waits counts with the time that it has taken so far.
      for (let client = 0; client < begins.length && known < wanted; client++)
        if (!idle.includes(client)) times[known++] = (now - (dues[client] as number)) * 1000;
      for (let next = begun; next < wanted && known < wanted; next++)
        times[known++] = Math.max(0, now - (first + next * gap)) * 1000;
      const done = times.slice(0, known).sort();
      resolve({
        offeredPerSecond: perSecond,
        answeredPerSecond: (answered * 1000) / (now - first),
        p50Us: quantile(done, 0.5),
        p99Us: quantile(done, 0.99),
        p999Us: quantile(done, 0.999),
      });
    };
    const start = (client: number): void => {
      const due = first + begun++ * gap;
      dues[client] = due;
      (begins[client] as Begin)((fault) => {
        if (over) return;
        if (fault !== undefined) {
          over = true;
          reject(fault);
          return;
        }
        const now = performance.now();
        times[answered++] = (now - due) * 1000;
        if (answered === wanted) {
          idle.push(client);
          finish(now);
        } else if (begun < wanted && now >= first + begun * gap) start(client);
        else idle.push(client);
      });
    };
    pace((): boolean => {
      if (over) return false;
      const now = performance.now();
      if (now > give) finish(now);
      else
        while (begun < wanted && idle.length > 0 && now >= first + begun * gap) start(idle.pop() as number);
      return !over;
    });
  });
}

/** Clients that know whether one of them has a call under way. */
function watched(begins: readonly Begin[]): { begins: Begin[]; quiet: () => Promise<void> } {
  let under = 0;
  const watching = begins.map(
    (begin): Begin =>
      (done) => {
        under++;
        begin((fault) => {
          under--;
          done(fault);
        });
      },
  );
  const quiet = async (): Promise<void> => {
    const deadline = performance.now() + quietDeadlineMs;
    while (under > 0) {
      if (performance.now() > deadline) throw new Error("calls of the last point did not end");
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  return { begins: watching, quiet };
}

/** The whole curve. `p50Us` of the run is that of a lone call, `callsPerSecond` the peak. */
export async function timeCurve({ begins: plain, pace, milliseconds }: OpenLoop): Promise<Run> {
  const { begins, quiet } = watched(plain);
  const open = { begins, pace, milliseconds };
  const span = { milliseconds: milliseconds / 2, callsMin: 200 };
  const lone = await timeClients(begins.slice(0, 1), span);
  await quiet();
  const peak = await timeClients(begins.slice(0, peakClients), span);
  await quiet();
  const perSecond = peak.run.callsPerSecond ?? 0;
  const point = async (load: number, part: number): Promise<LoadPoint> => {
    const measured = await timeRate({ ...open, milliseconds: milliseconds * part }, perSecond * load);
    await quiet();
    return { load, ...measured };
  };
  for (const load of warmLoads) await point(load, 0.5);
  const curve: LoadPoint[] = [];
  for (const load of loads) curve.push(await point(load, 1));
  const { p50Us, p99Us, p999Us = null, cpuUsPerCall } = lone.run;
  return { p50Us, p99Us, p999Us, megabytesPerSecond: null, callsPerSecond: perSecond, cpuUsPerCall, curve };
}
