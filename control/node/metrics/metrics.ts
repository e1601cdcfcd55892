// A node's metrics for Prometheus: the kernel's counters and tables, its interfaces and
// calls, and the Node process. Names begin with proteus_ and nodejs_ or process_.
//
// - Nothing is counted here: each scrape reads what kernel and devices count anyway, so the
//   way of a frame knows nothing of metrics. `sample` keeps up with counters that wrap.
// - The delay of the event loop is looked at once a second only: more often would wake an
//   idle machine for nothing.

import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { DeviceCounters } from "../../../drivers/device.js";
import { counterWords } from "../../kernel/counter-words.js";
import { type CounterName, type Counters, counterNames } from "../../kernel/counters.js";
import { Totals } from "./totals.js";

/** What is measured: a running kernel and its agent. */
export interface Measured {
  readonly kernel: {
    counters(): Counters;
    readonly threadsBusy: number;
    readonly framesHeld: number;
    readonly groupBytes: number;
  };
  readonly interfaces: readonly {
    readonly name: string;
    readonly mtu: number;
    readonly receiveFrames: number;
    counters(): DeviceCounters;
  }[];
  /** Calls that the echo service has executed. */
  readonly executions: () => number;
  /** How full the Bullet server is, where there is one. */
  readonly files?: () => FileFigures;
}

/** What is measured of a Bullet server. */
type FileFigures = Readonly<Record<keyof typeof fileWords, number>>;

export interface MetricsFacts {
  readonly name: string;
  readonly version: string;
  readonly abi: number;
}

const eventLoopLookMs = 1000;

/** Gauges of the library that are called totals, which promtool takes for counters. */
const misnamed = [
  "nodejs_active_handles_total",
  "nodejs_active_requests_total",
  "nodejs_active_resources_total",
];

const interfaceWords: Readonly<Record<keyof DeviceCounters, string>> = {
  received: "frames received on an interface",
  sent: "frames sent on an interface",
  receiveDropped: "frames lost because no receive buffer was free",
  sendDropped: "frames that an interface did not take",
  damaged: "frames that came damaged, forged or for somebody else, where the wire can tell",
};

const tableWords = {
  threadsBusy: "calls and services that are not over",
  framesHeld: "frames that wait for credit on their way through",
  groupBytes: "bytes that groups hold",
} as const;

const fileWords = {
  files: "committed files of the Bullet server",
  drafts: "files that are not committed",
  bytes: "bytes of its files, as if none shared its place",
  sharedBytes: "bytes that files would take and do not, since the same content lies there once",
  freeBytes: "bytes that are free on its medium",
  largestFreeBytes: "bytes that one file can take without a compaction",
  freeInodes: "files that can be added",
  cachedBytes: "bytes of contents in memory",
} as const;

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The metric of a counter of the kernel: `proteus_kernel_frames_in_total`. */
export const counterMetric = (name: CounterName): string => `proteus_kernel_${snake(name)}_total`;

export class NodeMetrics {
  readonly registry = new Registry();
  readonly #measured: Measured;
  readonly #totals = new Totals();

  constructor(measured: Measured, facts: MetricsFacts) {
    this.#measured = measured;
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: eventLoopLookMs });
    for (const name of misnamed) this.registry.removeSingleMetric(name);
    this.#build(facts);
    this.#kernel();
    this.#interfaces();
    this.#files();
  }

  /** Adds a counter whose total is looked up when it is asked for. */
  #counter(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  #build({ name, version, abi }: MetricsFacts): void {
    const info = new Gauge({
      name: "proteus_build_info",
      help: "always 1; its labels say what runs",
      labelNames: ["name", "version", "abi"],
      registers: [this.registry],
    });
    info.set({ name, version, abi: String(abi) }, 1);
  }

  #kernel(): void {
    const { kernel, executions } = this.#measured;
    for (const name of counterNames)
      this.#counter(counterMetric(name), counterWords[name], () =>
        this.#totals.add(name, kernel.counters()[name]),
      );
    for (const [name, help] of Object.entries(tableWords) as [keyof typeof tableWords, string][])
      this.#gauge(`proteus_kernel_${snake(name)}`, help, () => kernel[name]);
    this.#counter("proteus_echo_executions_total", "calls that the echo service has executed", executions);
  }

  #files(): void {
    const { files } = this.#measured;
    if (files === undefined) return;
    for (const [name, help] of Object.entries(fileWords) as [keyof typeof fileWords, string][])
      this.#gauge(`proteus_bullet_${snake(name)}`, help, () => files()[name]);
  }

  #interfaces(): void {
    const { interfaces } = this.#measured;
    const totals = this.#totals;
    const labelNames = ["interface"] as const;
    const registers = [this.registry];
    for (const [name, help] of Object.entries(interfaceWords) as [keyof DeviceCounters, string][])
      new Counter({
        name: `proteus_interface_${snake(name)}_total`,
        help,
        labelNames,
        registers,
        collect() {
          this.reset();
          for (const each of interfaces)
            this.inc(
              { interface: each.name },
              totals.add(`${each.name} ${name}`, each.counters()[name] ?? 0),
            );
        },
      });
    const shapes = { mtu: "bytes that fit into a frame", receiveFrames: "receive buffers" } as const;
    for (const [name, help] of Object.entries(shapes) as [keyof typeof shapes, string][]) {
      const gauge = new Gauge({ name: `proteus_interface_${snake(name)}`, help, labelNames, registers });
      for (const each of interfaces) gauge.set({ interface: each.name }, each[name]);
    }
  }

  /** Keeps up with counters that wrap: to be called now and then. */
  sample(): void {
    const counters = this.#measured.kernel.counters();
    for (const name of counterNames) this.#totals.add(name, counters[name]);
    for (const each of this.#measured.interfaces) {
      const now = each.counters();
      for (const name of Object.keys(interfaceWords) as (keyof DeviceCounters)[])
        this.#totals.add(`${each.name} ${name}`, now[name] ?? 0);
    }
  }

  /** Everything in Prometheus' text format. */
  text(): Promise<string> {
    return this.registry.metrics();
  }
}
