// Kernels with one bug planted in each: build/mutants/NAME.wasm, for the test that the
// simulator finds them all.
//
// - test/mutants/mutants.json: {name, file below core-wasm, find, replace, why}. `find` must
//   stand in the file exactly once, so that a mutant does not quietly become the kernel.
// - Sources are copied to build/mutants/NAME; built as the release is, optimised less. What
//   was built from the same sources and the same mutation stays.
// - `node scripts/mutant-kernels.mjs [NAME...]` builds those, or all; `--check` builds none.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { at, filesBelow, isMain, root } from "./files.mjs";

const out = "build/mutants";
const patience = 120_000;

/** The table. */
export const mutants = JSON.parse(readFileSync(at("test/mutants/mutants.json"), "utf8"));

/** The mutated text of its file. Throws when what it replaces does not stand there once. */
export function mutated({ name, file, find, replace }) {
  const text = readFileSync(at("core-wasm", file), "utf8");
  const count = text.split(find).length - 1;
  if (count !== 1)
    throw new Error(`${name}: core-wasm/${file} has what it replaces ${count} times, not once`);
  return text.replace(find, () => replace);
}

/** Builds one when it is not there already; the path of its kernel. */
export function buildMutant(mutant) {
  const { name, file } = mutant;
  const text = mutated(mutant);
  const hash = createHash("sha256").update(text);
  const sources = filesBelow("core-wasm").filter((path) => path.endsWith(".ts"));
  for (const path of [...sources, "scripts/mutant-kernels.mjs"])
    hash.update(path).update(readFileSync(at(path)));
  const stamp = hash.digest("hex");
  const [kernel, stampFile] = [`${out}/${name}.wasm`, `${out}/${name}.stamp`];
  if (existsSync(at(kernel)) && existsSync(at(stampFile)) && readFileSync(at(stampFile), "utf8") === stamp)
    return at(kernel);
  const folder = `${out}/${name}`;
  rmSync(at(folder), { recursive: true, force: true });
  for (const path of sources) {
    const copy = at(folder, path);
    mkdirSync(dirname(copy), { recursive: true });
    writeFileSync(copy, path === `core-wasm/${file}` ? text : readFileSync(at(path)));
  }
  const options = [
    `${folder}/core-wasm/kernel.ts`,
    ...["--outFile", kernel, "-O1", "--runtime", "stub", "--enable", "simd"],
    ...["--importMemory", "--noExportMemory", "--memoryBase", "4096"],
    ...["--use", `abort=${folder}/core-wasm/memory/assert/kernelAbort`],
  ];
  const asc = at("node_modules/assemblyscript/bin/asc.js");
  const run = spawnSync(process.execPath, [asc, ...options], {
    cwd: root,
    encoding: "utf8",
    timeout: patience,
  });
  rmSync(at(folder), { recursive: true, force: true });
  if (run.status !== 0) throw new Error(`${name} does not compile\n${run.stderr}`);
  writeFileSync(at(stampFile), stamp);
  return at(kernel);
}

if (isMain(import.meta)) {
  const words = process.argv.slice(2);
  const named = words.filter((word) => !word.startsWith("--"));
  const unknown = named.filter((name) => !mutants.some((mutant) => mutant.name === name));
  if (unknown.length > 0) {
    console.error(`no such mutant: ${unknown.join(", ")}`);
    process.exit(2);
  }
  for (const mutant of mutants) {
    if (named.length > 0 && !named.includes(mutant.name)) continue;
    if (words.includes("--check")) mutated(mutant);
    else console.log(buildMutant(mutant));
  }
}
