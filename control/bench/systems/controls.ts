// The controls that live in the driver's addon: floor and spin-tcp (drivers/ethernet).
//
// - Both block their thread, spin as the kernel's loop does, and cross into native code
//   once a turn.
// - With several clients the floor keeps as many frames under way; it has no times of
//   single ones then.

import { performance } from "node:perf_hooks";
import {
  type Rounds,
  runFloorClient,
  runFloorServer,
  runFloorStream,
  runSpinTcpClient,
  runSpinTcpServer,
} from "../../../drivers/ethernet/controls.js";
import { runOf } from "../samples.js";
import type { Run } from "../types.js";
import type { Job, Serving, System } from "./system.js";

const tcpPort = 7001;
/** Round trips for each call that a run has at least: they are quick, and nothing else ends a run. */
const roundsFactor = 15;
const warmupPart = 1 / 6;

/** Runs the client; its CPU time is counted from the end of the warm-up on. */
function timeRounds({ callsMin }: Job, client: (how: Rounds) => Float64Array): Run {
  const rounds = callsMin * roundsFactor;
  let cpu = process.cpuUsage();
  let begun = performance.now();
  const measuring = () => {
    cpu = process.cpuUsage();
    begun = performance.now();
  };
  const times = client({ rounds, warmup: Math.ceil(rounds * warmupPart), measuring });
  const { user, system } = process.cpuUsage(cpu);
  return runOf(times, { elapsedUs: (performance.now() - begun) * 1000, cpuUs: user + system });
}

/** Frames under way: a call's frames a second are compared with those of the floor. */
function timeStream({ interfaceName, clients, milliseconds }: Job): Run {
  let cpu = process.cpuUsage();
  const measuring = () => {
    cpu = process.cpuUsage();
  };
  const { trips, elapsedMs } = runFloorStream(
    { interfaceName },
    { window: clients, ms: milliseconds, measuring },
  );
  const { user, system } = process.cpuUsage(cpu);
  return {
    ...{ p50Us: null, p99Us: null, megabytesPerSecond: null },
    callsPerSecond: (trips * 1000) / elapsedMs,
    cpuUsPerCall: (user + system) / trips,
  };
}

const blocking = (block: () => void): Promise<Serving> =>
  Promise.resolve({ facts: {}, block, stop: () => Promise.resolve() });

export const floor: System = {
  serve: ({ interfaceName }: Job) => blocking(() => runFloorServer({ interfaceName })),
  measure: async (job: Job) =>
    job.test === "null-rpc"
      ? timeRounds(job, (how) => runFloorClient({ interfaceName: job.interfaceName }, how))
      : timeStream(job),
};

export const spinTcp: System = {
  serve: ({ address }: Job) => blocking(() => runSpinTcpServer({ address, port: tcpPort })),
  measure: async (job: Job) =>
    timeRounds(job, (how) => runSpinTcpClient({ address: job.address, port: tcpPort }, how)),
};
