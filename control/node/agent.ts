// The agent of a pool machine: the kernel that routes, with the servers that every machine has:
// echo, sys, segment, random, time.
//
// - All get a random get-port at every start; the put-ports, and capabilities with all rights
//   for those servers that look at them, are what `node start` prints.
// - Status is what the kernel counts, the interfaces with what they dropped, how long it has
//   been up, and how its host fares.

import { freemem, loadavg, totalmem } from "node:os";
import { type Capability, capabilityHex } from "../capability/capability.js";
import type { Counters } from "../kernel/counters.js";
import { EchoServer } from "../server/echo/echo.js";
import { serveRandom } from "../server/random/random.js";
import { SegmentServer } from "../server/segment/segment.js";
import { SystemServer } from "../server/system/system.js";
import { serveTime } from "../server/time/time.js";
import { microseconds } from "./loop.js";
import type { RunningKernel } from "./start.js";

export interface AgentOptions {
  readonly name: string;
  readonly random: (bytes: number) => Uint8Array;
  /** Told of what a server did not expect; the agent goes on. */
  readonly failed: (error: unknown) => void;
}

/** Region for segments on a pool machine, and how many there may be. */
export const agentLimits = {
  memoryBytes: 256 * 1024 * 1024,
  segmentBytes: 64 * 1024 * 1024,
  segments: 4096,
} as const;

/** What the sys server answers to STD_STATUS. */
export interface AgentStatus {
  readonly name: string;
  readonly uptimeSeconds: number;
  /** Of the last 1, 5 and 15 minutes, of the host. */
  readonly load: readonly number[];
  readonly memory: { readonly freeBytes: number; readonly totalBytes: number };
  readonly threadsBusy: number;
  readonly executions: number;
  readonly segments: object;
  readonly interfaces: readonly object[];
  readonly counters: Counters;
}

/** Servers of a machine that look at capabilities. */
export type AgentServer = "sys" | "segment" | "random" | "time";

const portBytes = 6;

export class Agent {
  readonly segments: SegmentServer;
  readonly #running: RunningKernel;
  readonly #name: string;
  readonly #started = microseconds();
  readonly #echo: EchoServer;
  readonly #system: SystemServer;
  readonly #random: ReturnType<typeof serveRandom>;
  readonly #time: ReturnType<typeof serveTime>;

  constructor(running: RunningKernel, { name, random, failed }: AgentOptions) {
    const { kernel } = running;
    this.#running = running;
    this.#name = name;
    const given = () => ({ kernel, random, failed, getPort: random(portBytes) });
    this.#echo = new EchoServer(kernel, random(portBytes), { threads: 4 });
    this.#system = new SystemServer({
      ...given(),
      info: `pool machine ${name}`,
      describe: () => this.status(),
      interfaces: () =>
        running.interfaces.map((device) => ({
          name: device.name,
          mtu: device.mtu,
          counters: device.counters(),
        })),
    });
    this.segments = new SegmentServer({ ...given(), memory: kernel.segments });
    this.#random = serveRandom(given());
    this.#time = serveTime({ ...given(), clock: Date.now });
  }

  get echoPort(): Uint8Array {
    return this.#echo.putPort;
  }

  get statusPort(): Uint8Array {
    return this.#system.putPort;
  }

  /** Capabilities with all rights, as hex: for whoever started this machine. */
  capabilities(): Readonly<Record<AgentServer, string>> {
    const hex = (server: { capability(): Capability }): string => capabilityHex(server.capability());
    return {
      sys: hex(this.#system),
      segment: hex(this.segments),
      random: hex(this.#random),
      time: hex(this.#time),
    };
  }

  status(): AgentStatus {
    const { kernel, interfaces } = this.#running;
    return {
      name: this.#name,
      uptimeSeconds: Math.floor((microseconds() - this.#started) / 1e6),
      load: loadavg(),
      memory: { freeBytes: freemem(), totalBytes: totalmem() },
      threadsBusy: kernel.threadsBusy,
      executions: this.#echo.executions,
      segments: kernel.segments.stat(),
      interfaces: interfaces.map((device) => ({ name: device.name, mtu: device.mtu, ...device.counters() })),
      counters: kernel.counters(),
    };
  }

  close(): void {
    for (const server of [this.#echo, this.#system, this.segments, this.#random, this.#time]) server.close();
  }
}
