// What a system under measurement is to the process that runs one end of it: a server that
// waits, and clients that call. Each file beside this one is such a system.
//
// - Most systems only say how a call of theirs begins; client.ts measures them all alike.
//   Those that block their thread (controls.ts) measure themselves.

import type { Begin } from "../clock.js";
import type { Pace } from "../open-loop.js";
import type { Card, Described, Run, SystemName, TestName, Wish } from "../types.js";

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
  /** The fewest calls that make a run, however slow. */
  readonly callsMin: number;
  /** When to begin, in milliseconds since 1970; left out: after a warm-up. */
  readonly from?: number;
  /** Payload of a call and of its reply, bytes. */
  readonly request: number;
  readonly reply: number;
  /** How many clients call at the same time; for a server at most that many. */
  readonly clients: number;
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

/** Clients that are connected. */
export interface Client {
  /** One for each client that was asked for. */
  readonly begins: readonly Begin[];
  /** How an open loop looks at the clock; in the event loop when left out. */
  readonly pace?: Pace;
  readonly close: () => Promise<void>;
}

/** One end of a system in a process of its own. */
export interface System {
  readonly serve: (job: Job) => Promise<Serving>;
  readonly connect?: (job: Job, facts: Facts) => Promise<Client>;
  readonly measure?: (job: Job) => Promise<Run>;
}

/** What the process that runs one end is told … */
export type Order =
  | { readonly serve: Job }
  | { readonly measure: Job; readonly facts: Facts }
  | { readonly route: { readonly interfaces: readonly string[]; readonly wasm: string } }
  | { readonly idle: { readonly milliseconds: number } }
  | { readonly describe: Wish }
  | { readonly card: { readonly interfaceName: string } }
  | { readonly stop: true };

/** … and what it answers. `calls`: with those of the warm-up, when it counted them. */
export type Answer =
  | { readonly ready: Facts; readonly cpuUs: number }
  | { readonly run: Run; readonly calls?: number }
  | { readonly described: Described }
  | { readonly card: Omit<Card, "machine" | "mtu"> }
  | { readonly stopped: true; readonly cpuUs: number };
