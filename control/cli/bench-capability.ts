// `proteus bench capability`: whether the time that a refusal takes tells how much of a forged
// check field is right. What is measured and how: control/bench/capability.
//
// - The last line says what was found; exit 6 when a scheme leaks, or when the control, which
//   does, was not found out.

import type { Command } from "@commander-js/extra-typings";
import { measureTiming, type TimingReport } from "../bench/capability/timing.js";
import { machine } from "../bench/environment.js";
import { exitCodes } from "../kernel/errors.js";
import { ProgressLine } from "./bench-options.js";
import { interruptible } from "./lab.js";
import { loneKernel } from "./lone-kernel.js";
import { emit } from "./output.js";
import { packageVersion } from "./package-files.js";
import { parseCount } from "./quantity.js";
import { table } from "./table.js";

const help = `
Forged check fields that agree with the genuine one in 1 to 5 leading bytes are timed beside
such that agree in none, in an order drawn at random; Welch's t says whether the two differ
(dudect). Beyond 4.5, either way, they are taken to. keyed and original are the two schemes as
a server uses them; early-exit is a comparison that stops at the first wrong byte: when that is
not found, the measurement says nothing. No network and no special rights are needed.

Examples:
  proteus bench capability
  proteus bench capability --samples 50000 --json

Exit codes: 2 for wrong arguments, 6 when a scheme leaks, or the control was not found.`;

const samplesMost = 1_000_000;
const samplesStandard = 10_000;

/** Why the measurement does not end well, or null. */
export function faultOf({ verdicts, threshold }: TimingReport): string | null {
  const leaks = verdicts.filter(({ scheme, differs }) => scheme !== "early-exit" && differs);
  if (leaks.length > 0)
    return `${leaks.map(({ scheme }) => scheme).join(" and ")} may leak: |t| above ${threshold}; measure again`;
  if (!verdicts.some(({ scheme, differs }) => scheme === "early-exit" && differs))
    return "the control was not found: more samples, or a machine that does nothing else";
  return null;
}

/** The report for people. */
export function timingText(report: TimingReport): string {
  const rows = report.rows.map(({ scheme, agreeing, noneNs, someNs, samples, t }) => [
    ...[scheme, `${agreeing}`, `${samples}`, noneNs.toFixed(1), someNs.toFixed(1), t.toFixed(2)],
  ]);
  const verdicts = report.verdicts.map(
    ({ scheme, t, differs }) =>
      `${scheme.padEnd(10)}  t ${t.toFixed(2)}: ${differs ? "the times differ" : "no difference was found"}`,
  );
  const fault = faultOf(report);
  return [
    table(["SCHEME", "BYTES RIGHT", "SAMPLES", "NONE NS", "THESE NS", "T"], rows),
    "",
    ...verdicts,
    ...(fault === null ? [] : [fault]),
  ].join("\n");
}

/** Adds `capability` to `bench`. */
export function registerBenchCapability(bench: Command): void {
  bench
    .command("capability")
    .description("measure whether refusals of forged capabilities leak by their time")
    .option("--samples <count>", "samples of each kind", `${samplesStandard}`)
    .option("--json", "one JSON document on stdout", false)
    .addHelpText("after", help)
    .action(async ({ samples, json }) => {
      const count = parseCount(samples, samplesMost);
      const { cpu, cores, load, kernel: linux, node } = machine();
      const kernel = loneKernel();
      const line = new ProgressLine();
      const report = await interruptible(async (abort) => {
        try {
          return await measureTiming({
            ...{ privates: kernel.privates, samples: count, abort },
            progress: (scheme, done, all) => line.say([scheme], done, all),
          });
        } finally {
          line.clear();
        }
      });
      const environment = { proteus: packageVersion(), cpu, cores, load, kernel: linux, node };
      emit("bench capability", json, { environment, ...report }, () => timingText(report));
      if (faultOf(report) !== null) process.exitCode = exitCodes.degraded;
    });
}
