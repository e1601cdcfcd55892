// Makes build/kernel.h: the kernel's constants as C sees them.
//
// - Reads core-wasm/{status,limits,layout,wire/formats}.ts, which are nothing but lines of
//   `export const NAME = VALUE;` or `NAME: u32 = VALUE;`. Any other statement is an error: they
//   are the one table from which AssemblyScript, TypeScript and C take the ABI.
// - NAME becomes PROTEUS_NAME; negative values get parentheses.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { at, isMain } from "./files.mjs";

const sources = ["status", "limits", "layout", "wire/formats"];

/** The C lines for one file of constants. */
export function defines(source, name) {
  const lines = [];
  for (const [index, raw] of source.split("\n").entries()) {
    const code = raw.replace(/\/\/.*$/, "").trim();
    if (code === "") continue;
    const match = /^export const ([A-Z][A-Z0-9_]*)(?:: [iu]32)? = (-?(?:0x[0-9a-f]+|\d+));$/i.exec(code);
    if (!match) throw new Error(`core-wasm/${name}.ts:${index + 1}: not a plain constant: ${code}`);
    const [, constant, value] = match;
    lines.push(`#define PROTEUS_${constant} ${value.startsWith("-") ? `(${value})` : value}`);
  }
  return lines;
}

/** Writes build/kernel.h. */
export function writeKernelHeader() {
  const lines = [
    "/* Made by scripts/kernel-header.mjs from core-wasm; change those files instead. */",
    "#pragma once",
  ];
  for (const name of sources) {
    const path = `core-wasm/${name}.ts`;
    lines.push("", `/* ${path} */`, ...defines(readFileSync(at(path), "utf8"), name));
  }
  mkdirSync(at("build"), { recursive: true });
  writeFileSync(at("build/kernel.h"), `${lines.join("\n")}\n`);
}

if (isMain(import.meta)) writeKernelHeader();
