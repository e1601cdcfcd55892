// A kernel without a network, for benchmarks of what it computes.
//
// - Its clock stands still: nothing in it waits for anything.
// - 16 MiB of memory, of this process.

import { randomFillSync } from "node:crypto";
import { Kernel } from "../kernel/kernel.js";
import { kernelBytes } from "./package-files.js";

export const loneKernel = (): Kernel =>
  new Kernel({
    module: new WebAssembly.Module(kernelBytes()),
    clock: () => 0,
    random: randomFillSync,
    limits: { memoryBytes: 16 * 1024 * 1024 },
  });
