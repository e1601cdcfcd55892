// The ratios by which files and directories are judged, their goals, and what to say beside
// them. Pure. Taken within one run of the benchmark; left out when a side was not measured.

import type { Ratio } from "../types.js";
import { goalBytes, goalBytesLarge } from "./plan.js";
import type { FileCase, FileResult } from "./types.js";

const goals = { read: 1.5, large: 1.2, create: 2.5, lookup: 1.3, updates: 1 } as const;
const goalMembers = 3;

type Figure = "p50Us" | "megabytesPerSecond" | "callsPerSecond";

/** The ratios of which both sides were measured. */
export function fileRatiosOf(results: readonly FileResult[]): Ratio[] {
  const value = (figure: Figure, sought: Partial<FileCase>): number | null => {
    const all = { clients: 1, members: 1, ...sought };
    const found = results.find((each) =>
      Object.entries(all).every(([name, wanted]) => each[name as keyof FileCase] === wanted),
    );
    return found?.[figure] ?? null;
  };
  const ratios: Ratio[] = [];
  const add = (
    name: string,
    better: Ratio["better"],
    goal: number,
    ours: number | null,
    theirs: number | null,
  ): void => {
    if (!ours || !theirs) return;
    const of = ours / theirs;
    ratios.push({ name, value: of, better, goal, met: better === "lower" ? of <= goal : of >= goal });
  };
  const small = { test: "read", bytes: goalBytes } as const;
  add(
    "read of a cached 4 KiB file p50 / a 4 KiB call",
    "lower",
    goals.read,
    value("p50Us", { ...small, system: "bullet" }),
    value("p50Us", { ...small, system: "echo" }),
  );
  const large = { test: "read", bytes: goalBytesLarge } as const;
  add(
    "read of 1 MiB / HTTP (nginx, Node's client), MB/s",
    "higher",
    goals.large,
    value("megabytesPerSecond", { ...large, system: "bullet" }),
    value("megabytesPerSecond", { ...large, system: "nginx" }),
  );
  add(
    "read of 1 MiB / HTTP (nginx, a bare socket into one buffer), MB/s",
    "higher",
    goals.large,
    value("megabytesPerSecond", { ...large, system: "bullet" }),
    value("megabytesPerSecond", { ...large, system: "nginx-socket" }),
  );
  const create = { test: "create", bytes: goalBytes } as const;
  add(
    "durable create of 4 KiB p50 / a flush of the disk",
    "lower",
    goals.create,
    value("p50Us", { ...create, system: "bullet" }),
    value("p50Us", { ...create, system: "disk" }),
  );
  add(
    "look-up p50 / null RPC",
    "lower",
    goals.lookup,
    value("p50Us", { test: "lookup", system: "directory" }),
    value("p50Us", { test: "lookup", system: "echo" }),
  );
  for (const clients of [1, 32]) {
    const update = { test: "update", clients, members: goalMembers } as const;
    add(
      `durable updates a second, three members, ${clients} at once / etcd's`,
      "higher",
      goals.updates,
      value("callsPerSecond", { ...update, system: "directory" }),
      value("callsPerSecond", { ...update, system: "etcd" }),
    );
  }
  return ratios;
}

const loadMax = 0.5;

/** What has to be said so that nobody reads too much into the figures. */
export function fileRemarksOf(results: readonly FileResult[], load: number, hasNfs: boolean): string[] {
  const remarks: string[] = [];
  const measured = (sought: (each: FileResult) => boolean) =>
    results.some((each) => each.p50Us !== null && sought(each));
  if (load > loadMax)
    remarks.push(`Other work was running (load ${load.toFixed(1)}): figures and spread suffer.`);
  if (measured(({ test }) => test === "read-cold"))
    remarks.push(
      "read-cold: more files than the server's memory holds, read in turn; the page cache of the system may have them.",
    );
  if (measured(({ system, bytes }) => system === "nginx-socket" && bytes >= goalBytesLarge))
    remarks.push("TCP has segmentation offload on this bridge; frames of FLIP are of the MTU.");
  if (measured(({ system }) => system === "redis"))
    remarks.push("Redis flushes its append-only file before each answer, several clients' values at once.");
  if (measured(({ members }) => members > 1))
    remarks.push("Several members share two cores and one disk here: their flushes wait for each other.");
  remarks.push(
    hasNfs
      ? "NFS is not measured: this kernel has a server for it, and nothing here asks it."
      : "There is no NFS beside it: this kernel has no NFS server (nfsd).",
  );
  return remarks;
}
