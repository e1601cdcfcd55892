// Looks at the kernel that was built and fails when it is not what hosts rely on.
//
// - Imports: env.memory (without a maximum, so that each host chooses its size),
//   env.transmit, env.random, env.log, env.trap, and nothing else.
// - Size of build/release/kernel.wasm: at most 160 KiB with FLIP, RPC and groups.
// - `node scripts/check-kernel.mjs` prints size, imports and exports.

import { readFileSync } from "node:fs";
import { at, isMain } from "./files.mjs";

const allowed = new Set(["memory", "transmit", "random", "log", "trap"]);
const sizeMax = 160 * 1024;

/** Linking tells: a module that declares a maximum refuses a memory without one. */
function acceptsAnySize(module, imports) {
  const env = { memory: new WebAssembly.Memory({ initial: 256 }) };
  for (const { name, kind } of imports) if (kind === "function") env[name] = () => 0;
  try {
    new WebAssembly.Instance(module, { env });
  } catch (error) {
    return !(error instanceof WebAssembly.LinkError && /maximum/.test(error.message));
  }
  return true;
}

/** What is wrong with a kernel module's bytes: sentences, none when it is right. */
export function faults(bytes) {
  const module = new WebAssembly.Module(bytes);
  const found = [];
  const imports = WebAssembly.Module.imports(module);
  for (const { module: from, name, kind } of imports) {
    if (from !== "env" || !allowed.has(name)) found.push(`imports ${from}.${name} (${kind})`);
  }
  if (!imports.some(({ name, kind }) => name === "memory" && kind === "memory")) {
    found.push("does not import its memory");
  }
  if (!acceptsAnySize(module, imports)) found.push("declares a maximum for its memory");
  if (bytes.length > sizeMax) found.push(`is ${bytes.length} bytes, more than ${sizeMax}`);
  return found;
}

/** Prints one line about the release kernel (or all of it), and returns whether it is right. */
export function checkKernel(path = "build/release/kernel.wasm", detailed = false) {
  const bytes = readFileSync(at(path));
  const module = new WebAssembly.Module(bytes);
  const names = (list) => list.map(({ name }) => name).join(" ");
  console.error(`${path}: ${bytes.length} bytes of ${sizeMax}`);
  if (detailed) {
    console.error(`imports: ${names(WebAssembly.Module.imports(module))}`);
    console.error(`exports: ${names(WebAssembly.Module.exports(module))}`);
  }
  const wrong = faults(bytes);
  for (const fault of wrong) console.error(`${path} ${fault}`);
  return wrong.length === 0;
}

if (isMain(import.meta)) {
  process.exitCode = checkKernel(process.argv[2], true) ? 0 : 1;
}
