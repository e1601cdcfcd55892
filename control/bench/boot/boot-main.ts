// The process of `bench boot` that starts machines and calls them, on the machine where their tap
// devices are. orders.ts says what it is told.
//
// - The clock runs from just before the machine's process is started, in this process, to the end of
//   the first call; the port of its echo server is what the machine says on its console.
// - Its machines die with it, and it ends with its parent.

import { readdirSync, readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import {
  type MachineOptions,
  type MachineProcess,
  qemuArguments,
  servesLine,
  spawnMachine,
  startMachine,
} from "../../../boot/qemu.js";
import { parsePort } from "../../capability/port.js";
import { ECHO } from "../../interface/echo.js";
import { trans } from "../../kernel/calls.js";
import type { Kernel } from "../../kernel/kernel.js";
import { startKernel } from "../../node/start.js";
import { obeyOrders } from "../channel.js";
import type { BootAnswer, BootOrder } from "./orders.js";

const patienceMs = 20_000;
/** Of a machine with Linux. */
const linuxPatienceMs = 200_000;
const pageBytes = 4096;

const running = new Set<MachineProcess>();

/** Starts one; resolves with the put-port of its echo server when it says that it serves. */
function serving(options: MachineOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = "";
    const child = startMachine(options, (line) => {
      said = `${said}${line}\n`.slice(-500);
      const { servers } = servesLine(line) ?? {};
      if (servers !== undefined) resolve((servers as { readonly echo: string }).echo);
    });
    running.add(child);
    const patience = options.initramfs === undefined ? patienceMs : linuxPatienceMs;
    const timer = setTimeout(
      () => reject(new Error(`no machine within ${patience / 1000} s: ${said}`)),
      patience,
    );
    timer.unref();
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said = `${said}${text}`.slice(-500);
    });
    child.on("error", reject);
    child.on("exit", () => {
      running.delete(child);
      reject(new Error(`the machine ended: ${said.trim()}`));
    });
  });
}

async function firstAnswer(kernel: Kernel, options: MachineOptions): Promise<number> {
  const begun = performance.now();
  const echo = await serving(options);
  await trans(kernel, { port: parsePort(echo), command: ECHO }, new Uint8Array(), {});
  return performance.now() - begun;
}

async function boot(order: Extract<BootOrder, { readonly boot: unknown }>): Promise<BootAnswer> {
  const { kernel, finish } = await startKernel({
    wasm: readFileSync(order.wasm),
    interfaces: [order.interfaceName],
    say: (line) => process.stderr.write(`${line}\n`),
  });
  try {
    return { bootedMs: await Promise.all(order.boot.map((options) => firstAnswer(kernel, options))) };
  } finally {
    await finish();
  }
}

/** Until QEMU's monitor answers that the machine is ready to be started. */
function alone(options: MachineOptions): Promise<BootAnswer> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    const words = qemuArguments(options).map((word, index, all) =>
      all[index - 1] === "-serial" ? "null" : word,
    );
    const child = spawnMachine([...words, "-S", "-monitor", "stdio"]);
    running.add(child);
    let said = "";
    child.stdout.setEncoding("latin1").on("data", (text: string) => {
      said = (said + text).slice(-2000);
      if (!said.includes("VM status: paused")) return;
      resolve({ aloneMs: performance.now() - begun });
      child.kill("SIGKILL");
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
    });
    child.on("error", reject);
    child.on("exit", () => {
      running.delete(child);
      reject(new Error(`QEMU ended: ${said.trim().slice(-300)}`));
    });
    child.stdin.write("info status\n");
  });
}

/** CPU time that all threads of a process have had, seconds. */
function cpuSeconds(pid: number): number {
  const nanoseconds = readdirSync(`/proc/${pid}/task`).reduce((sum, task) => {
    const [spent] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ");
    return sum + Number(spent);
  }, 0);
  return nanoseconds / 1e9;
}

const residentBytes = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/statm`, "latin1").split(" ")[1]) * pageBytes;

async function idle(milliseconds: number): Promise<BootAnswer> {
  const pids = [...running].flatMap(({ pid }) => pid ?? []);
  const all = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  await sleep(milliseconds / 4); // what the boots set off is over
  const before = all();
  const begun = performance.now();
  await sleep(milliseconds);
  const idleCpu = ((all() - before) * 1000) / (performance.now() - begun);
  return { idleCpu, residentBytes: pids.map(residentBytes) };
}

/** Ends the machines; their tap devices are free again then. */
async function stop(): Promise<BootAnswer> {
  await Promise.all(
    [...running].map(
      (child) =>
        new Promise<void>((resolve) => {
          child.once("close", () => resolve());
          child.kill("SIGKILL");
        }),
    ),
  );
  return { stopped: true };
}

obeyOrders<BootOrder, BootAnswer>(async (order, say) => {
  if ("boot" in order) await say(await boot(order));
  else if ("run" in order) await say({ echo: await serving(order.run) });
  else if ("alone" in order) await say(await alone(order.alone));
  else if ("idle" in order) await say(await idle(order.idle.milliseconds));
  else await say(await stop());
});
