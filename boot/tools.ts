// The tools of the operating system that bare metal needs (compiler, linker, QEMU, ip), and what to
// install when one is missing.
//
// - A tool that fails says why in its own words: BOOT_BUILD_FAILED. One that is not there:
//   BOOT_TOOL_MISSING, with the Debian package.

import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { exitCodes, ProteusError } from "../control/kernel/errors.js";
import { runTool, toolEnvironment } from "../control/lab/tools.js";

const packages: Readonly<Record<string, string>> = {
  gcc: "gcc",
  simde: "libsimde-dev",
  "qemu-system-x86_64": "qemu-system-x86",
  ip: "iproute2",
  mformat: "mtools",
  xorriso: "xorriso",
  dnsmasq: "dnsmasq-base",
  ovmf: "ovmf",
};
/** What is a file and no command. */
const files: Readonly<Record<string, string>> = {
  simde: "/usr/include/simde/wasm/simd128.h",
  ovmf: "/usr/share/ovmf/OVMF.fd",
};
const folders = (): string[] => [
  ...(process.env.PATH ?? "").split(delimiter),
  "/usr/sbin",
  "/sbin",
  "/usr/bin",
];

/** Throws BOOT_TOOL_MISSING when a tool is not installed; "simde" and "ovmf" stand for files. */
export function boundTool(tool: string): void {
  const file = files[tool];
  const there =
    file === undefined ? folders().some((each) => existsSync(join(each, tool))) : existsSync(file);
  if (!there) throw toolMissing(tool);
}

function toolMissing(tool: string): ProteusError {
  const name = packages[tool] ?? "binutils";
  return new ProteusError({
    code: "BOOT_TOOL_MISSING",
    exit: exitCodes.failed,
    message: `${files[tool] ?? `the command "${tool}"`} is not installed`,
    why: "machines without an operating system are made and started with it",
    unchanged: "nothing was made",
    hint: `install it: apt-get install ${name} (or: npm run setup -- --test)`,
  });
}

/** Runs a tool in `folder` to its end; what it wrote on stdout. */
export async function runBootTool(command: readonly string[], folder: string): Promise<string> {
  const [tool = ""] = command;
  const environment = { ...toolEnvironment(), SOURCE_DATE_EPOCH: "0" };
  const { status, output, errors } = await runTool(command, "", undefined, { folder, environment }).catch(
    (error: unknown) => {
      throw error instanceof ProteusError && error.code === "TOOL_MISSING" ? toolMissing(tool) : error;
    },
  );
  if (status === 0) return output;
  throw new ProteusError({
    code: "BOOT_BUILD_FAILED",
    exit: exitCodes.failed,
    message: `${tool} failed`,
    why: errors.trim().split("\n").slice(0, 6).join("\n") || `exit status ${status}`,
    unchanged: "no image was made or changed",
    hint: "mend what it says; gcc 12 and binutils 2.40 or newer are known to do",
  });
}
