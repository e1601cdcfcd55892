// What the tests of the structure know of the sources: their paths, texts and imports.
//
// - TypeScript's own parser reads AssemblyScript as well: decorators on functions are
//   a complaint of the checker, not of the parser.

import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

export interface Source {
  /** Relative to the top of the checkout, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const top = fileURLToPath(new URL("../../../", import.meta.url));
const notOurs = new Set(["node_modules", "build", "dist", "coverage", ".git"]);

/** Every .ts and .mjs file of the repository below a folder, in the order of their paths. */
export function sourcesBelow(folder = "."): Source[] {
  const found: Source[] = [];
  for (const entry of readdirSync(posix.join(top, folder), { withFileTypes: true })) {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory() && !notOurs.has(entry.name)) found.push(...sourcesBelow(path));
    else if (entry.isFile() && /\.(ts|mjs)$/.test(path)) {
      found.push({ path, text: readFileSync(posix.join(top, path), "utf8") });
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The syntax tree of a source. */
export function parse(source: Source): ts.SourceFile {
  return ts.createSourceFile(source.path, source.text, ts.ScriptTarget.ESNext, true, ts.ScriptKind.TS);
}

/** Calls `visit` for a node and everything below it. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** What a source imports, as written: static, dynamic, re-exported and types alike. */
export function importsOf(source: Source): string[] {
  return ts.preProcessFile(source.text, true, true).importedFiles.map((file) => file.fileName);
}

/** The path that a relative import names, without its ending; null for a package. */
export function targetOf(source: Source, specifier: string): string | null {
  if (!specifier.startsWith(".")) return null;
  return posix.join(posix.dirname(source.path), specifier).replace(/\.(js|ts|mjs)$/, "");
}

/** The line of a node, from 1. */
export function lineOf(node: ts.Node): number {
  const file = node.getSourceFile();
  return file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
}

/** True for files that AssemblyScript compiles and TypeScript does not. */
export function isAssemblyScript(path: string): boolean {
  if (isConstants(path)) return false;
  return (
    /^(core-wasm|test\/kernel|boot\/metal)\//.test(path) ||
    /^drivers\/(virtio(-net|-blk|-rng)?|pci|card|e1000e|uart)\//.test(path)
  );
}

/** True for the plain constants that both languages compile. */
export function isConstants(path: string): boolean {
  return /^core-wasm\/(status|limits|layout|wire\/formats)(\.ts)?$/.test(path);
}
