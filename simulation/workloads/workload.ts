// What a workload is: programs for the machines of a cluster, and what must be true of them.
// The built-in ones are in registry.ts; one's own is a module whose default export is one.
//
// - A workload sees the cluster only: machines to program, a generator of its own, and
//   `fail` for what its checkers find. Faults come from outside.
// - Checkers are fed with what the programs did and saw: sends, deliveries, executions.
//   Never with the kernel's state.

import type { SeededRandom } from "../../drivers/fault/random.js";
import type { LanOptions } from "../engine/lan.js";
import type { Machine, MachineOptions } from "../engine/machine.js";
import type { World } from "../engine/world.js";
import type { FaultKind } from "../faults/kinds.js";
import type { Timeline } from "../record/timeline.js";

/** Where a workload's programs live. */
export interface Cluster {
  readonly world: World;
  /** The machines to program; routers are not among them. */
  readonly machines: readonly Machine[];
  /** For what the programs draw. */
  readonly random: SeededRandom;
  /** What a person may want to see of this run; null when nobody looks. */
  readonly timeline: Timeline | null;
  /** Something is wrong: which checker says so, and what in one sentence. The run ends. */
  fail(checker: string, what: string): void;
  /** Counts something that is to happen in a run. */
  happened(what: string, times?: number): void;
  /** Starts programs on a machine, now and after each of its boots. */
  program(machine: Machine, start: (machine: Machine) => void): void;
  /** Hears of every crash of a machine, just before its kernel is gone: disks lose their power. */
  onCrash(machine: Machine, crashed: () => void): void;
}

/** A workload under way. */
export interface Activity {
  /** The faults have stopped for good: begin nothing new, end what is under way. */
  finish(): void;
  /** Nothing is under way any more; true at the latest 30 simulated seconds after `finish`. */
  idle(): boolean;
  /** The end: what can only be judged now. Calls `fail` for what is wrong. */
  judge(): void;
  /** A server goes to another machine; which, follows from `choice`. False: not now. */
  move?(choice: number): boolean;
  /** Threads that a machine's kernel has busy when all is quiet; not given: not checked. */
  threads?(machine: Machine): number;
}

/** What a workload wants of the cluster that is built for it. */
export interface Plan {
  /** Kinds of faults that its promises do not cover, beside the workload's `without`. */
  readonly without?: readonly FaultKind[];
  /** What the machine with this number is like. */
  readonly machine?: (index: number) => MachineOptions & { readonly name?: string };
  /** What the first network is like. */
  readonly lan?: LanOptions;
  /** False: one network, no routers. */
  readonly routers?: boolean;
}

export interface Workload {
  readonly name: string;
  /** What it does, in one line. */
  readonly summary: string;
  /** Kinds of faults that its promises do not cover. */
  readonly without?: readonly FaultKind[];
  /** Its programs are callbacks only: no promises, so that the simulator need not wait for any. */
  readonly callbacks?: boolean;
  /** What it wants of the cluster; everything random in it is drawn from `random`. */
  plan?(random: SeededRandom, machines: number): Plan;
  /** Programs the machines. */
  start(cluster: Cluster): Activity;
}
