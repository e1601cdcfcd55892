// `proteus bench fs`: a mounted volume beside the bare local file system and libfuse's passthrough_ll, on
// one core and one disk.
//
// - The measurement is control/bench/fs; this file asks for it. bench-fs-table.ts shows it.
//   Exit codes are those of `proteus bench`.

import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Command, Option } from "@commander-js/extra-typings";
import { runFsBench } from "../bench/fs/run.js";
import { fsSystems, fsTests, standardFsRuns } from "../bench/fs/types.js";
import { exitCodes } from "../kernel/errors.js";
import { parseFolder } from "./bench-files.js";
import { fsReportText } from "./bench-fs-table.js";
import { isDegraded, ProgressLine, parseList } from "./bench-options.js";
import { interruptible } from "./lab.js";
import { emit } from "./output.js";
import { kernelBytes, packageRoot, packageVersion } from "./package-files.js";
import { parseCount, parseDuration, parseSize } from "./quantity.js";

const help = `
Tests (default: all):
  random-read, -write            4 KiB of a file that is cached
  sequential-read, -write        1 MiB in order; sequential-write-close: with the close behind it
  create, rename, unlink, mkdir  names in one folder
  open-write-close, open-read-close, stat  4 KiB files that are cached
  untar, git-clone, git-status   of a made tree; the second git status
  close-to-read, -strict         from close on one machine to the new bytes on another
  reintegrate-names, -files      records that were made without the network, until the server has them

Vice and two mounts are machines (network namespaces) on one bridge; they, passthrough_ll and whatever
uses them share one core. All files are in one folder (--folder), of which each system has a part. The
log and the server are on. Every figure is the median of runs, the systems in turn. passthrough_ll is the
example of libfuse3-dev, built here. Mounts are seen by the benchmark alone. Needs root's rights.

Examples:
  proteus bench fs
  proteus bench fs --quick
  proteus bench fs create rename --folder /var/tmp --runs 7 --json
  proteus bench fs close-to-read reintegrate-names --system proteus

Exit codes: 4 when no network stacks can be made here, 6 when a case failed.`;

const runsMax = 1000;
const countMax = 1_000_000;
const largestFile = 2 ** 36;
const longestMs = 60_000;
const standard = { count: "5000", size: "256M", files: "9000", records: "10000", time: "2s" } as const;
const quickly = { count: "500", size: "16M", files: "300", records: "500", time: "300ms" } as const;

/** Adds `fs` to `bench`. */
export function registerBenchFs(bench: Command): void {
  bench
    .command("fs")
    .description("measure a mounted volume against the local disk and libfuse's passthrough_ll")
    .argument("[name...]", `tests: ${fsTests.join(", ")}`)
    .option("--system <list>", `only these: ${fsSystems.join(", ")}`)
    .option("--count <count>", `names that a test goes over (default: ${standard.count})`)
    .option("--time <duration>", `the longest of a test of single operations (default: ${standard.time})`)
    .option("--size <bytes>", `of the large file (default: ${standard.size})`)
    .option("--files <count>", `of the tree (default: ${standard.files})`)
    .option("--records <count>", `that are brought back (default: ${standard.records})`)
    .option("--runs <count>", `runs of every test (default: ${standardFsRuns})`)
    .option("--folder <folder>", "where all files are", tmpdir())
    .option("--quick", "a look: small counts, one run", false)
    .addOption(new Option("--json", "one JSON document on stdout").default(false))
    .addHelpText("after", help)
    .action(async (names, options) => {
      const { system, quick } = options;
      const usual = quick ? quickly : standard;
      kernelBytes(); // says how to build it when it is not there
      const wanted = {
        tests: names.length > 0 ? names.flatMap((name) => parseList("test", name, fsTests)) : fsTests,
        systems: system === undefined ? fsSystems : parseList("system", system, fsSystems),
        settings: {
          count: parseCount(options.count ?? usual.count, countMax),
          milliseconds: parseDuration(options.time ?? usual.time, longestMs),
          bytes: parseSize(options.size ?? usual.size, largestFile),
          files: parseCount(options.files ?? usual.files, countMax),
          records: parseCount(options.records ?? usual.records, countMax),
        },
        runs: options.runs === undefined ? (quick ? 1 : standardFsRuns) : parseCount(options.runs, runsMax),
        folder: parseFolder(options.folder),
      };
      const line = new ProgressLine();
      const report = await interruptible(async (abort) => {
        try {
          return await runFsBench({
            ...{ ...wanted, abort, version: packageVersion() },
            workSource: join(packageRoot, "test", "bench", "native", "fs-work.c"),
            progress: (job, of, done, all) => line.say([job, of], done, all),
          });
        } finally {
          line.clear();
        }
      });
      emit("bench fs", options.json, report, () => fsReportText(report));
      if (isDegraded(report.results)) process.exitCode = exitCodes.degraded;
    });
}
