// `proteus bench`: FLIP against TCP/IP, side by side on one wire of this machine.
//
// - The measurement is control/bench; this file asks for it. bench-table.ts shows it.
// - On a terminal a line on stderr says how far it is.
// - Exit 6 when a case failed while others were measured. A missing tool or a goal that
//   was not met is no failure: the row or the ratio says so.

import { type Command, Option } from "@commander-js/extra-typings";
import { runBench } from "../bench/run.js";
import {
  type Case,
  placements,
  type Report,
  standardMtus,
  standardRuns,
  systems,
  tests,
} from "../bench/types.js";
import { exitCodes, usageError } from "../kernel/errors.js";
import { mtuMax } from "../lab/topology.js";
import { reportText } from "./bench-table.js";
import { interruptible } from "./lab.js";
import { emit } from "./output.js";
import { kernelBytes, kernelPath, packageVersion } from "./package-files.js";
import { parseCount } from "./quantity.js";

const help = `
Tests (default: all):
  null-rpc  a call without data and its reply, in µs
  call-1m   calls with 1 MiB of data and an empty reply, in MB/s

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
/** The smallest MTU of a FLIP network; control/bench's own links obey it as well. */
const mtuMin = 576;

/** A list such as `a,b`, each one of `known`. Throws a usage error. */
function parseList<Name extends string>(what: string, text: string, known: readonly Name[]): Name[] {
  return text.split(",").map((word) => {
    const found = known.find((each) => each === word);
    if (found === undefined) throw usageError(`"${word}" is no ${what}`, `there are ${known.join(", ")}`);
    return found;
  });
}

function parseMtus(text: string): number[] {
  return text.split(",").map((word) => {
    const mtu = /^\d+$/.test(word) ? Number(word) : Number.NaN;
    if (!(mtu >= mtuMin && mtu <= mtuMax))
      throw usageError(`"${word}" is not an MTU`, `it is ${mtuMin} to ${mtuMax} bytes: 1500,9000,65521`);
    return mtu;
  });
}

/** A line that is written over again and again, on a terminal only. */
class ProgressLine {
  readonly #shown = process.stderr.isTTY;

  say({ test, system, placement, mtu }: Case, done: number, all: number): void {
    if (!this.#shown) return;
    const percent = Math.floor((100 * done) / all);
    process.stderr.write(`\r\x1b[K${percent}%  ${test}  ${system}  ${placement}  MTU ${mtu}`);
  }

  clear(): void {
    if (this.#shown) process.stderr.write("\r\x1b[K");
  }
}

/** A missing tool is no failure of ours; anything else that left a row empty is. */
function isDegraded({ results }: Report): boolean {
  return results.some(({ problem }) => problem !== undefined && !problem.includes("is not installed"));
}

/** Adds `bench` to the program. */
export function registerBench(program: Command): void {
  program
    .command("bench")
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
            progress: (each, done, all) => line.say(each, done, all),
            abort,
          });
        } finally {
          line.clear();
        }
      });
      emit("bench", options.json, report, () => reportText(report));
      if (isDegraded(report)) process.exitCode = exitCodes.degraded;
    });
}
