// What the scripts know of the checkout: where it is, which files the build reads,
// and whether they changed since.
//
// - Plain Node, no dependency: it runs before anything is installed.
// - A fingerprint is made of path, size and time of change of every source file, so
//   that removed files and other branches count as changes too.

import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

/** The top of the checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** An absolute path in the checkout. */
export const at = (...parts) => join(root, ...parts);

/** True for the script that node was started with: `isMain(import.meta)`. */
export const isMain = ({ url }) =>
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url);

/** Every file below a folder of the checkout, as sorted paths relative to its top. */
export function filesBelow(folder) {
  const found = [];
  const walk = (path) => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (entry.name === "node_modules") continue;
      const inner = join(path, entry.name);
      if (entry.isDirectory()) walk(inner);
      else if (entry.isFile()) found.push(relative(root, inner));
    }
  };
  if (existsSync(at(folder))) walk(at(folder));
  return found.sort();
}

const inputs = {
  kernel: ["core-wasm", "asconfig.json", "scripts/build.mjs", "scripts/check-kernel.mjs"],
  native: ["drivers/ethernet/native", "core-wasm", "scripts/build-native.mjs", "scripts/kernel-header.mjs"],
  metal: [
    "boot/metal",
    "drivers/virtio",
    "drivers/virtio-net",
    "drivers/virtio-rng",
    "drivers/pci",
    "drivers/card",
    "drivers/e1000e",
    "drivers/uart",
    "core-wasm",
    "control/interface",
    "control/kernel/counters.ts",
    "control/kernel/tables.ts",
    ...["asconfig.json", "scripts/build.mjs", "scripts/build-metal.mjs"],
  ],
  typescript: [
    "control",
    "drivers",
    "simulation",
    "boot",
    "core-wasm",
    "tsconfig.json",
    "tsconfig.build.json",
    "scripts/completion.mjs",
  ],
};

/** The steps of the build, in order. */
export const steps = ["kernel", "native", "typescript", "metal"];

/** What the sources of a build step look like now. */
export function fingerprint(step) {
  const hash = createHash("sha256").update(`${process.arch}`);
  for (const input of [...inputs[step], "package.json"]) {
    if (!existsSync(at(input))) continue;
    for (const path of statSync(at(input)).isDirectory() ? filesBelow(input) : [input]) {
      const { size, mtimeMs } = statSync(at(path));
      hash.update(`${path} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest("hex");
}

const outputs = { kernel: "build/release", native: "build/native", typescript: "dist", metal: "build/metal" };

/** The file that remembers what a step was last built from; it goes when its output goes. */
export const stamp = (step) => at(outputs[step], ".stamp");

/** Remembers what a step was built from. */
export function writeStamp(step, value = fingerprint(step)) {
  mkdirSync(dirname(stamp(step)), { recursive: true });
  writeFileSync(stamp(step), value);
}

/** True when a step was built from exactly the sources that lie here. */
export function isFresh(step) {
  return existsSync(stamp(step)) && readFileSync(stamp(step), "utf8") === fingerprint(step);
}
