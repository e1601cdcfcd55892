// The built-in workloads by name. Each run gets a fresh one: a workload keeps what it drew for
// its seed.

import { usageError } from "../../control/kernel/errors.js";
import { callsWorkload } from "./calls.js";
import { directoriesWorkload } from "./directories.js";
import { disksWorkload } from "./disks.js";
import { filesWorkload } from "./files.js";
import { groupsWorkload } from "./groups.js";
import { mixedWorkload } from "./mixed.js";
import { poolWorkload } from "./pool.js";
import { replicaWorkload } from "./replica.js";
import { serversWorkload } from "./servers.js";
import { treesWorkload } from "./trees.js";
import type { Workload } from "./workload.js";

const builders: Readonly<Record<string, () => Workload>> = {
  calls: () => callsWorkload(),
  directories: () => directoriesWorkload(),
  disks: () => disksWorkload(),
  files: () => filesWorkload(),
  groups: () => groupsWorkload(),
  mixed: () => mixedWorkload(),
  pool: () => poolWorkload(),
  replica: () => replicaWorkload(),
  servers: () => serversWorkload(),
  trees: () => treesWorkload(),
};

export const workloadNames: readonly string[] = Object.keys(builders);
export const standardWorkload = "mixed";

/** A fresh workload of that name. Throws a usage error. */
export function workloadNamed(name: string): Workload {
  const build = builders[name];
  if (build === undefined) {
    throw usageError(
      `there is no workload "${name}"`,
      `the built-in ones are ${workloadNames.join(", ")}; a path to a module of your own begins with ./ or /`,
      "WORKLOAD_UNKNOWN",
    );
  }
  return build();
}
