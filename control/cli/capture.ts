// `proteus capture`: the FLIP frames that pass a machine, live and as a file for Wireshark.
//
// - A machine of the running lab: this program again, inside the machine (lab/exec.ts), with
//   its interfaces. A deployed machine: the same there, through ssh, and its frames come here
//   (capture-remote.ts). `local`, or `--interface`: this machine, where the program runs.
// - A tap takes no part: no address, no answer, no frame of its own (drivers/tap.ts).
// - Ends after --count frames, after --duration, or with Ctrl-C or SIGTERM; then it says how
//   many frames there were and how many were lost to it: 6 is the exit code of a lossy capture.

import type { Command } from "@commander-js/extra-typings";
import type { Tap } from "../../drivers/tap.js";
import { exitCodes, ProteusError, usageError } from "../kernel/errors.js";
import { execInNode } from "../lab/exec.js";
import { interfacesOf } from "../lab/plan.js";
import { findMachine, type Machine } from "../machine/find.js";
import { ownInterfaces } from "../machine/own.js";
import type { Remote } from "../machine/ssh.js";
import { openTaps } from "../node/taps.js";
import { RemoteCapture } from "./capture-remote.js";
import { CaptureSession, type FrameSink, type Totals } from "./capture-session.js";
import { feedSink, fileSink, jsonSink, textSink } from "./capture-sinks.js";
import { collect, untilStopped } from "./foreground.js";
import { proteus } from "./lab-options.js";
import { narrate } from "./output.js";
import { offlineKernel } from "./package-files.js";
import { parseCount, parseDuration } from "./quantity.js";
import { versionDocument } from "./version.js";

type NodeMachine = Extract<Machine, { kind: "node" }>;

const helpText = `
NODE is a machine of the running lab (all its interfaces), or one interface of it: n1:eth0;
or a deployed machine that ssh reaches: ssh:HOST, ssh:USER@HOST, USER@HOST, with :INTERFACE
behind it or the interfaces of its settings; or this one: local. --interface names others
of this machine. FLIP frames only, in both directions. FILE is pcap, or pcapng when it ends
in .pcapng; - is standard output. Frames of a deployed machine are written here, with the
times of its clock; PROTEUS_SSH is the ssh command, PROTEUS_REMOTE the program there.

The exit code is 6 when frames passed faster than they were taken.

Examples:
  proteus capture n1
  proteus capture n1:eth0 -w n1.pcapng --duration 10s
  proteus capture n1 --json --count 100 | jq .rpc.type
  proteus capture n1 -w - | wireshark -k -i -
  proteus capture ssh:root@h1 -w h1.pcapng --duration 10s
  proteus capture local
  proteus capture --interface eth0`;

interface Options {
  readonly interface: readonly string[];
  readonly lab?: string | undefined;
  readonly write?: string | undefined;
  readonly count?: string | undefined;
  readonly duration?: string | undefined;
  readonly quiet: boolean;
  readonly json: boolean;
  readonly feed: boolean;
}

/** Adds `capture` to the program. */
export function registerCapture(program: Command): void {
  program
    .command("capture")
    .description("show the frames that pass a machine, and write them for Wireshark")
    .argument("[node]", "a machine, or one of its interfaces: n1, n1:eth0, ssh:HOST, local")
    .option("--interface <name>", "an interface of this machine; may be repeated", collect, [])
    .option("--lab <name>", "which lab, when several are running")
    .option("-w, --write <file>", "write the frames to a file")
    .option("--count <number>", "end after so many frames")
    .option("--duration <time>", "end after so long: 500ms, 10s, 2m")
    .option("-q, --quiet", "do not show the frames, only write them", false)
    .option("--json", "one JSON document a line for each frame, and the totals last", false)
    .option("--feed", "what it takes, for capture on another machine; ends with standard input", false)
    .addHelpText("after", helpText)
    .action(async (name, options) => {
      check(name, options);
      if (name === undefined) return captureHere(options, options.interface);
      const machine = await findMachine(name, { lab: options.lab });
      const own = machine.interfaceName;
      if (machine.kind === "node") process.exitCode = await captureInNode(machine, options);
      else if (machine.kind === "local")
        await captureHere(options, own === undefined ? ownInterfaces() : [own]);
      else await captureThere(machine.remote, own, options);
    });
}

/** Refuses what makes no sense before anything is opened. */
function check(node: string | undefined, options: Options): void {
  const { interface: interfaces, write, count, duration, quiet, json, feed } = options;
  if (node === undefined && interfaces.length === 0)
    throw usageError("it is not said what to capture", "name a machine, or --interface NAME");
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
  if (feed && (write !== undefined || json))
    throw usageError("--feed, -w and --json exclude each other", "--feed is for other machines");
  if (quiet && write === undefined)
    throw usageError("--quiet without -w would leave nothing of the frames", "add -w FILE");
}

/** The names of the interfaces that a node of a lab means. */
function interfacesOfNode({ name, state, node, interfaceName }: NodeMachine): string[] {
  const names = interfacesOf(state.topology, node).map((each) => each.name);
  if (interfaceName === undefined) return names;
  if (names.includes(interfaceName)) return [interfaceName];
  throw new ProteusError({
    code: "LAB_NO_INTERFACE",
    exit: exitCodes.notFound,
    message: `${name} has no interface "${interfaceName}"`,
    why: `it has ${names.join(", ")}`,
    hint: `proteus capture ${name} takes all of them`,
  });
}

async function captureInNode(machine: NodeMachine, options: Options): Promise<number> {
  const { write, count, duration, quiet, json } = options;
  const words = [
    ...interfacesOfNode(machine).flatMap((name) => ["--interface", name]),
    ...(write === undefined ? [] : ["--write", write]),
    ...(count === undefined ? [] : ["--count", count]),
    ...(duration === undefined ? [] : ["--duration", duration]),
    ...(quiet ? ["--quiet"] : []),
    ...(json ? ["--json"] : []),
  ];
  return execInNode(machine.state, machine.node, [...proteus, "capture", ...words]);
}

async function captureHere(options: Options, names: readonly string[]): Promise<void> {
  const stopped = untilStopped();
  const taps = await openTaps(names, { say: narrate, lost: stopped.fail });
  const told = options.feed ? [stopped.promise, inputEnded()] : [stopped.promise];
  await captureFrom(taps, options, { where: names.join(", "), told });
}

/** Resolves when standard input ends. */
function inputEnded(): Promise<void> {
  return new Promise((resolve) => {
    process.stdin
      .once("end", resolve)
      .once("error", () => resolve())
      .resume();
  });
}

async function captureThere(
  remote: Remote,
  interfaceName: string | undefined,
  options: Options,
): Promise<void> {
  await remote.probe(versionDocument());
  const stopped = untilStopped();
  const capture = await RemoteCapture.start(remote, interfaceName, stopped.fail);
  try {
    const where = `${remote.name}: ${capture.taps.map(({ name }) => name).join(", ")}`;
    await captureFrom(capture.taps, options, {
      ...{ where, told: [stopped.promise], finish: () => capture.finish() },
    });
  } finally {
    capture.kill();
  }
}

interface Course {
  /** For people: what is captured. */
  readonly where: string;
  /** What ends it, beside its count and its time. */
  readonly told: readonly Promise<void>[];
  /** Resolves when the taps have all that they will have. */
  readonly finish?: () => Promise<void>;
}

async function captureFrom(taps: readonly Tap[], options: Options, course: Course): Promise<void> {
  const names = taps.map(({ name }) => name);
  try {
    const count = options.count === undefined ? Number.POSITIVE_INFINITY : parseCount(options.count);
    let end: (error?: unknown) => void = () => undefined;
    const enough = new Promise<void>((resolve, reject) => {
      end = (error) => (error === undefined ? resolve() : reject(error));
    });
    enough.catch(() => undefined); // the race hears of it
    const session = new CaptureSession(taps, sinksFor(options, names), count, (error) => end(error));
    narrate(`listening on ${course.where}`);
    try {
      await Promise.race([enough, ...course.told, timeUp(options.duration)]);
      await course.finish?.();
    } finally {
      report(session.stop());
    }
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

function sinksFor({ write, quiet, json, feed }: Options, names: readonly string[]): FrameSink[] {
  if (feed) return [feedSink(names, process.stdout)];
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
