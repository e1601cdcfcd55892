// `proteus bench boot`: how long machines without an operating system take to their first answer, what
// sixteen of them cost, and calls to one.
//
// - The measurement is control/bench/boot; bench-boot-table.ts shows it. A goal that is not met is no
//   failure: the table says so.

import { type Command, Option } from "@commander-js/extra-typings";
import { hasKernel } from "../../boot/linux/kernel.js";
import { runBootBench } from "../bench/boot/run.js";
import { bootSystems, bootTests, quickBoots, standardBoots } from "../bench/boot/types.js";
import { exitCodes } from "../kernel/errors.js";
import { bootReportText } from "./bench-boot-table.js";
import { isDegraded, ProgressLine, parseList } from "./bench-options.js";
import { interruptible } from "./lab.js";
import { emit, narrate } from "./output.js";
import { kernelBytes, kernelPath, packageRoot, packageVersion } from "./package-files.js";
import { parseCount } from "./quantity.js";

const help = `
Tests (default: all):
  boot        from the start of the machine's process to its first answered call
  many        sixteen machines started at one moment, until all have answered; then what
              they cost together while nobody calls, and the memory of each
  frame-echo  a bare frame to the machine and back, p50
  null-rpc    a call without data and its reply, p50
  call-1m     calls with 1 MiB of data, in MB/s

Systems of boot: microvm and pc (QEMU's), linux: the image of Linux machines on a pc, where
its kernel is there (proteus boot image --system linux), and qemu-alone: QEMU with the
microvm's devices until it would run its first instruction. Calls go from Linux to metal, and from Linux to
Linux over the same bridge; who calls is on one core, who is called on another. Machines
that boot have 8 MiB of memory, those with Linux 768. --runs are boots of each system; the other tests have a
quarter of them. Needs qemu-system-x86 and what proteus boot image needs.

Examples:
  proteus bench boot
  proteus bench boot boot --runs 100
  proteus bench boot null-rpc call-1m --json

Exit codes: 1 when the image cannot be built, 2 for wrong arguments, 4 when no network
stack can be made here, 6 when a case failed.`;

const runsMax = 1000;
const quickScale = 0.25;

/** Adds `boot` to `bench`. */
export function registerBenchBoot(bench: Command): void {
  bench
    .command("boot")
    .description("measure machines without an operating system, from power-on to their answers")
    .argument("[name...]", `tests: ${bootTests.join(", ")}`)
    .option("--system <list>", `only these: ${bootSystems.join(", ")}`)
    .option("--runs <count>", `boots of each system (default: ${standardBoots})`)
    .option("--quick", "a look: three boots, short runs", false)
    .addOption(new Option("--json", "one JSON document on stdout").default(false))
    .addHelpText("after", help)
    .action(async (names, options) => {
      const { system, runs, quick } = options;
      const tests =
        names.length > 0 ? names.flatMap((name) => parseList("test", name, bootTests)) : bootTests;
      const usual = bootSystems.filter((each) => each !== "linux" || hasKernel());
      const systems = system === undefined ? usual : parseList("system", system, bootSystems);
      const boots = quick ? quickBoots : standardBoots;
      kernelBytes(); // says how to build it when it is not there
      const line = new ProgressLine();
      const report = await interruptible(async (abort) => {
        try {
          return await runBootBench({
            ...{
              tests,
              systems,
              root: packageRoot,
              wasm: kernelPath,
              version: packageVersion(),
              narrate,
              abort,
            },
            runs: runs === undefined ? boots : parseCount(runs, runsMax),
            scale: quick ? quickScale : 1,
            progress: (words, done, all) => line.say(words, done, all),
          });
        } finally {
          line.clear();
        }
      });
      emit("bench boot", options.json, report, () => bootReportText(report));
      if (isDegraded(report.results)) process.exitCode = exitCodes.degraded;
    });
}
