// Where the files of the package lie: found from this file upwards, so that it is the
// same from source and from dist/, in the checkout and installed.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { exitCodes, ProteusError } from "../kernel/errors.js";
import { OfflineKernel } from "../kernel/offline.js";

function findRoot(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  for (let folder = start; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, "package.json"))) return folder;
  }
  throw new Error(`no package.json above ${start}`);
}

/** The folder of package.json. */
export const packageRoot = findRoot();

/** The version in package.json. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as {
    version: string;
  };
  return version;
}

/** The path of the kernel's release build. */
export const kernelPath = join(packageRoot, "build", "release", "kernel.wasm");

/** The path of the loops of `proteus bench kernel`: kernel code in a module of their own. */
export const benchLoopsPath = join(packageRoot, "build", "release", "bench.wasm");

/** The bytes of the kernel's release build. Throws KERNEL_MISSING when it was never built. */
export function kernelBytes(): Uint8Array {
  try {
    return readFileSync(kernelPath);
  } catch (cause) {
    throw new ProteusError({
      code: "KERNEL_MISSING",
      exit: exitCodes.failed,
      message: "the kernel cannot be loaded",
      why: `${kernelPath} is missing or cannot be read`,
      hint: "build it: npm run build:kernel",
      cause,
    });
  }
}

/** A kernel without a network, for commands that only compute. */
export function offlineKernel(): OfflineKernel {
  return new OfflineKernel(kernelBytes());
}
