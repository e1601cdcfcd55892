// Builds everything that is not in the repository: `npm run build`, and so `npm ci`.
//
// - kernel: core-wasm/kernel.ts -> build/{debug,release}/kernel.wasm with source maps,
//   build/kernel.h for C, the loops of `proteus bench kernel` -> build/release/bench.wasm,
//   then the check of imports and size.
// - native: drivers/ethernet/native/*.c -> build/native/ethernet.node.
// - metal: boot/metal/main.ts -> build/release/metal.wasm, for machines without an operating system.
// - typescript: control, drivers, simulation -> dist, and its commands as data for completion.
// - Named steps only when named; `--stale` skips a step whose sources did not change.

import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, rmSync } from "node:fs";
import { buildMetal } from "./build-metal.mjs";
import { buildNative } from "./build-native.mjs";
import { checkKernel } from "./check-kernel.mjs";
import { at, filesBelow, fingerprint, isFresh, root, steps, writeStamp } from "./files.mjs";
import { writeKernelHeader } from "./kernel-header.mjs";

const node = (...args) => spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status === 0;

function buildKernel() {
  writeKernelHeader();
  if (!existsSync(at("core-wasm/kernel.ts"))) {
    console.error("kernel: core-wasm/kernel.ts is not there yet, nothing built");
    return true;
  }
  const trap = existsSync(at("core-wasm/memory/assert.ts"))
    ? ["--use", "abort=core-wasm/memory/assert/kernelAbort"]
    : [];
  for (const target of ["debug", "release"]) {
    const options = ["core-wasm/kernel.ts", "--config", "asconfig.json", "--target", target, ...trap];
    if (!node("node_modules/assemblyscript/bin/asc.js", ...options)) return false;
  }
  const loops = ["core-wasm/bench/loops.ts", "--config", "asconfig.json", "--target", "release", ...trap];
  const out = ["--outFile", "build/release/bench.wasm"];
  if (!node("node_modules/assemblyscript/bin/asc.js", ...loops, ...out)) return false;
  return checkKernel();
}

/** A module whose source is gone must not be importable any more. */
function removeOrphans() {
  for (const path of filesBelow("dist").filter((path) => /\.(js(\.map)?|d\.ts)$/.test(path))) {
    const source = path.replace(/^dist\//, "").replace(/\.(js(\.map)?|d\.ts)$/, ".ts");
    if (!existsSync(at(source))) rmSync(at(path));
  }
}

function buildTypescript() {
  if (!node("node_modules/typescript/bin/tsc", "--project", "tsconfig.build.json")) return false;
  removeOrphans();
  chmodSync(at("dist/control/cli/main.js"), 0o755);
  return node("scripts/completion.mjs");
}

const builders = {
  kernel: buildKernel,
  native: () => buildNative() !== "failed",
  typescript: buildTypescript,
  metal: buildMetal,
};

const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const unknown = named.filter((name) => !steps.includes(name));
if (unknown.length > 0) {
  console.error(`no such build step: ${unknown.join(", ")}; there are ${steps.join(", ")}`);
  process.exit(2);
}
if (!existsSync(at("node_modules/typescript"))) {
  console.error("build: the build tools are not installed; run `npm ci --include=dev` first");
  process.exit(1);
}
for (const step of named.length > 0 ? named : steps) {
  if (process.argv.includes("--stale") && isFresh(step)) continue;
  const before = fingerprint(step);
  if (!(await builders[step]())) {
    console.error(`build: ${step} failed`);
    process.exit(1);
  }
  if (step !== "native") writeStamp(step, before);
}
