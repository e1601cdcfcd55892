// The agent of a pool machine: the kernel that routes, with an echo and a status service.
//
// - Both services get a random get-port at every start; the put-ports are what others call.
// - Status is the document of control/interface/node.ts: who it is and what it speaks, its
//   clock, the interfaces with what they dropped, what the kernel counts.

import { networkInterfaces } from "node:os";
import { type NodeDocument, spoken } from "../interface/node.js";
import { toHex } from "../kernel/bytes.js";
import { EchoServer } from "../server/echo/echo.js";
import { StatusServer } from "../server/status/status.js";
import { hubVariable } from "./interfaces.js";
import { microseconds } from "./loop.js";
import type { RunningKernel } from "./start.js";

export interface AgentOptions {
  readonly name: string;
  /** Of the package. */
  readonly version: string;
  readonly random: (bytes: number) => Uint8Array;
}

const portBytes = 6;

export class Agent {
  readonly #running: RunningKernel;
  readonly #name: string;
  readonly #version: string;
  readonly #started = microseconds();
  readonly #echo: EchoServer;
  readonly #status: StatusServer;

  constructor(running: RunningKernel, { name, version, random }: AgentOptions) {
    this.#running = running;
    this.#name = name;
    this.#version = version;
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

  /** Calls that the echo service has executed. */
  get executions(): number {
    return this.#echo.executions;
  }

  status(): NodeDocument {
    const { kernel, interfaces } = this.#running;
    return {
      name: this.#name,
      address: toHex(kernel.address),
      version: this.#version,
      ...spoken,
      clockMs: Date.now(),
      uptimeSeconds: Math.floor((microseconds() - this.#started) / 1e6),
      threadsBusy: kernel.threadsBusy,
      executions: this.#echo.executions,
      interfaces: interfaces.map((device) => ({
        name: device.name,
        mac: toHex(device.address),
        mtu: device.mtu,
        subnets: subnetsOf(device.name),
        ...device.counters(),
      })),
      counters: kernel.counters(),
    };
  }

  close(): void {
    this.#echo.close();
    this.#status.close();
  }
}

/** The IPv4 networks of an interface of this machine; none for one of a LAN in memory. */
function subnetsOf(name: string): string[] {
  if (process.env[hubVariable(name)]) return [];
  const addresses = (networkInterfaces()[name] ?? []).filter(({ family }) => family === "IPv4");
  return addresses.flatMap(({ cidr }) => (cidr === null ? [] : [networkOf(cidr)]));
}

/** `10.1.2.3/24` as `10.1.2.0/24`. */
function networkOf(cidr: string): string {
  const [address = "", length = "32"] = cidr.split("/");
  const bits = address.split(".").reduce((sum, byte) => sum * 256 + Number(byte), 0);
  const size = 2 ** (32 - Number(length));
  const first = Math.floor(bits / size) * size;
  return `${[24, 16, 8, 0].map((shift) => Math.floor(first / 2 ** shift) % 256).join(".")}/${length}`;
}
