// What a system under measurement is to the process that runs one end of it: a server that
// waits, and a client that measures. Each file beside this one is such a system.

import type { Run, SystemName, TestName } from "../types.js";

/** Told to both ends of a run. */
export interface Job {
  readonly system: SystemName;
  readonly test: TestName;
  readonly interfaceName: string;
  /** IPv4 address of the server. */
  readonly address: string;
  /** Path of kernel.wasm. */
  readonly wasm: string;
  /** How long to measure. */
  readonly milliseconds: number;
}

/** What the client needs to know of its server: a port of ours, or of TCP. */
export interface Facts {
  readonly port?: string;
}

/** A server that listens. */
export interface Serving {
  readonly facts: Facts;
  /** Serves on this thread until the client has ended; called once the facts are on their way. */
  readonly block?: () => void;
  /** Stops listening. */
  readonly stop: () => Promise<void>;
}

/** One end of a system in a process of its own. */
export interface System {
  readonly serve: (job: Job) => Promise<Serving>;
  readonly measure: (job: Job, facts: Facts) => Promise<Run>;
}

/** What the process that runs one end is told … */
export type Order =
  | { readonly serve: Job }
  | { readonly measure: Job; readonly facts: Facts }
  | { readonly stop: true };

/** … and what it answers. */
export type Answer = { readonly ready: Facts } | { readonly run: Run } | { readonly stopped: true };

/** The fewest calls that make a run, however slow. */
export const callsMin: Readonly<Record<TestName, number>> = { "null-rpc": 2000, "call-1m": 50 };
