// One run of a case: gives every member its load, at the same times for all, and turns what
// they tell into the figures of the run.
//
// - Messages a second are those that the slowest member got: what is ordered but not yet
//   delivered everywhere does not count.
// - p50 and p99 are those of the first sender; of all senders the worst would only say who
//   shares a core with whom.

import { setTimeout as sleep } from "node:timers/promises";
import type { Lan } from "./lan.js";
import { sender } from "./lan.js";
import { type Figures, type Load, type Member, monotonicUs, type Session } from "./load.js";
import type { GroupCase, GroupRun } from "./types.js";

/** How long a run takes, in milliseconds. */
export interface Span {
  readonly warmUp: number;
  readonly measured: number;
}

/** From the order to its beginning: it has to reach every process. */
const leadUs = 15_000;

/** What one member does in a run of a case. Pure. */
export function loadOf(each: GroupCase, member: number, nowUs: number, span: Span): Load {
  const startUs = nowUs + leadUs;
  const fromUs = startUs + span.warmUp * 1000;
  const sends = each.senders === "all" || member === sender;
  return {
    sends,
    // With one sender, sender and sequencer look for frames; the others are woken.
    spins: each.senders === "all" || member < 2,
    bytes: each.bytes,
    outstanding: each.outstanding,
    startUs,
    fromUs,
    untilUs: fromUs + span.measured * 1000,
    recovers: each.test === "group-recovery",
  };
}

/** The figures of a run from those of the members; null when it was too short. Pure. */
export function runOfFigures(
  figures: readonly Figures[],
  each: GroupCase,
  span: Span,
  frames: number,
): GroupRun | null {
  const first = figures[sender];
  const lost = figures.reduce((sum, { lost }) => sum + lost, 0);
  if (lost > 0) throw new Error(`${lost} messages got no answer`);
  const messages = figures.reduce((sum, { total }) => sum + total, 0);
  const delivered = Math.min(...figures.map((each) => each.delivered));
  if (first === undefined || first.p50Us === null || delivered === 0) return null;
  const perSecond = delivered / (span.measured / 1000);
  return {
    p50Us: first.p50Us,
    p99Us: first.p99Us,
    megabytesPerSecond: each.bytes > 0 ? (perSecond * each.bytes) / 1e6 : null,
    callsPerSecond: perSecond,
    cpuUsPerCall: null,
    framesPerMessage: messages > 0 ? frames / messages : null,
  };
}

/** Runs a case once with the members of a session. */
export async function measureCase(
  lan: Lan,
  session: Session,
  each: GroupCase,
  span: Span,
): Promise<GroupRun> {
  const { members } = session;
  const { system, bytes } = each;
  await session.prepare(each);
  if (system === "rpc" || system === "rpc-all") {
    const run = await session.call(system, bytes, span.warmUp + span.measured);
    return { ...run, cpuUsPerCall: null, framesPerMessage: null };
  }
  const run = await once(lan, members, each, span);
  return run ?? (await once(lan, members, each, longer(span))) ?? noMessage();
}

/** A case in which a message takes longer than the run gets a second look. */
const longer = ({ warmUp, measured }: Span): Span => ({ warmUp, measured: 20 * measured });

function noMessage(): never {
  throw new Error("no message of the first member got through");
}

async function once(
  lan: Lan,
  members: readonly Member[],
  each: GroupCase,
  span: Span,
): Promise<GroupRun | null> {
  const sent = () => members.reduce((sum, { pid }) => sum + lan.sentBy(pid), 0);
  const before = sent();
  const now = monotonicUs();
  const figures = await Promise.all(
    members.map((member, index) => member.run(loadOf(each, index, now, span))),
  );
  return runOfFigures(figures, each, span, sent() - before);
}

/** Waits until a time of CLOCK_MONOTONIC. */
export async function until(us: number): Promise<void> {
  await sleep(Math.max(0, (us - monotonicUs()) / 1000));
}
