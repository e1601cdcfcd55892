// Writes the Wireshark dissector: a preamble of Lua tables made from the constants, the fields
// and the operations that this system has, and behind it the code of proteus.lua, which has no
// number of its own.
//
// - Pure: text in, text out. The same program always writes the same dissector.
// - Lua strings are written with decimal escapes, so that no summary can end one.

import * as limits from "../../../core-wasm/limits.js";
import * as status from "../../../core-wasm/status.js";
import * as formats from "../../../core-wasm/wire/formats.js";
import type { KnownOperation } from "../../interface/tables.js";
import { flipTypes, fragmentTypes, groupTypes, type Names, rpcTypes } from "../../kernel/layers.js";
import { type Field, type Layer, layers, prefixes } from "./fields.js";

type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: Value | undefined };

function luaString(text: string): string {
  const escaped = text.replace(/[^ !#-[\]-~]/gu, (character) =>
    [...new TextEncoder().encode(character)].map((byte) => `\\${String(byte).padStart(3, "0")}`).join(""),
  );
  return `"${escaped}"`;
}

/** A value as a Lua expression. */
function lua(value: Value): string {
  if (typeof value === "string") return luaString(value);
  if (typeof value !== "object") return String(value);
  if (Array.isArray(value)) return `{ ${value.map((each) => lua(each)).join(", ")} }`;
  const pairs = Object.entries(value).flatMap(([key, each]) =>
    each === undefined ? [] : [`[${luaString(key)}] = ${lua(each)}`],
  );
  return `{ ${pairs.join(", ")} }`;
}

/** Numbers with names, as Wireshark takes them. */
function luaNames(names: ReadonlyMap<number, string>): string {
  const lines = [...names].map(([value, name]) => `    [${value}] = ${luaString(name)},`);
  return `{\n${lines.join("\n")}\n  }`;
}

const byteMax = 255;

function namesOfTypes(types: Names): Map<number, string> {
  const names = new Map<number, string>();
  for (let value = 0; value <= byteMax; value++) {
    const name = types.nameOf(value);
    if (name !== undefined) names.set(value, name);
  }
  return names;
}

/** Those that travel: not what only a kernel says to its own machine. */
function namesOfStatuses(): Map<number, string> {
  const travelling = Object.entries(status).filter(([name]) => /^(STD|RPC|BC)_/.test(name));
  return new Map(travelling.map(([name, value]) => [value, name]));
}

/** `info (std)`; a number that several servers use has all its names. */
function namesOfOperations(operations: readonly KnownOperation[]): Map<number, string> {
  const names = new Map<number, string>();
  for (const { server, number, name } of operations) {
    const before = names.get(number);
    names.set(number, `${before === undefined ? "" : `${before}, `}${name} (${server})`);
  }
  return names;
}

const numbersOf = (module: object): Record<string, number> =>
  Object.fromEntries(Object.entries(module).filter(([, value]) => typeof value === "number"));

function luaField(layer: Layer, { name, bits, ...field }: Field): string {
  const parts = (bits ?? []).map(([mask, bit, label]) => ({ mask, name: bit, label }));
  return `    ${lua({ filter: `proteus.${prefixes[layer]}.${name}`, name, ...field, parts })},`;
}

function luaLayers(): string {
  const tables = (Object.keys(layers) as Layer[]).map((layer) => {
    const fields = layers[layer].map((field) => luaField(layer, field));
    return `  ${layer} = {\n${fields.join("\n")}\n  },`;
  });
  return `{\n${tables.join("\n")}\n}`;
}

/**
 * The whole dissector.
 *
 * @param code the text of proteus.lua
 * @param operations names for the command field
 * @param version of the program that writes it
 */
export function generateDissector(
  code: string,
  operations: readonly KnownOperation[],
  version: string,
): string {
  const constants = Object.entries({ ...numbersOf(formats), EXTENSIONS_ALL: limits.EXTENSIONS_ALL });
  return [
    `-- The Wireshark dissector of Proteus ${version}, written by \`proteus dissector\`.`,
    "-- Put it into the folder of personal Lua plugins that Wireshark names under Help, About,",
    "-- Folders, or give it to tshark: tshark -X lua_script:proteus.lua -r FILE",
    "",
    "-- core-wasm/wire/formats.ts",
    `local F = {\n${constants.map(([name, value]) => `  ${name} = ${value},`).join("\n")}\n}`,
    "",
    "local NAMES = {",
    `  fragment = ${luaNames(namesOfTypes(fragmentTypes))},`,
    `  flip = ${luaNames(namesOfTypes(flipTypes))},`,
    `  rpc = ${luaNames(namesOfTypes(rpcTypes))},`,
    `  group = ${luaNames(namesOfTypes(groupTypes))},`,
    `  command = ${luaNames(namesOfOperations(operations))},`,
    `  status = ${luaNames(namesOfStatuses())},`,
    "}",
    "",
    `local LAYERS = ${luaLayers()}`,
    "",
    code,
  ].join("\n");
}
