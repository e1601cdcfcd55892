// fio as the client of all disks: what it is told, and what its report says.
//
// - fio's times are of its own clock: `clat`, from handing a request over to its end. A durable write
//   is a write and the flush behind it, so its times are the sum of both: at depth 1 the time of the
//   run divided by the writes in it is its mean, and its percentiles are those of the flush added to
//   those of the write, which is an upper bound.
// - Nothing is pinned: clients and servers of all systems share the machine's cores alike.

import { z } from "zod";
import { runTool } from "../../lab/tools.js";
import type { Run } from "../types.js";
import type { DiskCase, DiskTest } from "./types.js";

const work: Readonly<Record<DiskTest, { readonly rw: string; readonly bytes: number }>> = {
  "write-durable": { rw: "randwrite", bytes: 4096 },
  write: { rw: "randwrite", bytes: 4096 },
  read: { rw: "randread", bytes: 4096 },
  "write-large": { rw: "write", bytes: 1024 * 1024 },
  "read-large": { rw: "read", bytes: 1024 * 1024 },
};

export interface FioJob extends Pick<DiskCase, "test" | "depth"> {
  readonly uri: string;
  /** Of the disk that is used. */
  readonly bytes: number;
  readonly milliseconds: number;
}

/** The command of a measurement. Pure. */
export function fioCommand({ test, depth, uri, bytes, milliseconds }: FioJob): readonly string[] {
  const { rw, bytes: each } = work[test];
  return [
    ...["fio", "--name=bench", "--ioengine=nbd", `--uri=${uri}`],
    ...[`--rw=${rw}`, `--bs=${each}`, `--size=${bytes}`, `--iodepth=${depth}`, "--time_based=1"],
    ...[`--runtime=${milliseconds}ms`, "--output-format=json", "--randrepeat=1", "--norandommap=1"],
    ...(test === "write-durable" ? ["--fsync=1"] : []),
  ];
}

const latency = z.object({
  max: z.number().optional(),
  percentile: z.record(z.string(), z.number()).optional(),
});
const direction = z.object({
  iops: z.number(),
  bw_bytes: z.number(),
  total_ios: z.number(),
  clat_ns: latency,
});
const report = z.object({
  jobs: z.array(
    z.object({
      error: z.number(),
      read: direction,
      write: direction,
      sync: z.object({ total_ios: z.number(), lat_ns: latency }),
      job_runtime: z.number(),
      usr_cpu: z.number(),
      sys_cpu: z.number(),
    }),
  ),
});

export interface FioRun extends Run {
  /** The longest request, without the flush behind it. */
  readonly longestUs: number;
}

/** fio may say something before its report. Pure; throws on what is no report, or one of a failure. */
export function fioRun(output: string, { test }: Pick<FioJob, "test">): FioRun {
  const [job] = report.parse(JSON.parse(output.slice(Math.max(output.indexOf("{"), 0)))).jobs;
  if (job === undefined || job.error !== 0) throw new Error(`fio failed with ${job?.error ?? "no job"}`);
  const side = work[test].rw.endsWith("read") ? job.read : job.write;
  const of = (latencies: z.infer<typeof latency>, percent: string): number =>
    (latencies.percentile?.[percent] ?? 0) / 1000;
  const time = (percent: string): number =>
    of(side.clat_ns, percent) + (test === "write-durable" ? of(job.sync.lat_ns, percent) : 0);
  const cpuUs = (job.job_runtime * 1000 * (job.usr_cpu + job.sys_cpu)) / 100;
  return {
    p50Us: time("50.000000"),
    p99Us: time("99.000000"),
    megabytesPerSecond: side.bw_bytes / 1e6,
    callsPerSecond: side.iops,
    cpuUsPerCall: side.total_ios === 0 ? null : cpuUs / side.total_ios,
    longestUs: (side.clat_ns.max ?? 0) / 1000,
  };
}

/** Measures once. */
export async function runFio(job: FioJob, abort?: AbortSignal): Promise<FioRun> {
  const { status, output, errors } = await runTool(fioCommand(job), "", abort);
  if (status !== 0)
    throw new Error(`fio ended with ${status}: ${`${errors}\n${output}`.trim().split("\n").at(-1)}`);
  return fioRun(output, job);
}
