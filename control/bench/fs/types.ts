// What a benchmark of file systems is asked for and what it answers; the shapes of
// `proteus bench fs --json`.
//
// - local: the bare file system of the folder. passthrough_ll: libfuse's example on it. proteus: a
//   mount whose cache is on it, with its log, and vice on another machine. All of it on one core.
// - A figure of a result is the median over its runs; `spread` is that of the leading figure.

import type { Environment, Ratio } from "../types.js";

/** Tests that every system has. */
export const commonFsTests = [
  "random-read",
  "random-write",
  "sequential-read",
  "sequential-write",
  "sequential-write-close",
  "create",
  "open-write-close",
  "open-read-close",
  "rename",
  "unlink",
  "mkdir",
  "stat",
  "untar",
  "git-clone",
  "git-status",
] as const;
/** Tests of a server and its clients: ours alone. */
export const ownFsTests = [
  "close-to-read",
  "close-to-read-strict",
  "reintegrate-names",
  "reintegrate-files",
] as const;
export const fsTests = [...commonFsTests, ...ownFsTests] as const;
export type FsTest = (typeof fsTests)[number];

export const fsSystems = ["local", "passthrough_ll", "proteus"] as const;
export type FsSystem = (typeof fsSystems)[number];

export const standardFsRuns = 5;

export const fsFigures = [
  "perSecond",
  "megabytesPerSecond",
  "seconds",
  "p50Us",
  "p99Us",
  "callsPerOperation",
] as const;
export type FsFigure = (typeof fsFigures)[number];

/** One measurement; null where a test has no such figure. */
export interface FsRun extends Readonly<Record<FsFigure, number | null>> {
  /** Rounds in which the first look after close had returned showed something older. */
  readonly stale?: number;
  /** Records that were brought back. */
  readonly records?: number;
}

export interface FsResult extends FsRun {
  readonly test: FsTest;
  readonly system: FsSystem;
  readonly runs: number;
  /** Greatest less least of the leading figure, a part of the median; null without runs. */
  readonly spread: number | null;
  /** Why there are no figures, and what to do. */
  readonly problem?: string;
}

export interface FsEnvironment
  extends Pick<Environment, "proteus" | "node" | "kernel" | "cpu" | "cores" | "load" | "isolation" | "runs"> {
  /** The folder of all files, and what kind of file system it is on. */
  readonly disk: string;
  /** The core that everything is pinned to. */
  readonly core: number;
  readonly bytes: number;
  readonly files: number;
  readonly records: number;
  /** Files are handed to the kernel; null when ours was not measured. */
  readonly passthrough: boolean | null;
  readonly git: string | null;
  /** What passthrough_ll was built with; null when it was not. */
  readonly libfuse: string | null;
}

export interface FsReport {
  readonly environment: FsEnvironment;
  readonly results: readonly FsResult[];
  readonly ratios: readonly Ratio[];
  readonly remarks: readonly string[];
}
