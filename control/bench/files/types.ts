// What a benchmark of files and directories is asked for and what it answers; the shapes of
// `proteus bench files --json`. As ../types.ts, with bytes, clients and members.
//
// - create: a whole new file (a value, for Redis) that is on the disk when the answer comes.
// - read: a whole file that the server has in memory; read-cold: one that it has not.
// - lookup: a name in a directory (a key). update: a new name, durable, at all members that it
//   takes.
// - nginx is read with Node's HTTP client, nginx-socket with a bare socket into one buffer: what HTTP
//   costs a program, and what it costs at least.
// - disk: what the disk itself gives: 4 KiB written and flushed. echo: a call without work.

import type { MiddleRun } from "../samples.js";
import type { Environment, Ratio } from "../types.js";

export const fileTests = ["read", "read-cold", "create", "lookup", "update"] as const;
export type FileTest = (typeof fileTests)[number];

export const fileSystems = [
  ...(["bullet", "directory", "echo", "disk", "nginx", "nginx-socket", "redis", "etcd"] as const),
];
export type FileSystem = (typeof fileSystems)[number];

export const standardFileRuns = 3;
export const standardFileSizes: readonly number[] = [0, 4096, 65_536, 1024 * 1024, 64 * 1024 * 1024];
export const largestFile = 1024 * 1024 * 1024;

export interface FileCase {
  readonly test: FileTest;
  readonly system: FileSystem;
  /** Of a file, or of a value. */
  readonly bytes: number;
  /** That many at the same time, in one process. */
  readonly clients: number;
  /** Machines that serve together. */
  readonly members: number;
}

export interface FileResult extends FileCase, MiddleRun {
  /** Why there are no figures, and what to do. */
  readonly problem?: string;
}

export interface FileEnvironment
  extends Pick<
    Environment,
    "proteus" | "node" | "kernel" | "cpu" | "cores" | "load" | "isolation" | "runs" | "mtus"
  > {
  readonly link: "bridge";
  /** The folder of the servers' files, and what kind of file system it is on. */
  readonly disk: string;
  readonly nginx: string | null;
  readonly redis: string | null;
  readonly etcd: string | null;
}

export interface FileReport {
  readonly environment: FileEnvironment;
  readonly results: readonly FileResult[];
  readonly ratios: readonly Ratio[];
  readonly remarks: readonly string[];
}
