// Builds build/release/metal.wasm, the module of machines without an operating system, and
// metal.json, which says with which kernel.wasm it goes together.
//
// - build/metal/interface.ts comes first: the numbers of the tables in control/interface, as
//   AssemblyScript constants, so that no number is written down a second time.
// - The kernel's static data must end below METAL_BASE, where metal's begins: both are told apart
//   by looking where a kernel with default limits puts its first table.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { at, isMain, root } from "./files.mjs";

const metalBase = 65536;
const kernelPath = "build/release/kernel.wasm";

const load = (path) => import(pathToFileURL(at("dist", path)).href);

/** The tables' numbers as AssemblyScript. */
export async function interfaceSource() {
  const echo = await load("control/interface/echo.js");
  const { anyServer } = await load("control/interface/standard.js");
  const { systemTable } = await load("control/interface/system.js");
  const { segmentTable, ...segment } = await load("control/interface/segment.js");
  const { allOperations, rightsMask } = await load("control/interface/table.js");
  const group = await load("control/interface/group.js");
  const { standardParameters } = await load("control/group/configuration.js");
  const { deliveryKinds, groupStates, memberStates } = await load("control/kernel/groups.js");
  const { poolTable, poolPurposes } = await load("control/interface/pool.js");
  const { counterNames } = await load("control/kernel/counters.js");
  const { threadStates } = await load("control/kernel/tables.js");
  const { version } = JSON.parse(readFileSync(at("package.json"), "utf8"));
  const standard = Object.entries(anyServer).map(([name, { number }]) => [name, number]);
  const numbers = standard.map(([, number]) => number);
  const constants = {
    ...echo,
    STANDARD_FIRST: Math.min(...numbers),
    STANDARD_LAST: Math.max(...numbers),
    ...Object.fromEntries(standard.map(([name, number]) => [`STANDARD_${name.toUpperCase()}`, number])),
    SYS_KSTAT: systemTable.operations.kstat.number,
    ...segment,
    ...Object.fromEntries(
      Object.entries(segmentTable.operations).map(([name, { number }]) => [
        `SEGMENT_${name.toUpperCase()}`,
        number,
      ]),
    ),
    SEGMENT_READ_RIGHTS: rightsMask(segmentTable, ["read"]),
    SEGMENT_OPERATIONS_COUNT: allOperations(segmentTable).size,
    POOL_ANNOUNCE: poolTable.operations.announce.number,
    POOL_PORT_PURPOSE: poolPurposes.announce,
    ...Object.fromEntries(Object.entries(group).filter(([, value]) => typeof value === "number")),
    ...Object.fromEntries(
      Object.entries(group.groupPurposes).map(([name, value]) => [`GROUP_PORT_${name.toUpperCase()}`, value]),
    ),
    GROUP_MEMBERS: standardParameters.membersMax,
    GROUP_LOG_HISTORY: standardParameters.logHistory,
    GROUP_LOG_MESSAGE: standardParameters.logMessage,
  };
  const words = (list) => JSON.stringify(list.map((word) => word.replaceAll(" ", "-")).join(" "));
  /** Number, rights and subject of each operation, three words each, as boot/metal/segment.ts reads them. */
  const subjects = { either: 0, server: 1, object: 2 };
  const anyone = 0x100;
  const operations = [...allOperations(segmentTable).values()].flatMap(({ number, rights, subject }) => [
    number,
    rights === "anyone" ? anyone : rightsMask(segmentTable, rights),
    subjects[subject],
  ]);
  return [
    "// Made by scripts/build-metal.mjs from control/interface; change those files instead.",
    ...Object.entries(constants).map(([name, value]) => `export const ${name}: u32 = ${value};`),
    `export const SEGMENT_OPERATIONS: usize = memory.data<u32>([${operations.join(", ")}]);`,
    `export const COUNTER_NAMES = ${words(counterNames)};`,
    `export const THREAD_STATES = ${words(threadStates)};`,
    `export const GROUP_STATES = ${words(groupStates)};`,
    `export const MEMBER_STATES = ${words(memberStates)};`,
    `export const DELIVERY_KINDS = ${words(deliveryKinds)};`,
    `export const VERSION = ${JSON.stringify(version)};`,
    "",
  ].join("\n");
}

/** Where the kernel's static data ends: the first table lies there when nobody says otherwise. */
function kernelDataEnd(bytes) {
  const memory = new WebAssembly.Memory({ initial: 1024 });
  const nothing = () => 0;
  const env = { memory, transmit: nothing, random: nothing, log: nothing, trap: nothing };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
  if (exports.boot() < 0) throw new Error("kernel.wasm does not boot with its default limits");
  return new Uint32Array(memory.buffer)[2048 / 4 + 4]; // LAYOUT_ADDRESS, LAYOUT_COUNTERS
}

/** Builds metal.wasm; false: it did not compile, which was printed. */
export async function buildMetal() {
  mkdirSync(at("build/metal"), { recursive: true });
  writeFileSync(at("build/metal/interface.ts"), await interfaceSource());
  const options = [
    ...["boot/metal/main.ts", "--outFile", "build/release/metal.wasm", "--sourceMap", "--debug"],
    ...["--runtime", "stub", "--importMemory", "--noExportMemory", "--memoryBase", `${metalBase}`],
    ...["--optimizeLevel", "3", "--shrinkLevel", "1", "--converge", "--enable", "simd"],
    ...["--use", "abort="],
  ];
  const asc = at("node_modules/assemblyscript/bin/asc.js");
  if (spawnSync(process.execPath, [asc, ...options], { cwd: root, stdio: "inherit" }).status !== 0)
    return false;
  const kernel = readFileSync(at(kernelPath));
  const end = kernelDataEnd(kernel);
  if (end > metalBase) {
    console.error(`metal: the kernel's static data ends at ${end}, past ${metalBase}: raise metalBase`);
    return false;
  }
  const sha256 = createHash("sha256").update(kernel).digest("hex");
  writeFileSync(at("build/release/metal.json"), `${JSON.stringify({ kernelSha256: sha256 })}\n`);
  console.error(`build/release/metal.wasm: ${readFileSync(at("build/release/metal.wasm")).length} bytes`);
  return true;
}

if (isMain(import.meta) && !(await buildMetal())) process.exitCode = 1;
