// The simulator's world with the kernel of this checkout in it: for tests that only want
// some machines on a wire.

import { kernelBytes } from "../../control/cli/package-files.js";
import { World as Bare } from "../../simulation/engine/world.js";

export { Machine, type MachineOptions, smallLimits } from "../../simulation/engine/machine.js";
export { MILLISECOND, SECOND } from "../../simulation/engine/world.js";

let compiled: WebAssembly.Module | null = null;

/** kernel.wasm, compiled once a process. */
export function kernelModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(kernelBytes());
  return compiled;
}

export class World extends Bare {
  constructor(seed: number) {
    super(seed, kernelModule());
  }
}
