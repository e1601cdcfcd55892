// What a kernel is made with, and how a network is attached to it: types alone.
//
// - All of the outside is in them: module, clock, randomness, log. kernel.ts says how they are used.
// - Limits of its tables are limits.ts.

import type { Limits } from "./limits.js";

/** What a kernel needs of the world. */
export interface KernelOptions {
  /** The compiled kernel.wasm. */
  readonly module: WebAssembly.Module;
  /** The time in microseconds, from any fixed point. */
  readonly clock: () => number;
  /** `clock` is the system's CLOCK_MONOTONIC: a device that has just read that is believed. */
  readonly monotonic?: boolean;
  /** Fills bytes with random ones. */
  readonly random: (bytes: Uint8Array) => void;
  readonly limits?: Partial<Limits>;
  /** A line for people. */
  readonly log?: (line: string) => void;
  /** Called when frames wait to be sent and nobody has taken a turn yet. */
  readonly wake?: () => void;
}

/** How a network is attached. */
export interface NetworkOptions {
  /** False marks what comes from it as unsafe; default true. */
  readonly trusted?: boolean;
  /** What crossing it costs in hops; default 3, Ethernet. */
  readonly weight?: number;
}
