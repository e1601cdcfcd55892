// What a benchmark of disks is asked for and what it answers; the shapes of
// `proteus bench disk --json`. As ../types.ts, with members and depth.
//
// - All sides export over NBD at a Unix socket, have their files in one folder, and are measured by
//   one fio with its nbd engine.
// - write-durable: a write of 4 KiB and the flush behind it. read and write: 4 KiB, at random.
//   read-large and write-large: 1 MiB, in order.
// - mirror: our storage. nbdkit: its file plugin. qemu-nbd: one raw file. quorum: two qemu-nbds of two
//   "machines" behind qemu's quorum driver, a mirror made of standard parts.

import type { MiddleRun } from "../samples.js";
import type { Environment, Ratio } from "../types.js";

export const diskTests = ["write-durable", "write", "read", "write-large", "read-large"] as const;
export type DiskTest = (typeof diskTests)[number];

/** What is measured of a disk that heals itself; healing.ts says how. */
export const healingTests = ["blank", "identical", "foreground", "failover", "checksums"] as const;
export type HealingTest = (typeof healingTests)[number];

export interface HealingResult {
  readonly test: HealingTest;
  readonly runs: number;
  /** By name, with its unit. */
  readonly figures: readonly { readonly name: string; readonly value: number; readonly unit: string }[];
  readonly problem?: string;
}

export const diskSystems = ["mirror", "nbdkit", "qemu-nbd", "quorum"] as const;
export type DiskSystem = (typeof diskSystems)[number];

export const standardDiskRuns = 3;

export interface DiskCase {
  readonly test: DiskTest;
  readonly system: DiskSystem;
  /** Copies that a write has to reach. */
  readonly members: number;
  /** Requests under way. */
  readonly depth: number;
}

export interface DiskResult extends DiskCase, MiddleRun {
  /** Why there are no figures, and what to do. */
  readonly problem?: string;
}

export interface DiskEnvironment
  extends Pick<Environment, "proteus" | "node" | "kernel" | "cpu" | "cores" | "load" | "isolation" | "runs"> {
  /** The folder of the files, and what kind of file system it is on. */
  readonly disk: string;
  /** Bytes of the disk that is measured. */
  readonly bytes: number;
  readonly fio: string | null;
  readonly nbdkit: string | null;
  readonly qemu: string | null;
}

export interface DiskReport {
  readonly environment: DiskEnvironment;
  readonly results: readonly DiskResult[];
  readonly healing: readonly HealingResult[];
  readonly ratios: readonly Ratio[];
  readonly remarks: readonly string[];
}
