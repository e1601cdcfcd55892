// An instrumented kernel for the fuzzer: build/coverage/kernel.wasm and its map.
//
// - Every function of core-wasm/flip, rpc and group, every way of an `if`, every loop
//   body and every case of a switch gets one store of a byte: that branch was reached.
// - The bytes lie at 4096 + the branch's number, below the static data, which moves up
//   to make room. Nothing else differs: same imports, same layout, optimised the same.
// - Sources are copied to build/coverage/core-wasm; the stores are put into the copies,
//   each on the line of its branch, so that lines stay what they are.
// - build/coverage/branches.json: [{file, line, what}], by number.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as compiler from "assemblyscript/dist/assemblyscript.js";
import { at, filesBelow, isMain, root } from "./files.mjs";

const mapBase = 4096;
const mapBytes = 4096;
const out = "build/coverage";
const measured = /^core-wasm\/(flip|rpc|group)\//;
const { NodeKind } = compiler;

/** The statements of a file, as the compiler's own parser sees them. */
function parse(path, text) {
  const program = compiler.newProgram(compiler.newOptions());
  compiler.parse(program, text, path, true);
  const source = program.sources.find((candidate) => candidate.normalizedPath === path);
  if (source === undefined) throw new Error(`${path}: the compiler did not read it`);
  return source.statements;
}

/** One file with its stores; adds what they stand for to `branches`. */
function instrument(path, text, branches) {
  const insertions = [];
  const insert = (offset, words, order) => insertions.push({ offset, words, order });
  const count = (node, what, name) => {
    const line = text.slice(0, node.range.start).split("\n").length;
    branches.push({ file: path, line, what, in: name });
    return `store<u8>(${mapBase + branches.length - 1}, 1);`;
  };

  /** A way that may be taken: a block gets the store inside, a lone statement gets a block. */
  const way = (node, what, name) => {
    const store = count(node, what, name);
    if (node.kind === NodeKind.Block) {
      insert(node.range.start + 1, ` ${store}`, 1);
      for (const inner of node.statements) visit(inner, name);
    } else {
      insert(node.range.start, `{ ${store} `, 1);
      visit(node, name);
      insert(endOf(node), " }", -1);
    }
  };
  /** The end of a statement with its semicolon, which the parser leaves out of some ranges. */
  const endOf = (node) => {
    const { end } = node.range;
    const rest = /^\s*;/.exec(text.slice(end));
    return rest && text[end - 1] !== ";" && text[end - 1] !== "}" ? end + rest[0].length : end;
  };

  const visit = (node, name) => {
    switch (node.kind) {
      case NodeKind.FunctionDeclaration:
      case NodeKind.MethodDeclaration:
        if (node.body) way(node.body, "function", node.name.text);
        return;
      case NodeKind.ClassDeclaration:
        for (const member of node.members) visit(member, name);
        return;
      case NodeKind.Block:
        for (const inner of node.statements) visit(inner, name);
        return;
      case NodeKind.If:
        way(node.ifTrue, "if", name);
        if (node.ifFalse) way(node.ifFalse, "else", name);
        else insert(endOf(node.ifTrue), ` else { ${count(node, "if not", name)} }`, -2);
        return;
      case NodeKind.While:
      case NodeKind.Do:
      case NodeKind.For:
        way(node.body, "loop", name);
        return;
      case NodeKind.Switch:
        for (const option of node.cases) {
          if (option.statements.length === 0) continue;
          const first = option.statements[0];
          insert(first.range.start, `${count(first, "case", name)} `, 0);
          for (const inner of option.statements) visit(inner, name);
        }
        return;
    }
  };
  for (const statement of parse(path, text)) visit(statement, "");
  return apply(text, insertions);
}

/** At one offset what ends something comes before what begins something. */
function apply(text, insertions) {
  const sorted = insertions.map((insertion, index) => ({ ...insertion, index }));
  sorted.sort((a, b) => b.offset - a.offset || compare(b, a));
  let result = text;
  for (const { offset, words } of sorted) result = result.slice(0, offset) + words + result.slice(offset);
  return result;
}

/** Inner ends come first in the text: they were noted first. Beginnings the other way round. */
function compare(a, b) {
  const ends = (insertion) => (insertion.order < 0 ? 0 : 1);
  return ends(a) - ends(b) || a.index - b.index;
}

/** Builds the instrumented kernel when a source is newer; answers the number of branches. */
export function buildCoverage() {
  const sources = filesBelow("core-wasm").filter((path) => path.endsWith(".ts"));
  const stampFile = at(out, ".stamp");
  const hash = createHash("sha256");
  for (const path of [...sources, "scripts/coverage-kernel.mjs", "asconfig.json"]) {
    hash.update(path).update(readFileSync(at(path)));
  }
  const stamp = hash.digest("hex");
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp) return;
  rmSync(at(out), { recursive: true, force: true });
  const branches = [];
  for (const path of sources) {
    const text = readFileSync(at(path), "utf8");
    const copy = at(out, path);
    mkdirSync(dirname(copy), { recursive: true });
    writeFileSync(copy, measured.test(path) ? instrument(path, text, branches) : text);
  }
  if (branches.length > mapBytes) throw new Error(`${branches.length} branches do not fit the map`);
  const options = [
    `${out}/core-wasm/kernel.ts`,
    ...["--outFile", `${out}/kernel.wasm`, "-O3", "--runtime", "stub", "--enable", "simd"],
    ...["--importMemory", "--noExportMemory", "--memoryBase", `${mapBase + mapBytes}`],
    ...["--use", `abort=${out}/core-wasm/memory/assert/kernelAbort`],
  ];
  const asc = at("node_modules/assemblyscript/bin/asc.js");
  const run = spawnSync(process.execPath, [asc, ...options], { cwd: root, encoding: "utf8" });
  if (run.status !== 0) throw new Error(`the instrumented kernel does not compile\n${run.stderr}`);
  writeFileSync(at(out, "branches.json"), JSON.stringify({ mapBase, branches }));
  writeFileSync(stampFile, stamp);
}

if (isMain(import.meta)) {
  buildCoverage();
  console.log(`${out}/kernel.wasm`);
}
