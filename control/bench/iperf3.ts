// iperf3, pinned like everything else: a server for one test and its client.
//
// - One stream, one second; standard buffers (128 KiB) unless told otherwise. The rate is
//   what the receiver got; the CPU
//   time is the client's own, for each 1 MiB.

import { spawn } from "node:child_process";
import { runTool, toolEnvironment } from "../lab/tools.js";
import { addresses, type Pair } from "./pair.js";
import { callBytes, type Run } from "./types.js";
import { pinned } from "./worker.js";

const seconds = 1;
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

/** The figures in the client's JSON. Throws when it holds an error or none. */
export function parseIperf3(text: string): Run {
  const document = JSON.parse(text) as {
    error?: string;
    end?: {
      sum_received?: { bits_per_second?: number; bytes?: number; seconds?: number };
      cpu_utilization_percent?: { host_total?: number };
    };
  };
  const received = document.end?.sum_received;
  if (document.error !== undefined || received?.bits_per_second === undefined)
    throw new Error(`iperf3: ${document.error ?? "it gave no figures"}`);
  const calls = (received.bytes ?? 0) / callBytes;
  const cpu = ((document.end?.cpu_utilization_percent?.host_total ?? Number.NaN) / 100) * 1e6;
  return {
    p50Us: null,
    p99Us: null,
    megabytesPerSecond: received.bits_per_second / 8e6,
    callsPerSecond: null,
    cpuUsPerCall: calls > 0 && Number.isFinite(cpu) ? (cpu * (received.seconds ?? 0)) / calls : null,
  };
}

/** Starts a server for one test; resolves when it listens. */
function listen(command: readonly string[]): Promise<{ ended: Promise<void> }> {
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
      resolve({ ended });
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

/** One measurement. */
export async function runIperf3(
  pair: Pair,
  cores: { client: number; server: number },
  options: readonly string[] = [],
): Promise<Run> {
  const serve = ["iperf3", "-s", "-1", "--forceflush", "-B", addresses.server];
  const server = await listen(pinned(pair.enter("server"), cores.server, serve));
  const call = ["iperf3", "-J", "-i", "0", "-t", `${seconds}`, "-c", addresses.server, ...options];
  const { output } = await runTool(pinned(pair.enter("client"), cores.client, call));
  await server.ended;
  return parseIperf3(output);
}
