// Which cases `proteus bench kernel` consists of, how runs become a row, and the goals. Pure.
//
// - Interleaved: a round runs every case once, the two sides of an operation one after the other.
// - Goals in ns and GB/s are absolute: the kernel's share of a call has a budget. Block copy is
//   held against memcpy.

import { median } from "../samples.js";
import type { Ratio } from "../types.js";
import {
  type KernelCase,
  type KernelOperation,
  type KernelResult,
  type KernelSystem,
  type KernelTest,
  kernelSystems,
  kernelTests,
} from "./types.js";

export interface KernelWanted {
  readonly tests: readonly KernelTest[];
  readonly blocks: readonly number[];
  /** Left out: both. */
  readonly systems?: readonly KernelSystem[];
}

const operations: Readonly<Record<KernelTest, readonly KernelOperation[]>> = {
  "kernel-codec": ["codec"],
  "kernel-port": ["match"],
  "kernel-segment": ["segment"],
  "kernel-copy": ["copy"],
  "kernel-checksum": ["hash", "crc"],
};

const takesBlocks = (operation: KernelOperation): boolean => ["copy", "hash", "crc"].includes(operation);

/** The cases of one round, in order. */
export function planKernelCases({ tests, blocks, systems = kernelSystems }: KernelWanted): KernelCase[] {
  const sizes = [...new Set(blocks)].sort((a, b) => a - b);
  return kernelTests
    .filter((test) => tests.includes(test))
    .flatMap((test) => operations[test].map((operation) => ({ test, operation })))
    .flatMap((each) =>
      (takesBlocks(each.operation) ? sizes : [null]).flatMap((bytes) =>
        kernelSystems
          .filter((system) => systems.includes(system))
          .map((system): KernelCase => ({ ...each, system, bytes })),
      ),
    );
}

/** One row of the nanoseconds that its runs took for an operation. */
export function kernelResultOf(each: KernelCase, runs: readonly number[], problem?: string): KernelResult {
  const nanoseconds = runs.length === 0 ? null : median(runs);
  return {
    ...each,
    nanoseconds,
    gigabytesPerSecond: nanoseconds === null || each.bytes === null ? null : each.bytes / nanoseconds,
    runs: runs.length,
    spread: nanoseconds === null ? null : (Math.max(...runs) - Math.min(...runs)) / nanoseconds,
    ...(problem === undefined ? {} : { problem }),
  };
}

const most = {
  codec: ["header encode and decode, ns", 8],
  match: ["port match of 10,000, ns", 20],
  segment: ["segment allocate and free, ns", 40],
} as const;
/** Blocks from this size on have goals. */
const goalBlock = 4096;
const hashGoal = 10;
const copyGoal = 0.9;

const ratio = (name: string, value: number, better: Ratio["better"], goal: number): Ratio => {
  return { name, value, better, goal, met: better === "lower" ? value <= goal : value >= goal };
};

/** Bytes as --size takes them. */
export function blockText(bytes: number): string {
  if (bytes % 1_048_576 === 0) return `${bytes / 1_048_576}M`;
  return bytes % 1024 === 0 ? `${bytes / 1024}K` : `${bytes}`;
}

/** What was measured of the goals. */
export function kernelRatiosOf(results: readonly KernelResult[]): Ratio[] {
  const find = (operation: KernelOperation, system: KernelSystem, bytes: number | null) =>
    results.find((each) => each.operation === operation && each.system === system && each.bytes === bytes);
  const budgets = Object.entries(most).flatMap(([operation, [name, goal]]) => {
    const value = find(operation as KernelOperation, "wasm", null)?.nanoseconds;
    return typeof value === "number" ? [ratio(name, value, "lower", goal)] : [];
  });
  const blocks = [...new Set(results.flatMap(({ bytes }) => bytes ?? []))].filter(
    (bytes) => bytes >= goalBlock,
  );
  const copies = blocks.flatMap((bytes) => {
    const ours = find("copy", "wasm", bytes)?.gigabytesPerSecond;
    const theirs = find("copy", "native", bytes)?.gigabytesPerSecond;
    if (!ours || !theirs) return [];
    return [ratio(`block copy / memcpy, ${blockText(bytes)}`, ours / theirs, "higher", copyGoal)];
  });
  const hashes = blocks.flatMap((bytes) => {
    const speed = find("hash", "wasm", bytes)?.gigabytesPerSecond;
    return speed ? [ratio(`XXH3-64 in GB/s, ${blockText(bytes)}`, speed, "higher", hashGoal)] : [];
  });
  return [...budgets, ...copies, ...hashes];
}

const loadMax = 0.5;

/** What has to be said so that nobody reads too much into the figures. */
export function kernelRemarksOf(results: readonly KernelResult[], load: number): string[] {
  const measured = (operation: KernelOperation) =>
    results.some((each) => each.operation === operation && each.nanoseconds !== null);
  const remarks = [
    "wasm: the kernel's sources in a module of their own, with the loop inside; calls into it do not count. " +
      "native: C, -O3 for this processor.",
  ];
  if (load > loadMax)
    remarks.push(`Other work was running (load ${load.toFixed(1)}): figures and spread suffer.`);
  if (measured("segment"))
    remarks.push(
      "segment: 512 live, 16 bytes to 16 KiB, random order; native is this machine's malloc and free. " +
        "A segment that is created is cleared as well, which is not counted here.",
    );
  if (measured("crc"))
    remarks.push("CRC-32C: WebAssembly has no instruction for it, the processor has; native uses that.");
  return remarks;
}
