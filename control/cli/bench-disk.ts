// `proteus bench disk`: mirrored disks beside nbdkit, qemu-nbd and qemu's quorum driver, over NBD,
// with the same client on the same files' disk.
//
// - The measurement is control/bench/disk; this file asks for it. bench-disk-table.ts shows it.
//   Exit codes are those of `proteus bench`.

import { tmpdir } from "node:os";
import { type Command, Option } from "@commander-js/extra-typings";
import { runDiskBench } from "../bench/disk/run.js";
import { diskSystems, diskTests, healingTests, standardDiskRuns } from "../bench/disk/types.js";
import { exitCodes } from "../kernel/errors.js";
import { diskReportText } from "./bench-disk-table.js";
import { parseFolder } from "./bench-files.js";
import { isDegraded, ProgressLine, parseList, parseNumbers } from "./bench-options.js";
import { interruptible } from "./lab.js";
import { loneKernel } from "./lone-kernel.js";
import { emit } from "./output.js";
import { kernelBytes, packageVersion } from "./package-files.js";
import { parseCount, parseSize } from "./quantity.js";

const help = `
Tests (default: all):
  write-durable  4 KiB at random and the flush behind it, one and 32 at once
  write, read    4 KiB at random, one and 32 at once
  write-large, read-large  1 MiB in order, four at once
  blank          from the power of a machine whose medium is new to a whole disk, beside a plain copy
                 (of a disk larger than 1G the rest holds nothing)
  identical      what a member hears that is marked dirty and is not
  foreground     writes while a member is made whole, beside idle
  checksums      what the digests of a request take
  failover       the longest write when the machine that serves loses its power

Our disk has one to three members on as many machines of a lab (network namespaces); nbdkit and
qemu-nbd have one file, qemu's quorum driver two. All files are in one folder (--folder: not on a
tmpfs, where a flush costs nothing), and fio is the client of all. Medians of interleaved runs.

Examples:
  proteus bench disk
  proteus bench disk --quick
  proteus bench disk write-durable --members 2,3 --system mirror,nbdkit --runs 5 --json

Exit codes: 4 when no network stacks can be made here, 6 when a case failed.`;

const runsMax = 1000;
const membersMost = 8;
const largestDisk = 1024 ** 4;
const spans = { standard: 4000, quick: 1000 } as const;
const sizes = { standard: "256M", quick: "64M" } as const;

/** Adds `disk` to `bench`. */
export function registerBenchDisk(bench: Command): void {
  bench
    .command("disk")
    .description("measure mirrored disks against nbdkit and qemu over NBD")
    .argument("[name...]", `tests: ${[...diskTests, ...healingTests].join(", ")}`)
    .option("--members <list>", "members of our disk", "1,2,3")
    .option("--system <list>", `only these: ${diskSystems.join(", ")}`)
    .option("--size <bytes>", `of the disk (default: ${sizes.standard})`)
    .option("--runs <count>", `runs of every case (default: ${standardDiskRuns})`)
    .option("--folder <folder>", "where the files are", tmpdir())
    .option("--quick", "a look: a small disk, one short run", false)
    .addOption(new Option("--json", "one JSON document on stdout").default(false))
    .addHelpText("after", help)
    .action(async (names, options) => {
      const { system, size, quick } = options;
      const standard = quick
        ? { size: sizes.quick, runs: 1 }
        : { size: sizes.standard, runs: standardDiskRuns };
      kernelBytes(); // says how to build it when it is not there
      const every = [...diskTests, ...healingTests] as const;
      const wanted = names.length > 0 ? names.flatMap((name) => parseList("test", name, every)) : every;
      const line = new ProgressLine();
      const report = await interruptible(async (abort) => {
        try {
          return await runDiskBench({
            tests: diskTests.filter((test) => wanted.includes(test)),
            healing: healingTests.filter((test) => wanted.includes(test)),
            systems: system === undefined ? diskSystems : parseList("system", system, diskSystems),
            members: parseNumbers("number of members", options.members, 1, membersMost),
            bytes: parseSize(size ?? standard.size, largestDisk),
            runs: options.runs === undefined ? standard.runs : parseCount(options.runs, runsMax),
            folder: parseFolder(options.folder),
            milliseconds: quick ? spans.quick : spans.standard,
            version: packageVersion(),
            abort,
            kernel: loneKernel,
            progress: (each, done, all) => {
              if (typeof each === "string") return line.say([each], done, all);
              const { test, system: of, members, depth } = each;
              line.say([test, of, `members ${members}`, `${depth} at once`], done, all);
            },
          });
        } finally {
          line.clear();
        }
      });
      emit("bench disk", options.json, report, () => diskReportText(report));
      if (isDegraded([...report.results, ...report.healing])) process.exitCode = exitCodes.degraded;
    });
}
