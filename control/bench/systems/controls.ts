// The controls that live in the driver's addon: floor and spin-tcp (drivers/ethernet).
//
// - Both block their thread, spin as the kernel's loop does, and cross into native code
//   once a turn.

import { performance } from "node:perf_hooks";
import {
  type Rounds,
  runFloorClient,
  runFloorServer,
  runSpinTcpClient,
  runSpinTcpServer,
} from "../../../drivers/ethernet/controls.js";
import { runOf } from "../samples.js";
import type { Run } from "../types.js";
import type { Job, Serving, System } from "./system.js";

const tcpPort = 7001;
const rounds = 30_000;
const warmup = 5000;

/** Runs the client; its CPU time is counted from the end of the warm-up on. */
function timeRounds(client: (how: Rounds) => Float64Array): Run {
  let cpu = process.cpuUsage();
  let begun = performance.now();
  const measuring = () => {
    cpu = process.cpuUsage();
    begun = performance.now();
  };
  const times = client({ rounds, warmup, measuring });
  const { user, system } = process.cpuUsage(cpu);
  return runOf(times, { elapsedUs: (performance.now() - begun) * 1000, cpuUs: user + system });
}

const blocking = (block: () => void): Promise<Serving> =>
  Promise.resolve({ facts: {}, block, stop: () => Promise.resolve() });

export const floor: System = {
  serve: ({ interfaceName }: Job) => blocking(() => runFloorServer({ interfaceName })),
  measure: async ({ interfaceName }: Job) => timeRounds((how) => runFloorClient({ interfaceName }, how)),
};

export const spinTcp: System = {
  serve: ({ address }: Job) => blocking(() => runSpinTcpServer({ address, port: tcpPort })),
  measure: async ({ address }: Job) => timeRounds((how) => runSpinTcpClient({ address, port: tcpPort }, how)),
};
