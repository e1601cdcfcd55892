// iperf3, pinned like everything else: a server for one test and its client.
//
// - One stream, a second or as long as the link needs; standard buffers (128 KiB) unless
//   told otherwise. The rate is what the receiver got; the CPU time is each end's own, for
//   each 1 MiB.

import { spawn } from "node:child_process";
import { runTool, toolEnvironment } from "../lab/tools.js";
import { spanOf } from "./tests.js";
import { type Case, callBytes, type Run } from "./types.js";
import type { Pinned } from "./worker.js";

const secondsMin = 1;
const listenDeadlineMs = 5000;

/** What has to be installed, or null when it is there. */
export async function iperf3Version(): Promise<string | null> {
  try {
    const { output } = await runTool(["iperf3", "--version"]);
    return output.split("\n")[0]?.trim() ?? "iperf3";
  } catch {
    return null;
  }
}

/** What a case adds to the client's command; null when it is not one of iperf3. Pure. */
export function iperf3Options({ system, test, link }: Case): string[] | null {
  if (!system.startsWith("iperf3")) return null;
  const seconds = Math.max(secondsMin, Math.ceil(spanOf(test, link).milliseconds / 1000));
  const control = /^iperf3-(cubic|bbr)$/.exec(system)?.[1];
  return [
    ...["-t", `${seconds}`],
    ...(system === "iperf3-1m" ? ["-l", "1M"] : []),
    ...(control === undefined ? [] : ["-C", control]),
  ];
}

/** The figures in the client's JSON. Throws when it holds an error or none. */
export function parseIperf3(text: string): Run {
  const document = JSON.parse(text) as {
    error?: string;
    end?: {
      sum_received?: { bits_per_second?: number; bytes?: number; seconds?: number };
      cpu_utilization_percent?: { host_total?: number; remote_total?: number };
    };
  };
  const received = document.end?.sum_received;
  if (document.error !== undefined || received?.bits_per_second === undefined)
    throw new Error(`iperf3: ${document.error ?? "it gave no figures"}`);
  const calls = (received.bytes ?? 0) / callBytes;
  const used = document.end?.cpu_utilization_percent;
  const cpuOf = (percent = Number.NaN): number | null => {
    const each = ((percent / 100) * 1e6 * (received.seconds ?? 0)) / calls;
    return Number.isFinite(each) ? each : null;
  };
  return {
    p50Us: null,
    p99Us: null,
    megabytesPerSecond: received.bits_per_second / 8e6,
    callsPerSecond: null,
    cpuUsPerCall: cpuOf(used?.host_total),
    serverCpuUsPerCall: cpuOf(used?.remote_total),
  };
}

/** Starts a server for one test; resolves when it listens. */
function listen(command: readonly string[]): Promise<{ ended: Promise<void>; kill: () => void }> {
  const [tool = "", ...rest] = command;
  const child = spawn(tool, rest, { env: toolEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), listenDeadlineMs);
    let words = "";
    const hear = (text: string): void => {
      words += text;
      if (!words.includes("Server listening")) return;
      clearTimeout(timer);
      resolve({ ended, kill: () => child.kill("SIGKILL") });
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    child.once("error", reject);
    child.once("close", () => {
      clearTimeout(timer);
      reject(new Error(`iperf3 did not listen: ${words.trim()}`));
    });
  });
}

/** Where iperf3 runs. */
export interface Iperf3Place {
  /** Commands on the two machines. */
  readonly client: Pinned;
  readonly server: Pinned;
  /** IPv4 address of the server. */
  readonly address: string;
}

/** One measurement. */
export async function runIperf3(
  { client, server, address }: Iperf3Place,
  cores: { readonly client: number | null; readonly server: number | null },
  options: readonly string[],
): Promise<Run> {
  const serving = await listen(server(cores.server, ["iperf3", "-s", "-1", "--forceflush", "-B", address]));
  const call = ["iperf3", "-J", "-i", "0", "-c", address, ...options];
  const { status, output, errors } = await runTool(client(cores.client, call));
  if (status !== 0) serving.kill(); // it may wait for a client that never came
  await serving.ended;
  if (output.trim() === "") throw new Error(`iperf3 gave nothing: ${errors.trim()}`);
  return parseIperf3(output);
}
