// `proteus bench files`: files and directories beside nginx, Redis and etcd, on one bridge and
// one disk.
//
// - The measurement is control/bench/files; this file asks for it. bench-files-table.ts shows it.
//   Exit codes are those of `proteus bench`.

import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { type Command, Option } from "@commander-js/extra-typings";
import { runFileBench } from "../bench/files/run.js";
import {
  fileSystems,
  fileTests,
  largestFile,
  standardFileRuns,
  standardFileSizes,
} from "../bench/files/types.js";
import { exitCodes, usageError } from "../kernel/errors.js";
import { filesReportText } from "./bench-files-table.js";
import { isDegraded, ProgressLine, parseList, parseMtus, parseNumbers } from "./bench-options.js";
import { interruptible } from "./lab.js";
import { emit } from "./output.js";
import { kernelBytes, kernelPath, packageVersion } from "./package-files.js";
import { parseCount, parseSize, sizeText } from "./quantity.js";

const help = `
Tests (default: all):
  read       a whole file that the server has in memory, beside HTTP, Redis and a bare call
  read-cold  the same where the server has it on its disk only
  create     a whole new file, on the disk when the answer comes, beside Redis and a bare flush
  lookup     a name in a directory, beside etcd and a null call
  update     a new name, durable at one member or a majority of three, beside etcd

Servers and the client are machines (network namespaces) on one bridge, on two cores in turn;
all servers keep their files in one folder, on one disk (--folder: not on a tmpfs, where a
flush costs nothing). Every figure is the median of interleaved runs.

Examples:
  proteus bench files
  proteus bench files --quick
  proteus bench files read --size 4K,1M --clients 1 --system bullet,nginx,echo
  proteus bench files update --members 3 --folder /var/tmp --json

Exit codes: 4 when no network stacks can be made here, 6 when a case failed.`;

const runsMax = 1000;
const clientsMost = 64;
const membersMost = 5;
const spans = { standard: 1000, quick: 400 } as const;
const quick = { sizes: [4096, 1024 * 1024], runs: 1 } as const;

/** A folder that is there. */
export function parseFolder(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return path;
  throw usageError(`${path} is no folder`, "name one that is there: --folder /var/tmp");
}

/** Adds `files` to `bench`. */
export function registerBenchFiles(bench: Command): void {
  bench
    .command("files")
    .description("measure files and directories against nginx, Redis and etcd")
    .argument("[name...]", `tests: ${fileTests.join(", ")}`)
    .option("--size <list>", `bytes of a file (default: ${standardFileSizes.map(sizeText).join(",")})`)
    .option("--clients <list>", "how many at the same time", "1,8")
    .option("--members <list>", "machines that serve directories together", "1,3")
    .option("--system <list>", `only these: ${fileSystems.join(", ")}`)
    .option("--runs <count>", `runs of every case (default: ${standardFileRuns})`)
    .option("--mtu <bytes>", "MTU of the bridge", "1500")
    .option("--folder <folder>", "where the servers' files are", tmpdir())
    .option("--quick", "a look: 4 KiB and 1 MiB, one short run", false)
    .addOption(new Option("--json", "one JSON document on stdout").default(false))
    .addHelpText("after", help)
    .action(async (names, options) => {
      const tests =
        names.length > 0 ? names.flatMap((name) => parseList("test", name, fileTests)) : fileTests;
      const { size, system } = options;
      const standard = options.quick ? quick : { sizes: standardFileSizes, runs: standardFileRuns };
      const wanted = {
        tests,
        systems: system === undefined ? fileSystems : parseList("system", system, fileSystems),
        sizes:
          size === undefined ? standard.sizes : size.split(",").map((each) => parseSize(each, largestFile)),
        clients: parseNumbers("number of clients", options.clients, 1, clientsMost),
        members: parseNumbers("number of members", options.members, 1, membersMost),
        runs: options.runs === undefined ? standard.runs : parseCount(options.runs, runsMax),
        mtu: parseMtus(options.mtu)[0] ?? 1500,
        folder: parseFolder(options.folder),
        milliseconds: options.quick ? spans.quick : spans.standard,
      };
      kernelBytes(); // says how to build it when it is not there
      const line = new ProgressLine();
      const report = await interruptible(async (abort) => {
        try {
          return await runFileBench({
            ...{ ...wanted, wasm: kernelPath, version: packageVersion(), abort },
            progress: ({ test, system: of, bytes, clients, members }, done, all) =>
              line.say([test, of, sizeText(bytes), `${clients} clients`, `${members} members`], done, all),
          });
        } finally {
          line.clear();
        }
      });
      emit("bench files", options.json, report, () => filesReportText(report));
      if (isDegraded(report.results)) process.exitCode = exitCodes.degraded;
    });
}
