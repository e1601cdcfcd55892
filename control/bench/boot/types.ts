// What `proteus bench boot` is asked for and what it answers; the shapes of its --json.
//
// - boot: from the start of the machine's process to its first answered call. qemu-alone is the
//   same QEMU, with the same devices, until it would run its first instruction: what is left for us.
// - many: sixteen machines started at one moment, until each of them has answered; then what they
//   cost together while nobody calls.
// - null-rpc, call-1m: as ../types.ts has them, from Linux to metal and to Linux on the same bridge.
//   frame-echo: a bare frame there and back, from the machine without its kernel's protocols.

import type { ImagePart } from "../../../boot/image.js";
import type { Environment, Ratio } from "../types.js";

export const bootTests = ["boot", "many", "frame-echo", "null-rpc", "call-1m"] as const;
export type BootTest = (typeof bootTests)[number];

/** microvm and pc: the same image. linux: a pc that starts the image of Linux machines, without a network. */
export const bootSystems = ["microvm", "pc", "linux", "qemu-alone"] as const;
export type BootSystem = (typeof bootSystems)[number];

export const standardBoots = 20;
export const quickBoots = 3;
/** Machines that start at one moment. */
export const manyMachines = 16;
/** Memory of a machine that boots. */
export const bootMebibytes = 8;

export interface BootResult {
  readonly test: "boot";
  readonly system: BootSystem;
  readonly medianMs: number | null;
  readonly worstMs: number | null;
  /** Of its QEMU after the first answer, median: MB = 10^6 bytes. */
  readonly residentMegabytes: number | null;
  readonly runs: number;
  readonly problem?: string;
}

export interface ManyResult {
  readonly test: "many";
  readonly system: "microvm";
  readonly machines: number;
  /** Until the last one has answered. */
  readonly medianMs: number | null;
  readonly worstMs: number | null;
  /** CPU time of all together while nobody calls, a part of one core. */
  readonly idleCpu: number | null;
  /** Of one QEMU, median: what the system keeps in memory for it. MB = 10^6 bytes. */
  readonly residentMegabytes: number | null;
  readonly runs: number;
  readonly problem?: string;
}

export const callTests = ["frame-echo", "null-rpc", "call-1m"] as const;
export type CallTest = (typeof callTests)[number];

export interface CallResult {
  readonly test: CallTest;
  /** Whom a Linux machine calls. */
  readonly system: "metal" | "linux";
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly megabytesPerSecond: number | null;
  readonly runs: number;
  /** Of the medians, or of MB/s for call-1m; see ../types.ts. */
  readonly spread: number | null;
  readonly problem?: string;
}

export type BootRow = BootResult | ManyResult | CallResult;

export interface BootReport {
  readonly environment: Pick<
    Environment,
    "proteus" | "node" | "kernel" | "cpu" | "cores" | "load" | "isolation" | "runs"
  > & {
    readonly qemu: string | null;
    /** How QEMU ran the machines. */
    readonly accelerator: "tcg" | "kvm";
    /** Memory of a machine that boots, in bytes. */
    readonly memoryBytes: number;
  };
  readonly image: { readonly bytes: number; readonly sha256: string; readonly parts: readonly ImagePart[] };
  /** The image of Linux machines, where one was started: kernel and initramfs. */
  readonly linux?: { readonly bytes: number; readonly sha256: string; readonly parts: readonly ImagePart[] };
  readonly results: readonly BootRow[];
  readonly ratios: readonly Ratio[];
  readonly remarks: readonly string[];
}
