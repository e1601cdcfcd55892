// What a benchmark is asked for and what it answers; the shapes of `proteus bench --json`.
//
// - A case is what one row of the results stands for; a run is one measurement of it.
// - Every figure of a row is the median over its runs; `spread` is the distance from the
//   worst to the best run of the leading figure, as a part of its median. What each run
//   gave, with a part of its samples, stands beside it: bench compare reads that.
// - What each test does: tests.ts.

export const tests = [
  "null-rpc",
  "call-4k",
  "call-30000",
  "call-1m",
  "reply-1m",
  "rate-1",
  "rate-8",
  "rate-32",
  "open-loop",
  "idle",
  "incast",
  "sharing",
] as const;
export type TestName = (typeof tests)[number];

export const systems = [
  "flip",
  "flip-explicit-ack",
  "floor",
  "spin-tcp",
  "node-tcp",
  "node-udp",
  "http",
  "grpc",
  "nats",
  "iperf3",
  "iperf3-no-offload",
  "iperf3-1m",
  "iperf3-cubic",
  "iperf3-bbr",
] as const;
export type SystemName = (typeof systems)[number];

/** The wires: link.ts says how each is made. */
export const links = ["veth", "1gbit", "loss-0.1%", "loss-1%", "loss-5%", "routers-1", "routers-2"] as const;
/** `between`: whatever joins two machines that were there before. */
export type LinkName = (typeof links)[number] | "between";

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
  readonly link: LinkName;
}

/** One point of the curve of latency against load. */
export interface LoadPoint {
  /** Part of the system's own peak that was offered. */
  readonly load: number;
  readonly offeredPerSecond: number;
  readonly answeredPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

/** One measurement; null, or left out, where the system or the test has no such figure. */
export interface Run {
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly p999Us?: number | null;
  readonly megabytesPerSecond: number | null;
  readonly callsPerSecond: number | null;
  /** CPU time of the client, user and system, a call. */
  readonly cpuUsPerCall: number | null;
  /** The same of the server's process. */
  readonly serverCpuUsPerCall?: number | null;
  /** idle: CPU time as a part of the time, wakes of its threads, and memory in use. */
  readonly idleCpu?: number | null;
  readonly wakesPerSecond?: number | null;
  readonly residentMegabytes?: number | null;
  /** open-loop: from low load to high. */
  readonly curve?: readonly LoadPoint[];
  /** Times of single calls in the order in which they ended, µs: each `samplesEvery`-th. */
  readonly samplesUs?: readonly number[];
  readonly samplesEvery?: number;
}

export interface Result extends Case, Run {
  readonly runs: number;
  readonly spread: number | null;
  /** What each run gave. */
  readonly each: readonly Run[];
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

/** A computer in words. */
export interface Host {
  readonly cpu: string;
  readonly cores: number;
  /** Processes that wanted to run, over the last minute. */
  readonly load: number;
  readonly kernel: string;
  readonly node: string;
}

/** What is asked of a machine: these interfaces, or those that its settings name. */
export interface Wish {
  readonly interfaces: readonly string[] | null;
}

/** An interface; `ip` is its IPv4 address with the length of its network, `10.0.0.1/24`. */
export interface Attachment {
  readonly name: string;
  readonly mtu: number;
  readonly ip: string | null;
}

/** What a machine says of itself. */
export interface Described {
  /** The same on all machines of one computer, and new at its next boot. */
  readonly boot: string;
  /** The cores that its processes may use. */
  readonly allowed: readonly number[];
  readonly host: Host;
  readonly iperf3: string | null;
  readonly nats: string | null;
  readonly congestion: Environment["congestion"];
  readonly interfaces: readonly Attachment[];
}

/** The interface of one end, as `ethtool` knows it, and the computer around it; null without ethtool. */
export interface Card {
  readonly machine: string;
  readonly interfaceName: string;
  readonly mtu: number;
  readonly driver: string | null;
  readonly firmware: string | null;
  readonly speed: string | null;
  readonly coalescing: Readonly<Record<string, string>>;
  /** Slots in use of the rings, by their names. */
  readonly rings: Readonly<Record<string, string>>;
  readonly offloads: Readonly<Record<string, boolean>> | null;
  readonly host: Host;
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
  readonly link: string;
  readonly mtus: readonly number[];
  readonly runs: number;
  /** Cores of client and server. */
  readonly placements: Readonly<Partial<Record<Placement, { client: number; server: number }>>>;
  /** `ethtool -k` of the client's interface, as every system but iperf3-no-offload has it; null without ethtool. */
  readonly offloads: Readonly<Record<string, boolean>> | null;
  readonly iperf3: string | null;
  readonly nats: string | null;
  /** TCP's congestion control: what the kernel uses unasked, and what it has. */
  readonly congestion: { readonly standard: string; readonly available: readonly string[] };
  /** ISO 8601. */
  readonly begun: string;
  readonly loadAtEnd: number;
  readonly cards?: readonly Card[];
}

export interface Report {
  readonly environment: Environment;
  readonly results: readonly Result[];
  readonly ratios: readonly Ratio[];
  /** What the figures do not say by themselves. */
  readonly remarks: readonly string[];
}
