// What `proteus bench kernel` is asked for and what it answers; the shapes of its --json.
//
// - An operation is one turn of a loop in core-wasm/bench/loops.ts; the native side does the
//   same in C. Every figure of a row is the median over its runs; `spread` as in ../types.ts.

import type { Environment, Ratio } from "../types.js";

export const kernelTests = [
  "kernel-codec",
  "kernel-port",
  "kernel-segment",
  "kernel-copy",
  "kernel-checksum",
] as const;
export type KernelTest = (typeof kernelTests)[number];

/** wasm: the kernel's own code. native: what C has for the same. */
export const kernelSystems = ["wasm", "native"] as const;
export type KernelSystem = (typeof kernelSystems)[number];

/** The loops, as both sides name them. */
export const kernelOperations = ["codec", "match", "segment", "copy", "hash", "crc"] as const;
export type KernelOperation = (typeof kernelOperations)[number];

export const standardBlocks: readonly number[] = [64, 1024, 4096, 65_536, 1_048_576];
export const blockMost = 1_048_576;
export const standardKernelRuns = 5;

export interface KernelCase {
  readonly test: KernelTest;
  readonly operation: KernelOperation;
  readonly system: KernelSystem;
  /** Bytes of a block; null where there is no block. */
  readonly bytes: number | null;
}

export interface KernelResult extends KernelCase {
  readonly nanoseconds: number | null;
  /** GB = 10^9 bytes. */
  readonly gigabytesPerSecond: number | null;
  readonly runs: number;
  readonly spread: number | null;
  /** Why there are no figures, and what to do. */
  readonly problem?: string;
}

export interface KernelReport {
  readonly environment: Pick<
    Environment,
    "proteus" | "node" | "kernel" | "cpu" | "cores" | "load" | "runs"
  > & {
    /** The first line that the C compiler says of itself; null where there is none. */
    readonly compiler: string | null;
  };
  readonly results: readonly KernelResult[];
  readonly ratios: readonly Ratio[];
  readonly remarks: readonly string[];
}
