// How long a group is without service when the sequencer's machine loses its power.
//
// - All members send, one message at a time. In the middle the machine's links are cut and
//   its processes killed; nobody is told. The survivors notice, reset and go on by
//   themselves, with the standard timers.
// - The gap is the longest time between two messages of one survivor that got through, of
//   all survivors the longest. A group that does not work again in time is a failure.

import { type Lan, machineOf, sequencer } from "./lan.js";
import { type Figures, monotonicUs, type Session } from "./load.js";
import { loadOf, type Span, until } from "./measure.js";
import type { GroupCase, GroupRun } from "./types.js";

/** Service before the crash, and how long the group has to come back. */
export interface RecoverySpan {
  readonly before: number;
  readonly after: number;
}

/** The gap of a run, of the survivors' figures. Pure. */
export function gapOf(figures: readonly Figures[]): GroupRun {
  const back = figures.every(({ gapUs, sinceUs, ended }) => ended > 0 && sinceUs < Math.max(gapUs, 1));
  if (!back) throw new Error("the group did not work again in time");
  const gapUs = Math.max(...figures.map((each) => each.gapUs));
  return {
    ...{ p50Us: gapUs, p99Us: gapUs, megabytesPerSecond: null },
    ...{ callsPerSecond: null, cpuUsPerCall: null, framesPerMessage: null },
  };
}

/** Kills the sequencer's machine under load. The session is of no use afterwards. */
export async function measureGap(
  lan: Lan,
  session: Session,
  each: GroupCase,
  { before, after }: RecoverySpan,
): Promise<GroupRun> {
  const span: Span = { warmUp: 0, measured: before + after };
  const { members } = session;
  await session.prepare(each);
  const now = monotonicUs();
  const loads = members.map((_, index) => loadOf(each, index, now, span));
  const runs = members.map((member, index) => {
    const load = loads[index];
    return load === undefined ? Promise.reject(new Error("no load")) : member.run(load);
  });
  for (const run of runs) run.catch(() => undefined); // the victim's fails, and is not awaited
  await until((loads[0]?.fromUs ?? now) + before * 1000);
  await lan.machines.power(machineOf(sequencer), false);
  session.killMachine(sequencer);
  try {
    return gapOf(await Promise.all(runs.filter((_, index) => index !== sequencer)));
  } finally {
    await lan.machines.power(machineOf(sequencer), true);
  }
}
