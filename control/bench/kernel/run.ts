// A whole `proteus bench kernel`: builds the native control, runs the rounds, removes it.
//
// - A round runs every case once. A case that fails becomes a row with a problem; the rest
//   goes on.
// - No network, no root, and nothing pinned: each side runs where the system puts it.

import { readFileSync } from "node:fs";
import { exitCodes, ProteusError } from "../../kernel/errors.js";
import { machine } from "../environment.js";
import { KernelLoops } from "./loops.js";
import { installCompiler, NativeControl } from "./native.js";
import {
  type KernelWanted,
  kernelRatiosOf,
  kernelRemarksOf,
  kernelResultOf,
  planKernelCases,
} from "./plan.js";
import type { KernelCase, KernelReport } from "./types.js";

export interface KernelBenchOptions extends KernelWanted {
  readonly runs: number;
  /** Path of bench.wasm. */
  readonly wasm: string;
  /** Path of the native control's source. */
  readonly controlSource: string;
  /** The version of this program. */
  readonly version: string;
  /** Told before each measurement: how many of how many are done. */
  readonly progress: (each: KernelCase, done: number, all: number) => void;
  readonly abort: AbortSignal;
}

function loadLoops(path: string): KernelLoops {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw new ProteusError({
      code: "BENCH_MISSING",
      exit: exitCodes.failed,
      message: "the loops of the benchmark cannot be loaded",
      why: `${path} is missing or cannot be read`,
      unchanged: "nothing was measured",
      hint: "build them: npm run build:kernel",
      cause,
    });
  }
  return new KernelLoops(new WebAssembly.Module(bytes));
}

/** Runs it. Rejects with ProteusError, or with the abort's reason; what was built is gone then. */
export async function runKernelBench(options: KernelBenchOptions): Promise<KernelReport> {
  const { runs, wasm, controlSource, version, progress, abort } = options;
  const cases = planKernelCases(options);
  const host = machine();
  const loops = loadLoops(wasm);
  const native = cases.some(({ system }) => system === "native")
    ? await NativeControl.build(controlSource)
    : null;
  const figures = new Map<KernelCase, number[]>(cases.map((each) => [each, []]));
  const problems = new Map<KernelCase, string>();
  const once = async ({ system, operation, bytes }: KernelCase): Promise<number> => {
    if (system === "wasm") return loops.measure(operation, bytes ?? 0);
    if (native === null) throw new Error(installCompiler);
    return native.measure(operation, bytes ?? 0, abort);
  };
  let done = 0;
  try {
    for (let round = 0; round < runs; round++) {
      for (const each of cases) {
        progress(each, done++, cases.length * runs);
        // A signal is only seen between two turns of the event loop.
        await new Promise((resolve) => setImmediate(resolve));
        abort.throwIfAborted();
        if (problems.has(each)) continue;
        try {
          figures.get(each)?.push(await once(each));
        } catch (error) {
          abort.throwIfAborted();
          problems.set(each, error instanceof Error ? error.message : String(error));
        }
      }
    }
  } finally {
    native?.remove();
  }
  const results = cases.map((each) => kernelResultOf(each, figures.get(each) ?? [], problems.get(each)));
  return {
    environment: { proteus: version, ...host, runs, compiler: native?.compiler ?? null },
    results,
    ratios: kernelRatiosOf(results),
    remarks: kernelRemarksOf(results, host.load),
  };
}
