// A whole benchmark of disks: rounds over all cases, each with a new folder and new programs.
//
// - A round runs every case once, in order; all systems have the same disk below them, the same
//   cores and the same client.
// - What is read has been written before, once, from end to end.
// - A case that fails, or whose tool is missing, becomes a row with a problem.

import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { DigestHost } from "../../kernel/digests.js";
import { runTool } from "../../lab/tools.js";
import { fileSystemOf, machine } from "../environment.js";
import { install, versionOf } from "../programs.js";
import { middleOf } from "../samples.js";
import type { Run } from "../types.js";
import { runFio } from "./fio.js";
import { healingRatiosOf, runHealing } from "./healing.js";
import { OurDisk } from "./ours.js";
import { type ServedDisk, servePeer } from "./peers.js";
import { type DiskWanted, planDiskCases } from "./plan.js";
import { diskRatiosOf, diskRemarksOf } from "./ratios.js";
import type { DiskCase, DiskReport, DiskResult, DiskSystem, HealingTest } from "./types.js";

export interface DiskBenchOptions extends DiskWanted {
  readonly healing: readonly HealingTest[];
  readonly runs: number;
  /** Of the disks. */
  readonly bytes: number;
  /** Where all files are. */
  readonly folder: string;
  readonly version: string;
  readonly milliseconds: number;
  /** A kernel without a network, for its digests. */
  readonly kernel: () => DigestHost;
  readonly progress: (each: DiskCase | HealingTest, done: number, all: number) => void;
  readonly abort: AbortSignal;
}

type Versions = Pick<DiskReport["environment"], "fio" | "nbdkit" | "qemu">;

const packages = { fio: "fio", nbdkit: "nbdkit", qemu: "qemu-utils" } as const;
const programs: Readonly<Record<DiskSystem, readonly (keyof Versions)[]>> = {
  mirror: ["fio"],
  nbdkit: ["fio", "nbdkit"],
  "qemu-nbd": ["fio", "qemu"],
  quorum: ["fio", "qemu"],
};

const serve = (each: DiskCase, folder: string, bytes: number): Promise<ServedDisk> =>
  each.system === "mirror"
    ? OurDisk.make({ folder, bytes, members: each.members })
    : servePeer(each.system, { folder, bytes });

async function measure(each: DiskCase, options: DiskBenchOptions): Promise<Run> {
  const { bytes, milliseconds, abort } = options;
  const folder = mkdtempSync(join(options.folder, "proteus-bench-"));
  try {
    const disk = await serve(each, folder, bytes);
    try {
      await fill(disk.uri, bytes, abort);
      return await runFio({ ...each, uri: disk.uri, bytes, milliseconds }, abort);
    } finally {
      await disk.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes all of a disk once, so that no side reads or fills holes. */
async function fill(uri: string, bytes: number, abort: AbortSignal): Promise<void> {
  const command = [
    ...["fio", "--name=fill", "--ioengine=nbd", `--uri=${uri}`, "--rw=write", "--bs=1M"],
    ...[`--size=${bytes}`, "--iodepth=8", "--end_fsync=1", "--output-format=json"],
  ];
  const { status, output, errors } = await runTool(command, "", abort);
  if (status !== 0)
    throw new Error(`fio could not fill the disk: ${`${errors}${output}`.trim().slice(-300)}`);
}

const resultOf = (each: DiskCase, runs: readonly Run[], problem: string | undefined): DiskResult => ({
  ...each,
  ...middleOf(runs),
  ...(problem === undefined ? {} : { problem }),
});

/** What is written of a disk that is to heal: the rest of a larger one is holes. */
const healingFilled = 1024 ** 3;

function healingRemarks({ healing, bytes }: DiskBenchOptions): string[] {
  if (bytes <= healingFilled || !healing.some((test) => test !== "checksums")) return [];
  return [
    "1 GiB of the disks that heal is written; the rest is holes, which a plain copy moves all the same.",
  ];
}

/** A disk of three members, in a folder that goes with it. */
async function makeHealing({ folder: parent, bytes, abort }: DiskBenchOptions): Promise<OurDisk> {
  const folder = mkdtempSync(join(parent, "proteus-bench-"));
  const removed = () => rmSync(folder, { recursive: true, force: true });
  try {
    const disk = await OurDisk.make({ folder, bytes, members: 3 }, removed);
    await fill(disk.uri, Math.min(bytes, healingFilled), abort);
    return disk;
  } catch (error) {
    removed();
    throw error;
  }
}

/** Runs a benchmark of disks. Rejects with the abort's reason. */
export async function runDiskBench(options: DiskBenchOptions): Promise<DiskReport> {
  const { abort, runs, version, bytes } = options;
  const host = machine();
  const cases = planDiskCases(options);
  const found: Versions = {
    fio: await versionOf(["fio", "--version"]),
    nbdkit: await versionOf(["nbdkit", "--version"]),
    qemu: await versionOf(["qemu-nbd", "--version"]),
  };
  const measured = new Map<DiskCase, Run[]>(cases.map((each) => [each, []]));
  const problems = new Map<DiskCase, string>();
  let done = 0;
  const all = (cases.length + options.healing.length) * runs;
  for (let round = 0; round < runs; round++)
    for (const each of cases) {
      abort.throwIfAborted();
      options.progress(each, done++, all);
      const lacks = programs[each.system].find((program) => found[program] === null);
      if (lacks !== undefined) problems.set(each, install(lacks, packages[lacks]));
      if (problems.has(each)) continue;
      try {
        measured.get(each)?.push(await measure(each, options));
      } catch (error) {
        abort.throwIfAborted();
        problems.set(each, error instanceof Error ? error.message : String(error));
      }
    }
  const healing = await runHealing({
    ...{ tests: options.healing, runs, milliseconds: options.milliseconds, abort },
    make: () => makeHealing(options),
    kernel: options.kernel,
    progress: (test) => options.progress(test, done++, all),
  });
  const results = [...measured].map(([each, those]) => resultOf(each, those, problems.get(each)));
  return {
    environment: {
      ...{ proteus: version, ...host, isolation: "lab", runs, bytes },
      ...{ disk: await fileSystemOf(options.folder), ...found },
    },
    results,
    healing,
    ratios: [...diskRatiosOf(results), ...healingRatiosOf(healing)],
    remarks: [...diskRemarksOf(results, host.load), ...healingRemarks(options)],
  };
}
