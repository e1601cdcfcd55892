// Compiles drivers/ethernet/native/*.c into build/native/ethernet.node.
//
// - Plain C against Node-API with the C compiler that is there: no node-gyp, nothing
//   downloaded. The headers are those of the Node that runs this script.
// - Without compiler, headers or sources it says in one line that the koffi fallback
//   will be used, and succeeds: installing never fails for want of a compiler.
// - A compiler that rejects the sources is an error in a checkout (--strict), and
//   another reason for the fallback elsewhere.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { at, filesBelow, isFresh, isMain, writeStamp } from "./files.mjs";
import { writeKernelHeader } from "./kernel-header.mjs";

const output = at("build/native/ethernet.node");

/** The folder with node_api.h, or null. */
function includeFolder() {
  const prefix = dirname(dirname(process.execPath));
  const candidates = [
    join(prefix, "include/node"),
    process.env.npm_config_nodedir && join(process.env.npm_config_nodedir, "include/node"),
    process.config.variables.node_prefix && join(process.config.variables.node_prefix, "include/node"),
  ];
  return candidates.find((folder) => folder && existsSync(join(folder, "node_api.h"))) ?? null;
}

/** The first C compiler that answers, or null. */
function compiler() {
  const candidates = [process.env.CC, "cc", "gcc", "clang"].filter(Boolean);
  return candidates.find((name) => spawnSync(name, ["--version"]).status === 0) ?? null;
}

/** Builds the addon. Returns "built", "fresh", "fallback" (said why) or "failed" (printed why). */
export function buildNative() {
  if (isFresh("native") && existsSync(output)) return "fresh";
  const fallback = (reason) => {
    rmSync(output, { force: true });
    console.error(`ethernet driver: ${reason}; the slower koffi fallback will be used`);
    return "fallback";
  };
  const sources = filesBelow("drivers/ethernet/native").filter((path) => path.endsWith(".c"));
  if (sources.length === 0) return fallback("no native sources here");
  const cc = compiler();
  if (cc === null) return fallback("no C compiler found");
  const include = includeFolder();
  if (include === null) return fallback("the headers of this Node are not installed");

  writeKernelHeader();
  mkdirSync(dirname(output), { recursive: true });
  const unfinished = `${output}.${process.pid}`;
  const flags = ["-std=gnu11", "-O2", "-g", "-shared", "-fPIC", "-Wall", "-Wextra", "-fvisibility=hidden"];
  const search = [`-I${include}`, `-I${at("build")}`, `-I${at("drivers/ethernet/native")}`];
  const result = spawnSync(
    cc,
    [...flags, ...search, ...sources.map((path) => at(path)), "-o", unfinished, "-lpthread"],
    {
      stdio: ["ignore", "inherit", "inherit"],
    },
  );
  if (result.status !== 0) {
    rmSync(unfinished, { force: true });
    return "failed";
  }
  renameSync(unfinished, output);
  writeStamp("native");
  return "built";
}

if (isMain(import.meta) && buildNative() === "failed") {
  console.error("ethernet driver: it did not compile; the slower koffi fallback will be used");
  process.exitCode = process.argv.includes("--strict") ? 1 : 0;
}
