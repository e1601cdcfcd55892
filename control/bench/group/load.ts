// What each member of a group does in a run, and what it tells afterwards: the same for
// members of ours and of Corosync, so that nobody is measured by another clock.
//
// - Times are microseconds of CLOCK_MONOTONIC, which all machines of the benchmark share.
// - A message has ended when its sender may go on: ours is ordered (and acknowledged by
//   as many members as the resilience asks for), Corosync's has come back in its order.

import type { Run } from "../types.js";
import type { GroupCase } from "./types.js";

/** What to do. */
export interface Load {
  readonly sends: boolean;
  /** Looks for frames again and again for a while before it sleeps. */
  readonly spins: boolean;
  readonly bytes: number;
  /** Own messages under way at a time. */
  readonly outstanding: number;
  /** From the end of a message to the next; left out: at once. */
  readonly everyMs?: number;
  /** When to begin. */
  readonly startUs: number;
  /** What happens from here … */
  readonly fromUs: number;
  /** … to here counts. */
  readonly untilUs: number;
  /** A member will die: reset the group and go on. */
  readonly recovers: boolean;
}

/** What came of it. */
export interface Figures {
  /** Messages delivered to this member in the time that counts. */
  readonly delivered: number;
  /** Own messages that ended in that time. */
  readonly ended: number;
  /** Own messages that ended at all. */
  readonly total: number;
  /** Own messages whose end did not come. */
  readonly lost: number;
  /** The longest time between two that ended. */
  readonly gapUs: number;
  /** From the last that ended to the end of the time that counts. */
  readonly sinceUs: number;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
}

/** A member in a process of its own. */
export interface Member {
  readonly pid: number;
  run(load: Load): Promise<Figures>;
  kill(): void;
}

/** The members of one system, each on its machine. */
export interface Session {
  readonly members: readonly Member[];
  /** Brings them into the group that a case is about. */
  prepare(each: GroupCase): Promise<void>;
  /** Calls from the first member's machine: to the sequencer's, or to all others in turn. */
  call(which: "rpc" | "rpc-all", bytes: number, milliseconds: number): Promise<Run>;
  /** All processes on one machine die. */
  killMachine(member: number): void;
  /** Everything dies. */
  kill(): void;
}

/** How long the answer to a load may take. */
export const patienceMs = (load: Load): number => (load.untilUs - load.startUs) / 1000 + 20_000;

/** Now, by that clock. */
export function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}
