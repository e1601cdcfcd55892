// `proteus bench`: FLIP against TCP/IP, side by side on one wire of this machine.
//
// - The measurement is control/bench; this file asks for it. bench-table.ts shows it.
// - On a terminal a line on stderr says how far it is.
// - Exit 6 when a case failed while others were measured. A missing tool or a goal that
//   was not met is no failure: the row or the ratio says so.

import { type Command, Option } from "@commander-js/extra-typings";
import { runBench } from "../bench/run.js";
import { placements, standardMtus, standardRuns, systems, tests } from "../bench/types.js";
import { exitCodes } from "../kernel/errors.js";
import { registerBenchAlarm } from "./bench-alarm.js";
import { registerBenchGroup } from "./bench-group.js";
import { registerBenchKernel } from "./bench-kernel.js";
import { isDegraded, ProgressLine, parseList, parseMtus } from "./bench-options.js";
import { reportText } from "./bench-table.js";
import { interruptible } from "./lab.js";
import { emit } from "./output.js";
import { kernelBytes, kernelPath, packageVersion } from "./package-files.js";
import { parseCount } from "./quantity.js";

const help = `
Tests (default: all):
  null-rpc  a call without data and its reply, in µs
  call-1m   calls with 1 MiB of data and an empty reply, in MB/s

Groups are measured by themselves: proteus bench group --help. So is their patience
under load: proteus bench group-alarm --help. Parts of the kernel beside native code:
proteus bench kernel --help.

Two machines (network namespaces) on a veth pair of their own. Placement S: client and
server pinned to one core, X: to two. Every figure is the median of interleaved runs;
the spread is the distance from the lowest run to the highest, as a part of it.

Examples:
  proteus bench
  proteus bench null-rpc --runs 9
  proteus bench call-1m --mtu 9000,65521 --json
  proteus bench null-rpc --system flip,spin-tcp --placement X

Exit codes: 4 when two network stacks cannot be made here, 6 when a case failed.`;

const runsMax = 1000;
/** Adds `bench` to the program. */
export function registerBench(program: Command): void {
  const bench = program
    .command("bench")
    .enablePositionalOptions()
    .description("measure FLIP against TCP/IP")
    .argument("[name...]", `tests: ${tests.join(", ")}`)
    .option("--runs <count>", "runs of every case", `${standardRuns}`)
    .option("--mtu <list>", "MTUs of call-1m", standardMtus.join(","))
    .option("--system <list>", `only these: ${systems.join(", ")}`)
    .option("--placement <list>", "S, X or both")
    .addOption(new Option("--json", "one JSON document on stdout").default(false))
    .addHelpText("after", help)
    .action(async (names, options) => {
      const wanted = names.length > 0 ? names.flatMap((name) => parseList("test", name, tests)) : tests;
      const runs = parseCount(options.runs, runsMax);
      const mtus = parseMtus(options.mtu);
      const chosen = {
        ...(options.system === undefined ? {} : { systems: parseList("system", options.system, systems) }),
        ...(options.placement === undefined
          ? {}
          : { placements: parseList("placement", options.placement, placements) }),
      };
      kernelBytes(); // says how to build it when it is not there
      const line = new ProgressLine();
      const report = await interruptible(async (abort) => {
        try {
          return await runBench({
            tests: wanted,
            mtus,
            ...chosen,
            runs,
            wasm: kernelPath,
            version: packageVersion(),
            progress: ({ test, system, placement, mtu }, done, all) =>
              line.say([test, system, placement, `MTU ${mtu}`], done, all),
            abort,
          });
        } finally {
          line.clear();
        }
      });
      emit("bench", options.json, report, () => reportText(report));
      if (isDegraded(report.results)) process.exitCode = exitCodes.degraded;
    });
  registerBenchGroup(bench as unknown as Command);
  registerBenchAlarm(bench as unknown as Command);
  registerBenchKernel(bench as unknown as Command);
}
