// Where a benchmark runs: versions, processor, and the cores that the ends are pinned to.
// It goes into every report, since a figure without its machine means nothing.

import { readFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import { runTool } from "../lab/tools.js";
import type { Environment, Placement } from "./types.js";

/** Cores of a list such as `0-1,4`. */
export function parseCores(list: string): number[] {
  return list
    .trim()
    .split(",")
    .flatMap((part) => {
      const match = /^(\d+)(?:-(\d+))?$/.exec(part);
      if (match === null) return [];
      const first = Number(match[1]);
      const last = Number(match[2] ?? match[1]);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

/** The cores that this process may use. */
export function allowedCores(): number[] {
  const line = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return parseCores(line?.[1] ?? "0");
}

/** Where the ends run. Throws BENCH_CORES when X is wanted of one core. */
export function coresOf(
  placement: Placement,
  allowed: readonly number[],
): { client: number; server: number } {
  const [first = 0, second] = allowed;
  if (placement === "S") return { client: first, server: first };
  if (second !== undefined) return { client: first, server: second };
  throw new ProteusError({
    code: "BENCH_CORES",
    exit: exitCodes.failed,
    message: "placement X needs two cores, and this process may use one",
    unchanged: "nothing was measured",
    hint: "measure the other placement alone: --placement S",
  });
}

/** The machine in words. */
export function machine(): Pick<Environment, "cpu" | "cores" | "load" | "kernel" | "node"> {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? "unknown",
    cores: all.length,
    load: loadavg()[0] ?? 0,
    kernel: release(),
    node: process.version,
  };
}

/** TCP's congestion controls. */
export function congestion(): Environment["congestion"] {
  const read = (name: string): string => {
    try {
      return readFileSync(`/proc/sys/net/ipv4/${name}`, "utf8").trim();
    } catch {
      return "";
    }
  };
  return {
    standard: read("tcp_congestion_control") || "unknown",
    available: read("tcp_available_congestion_control").split(" ").filter(Boolean),
  };
}

/** A folder, and what kind of file system it is on. */
export async function fileSystemOf(folder: string): Promise<string> {
  const { output } = await runTool(["stat", "--file-system", "--format", "%T", folder]);
  return `${folder} (${output.trim()})`;
}
