// `proteus lab demo`, what `npm start` shows: three machines on a LAN of their own, an
// echo server on one, calls from the others, and the first measurement. All of it is
// real; all of it is gone afterwards, also after an interrupt or a failure.

import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { ProteusError } from "../kernel/errors.js";
import { nodeCommand } from "../lab/exec.js";
import { down, up } from "../lab/lab.js";
import { processOf, waitGone } from "../lab/processes.js";
import type { Isolation, LabState } from "../lab/state.js";
import { statusOf, statusText } from "../lab/status.js";
import { defaultTopology, requireNode } from "../lab/topology.js";

export interface DemoOptions {
  /** This program again. */
  readonly proteus: readonly string[];
  readonly isolation: Isolation | "auto";
  /** Measure as well. */
  readonly bench: boolean;
  readonly narrate: (line: string) => void;
  readonly abort: AbortSignal;
}

const getPort = "abcdef";
/** What everyone else knows it by: the one-way function of the get-port. */
const putPort = "e4b2c2985455";
const serveDeadlineMs = 15_000;
const callDeadlineMs = 60_000;
/** Three minutes alone on two cores, and more beside other work. */
const benchDeadlineMs = 900_000;

/** A program whose lines are shown with the node's name in front. */
class Shown {
  readonly child: ChildProcessByStdio<null, Readable, null>;
  /** Its exit status, or 1 when a signal ended it. */
  readonly ended: Promise<number>;

  constructor(
    label: string,
    command: readonly string[],
    environment: Readonly<Record<string, string>>,
    seen?: (line: string) => void,
  ) {
    const [program = "", ...rest] = command;
    this.child = spawn(program, rest, {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ...environment },
    });
    const lines = createInterface({ input: this.child.stdout });
    lines.on("line", (line) => {
      process.stdout.write(`${label}${line}\n`);
      seen?.(line);
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.on("error", reject);
      this.child.on("close", (code) => resolve(code ?? 1));
    });
    this.ended.catch(() => {});
  }

  /** Waits for its end; it is killed at the deadline or at an abort. */
  async finish(what: string, milliseconds: number, abort: AbortSignal): Promise<void> {
    const kill = (): void => void this.child.kill("SIGKILL");
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      kill();
    }, milliseconds);
    abort.addEventListener("abort", kill);
    try {
      const status = await this.ended;
      abort.throwIfAborted();
      if (status !== 0)
        throw new ProteusError({
          code: "DEMO_FAILED",
          exit: 1,
          message: `${what} failed`,
          why: late
            ? `it took more than ${milliseconds / 1000} s and was ended`
            : `it ended with status ${status}`,
          unchanged: "the lab of the demonstration is removed",
          hint: "what it said stands above; proteus doctor says what this machine lacks",
        });
    } finally {
      clearTimeout(timer);
      abort.removeEventListener("abort", kill);
    }
  }
}

/** Starts the echo server and waits until it has said its port. */
async function serveEcho(
  shown: (node: string, words: readonly string[], seen?: (line: string) => void) => Shown,
  abort: AbortSignal,
): Promise<Shown> {
  let listens = (): void => {};
  const listening = new Promise<true>((resolve) => {
    listens = () => resolve(true);
  });
  const server = shown("n1", ["serve", "echo", "--port", getPort], (line) => {
    if (line.includes(putPort)) listens();
  });
  let expire = (): void => {};
  const expired = new Promise<false>((resolve) => {
    expire = () => resolve(false);
  });
  const timer = setTimeout(expire, serveDeadlineMs);
  abort.addEventListener("abort", expire);
  try {
    const ended = server.ended.then(() => false as const);
    if (await Promise.race([listening, expired, ended])) return server;
  } finally {
    clearTimeout(timer);
    abort.removeEventListener("abort", expire);
  }
  server.child.kill("SIGKILL");
  abort.throwIfAborted();
  throw new ProteusError({
    code: "DEMO_FAILED",
    exit: 1,
    message: "the echo server did not start to listen",
    why: `its put-port ${putPort} was not printed`,
    unchanged: "the lab of the demonstration is removed",
    hint: "try again when the machine is less busy",
  });
}

async function callEachOther(state: LabState, { proteus, narrate, abort }: DemoOptions): Promise<void> {
  const shown = (node: string, words: readonly string[], seen?: (line: string) => void): Shown => {
    const place = nodeCommand(state, requireNode(state.topology, node), [...proteus, ...words]);
    narrate(`\n${node}$ proteus ${words.join(" ")}`);
    return new Shown(`${node} | `, place.command, place.environment, seen);
  };
  const server = await serveEcho(shown, abort);
  try {
    const calls = [
      ["n2", "--size", "0", "--count", "1000"],
      ["n3", "--size", "1M", "--count", "20"],
    ];
    for (const [node = "", ...how] of calls)
      await shown(node, ["call", "--port", putPort, ...how]).finish(
        `the calls from ${node}`,
        callDeadlineMs,
        abort,
      );
    narrate("\nn1: the server is asked to end");
    server.child.kill("SIGTERM");
    await server.finish("the echo server", serveDeadlineMs, abort);
  } finally {
    const left = processOf(server.child.pid);
    server.child.kill("SIGKILL");
    if (left !== null) await waitGone([left], 1000);
  }
}

/** Can this program do this? */
async function knows(proteus: readonly string[], command: string): Promise<boolean> {
  const [program = "", ...rest] = proteus;
  const child = spawn(program, [...rest, command, "--help"], { stdio: "ignore" });
  return new Promise((resolve) => {
    child.on("error", () => resolve(false));
    child.on("close", (code) => resolve(code === 0));
  });
}

async function measure({ proteus, narrate, abort }: DemoOptions): Promise<void> {
  if (!(await knows(proteus, "bench"))) {
    narrate("\nThe measurement against TCP/IP is not part of this build.");
    return;
  }
  // Three runs and the systems that matter most: half a minute. `proteus bench` takes its time.
  const systems = "flip,floor,spin-tcp,node-tcp,iperf3,iperf3-no-offload";
  const words = ["bench", "null-rpc", "call-1m", "--runs", "3", "--mtu", "1500,9000", "--system", systems];
  narrate(`\n$ proteus ${words.join(" ")}`);
  await new Shown("", [...proteus, ...words], {}).finish("the measurement", benchDeadlineMs, abort);
}

/** Runs the demonstration from the first machine to the last trace of it. */
export async function runDemo(options: DemoOptions): Promise<void> {
  const { narrate, abort } = options;
  narrate("Three pool machines, each with a network stack of its own, on one LAN:");
  const { state } = await up(defaultTopology(`demo-${process.pid}`, 3), {
    ...options,
    timeoutMs: 30_000,
    owned: true,
  });
  try {
    process.stdout.write(`${statusText(statusOf(state))}\n`);
    abort.throwIfAborted();
    await callEachOther(state, options);
    abort.throwIfAborted();
  } finally {
    const { processes } = await down(state);
    narrate(`\nThe lab is down again: ${processes} processes ended, nothing is left of it.`);
  }
  if (!options.bench) return;
  if (state.isolation === "memory") narrate("\nThe measurement needs network namespaces: left out.");
  else await measure(options);
}
