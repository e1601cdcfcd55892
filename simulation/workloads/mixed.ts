// Calls and a group on the same machines at the same time: what a pool is like.
//
// - 50 calls and 10 group messages a simulated second: the mix that the simulator's speed is
//   measured with.
// - No originals among the machines: their groups take longer to recover than a run waits.

import { callsWorkload } from "./calls.js";
import { groupsWorkload } from "./groups.js";
import type { Activity, Workload } from "./workload.js";

const memoryBytes = 6 * 1024 * 1024;

/** Both at once; what one does not bear, both do without. */
export function mixedWorkload(): Workload {
  const calls = callsWorkload({ perSecond: 50, originals: 0 });
  const groups = groupsWorkload({ perSecond: 10, groups: 1 });
  return {
    name: "mixed",
    summary: "calls and a group on the same machines",
    callbacks: true,
    plan(random, machines) {
      const [one, other] = [calls.plan?.(random, machines) ?? {}, groups.plan?.(random, machines) ?? {}];
      return {
        ...one,
        ...other,
        without: [...(one.without ?? []), ...(other.without ?? [])],
        machine: (index) => {
          const [mine, theirs] = [one.machine?.(index) ?? {}, other.machine?.(index) ?? {}];
          return { ...mine, limits: { ...mine.limits, ...theirs.limits, memoryBytes } };
        },
      };
    },
    start(cluster): Activity {
      const both = [calls.start(cluster), groups.start(cluster)] as const;
      const [calling] = both;
      return {
        finish: () => both.forEach((activity) => void activity.finish()),
        idle: () => both.every((activity) => activity.idle()),
        judge: () => both.forEach((activity) => void activity.judge()),
        move: (choice) => calling.move?.(choice) ?? false,
        threads: (machine) => calling.threads?.(machine) ?? 0,
      };
    },
  };
}
