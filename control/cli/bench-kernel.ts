// `proteus bench kernel`: parts of the kernel under the clock, beside what C has for the same.
//
// - The measurement is control/bench/kernel; this file asks for it. bench-kernel-table.ts
//   shows it. A goal that is not met is no failure: the table says so.

import { join } from "node:path";
import { type Command, Option } from "@commander-js/extra-typings";
import { runKernelBench } from "../bench/kernel/run.js";
import {
  blockMost,
  kernelSystems,
  kernelTests,
  standardBlocks,
  standardKernelRuns,
} from "../bench/kernel/types.js";
import { exitCodes, usageError } from "../kernel/errors.js";
import { kernelReportText } from "./bench-kernel-table.js";
import { isDegraded, ProgressLine, parseList } from "./bench-options.js";
import { interruptible } from "./lab.js";
import { emit } from "./output.js";
import { benchLoopsPath, packageRoot, packageVersion } from "./package-files.js";
import { parseCount, parseSize } from "./quantity.js";

const help = `
Tests (default: all):
  kernel-codec     an RPC header and a message header written, judged and read
  kernel-port      a port looked up among 10,000 that are served
  kernel-segment   a segment freed and another allocated, 512 of them live
  kernel-copy      a block copied, beside memcpy
  kernel-checksum  XXH3-64 and CRC-32C of a block

Systems: wasm (the kernel's own sources in a module with the loops), native (C, compiled
here for this processor: needs cc, and libxxhash-dev for XXH3-64). The clock is read
around thousands of operations: calls into WebAssembly do not count. A run is 201 short
samples, of which the one at 10% counts, on both sides; every figure is the median of
interleaved runs. No network and no special rights are needed.

Examples:
  proteus bench kernel
  proteus bench kernel kernel-copy --size 4K,64K,1M
  proteus bench kernel kernel-codec kernel-port --system wasm --json

Exit codes: 1 when the loops or the native control cannot be built or loaded, 2 for wrong
arguments, 6 when a case failed.`;

const runsMax = 1000;

function parseBlock(text: string): number {
  const bytes = parseSize(text, blockMost);
  if (bytes === 0)
    throw usageError(`"${text}" is not a size of a block`, "a block has a byte at least: 64,4K,1M");
  return bytes;
}

/** Adds `kernel` to `bench`. */
export function registerBenchKernel(bench: Command): void {
  bench
    .command("kernel")
    .description("measure parts of the kernel beside native code")
    .argument("[name...]", `tests: ${kernelTests.join(", ")}`)
    .option("--size <list>", "bytes of a block (default: 64,1K,4K,64K,1M)")
    .option("--system <list>", `only these: ${kernelSystems.join(", ")}`)
    .option("--runs <count>", "runs of every case", `${standardKernelRuns}`)
    .addOption(new Option("--json", "one JSON document on stdout").default(false))
    .addHelpText("after", help)
    .action(async (names, options) => {
      const { size, system } = options;
      const wanted = {
        tests: names.length > 0 ? names.flatMap((name) => parseList("test", name, kernelTests)) : kernelTests,
        blocks: size === undefined ? standardBlocks : size.split(",").map(parseBlock),
        systems: system === undefined ? kernelSystems : parseList("system", system, kernelSystems),
        runs: parseCount(options.runs, runsMax),
      };
      const line = new ProgressLine();
      const report = await interruptible(async (abort) => {
        try {
          return await runKernelBench({
            ...wanted,
            wasm: benchLoopsPath,
            controlSource: join(packageRoot, "test", "bench", "native", "kernel-control.c"),
            version: packageVersion(),
            progress: ({ test, operation, system, bytes }, done, all) =>
              line.say([test, operation, system, bytes === null ? "" : `${bytes} bytes`], done, all),
            abort,
          });
        } finally {
          line.clear();
        }
      });
      emit("bench kernel", options.json, report, () => kernelReportText(report));
      if (isDegraded(report.results)) process.exitCode = exitCodes.degraded;
    });
}
