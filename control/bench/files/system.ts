// What a system under measurement is to the processes of a benchmark of files: a server on each
// of its machines, and clients that begin calls. Each file in systems/ is such a system.

import type { Begin } from "../clock.js";
import type { FileCase } from "./types.js";

/** Told to every process of a case. */
export interface FileJob extends FileCase {
  readonly interfaceName: string;
  /** Path of kernel.wasm. */
  readonly wasm: string;
  /** IPv4 addresses of the machines that serve, in order. */
  readonly addresses: readonly string[];
  /** Which of those this process is. */
  readonly member: number;
  /** For what this machine keeps; empty at the beginning. */
  readonly folder: string;
  readonly milliseconds: number;
  readonly callsMin: number;
}

/** What clients need to know of a server. */
export type Facts = Readonly<Record<string, string>>;

export interface Serving {
  readonly facts: Facts;
  readonly stop: () => Promise<void>;
}

export interface Client {
  /** One for each client. */
  readonly begins: readonly Begin[];
  readonly close: () => Promise<void>;
}

export interface FileSystemUnderTest {
  /** Resolves when it serves; of several members all are started at the same time. */
  readonly serve?: (job: FileJob) => Promise<Serving>;
  readonly connect: (job: FileJob, facts: Facts) => Promise<Client>;
}

/** A `begin` of a function that answers with a promise. */
export const beginOf =
  (call: () => Promise<unknown>): Begin =>
  (done) => {
    call().then(() => done(), done);
  };

/** Content that no other file has: eight bytes of it count. */
export function contentOf(bytes: number, number: number): Buffer {
  const content = Buffer.alloc(bytes, 0x5a);
  if (bytes >= 8) content.writeDoubleLE(number, 0);
  return content;
}

/** How many files are read in turn: few of large ones. */
export const filesOf = (bytes: number): number => (bytes > 1024 * 1024 ? 2 : 16);

export type Order =
  | { readonly serve: FileJob }
  | { readonly run: FileJob; readonly facts: Facts }
  | { readonly stop: true };
