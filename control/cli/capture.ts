// `proteus capture`: the FLIP frames that pass a machine, live and as a file for Wireshark.
//
// - A machine of the running lab: this program again, inside the machine (lab/exec.ts), with
//   its interfaces. `--interface`: this machine, where the program runs.
// - A tap takes no part: no address, no answer, no frame of its own (drivers/tap.ts).
// - Ends after --count frames, after --duration, or with Ctrl-C or SIGTERM; then it says how
//   many frames there were and how many were lost to it: 6 is the exit code of a lossy capture.

import { fileURLToPath } from "node:url";
import type { Command } from "@commander-js/extra-typings";
import { exitCodes, ProteusError, usageError } from "../kernel/errors.js";
import { execInNode } from "../lab/exec.js";
import { requireLab } from "../lab/lab.js";
import { interfacesOf } from "../lab/plan.js";
import { requireNode } from "../lab/topology.js";
import { openTaps } from "../node/taps.js";
import { CaptureSession, type FrameSink, type Totals } from "./capture-session.js";
import { fileSink, jsonSink, textSink } from "./capture-sinks.js";
import { collect, untilStopped } from "./foreground.js";
import { narrate } from "./output.js";
import { offlineKernel } from "./package-files.js";
import { parseCount, parseDuration } from "./quantity.js";

const helpText = `
NODE is a machine of the running lab (all its interfaces), or one interface of it: n1:eth0.
Without NODE, --interface names interfaces of this machine. FLIP frames only, in both
directions. FILE is pcap, or pcapng when it ends in .pcapng; - is standard output.

The exit code is 6 when frames passed faster than they were taken.

Examples:
  proteus capture n1
  proteus capture n1:eth0 -w n1.pcapng --duration 10s
  proteus capture n1 --json --count 100 | jq .rpc.type
  proteus capture n1 -w - | wireshark -k -i -
  proteus capture --interface eth0`;

interface Options {
  readonly interface: readonly string[];
  readonly lab?: string | undefined;
  readonly write?: string | undefined;
  readonly count?: string | undefined;
  readonly duration?: string | undefined;
  readonly quiet: boolean;
  readonly json: boolean;
}

/** Adds `capture` to the program. */
export function registerCapture(program: Command): void {
  program
    .command("capture")
    .description("show the frames that pass a machine, and write them for Wireshark")
    .argument("[node]", "a machine of the running lab, or one of its interfaces: n1:eth0")
    .option("--interface <name>", "an interface of this machine; may be repeated", collect, [])
    .option("--lab <name>", "which lab, when several are running")
    .option("-w, --write <file>", "write the frames to a file")
    .option("--count <number>", "end after so many frames")
    .option("--duration <time>", "end after so long: 500ms, 10s, 2m")
    .option("-q, --quiet", "do not show the frames, only write them", false)
    .option("--json", "one JSON document a line for each frame, and the totals last", false)
    .addHelpText("after", helpText)
    .action(async (node, options) => {
      check(node, options);
      if (node === undefined) await captureHere(options);
      else process.exitCode = await captureInNode(node, options);
    });
}

/** Refuses what makes no sense before anything is opened. */
function check(node: string | undefined, options: Options): void {
  const { interface: interfaces, write, count, duration, quiet, json } = options;
  if (node === undefined && interfaces.length === 0)
    throw usageError("it is not said what to capture", "name a machine of the lab, or --interface NAME");
  if (node !== undefined && interfaces.length > 0)
    throw usageError("a machine and --interface exclude each other", `one interface of it: ${node}:eth0`);
  if (new Set(interfaces).size !== interfaces.length)
    throw usageError("an interface was named twice", "name each interface once");
  if (count !== undefined) parseCount(count);
  if (duration !== undefined) parseDuration(duration);
  if (write === "-" && json)
    throw usageError("-w - and --json both want standard output", "write to a file, or leave --json out");
  if (write === "-" && process.stdout.isTTY)
    throw usageError("frames are not written to a terminal", "pipe them: -w - | wireshark -k -i -");
  if (quiet && write === undefined)
    throw usageError("--quiet without -w would leave nothing of the frames", "add -w FILE");
}

/** The names of the interfaces that a target means. */
function interfacesOfTarget(target: string, labName: string | undefined) {
  const [nodeName = "", wanted] = target.split(":", 2);
  const state = requireLab(labName);
  const node = requireNode(state.topology, nodeName);
  const names = interfacesOf(state.topology, node).map(({ name }) => name);
  if (wanted === undefined) return { state, node, names };
  if (!names.includes(wanted))
    throw new ProteusError({
      code: "LAB_NO_INTERFACE",
      exit: exitCodes.notFound,
      message: `${nodeName} has no interface "${wanted}"`,
      why: `it has ${names.join(", ")}`,
      hint: `proteus capture ${nodeName} takes all of them`,
    });
  return { state, node, names: [wanted] };
}

async function captureInNode(target: string, options: Options): Promise<number> {
  const { state, node, names } = interfacesOfTarget(target, options.lab);
  const { write, count, duration, quiet, json } = options;
  const words = [
    ...names.flatMap((name) => ["--interface", name]),
    ...(write === undefined ? [] : ["--write", write]),
    ...(count === undefined ? [] : ["--count", count]),
    ...(duration === undefined ? [] : ["--duration", duration]),
    ...(quiet ? ["--quiet"] : []),
    ...(json ? ["--json"] : []),
  ];
  const main = fileURLToPath(new URL("./main.js", import.meta.url));
  return execInNode(state, node, [process.execPath, main, "capture", ...words]);
}

async function captureHere(options: Options): Promise<void> {
  const names = options.interface;
  const stopped = untilStopped();
  const taps = await openTaps(names, { say: narrate, lost: stopped.fail });
  try {
    const count = options.count === undefined ? Number.POSITIVE_INFINITY : parseCount(options.count);
    let end: (error?: unknown) => void = () => undefined;
    const enough = new Promise<void>((resolve, reject) => {
      end = (error) => (error === undefined ? resolve() : reject(error));
    });
    enough.catch(() => undefined); // the race hears of it
    const session = new CaptureSession(taps, sinksFor(options, names), count, (error) => end(error));
    narrate(`listening on ${names.join(", ")}`);
    await Promise.race([enough, stopped.promise, timeUp(options.duration)]);
    report(session.stop());
  } finally {
    for (const tap of taps) tap.close();
  }
}

/** Never resolves without a duration. */
function timeUp(duration: string | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (duration !== undefined) setTimeout(resolve, parseDuration(duration)).unref(); // taps keep us here
  });
}

function sinksFor({ write, quiet, json }: Options, names: readonly string[]): FrameSink[] {
  const sinks = write === undefined ? [] : [fileSink(write, names)]; // first: it is the fastest
  if (json) sinks.push(jsonSink(offlineKernel(), names, process.stdout, quiet));
  else if (!quiet && write !== "-") sinks.push(textSink(offlineKernel(), names, process.stdout));
  return sinks;
}

function report({ frames, dropped, interfaces }: Totals): void {
  for (const each of interfaces) narrate(`${each.name}: ${each.frames} frames, ${each.dropped} lost`);
  if (dropped === 0) return;
  process.exitCode = exitCodes.degraded;
  narrate(`the capture has holes: ${frames} frames were taken, ${dropped} passed too fast`);
}
