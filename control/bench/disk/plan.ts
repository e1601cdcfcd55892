// Which cases there are: each test at the depths that its goals and their neighbours need, for one
// to three members where a system has members. Pure.

import type { DiskCase, DiskSystem, DiskTest } from "./types.js";

export interface DiskWanted {
  readonly tests: readonly DiskTest[];
  readonly systems: readonly DiskSystem[];
  readonly members: readonly number[];
}

const depths: Readonly<Record<DiskTest, readonly number[]>> = {
  ...{ "write-durable": [1, 32], write: [1, 32], read: [1, 32] },
  ...{ "write-large": [4], "read-large": [4] },
};

/** Numbers of members that a system can have among those that are wanted. */
function membersOf(system: DiskSystem, wanted: readonly number[]): readonly number[] {
  if (system === "mirror") return wanted;
  return system === "quorum" ? [2] : [1];
}

/** The cases of one round, in order: systems next to each other, so that they meet the same moment. */
export function planDiskCases({ tests, systems, members }: DiskWanted): DiskCase[] {
  return tests.flatMap((test) =>
    depths[test].flatMap((depth) =>
      systems.flatMap((system) =>
        membersOf(system, members).map((count): DiskCase => ({ test, system, members: count, depth })),
      ),
    ),
  );
}
