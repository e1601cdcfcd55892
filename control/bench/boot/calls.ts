// Calls from a Linux machine to a metal one, and to another Linux machine on the same bridge: bare
// frames, null RPC, 1 MiB calls. The ends are the processes of every other benchmark (../workers.ts).
//
// - The caller is on one core, who is called on another: QEMU with all its threads, or the server.
// - The metal machine of frame-echo was told to echo bare frames (reflect=on): what is measured then
//   is the wire, QEMU and the driver, without FLIP and RPC.

import type { MachineOptions } from "../../../boot/qemu.js";
import type { Machines } from "../machines.js";
import type { Answer, Job, Order } from "../systems/system.js";
import { testFacts } from "../tests.js";
import type { Run } from "../types.js";
import type { Worker } from "../worker.js";
import { type Cores, measure, serve, startWorker } from "../workers.js";
import type { BootAnswer, BootOrder } from "./orders.js";
import { callerInterface, hostMachine, networkOf, serverInterface } from "./scene.js";
import type { CallResult, CallTest } from "./types.js";

export interface CallPace {
  readonly wasm: string;
  /** Part of the standard time and calls of a run. */
  readonly scale: number;
}

/** Memory of a machine that takes calls of 1 MiB. */
const callMebibytes = 32;

/** What the caller is told. Pure. */
export function callJob(test: CallTest, { wasm, scale }: CallPace): Job {
  const name = test === "call-1m" ? "call-1m" : "null-rpc";
  const { request, reply, clients, milliseconds, callsMin } = testFacts[name];
  return {
    ...{ system: test === "frame-echo" ? "floor" : "flip", test: name, wasm, request, reply, clients },
    ...{ interfaceName: callerInterface, address: "" },
    milliseconds: milliseconds * scale,
    callsMin: Math.max(1, Math.floor(callsMin * scale)),
  };
}

/** The machine that is called. Pure. */
export function calledMachine(
  machine: Pick<MachineOptions, "path" | "accelerator">,
  test: CallTest,
): MachineOptions {
  const words = ["name=called", ...(test === "frame-echo" ? ["reflect=on"] : [])];
  return { ...machine, memoryMebibytes: callMebibytes, networks: [networkOf(0)], words };
}

/** One run against a metal machine, which `starter` starts and stops. */
export async function callMetal(
  test: CallTest,
  machine: Pick<MachineOptions, "path" | "accelerator">,
  {
    scene,
    cores,
    pace,
    starter,
  }: {
    readonly scene: Machines;
    readonly cores: Cores;
    readonly pace: CallPace;
    readonly starter: Worker<BootOrder, BootAnswer>;
  },
): Promise<Run> {
  const started = await starter.order({ run: calledMachine(machine, test) });
  if (!("echo" in started)) throw new Error("the machine gave no port");
  const caller = startWorker("caller", scene.enter(hostMachine), cores.client);
  try {
    const job = callJob(test, pace);
    return (await measure(caller, { measure: job, facts: { port: started.echo } })).run;
  } finally {
    caller.kill();
    await starter.order({ stop: true });
  }
}

/** The same against a Linux server. */
export async function callLinux(
  test: CallTest,
  { scene, cores, pace }: { readonly scene: Machines; readonly cores: Cores; readonly pace: CallPace },
): Promise<Run> {
  const start = (what: string, core: number): Worker<Order, Answer> =>
    startWorker(what, scene.enter(hostMachine), core);
  const caller = start("caller", cores.client);
  const server = start("server", cores.server);
  try {
    const job = callJob(test, pace);
    const facts = await serve(server, { ...job, interfaceName: serverInterface });
    return (await measure(caller, { measure: job, facts })).run;
  } finally {
    caller.kill();
    server.kill();
  }
}

/** A row of runs. Pure. */
export function callResult(
  test: CallTest,
  system: CallResult["system"],
  middle: Pick<CallResult, "p50Us" | "p99Us" | "megabytesPerSecond" | "runs" | "spread">,
  problem?: string,
): CallResult {
  const { p50Us, p99Us, megabytesPerSecond, runs, spread } = middle;
  return {
    ...{ test, system, p50Us, p99Us, megabytesPerSecond, runs, spread },
    ...(problem === undefined ? {} : { problem }),
  };
}
