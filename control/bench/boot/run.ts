// A whole `proteus bench boot`: boots in turn with QEMU alone, sixteen machines at once, and calls.
//
// - Of the boots a round is one of each system; of the calls one of each test and side. What fails
//   becomes a row with a problem; the rest goes on.
// - The first boot of all is not counted: it brings QEMU's files into memory.
// - Nothing is left afterwards: ../machines.ts.

import { fileURLToPath } from "node:url";
import { buildImage } from "../../../boot/image.js";
import { buildLinuxImage, type LinuxImage, linuxMebibytes, linuxWords } from "../../../boot/linux/image.js";
import { chooseAccelerator, type MachineOptions, qemuProgram } from "../../../boot/qemu.js";
import { allowedCores, coresOf, machine } from "../environment.js";
import type { Machines } from "../machines.js";
import { versionOf } from "../programs.js";
import { median, middleOf } from "../samples.js";
import type { Run } from "../types.js";
import { pinned, Worker } from "../worker.js";
import { callLinux, callMetal, callResult } from "./calls.js";
import type { BootAnswer, BootOrder } from "./orders.js";
import { bootRatiosOf, bootRemarksOf } from "./ratios.js";
import { callerInterface, hostMachine, networkOf, openBootScene } from "./scene.js";
import {
  type BootReport,
  type BootResult,
  type BootRow,
  type BootSystem,
  type BootTest,
  bootMebibytes,
  type CallResult,
  type CallTest,
  callTests,
  type ManyResult,
  manyMachines,
} from "./types.js";

export interface BootBenchOptions {
  readonly tests: readonly BootTest[];
  readonly systems: readonly BootSystem[];
  /** Boots of each system; other tests have a quarter of it, at least one. */
  readonly runs: number;
  /** Part of the standard time of what has one. */
  readonly scale: number;
  /** The folder of package.json. */
  readonly root: string;
  /** Path of kernel.wasm. */
  readonly wasm: string;
  readonly version: string;
  readonly narrate: (line: string) => void;
  readonly progress: (words: readonly string[], done: number, all: number) => void;
  readonly abort: AbortSignal;
}

const program = fileURLToPath(new URL("./boot-main.js", import.meta.url));
const idleMs = 4000;
const bootPatienceMs = 60_000;
/** Of a Linux machine, which QEMU may have to translate on a busy computer. */
const linuxPatienceMs = 240_000;

type Starter = Worker<BootOrder, BootAnswer>;
type Machine = Pick<MachineOptions, "path" | "accelerator">;
/** What it took, milliseconds, and what QEMU had in memory then, bytes. */
interface Boot {
  readonly took: number;
  readonly resident?: number | undefined;
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

class BootBench {
  readonly #rows: BootRow[] = [];
  #done = 0;
  readonly #all: number;

  constructor(
    private readonly options: BootBenchOptions,
    private readonly scene: Machines,
    private readonly machine: Machine,
    private readonly linux: LinuxImage | undefined,
  ) {
    const { tests, systems, runs } = options;
    const calls = callTests.filter((test) => tests.includes(test)).length;
    const boots = tests.includes("boot") ? systems.length * runs : 0;
    this.#all = Math.max(1, boots + this.#fewer * ((tests.includes("many") ? 1 : 0) + 2 * calls));
  }

  get #fewer(): number {
    return Math.max(1, Math.floor(this.options.runs / 4));
  }

  #step(...words: string[]): void {
    this.options.abort.throwIfAborted();
    this.options.progress(words, this.#done++, this.#all);
  }

  /** A process that starts machines, on a core of its own or on any. */
  async #starter<Result>(core: number | null, use: (starter: Starter) => Promise<Result>): Promise<Result> {
    const command = pinned(this.scene.enter(hostMachine), core, [process.execPath, program]);
    const starter: Starter = new Worker("starter", command);
    try {
      return await use(starter);
    } finally {
      starter.kill();
    }
  }

  #machines(count: number, machine: "microvm" | "pc" | "linux" = "microvm"): MachineOptions[] {
    if (machine === "linux")
      return [
        {
          ...{ path: this.linux?.kernel ?? "", initramfs: this.linux?.path, machine: "pc" },
          ...{ accelerator: this.machine.accelerator, memoryMebibytes: linuxMebibytes },
          ...{ networks: [networkOf(0)], words: [...linuxWords, "name=m1"] },
        },
      ];
    return Array.from({ length: count }, (_, index) => ({
      ...this.machine,
      machine,
      memoryMebibytes: bootMebibytes,
      networks: [networkOf(index)],
      words: [`name=m${index + 1}`],
    }));
  }

  async #boots(starter: Starter, machines: readonly MachineOptions[]): Promise<readonly number[]> {
    const { wasm } = this.options;
    const order = { boot: machines, wasm, interfaceName: callerInterface };
    const patience = machines.some(({ initramfs }) => initramfs !== undefined)
      ? linuxPatienceMs
      : bootPatienceMs;
    const answer = await starter.order(order, patience);
    if (!("bootedMs" in answer)) throw new Error("no machine booted");
    return answer.bootedMs;
  }

  async #once(starter: Starter, system: BootSystem): Promise<Boot> {
    if (system === "qemu-alone") {
      const [alone] = this.#machines(1);
      const answer = alone === undefined ? undefined : await starter.order({ alone });
      if (answer === undefined || !("aloneMs" in answer)) throw new Error("QEMU did not start");
      return { took: answer.aloneMs };
    }
    try {
      const took = Math.max(...(await this.#boots(starter, this.#machines(1, system))));
      const answer = await starter.order({ idle: { milliseconds: 1 } });
      return { took, resident: "residentBytes" in answer ? answer.residentBytes[0] : undefined };
    } finally {
      await starter.order({ stop: true });
    }
  }

  async boot(): Promise<void> {
    const { systems, runs, abort } = this.options;
    const took = new Map<BootSystem, Boot[]>(systems.map((each) => [each, []]));
    const problems = new Map<BootSystem, string>();
    await this.#starter(null, async (starter) => {
      await this.#once(starter, systems[0] ?? "microvm").catch(() => undefined); // it fails again below
      for (let round = 0; round < runs; round++)
        for (const system of systems) {
          this.#step("boot", system);
          if (problems.has(system)) continue;
          try {
            took.get(system)?.push(await this.#once(starter, system));
          } catch (error) {
            abort.throwIfAborted();
            problems.set(system, wordsOf(error));
          }
        }
    });
    for (const [system, boots] of took) {
      const times = boots.map((boot) => boot.took);
      const resident = boots.flatMap((boot) => boot.resident ?? []);
      this.#rows.push(bootResultOf(system, times, problems.get(system), resident));
    }
  }

  async many(): Promise<void> {
    const took: number[] = [];
    const idles: number[] = [];
    const resident: number[] = [];
    let problem: string | undefined;
    try {
      await this.#starter(null, async (starter) => {
        for (let run = 0; run < this.#fewer; run++) {
          this.#step("many", "microvm");
          took.push(Math.max(...(await this.#boots(starter, this.#machines(manyMachines)))));
          const milliseconds = idleMs * this.options.scale;
          const answer = await starter.order({ idle: { milliseconds } }, milliseconds + bootPatienceMs);
          if ("idleCpu" in answer) {
            idles.push(answer.idleCpu);
            resident.push(...answer.residentBytes);
          }
          await starter.order({ stop: true });
        }
      });
    } catch (error) {
      this.options.abort.throwIfAborted();
      problem = wordsOf(error);
    }
    this.#rows.push(manyResultOf({ took, idles, resident, problem }));
  }

  async calls(tests: readonly CallTest[]): Promise<void> {
    const allowed = allowedCores();
    const cores = coresOf(allowed.length > 1 ? "X" : "S", allowed);
    const pace = { wasm: this.options.wasm, scale: this.options.scale };
    const systems: readonly CallResult["system"][] = ["metal", "linux"];
    const cases = tests.flatMap((test) => systems.map((system) => ({ test, system, runs: [] as Run[] })));
    const problems = new Map<(typeof cases)[number], string>();
    await this.#starter(cores.server, async (starter) => {
      for (let round = 0; round < this.#fewer; round++)
        for (const each of cases) {
          const { test, system, runs } = each;
          this.#step(test, system);
          if (problems.has(each)) continue;
          try {
            const how = { scene: this.scene, cores, pace, starter };
            runs.push(await (system === "metal" ? callMetal(test, this.machine, how) : callLinux(test, how)));
          } catch (error) {
            this.options.abort.throwIfAborted();
            problems.set(each, wordsOf(error));
          }
        }
    });
    for (const each of cases)
      this.#rows.push(callResult(each.test, each.system, middleOf(each.runs), problems.get(each)));
  }

  get rows(): readonly BootRow[] {
    return this.#rows;
  }
}

/** A row of boots. Pure. */
export function bootResultOf(
  system: BootSystem,
  times: readonly number[],
  problem?: string,
  resident: readonly number[] = [],
): BootResult {
  const some = times.length > 0;
  return {
    ...{ test: "boot", system, runs: times.length },
    medianMs: some ? median(times) : null,
    worstMs: some ? Math.max(...times) : null,
    residentMegabytes: resident.length > 0 ? median(resident) / 1e6 : null,
    ...(problem === undefined ? {} : { problem }),
  };
}

/** The row of many machines. Pure. */
export function manyResultOf({
  took,
  idles,
  resident,
  problem,
}: {
  readonly took: readonly number[];
  readonly idles: readonly number[];
  /** Bytes, of every machine of every run. */
  readonly resident: readonly number[];
  readonly problem?: string | undefined;
}): ManyResult {
  const middle = (values: readonly number[]): number | null => (values.length === 0 ? null : median(values));
  const bytes = middle(resident);
  return {
    ...{ test: "many", system: "microvm", machines: manyMachines, runs: took.length },
    medianMs: middle(took),
    worstMs: took.length === 0 ? null : Math.max(...took),
    idleCpu: middle(idles),
    residentMegabytes: bytes === null ? null : bytes / 1e6,
    ...(problem === undefined ? {} : { problem }),
  };
}

/** Runs it. Rejects with ProteusError, or with the abort's reason; nothing is left then. */
export async function runBootBench(options: BootBenchOptions): Promise<BootReport> {
  const { tests, root, narrate, version, runs, abort } = options;
  const host = machine();
  const { path, bytes, sha256, parts } = await buildImage({ root, narrate });
  const linux =
    tests.includes("boot") && options.systems.includes("linux")
      ? await buildLinuxImage({ root, narrate })
      : undefined;
  const accelerator = await chooseAccelerator(path, "auto");
  const scene = await openBootScene(manyMachines, abort);
  try {
    const bench = new BootBench(options, scene, { path, accelerator }, linux);
    if (tests.includes("boot")) await bench.boot();
    if (tests.includes("many")) await bench.many();
    const calls = callTests.filter((test) => tests.includes(test));
    if (calls.length > 0) await bench.calls(calls);
    const memoryBytes = bootMebibytes * 1024 * 1024;
    const environment = {
      ...{ proteus: version, ...host, isolation: scene.isolation, runs, accelerator, memoryBytes },
      qemu: await versionOf([qemuProgram, "--version"]),
    };
    return {
      environment,
      image: { bytes, sha256, parts },
      ...(linux && { linux: { bytes: linux.bytes, sha256: linux.sha256, parts: linux.parts } }),
      results: bench.rows,
      ratios: bootRatiosOf(bench.rows, { bytes }, memoryBytes),
      remarks: bootRemarksOf(environment),
    };
  } finally {
    await scene.remove();
  }
}
