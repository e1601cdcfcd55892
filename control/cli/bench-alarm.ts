// `proteus bench group-alarm`: are slow machines taken for dead ones?
//
// - The measurement is control/bench/group/alarm.ts. Exit 1 when a group was reset though
//   nobody died.

import { type Command, Option } from "@commander-js/extra-typings";
import { type AlarmReport, watchForAlarms } from "../bench/group/alarm.js";
import { membersMost } from "../bench/group/types.js";
import { exitCodes } from "../kernel/errors.js";
import { parseNumbers } from "./bench-options.js";
import { interruptible } from "./lab.js";
import { emit } from "./output.js";
import { kernelBytes, kernelPath } from "./package-files.js";
import { parseCount, parseDuration } from "./quantity.js";

const help = `
A group of machines on one bridge, with busy processes on every core. Nobody dies: each
reset of the group is a false alarm.

Examples:
  proteus bench group-alarm
  proteus bench group-alarm --minutes 60
  proteus bench group-alarm --minutes 5 --members 5 --busy 4 --json

Exit codes: 1 when there was an alarm, 4 when no network stacks can be made here.`;

const busyMax = 64;
const minutesMax = 1e6;

/** The report for people. Pure. */
export function alarmText({
  members,
  busyProcesses,
  seconds,
  idle,
  messages,
  gapMs,
  alarms,
}: AlarmReport): string {
  const time = seconds >= 120 ? `${(seconds / 60).toFixed(1)} minutes` : `${seconds.toFixed(1)} s`;
  return [
    `${alarms.length} false alarms in ${time}: ${members} members, ${busyProcesses} busy processes, ` +
      `cores idle ${(100 * idle).toFixed(1)}% of the time`,
    `${messages} messages were ordered, at most ${gapMs.toFixed(0)} ms apart`,
    ...alarms.map(({ seconds: at, what }) => `at ${at.toFixed(1)} s: ${what}`),
  ].join("\n");
}

/** Adds `group-alarm` to `bench`. */
export function registerBenchAlarm(bench: Command): void {
  bench
    .command("group-alarm")
    .description("watch whether slow machines are taken for dead ones")
    .option("--minutes <count>", "how long", "10")
    .option("--duration <time>", "how long instead: 30s, 5m")
    .option("--members <count>", "size of the group", "3")
    .option("--busy <count>", "busy processes on each core", "2")
    .addOption(new Option("--json", "one JSON document on stdout").default(false))
    .addHelpText("after", help)
    .action(async (options) => {
      const minutes =
        options.duration === undefined
          ? parseCount(options.minutes, minutesMax)
          : parseDuration(options.duration) / 60_000;
      const [members] = parseNumbers("group's size", options.members, 2, membersMost);
      kernelBytes(); // says how to build it when it is not there
      const terminal = process.stderr.isTTY;
      const report = await interruptible(async (abort) => {
        try {
          return await watchForAlarms({
            minutes,
            members: members ?? 3,
            busy: parseCount(options.busy, busyMax),
            wasm: kernelPath,
            progress: (now) => {
              if (terminal) process.stderr.write(`\r\x1b[K${alarmText(now).split("\n")[0]}`);
            },
            abort,
          });
        } finally {
          if (terminal) process.stderr.write("\r\x1b[K");
        }
      });
      emit("bench group-alarm", options.json, report, () => alarmText(report));
      if (report.alarms.length > 0) process.exitCode = exitCodes.failed;
    });
}
