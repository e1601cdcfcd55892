// What kernels have counted, added to what happened in a run: how hard it was on them. No
// checker reads this.

import type { Machine } from "../engine/machine.js";
import type { Cluster } from "./workload.js";

const counted = {
  forgotten: "kernelsForgotten",
  repeated: "fragmentsRepeated",
  impliedAcks: "acksImplicit",
  malformed: "malformed",
  duplicates: "duplicates",
  refusals: "naksOut",
  failures: "failsOut",
  creditWaits: "creditWaits",
  groupRetransmissions: "groupRepeated",
  groupHistoryFull: "groupHistoryFull",
  groupResets: "groupResets",
} as const;

/** Adds the counters of a machine's kernel, before it crashes or at the end. */
export function remember(cluster: Pick<Cluster, "happened">, machine: Machine): void {
  const counters = machine.kernel?.counters();
  if (counters === undefined) return;
  for (const [name, counter] of Object.entries(counted)) {
    if (counters[counter] > 0) cluster.happened(name, counters[counter]);
  }
}
