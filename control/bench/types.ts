// What a benchmark is asked for and what it answers; the shapes of `proteus bench --json`.
//
// - A case is what one row of the results stands for; a run is one measurement of it.
// - Every figure of a row is the median over its runs; `spread` is the distance from the
//   worst to the best run of the leading figure, as a part of its median.

export const tests = ["null-rpc", "call-1m"] as const;
export type TestName = (typeof tests)[number];

export const systems = [
  "flip",
  "flip-explicit-ack",
  "floor",
  "node-tcp",
  "spin-tcp",
  "iperf3",
  "iperf3-no-offload",
  "iperf3-1m",
] as const;
export type SystemName = (typeof systems)[number];

/** S: client and server on one core. X: on two. */
export const placements = ["S", "X"] as const;
export type Placement = (typeof placements)[number];

export const standardMtus: readonly number[] = [1500, 9000, 65521];
export const standardRuns = 5;
/** Data of one call of `call-1m`. */
export const callBytes = 1024 * 1024;

export interface Case {
  readonly test: TestName;
  readonly system: SystemName;
  readonly placement: Placement;
  readonly mtu: number;
}

/** One measurement; null where the system has no such figure. */
export interface Run {
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly megabytesPerSecond: number | null;
  readonly callsPerSecond: number | null;
  /** CPU time of the client, user and system, a call. */
  readonly cpuUsPerCall: number | null;
}

export interface Result extends Case, Run {
  readonly link: "veth";
  readonly runs: number;
  readonly spread: number | null;
  /** Why there are no figures, and what to do. */
  readonly problem?: string;
}

export interface Ratio {
  readonly name: string;
  readonly value: number;
  readonly better: "lower" | "higher";
  readonly goal: number;
  readonly met: boolean;
}

/** Where it was measured. */
export interface Environment {
  readonly proteus: string;
  readonly node: string;
  readonly kernel: string;
  readonly cpu: string;
  readonly cores: number;
  /** Processes that wanted to run when it began, over the last minute: above 0.5 others were at work. */
  readonly load: number;
  readonly isolation: string;
  readonly link: "veth";
  readonly mtus: readonly number[];
  readonly runs: number;
  /** Cores of client and server. */
  readonly placements: Readonly<Partial<Record<Placement, { client: number; server: number }>>>;
  /** `ethtool -k` of the client's interface, as every system but iperf3-no-offload has it; null without ethtool. */
  readonly offloads: Readonly<Record<string, boolean>> | null;
  readonly iperf3: string | null;
}

export interface Report {
  readonly environment: Environment;
  readonly results: readonly Result[];
  readonly ratios: readonly Ratio[];
  /** What the figures do not say by themselves. */
  readonly remarks: readonly string[];
}
