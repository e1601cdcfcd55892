// The ratios by which groups are judged, their goals, and what to say beside them. Pure.
//
// - Taken within one run of the benchmark, as ../ratios.ts; left out when a side was not
//   measured. Corosync's side is the best that it did: of its transports, and of as many
//   messages under way as ours had or more.

import type { Ratio } from "../types.js";
import { goalBytes, goalMembers } from "./plan.js";
import { flowOutstanding, type GroupResult, streamOutstanding } from "./types.js";

const sendGoal = 1.6;
const flowGoal = 30_000;
const gapGoalMs = 1000;

function ratio(name: string, value: number, better: Ratio["better"], goal: number): Ratio {
  return { name, value, better, goal, met: better === "lower" ? value <= goal : value >= goal };
}

interface Sought
  extends Partial<
    Pick<GroupResult, "test" | "system" | "bytes" | "resilience" | "senders" | "outstanding">
  > {}

/** Those of a group of three that were measured and fit. */
function found(results: readonly GroupResult[], sought: Sought): GroupResult[] {
  return results.filter(
    (each) =>
      each.members === goalMembers &&
      each.p50Us !== null &&
      Object.entries(sought).every(([name, value]) => each[name as keyof Sought] === value),
  );
}

const best = (results: readonly GroupResult[]): number =>
  Math.max(0, ...results.map(({ callsPerSecond }) => callsPerSecond ?? 0));

/** The ratios of which both sides were measured. */
export function groupRatiosOf(results: readonly GroupResult[]): Ratio[] {
  const ratios: Ratio[] = [];
  const send = { test: "group-send", bytes: 0, senders: "one" } as const;
  const ours = found(results, { ...send, system: "group", resilience: 0 })[0]?.p50Us;
  const call = found(results, { ...send, system: "rpc" })[0]?.p50Us;
  if (ours && call)
    ratios.push(ratio("send to three members p50 / null RPC p50, X", ours / call, "lower", sendGoal));
  const flow = { test: "group-flow", bytes: goalBytes, senders: "all" } as const;
  const flows = found(results, { ...flow, system: "group", resilience: 0 });
  if (flows.length > 0)
    ratios.push(ratio("ordered 64-byte messages a second, three members", best(flows), "higher", flowGoal));
  for (const outstanding of [flowOutstanding, streamOutstanding]) {
    const words = outstanding === flowOutstanding ? `${outstanding} under way each` : "as many as it takes";
    const mine = best(found(results, { ...flow, system: "group", resilience: 0, outstanding }));
    const theirs = best([
      ...found(results, { ...flow, system: "corosync", outstanding }),
      ...found(results, { ...flow, system: "corosync-knet", outstanding }),
    ]);
    if (mine > 0 && theirs > 0)
      ratios.push(ratio(`messages a second / Corosync's best, ${words}`, mine / theirs, "higher", 1));
  }
  const gap = found(results, { test: "group-recovery", system: "group" })[0]?.p99Us;
  if (gap) ratios.push(ratio("gap after the sequencer's death, p99 in ms", gap / 1000, "lower", gapGoalMs));
  return ratios;
}

const loadMax = 0.5;

/** What has to be said so that nobody reads too much into the figures. */
export function groupRemarksOf(results: readonly GroupResult[], load: number, cores: number): string[] {
  const remarks: string[] = [];
  const measured = (system: GroupResult["system"]) =>
    results.some((each) => each.system === system && each.p50Us !== null);
  if (load > loadMax)
    remarks.push(
      `Other work was running (load ${load.toFixed(1)}): figures and spread suffer, ratios less so.`,
    );
  const most = Math.max(0, ...results.map(({ members }) => members));
  if (most > cores)
    remarks.push(
      `${most} members share ${cores} cores here: from ${cores + 1} members on every member costs the others ` +
        "time that it would not cost on a machine of its own.",
    );
  if (results.some(({ system, members, senders }) => system === "group" && members > 2 && senders === "one"))
    remarks.push(
      "Where one member sends, sender and sequencer spin; the others only listen, and then take what has " +
        "gathered about once a millisecond. A call has no such listeners.",
    );
  if (measured("corosync"))
    remarks.push(
      "Corosync's closed process groups form and re-form by themselves (extended virtual synchrony); ours are " +
        "reset by their users. Its agreed delivery is what ours is at resilience 0: the order is everyone's, but a " +
        "crash may take a message along that only the dead had. Its daemon sleeps between two messages and " +
        "cannot spin: one message at a time, that is most of the difference. It packs small messages into one frame.",
    );
  if (results.some(({ test, p50Us }) => test === "group-recovery" && p50Us !== null))
    remarks.push(
      "Recovery is with standard timers: Corosync waits 3 s and more for its token by choice, and can be told less.",
    );
  return remarks;
}
