// Starts a kernel on interfaces of this machine, with its loop: for the agent and for
// every command that serves or calls.
//
// - Each program has a kernel of its own and, on each interface, a MAC address of its own.
// - Without --interface: PROTEUS_INTERFACE, or the machine's only Ethernet interface, or
//   eth0; otherwise an error that lists what there is.

import { randomFillSync } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { setTimeout } from "node:timers/promises";
import type { Device } from "../../drivers/device.js";
import { EndHost } from "../../drivers/end-host.js";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import { Kernel } from "../kernel/kernel.js";
import type { Limits } from "../kernel/limits.js";
import { openInterface } from "./interfaces.js";
import { Loop, microseconds } from "./loop.js";

const finishPatienceUs = 100_000;
const promptPriority = -10;

/** A kernel that takes its turns by itself. */
export interface RunningKernel {
  readonly kernel: Kernel;
  readonly interfaces: readonly Device[];
  /** Whether it looks for frames again and again for a while before it sleeps; on from the start. */
  spin(on: boolean): void;
  /** Files or sockets are being used: no spinning for the next tenth of a second. */
  calm(): void;
  /** Loop.everyTurn: calls `look` after every turn until it answers false. */
  everyTurn(look: () => boolean): void;
  /** Waits until no call owes an acknowledgement, at most a tenth of a second, and closes. */
  finish(): Promise<void>;
  /** Closes at once. */
  close(): void;
}

export interface StartOptions {
  /** The bytes of kernel.wasm. */
  readonly wasm: Uint8Array;
  /** Names of interfaces; empty: the default. */
  readonly interfaces: readonly string[];
  readonly limits?: Partial<Limits>;
  readonly say?: (line: string) => void;
  /** Others take it for dead when it is not scheduled for long: it takes a higher priority where it may. */
  readonly prompt?: boolean;
  /** It forwards nothing between its interfaces; else a machine with several is a router. */
  readonly endHost?: boolean;
  /** Called when a turn throws: the kernel is dead then. */
  readonly failed?: (error: unknown) => void;
}

/** Opens the interfaces and starts the kernel. Rejects with the driver's error or ProteusError. */
export async function startKernel(options: StartOptions): Promise<RunningKernel> {
  const names = options.interfaces.length > 0 ? options.interfaces : [defaultInterface()];
  if (new Set(names).size !== names.length) {
    throw new ProteusError({
      code: "USAGE",
      exit: exitCodes.usage,
      message: "an interface was named twice",
      hint: "name each interface once",
    });
  }
  const devices: Device[] = [];
  try {
    for (const name of names) {
      const device = await openInterface(name);
      devices.push(options.endHost === true ? new EndHost(device) : device);
    }
    const kernel = new Kernel({
      module: new WebAssembly.Module(options.wasm),
      clock: microseconds,
      monotonic: true,
      random: randomFillSync,
      limits: { frameBytes: frameBytesFor(devices), ...options.limits },
      ...(options.say === undefined ? {} : { log: options.say }),
    });
    for (const device of devices) kernel.attach(device);
    if (options.prompt) favour();
    const loop = new Loop(kernel, options.failed);
    const finish = async () => {
      const end = microseconds() + finishPatienceUs;
      while (kernel.threadsBusy > 0 && microseconds() < end) await setTimeout(1);
      loop.close();
    };
    const spin = (on: boolean) => {
      loop.spins = on;
    };
    const everyTurn = (look: () => boolean) => loop.everyTurn(look);
    const calm = () => loop.calm();
    return { kernel, interfaces: devices, spin, calm, everyTurn, finish, close: () => loop.close() };
  } catch (error) {
    for (const device of devices) device.close();
    throw error;
  }
}

const sessionShare = "/proc/self/autogroup";

/**
 * A higher priority for this program; without the right to one it stays as it is. Where Linux
 * shares the cores among sessions first (autogroup), a program's own priority counts within its
 * session only, so the session gets it too, until the program ends.
 */
export function favour(): void {
  try {
    setPriority(promptPriority);
    const before = /nice (-?\d+)/.exec(readFileSync(sessionShare, "utf8"))?.[1];
    if (before === undefined || Number(before) <= promptPriority) return;
    writeFileSync(sessionShare, String(promptPriority));
    process.once("exit", () => {
      try {
        writeFileSync(sessionShare, before);
      } catch {
        // It stays a little more important than it was.
      }
    });
  } catch {
    // Only its patience under load is less.
  }
}

/** Frames on their way through must fit the largest network. */
function frameBytesFor(devices: readonly Device[]): number {
  return Math.max(1536, ...devices.map((device) => Math.ceil((device.mtu + 64) / 64) * 64));
}

const ethernetType = "1"; // ARPHRD_ETHER

function ethernetInterfaces(): string[] {
  const folder = "/sys/class/net";
  try {
    return readdirSync(folder).filter((name) => {
      try {
        return readFileSync(`${folder}/${name}/type`, "utf8").trim() === ethernetType;
      } catch {
        return false;
      }
    });
  } catch {
    return [];
  }
}

/** The interface of a command that names none. Throws ProteusError INTERFACE_UNCLEAR. */
export function defaultInterface(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment.PROTEUS_INTERFACE;
  if (named) return named;
  const hub = Object.keys(environment).find((name) => name.startsWith("PROTEUS_HUB_"));
  if (hub) return hub.slice("PROTEUS_HUB_".length);
  if (environment.PROTEUS_WIRE_eth0) return "eth0";
  const found = ethernetInterfaces();
  if (found.includes("eth0")) return "eth0";
  if (found.length === 1 && found[0] !== undefined) return found[0];
  throw new ProteusError({
    code: "INTERFACE_UNCLEAR",
    exit: exitCodes.usage,
    message: "it is not clear which interface to use",
    why: found.length > 0 ? `this machine has ${found.join(", ")}` : "this machine has no Ethernet interface",
    hint: "name one: --interface NAME",
  });
}
