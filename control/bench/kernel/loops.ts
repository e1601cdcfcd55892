// The kernel's own code under the clock: build/release/bench.wasm.
//
// - Warm-up until the engine has compiled the loop for good: at least `warmUpMs`, in short calls,
//   since a loop is exchanged between two calls and never within one.
// - Samples are short (a fifth of a millisecond) and many, and of a run that one counts below
//   which a tenth of them lie: what other work does to the rest is not the operation's cost.

import { performance } from "node:perf_hooks";
import { quantile } from "../samples.js";
import type { KernelOperation } from "./types.js";

const pages = 1024;
const warmUpMs = 60;
const sampleMs = 0.2;
const samples = 201;
/** A case ends after so long, with the samples that it has. */
const caseMs = 1000;
const samplesMin = 10;
const countedPart = 0.1;

type Loops = Readonly<Record<KernelOperation, (count: number, bytes: number) => number>> & {
  readonly open: (memoryEnd: number) => number;
};

/** The loops of one module, ready to run. */
export class KernelLoops {
  readonly #loops: Loops;

  constructor(module: WebAssembly.Module) {
    const memory = new WebAssembly.Memory({ initial: pages });
    const trap = (code: number): never => {
      throw new Error(`assertion ${code} failed in the kernel's code`);
    };
    const nothing = () => 0;
    const env = { memory, transmit: nothing, random: nothing, log: nothing, trap };
    this.#loops = new WebAssembly.Instance(module, { env }).exports as unknown as Loops;
    if (this.#loops.open(memory.buffer.byteLength) !== 1) throw new Error("bench.wasm needs more memory");
  }

  /** Nanoseconds that an operation takes, on blocks of so many bytes. */
  measure(operation: KernelOperation, bytes: number): number {
    const loop = this.#loops[operation];
    const time = (count: number): number => {
      const begun = performance.now();
      loop(count, bytes);
      return performance.now() - begun;
    };
    let count = 1;
    for (const end = performance.now() + warmUpMs; performance.now() < end; ) {
      const milliseconds = time(count);
      if (milliseconds < sampleMs / 2) count *= 2;
      else if (milliseconds > sampleMs * 2 && count > 1) count = Math.ceil(count / 2);
    }
    const found: number[] = [];
    const end = performance.now() + caseMs;
    while (found.length < samples && (found.length < samplesMin || performance.now() < end))
      found.push((time(count) * 1e6) / count);
    return quantile(Float64Array.from(found).sort(), countedPart);
  }
}
