// The agent of a pool machine: the kernel that routes, with an echo and a status service.
//
// - Both services get a random get-port at every start; the put-ports are what others call.
// - Status is what the kernel counts, the interfaces with what they dropped, and how long
//   it has been up.

import type { Counters } from "../kernel/counters.js";
import { EchoServer } from "../server/echo/echo.js";
import { StatusServer } from "../server/status/status.js";
import { microseconds } from "./loop.js";
import type { RunningKernel } from "./start.js";

export interface AgentOptions {
  readonly name: string;
  readonly random: (bytes: number) => Uint8Array;
}

/** What the status service answers to STD_STATUS. */
export interface AgentStatus {
  readonly name: string;
  readonly uptimeSeconds: number;
  readonly threadsBusy: number;
  readonly executions: number;
  readonly interfaces: readonly object[];
  readonly counters: Counters;
}

const portBytes = 6;

export class Agent {
  readonly #running: RunningKernel;
  readonly #name: string;
  readonly #started = microseconds();
  readonly #echo: EchoServer;
  readonly #status: StatusServer;

  constructor(running: RunningKernel, { name, random }: AgentOptions) {
    this.#running = running;
    this.#name = name;
    this.#echo = new EchoServer(running.kernel, random(portBytes), { threads: 4 });
    const info = `pool machine ${name}`;
    this.#status = new StatusServer(running.kernel, random(portBytes), info, () => this.status());
  }

  get echoPort(): Uint8Array {
    return this.#echo.putPort;
  }

  get statusPort(): Uint8Array {
    return this.#status.putPort;
  }

  status(): AgentStatus {
    const { kernel, interfaces } = this.#running;
    return {
      name: this.#name,
      uptimeSeconds: Math.floor((microseconds() - this.#started) / 1e6),
      threadsBusy: kernel.threadsBusy,
      executions: this.#echo.executions,
      interfaces: interfaces.map((device) => ({ name: device.name, mtu: device.mtu, ...device.counters() })),
      counters: kernel.counters(),
    };
  }

  close(): void {
    this.#echo.close();
    this.#status.close();
  }
}
