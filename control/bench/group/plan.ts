// Which cases a benchmark of groups consists of, and in which order they run. Pure.
//
// - By number of members first: their machines are made once. Then by system: its
//   processes are started once a round. Then by resilience: it is a group's own.
// - A group of two survives one crash at most: a resilience degree from the number of
//   members on is left out.
// - Calls have one sender. What streams as much as it can (streamOutstanding) does so with
//   messages of 64 bytes, from all members, at resilience 0: the goal speaks of those.
// - Corosync's standard transport is measured only with 64 bytes among three members: its
//   multicast is quicker where not all stream.

import {
  flowOutstanding,
  type GroupCase,
  type GroupSystem,
  type GroupTest,
  groupSystems,
  type Senders,
  streamOutstanding,
} from "./types.js";

export interface GroupWanted {
  readonly tests: readonly GroupTest[];
  readonly members: readonly number[];
  readonly sizes: readonly number[];
  readonly resilience: readonly number[];
  readonly senders: readonly Senders[];
  readonly systems: readonly GroupSystem[];
}

/** The message of the goals. */
export const goalBytes = 64;
export const goalMembers = 3;

/** Sorted, each once. */
const numbers = (values: readonly number[]): number[] => [...new Set(values)].sort((a, b) => a - b);

interface Step {
  readonly test: GroupTest;
  readonly outstanding: number;
}

const steps: readonly Step[] = [
  { test: "group-send", outstanding: 1 },
  { test: "group-flow", outstanding: flowOutstanding },
  { test: "group-flow", outstanding: streamOutstanding },
];

const isCall = (system: GroupSystem): boolean => system.startsWith("rpc");

/** Does a system take part in this? */
function takesPart({ test, system, members, bytes, resilience, senders, outstanding }: GroupCase): boolean {
  if (isCall(system)) return test === "group-send" && senders === "one";
  if (system === "corosync-knet" && (bytes !== goalBytes || members !== goalMembers)) return false;
  if (outstanding !== streamOutstanding) return true;
  return bytes === goalBytes && senders === "all" && (resilience ?? 0) === 0;
}

function degreesOf(system: GroupSystem, members: number, wanted: GroupWanted): (number | null)[] {
  return system === "group" ? numbers(wanted.resilience).filter((degree) => degree < members) : [null];
}

/** The cases of one round, in order; recovery is not among them. */
export function planGroupCases(wanted: GroupWanted): GroupCase[] {
  return numbers(wanted.members).flatMap((members) =>
    groupSystems
      .filter((system) => wanted.systems.includes(system))
      .flatMap((system) =>
        degreesOf(system, members, wanted).flatMap((resilience) =>
          numbers(wanted.sizes).flatMap((bytes) =>
            wanted.senders.flatMap((senders) =>
              steps
                .filter(({ test }) => wanted.tests.includes(test))
                .map((step): GroupCase => ({ ...step, system, members, bytes, resilience, senders }))
                .filter(takesPart),
            ),
          ),
        ),
      ),
  );
}

/** One recovery a system that has one, in a group of three where three are wanted. */
export function planRecovery(wanted: GroupWanted): GroupCase[] {
  if (!wanted.tests.includes("group-recovery")) return [];
  const fit = numbers(wanted.members).filter((members) => members > 1);
  const members = fit.includes(goalMembers) ? goalMembers : fit[0];
  if (members === undefined) return [];
  const common = {
    test: "group-recovery",
    members,
    bytes: goalBytes,
    senders: "all",
    outstanding: 1,
  } as const;
  return (["group", "corosync"] as const)
    .filter((system) => wanted.systems.includes(system))
    .map((system) => ({ ...common, system, resilience: system === "group" ? 0 : null }));
}

/** Cases that share what `keyOf` says, in their order. */
export function batches(
  cases: readonly GroupCase[],
  keyOf: (each: GroupCase) => string,
): readonly (readonly GroupCase[])[] {
  const found = new Map<string, GroupCase[]>();
  for (const each of cases) {
    const key = keyOf(each);
    const batch = found.get(key) ?? [];
    found.set(key, batch);
    batch.push(each);
  }
  return [...found.values()];
}
