// One run: a cluster built from a seed, a workload on it, a schedule of faults, then peace,
// in which everything must end.
//
// - The same seed, options and kernel.wasm give the same event hash, anywhere.
// - The run ends at the first thing that a checker finds. What throws is found too: a kernel
//   whose assertion failed ("trap"), or a program ("program").
// - After the faults: 30 simulated seconds until nothing is under way, 30 more until every
//   table is empty again.
// - `breathe` is awaited about every simulated second: a host may show progress, or stop.

import { type BuiltCluster, buildCluster } from "./cluster.js";
import { SECOND, World } from "./engine/world.js";
import { FaultDirector } from "./faults/apply.js";
import { generateSchedule, possibleKinds, standardRates } from "./faults/generate.js";
import type { FaultEntry, FaultKind, FaultRates, Schedule } from "./faults/kinds.js";
import type { Recorder } from "./record/recorder.js";
import { remember } from "./workloads/counters.js";
import type { Activity, Plan, Workload } from "./workloads/workload.js";

export const livenessSeconds = 30;
const settleSeconds = 30;
/** More events that wait than any run of ours ever has: something piles up. */
const eventsMax = 50_000;
const sliceMicroseconds = SECOND;

export interface RunOptions {
  readonly seed: number;
  /** The compiled kernel.wasm. */
  readonly module: WebAssembly.Module;
  readonly workload: Workload;
  /** Machines, routers not counted; default 5. */
  readonly machines?: number;
  /** Virtual time with faults; default ten minutes. */
  readonly microseconds?: number;
  /** Rates of the kinds of faults; default: standardRates. */
  readonly rates?: FaultRates;
  /** This schedule and no other. */
  readonly schedule?: Schedule;
  readonly recorder?: Recorder;
  readonly breathe?: (virtualSeconds: number) => Promise<void>;
}

export interface Violation {
  readonly checker: string;
  readonly what: string;
  /** Virtual microseconds. */
  readonly at: number;
}

export interface RunResult {
  readonly seed: number;
  readonly violation: Violation | null;
  readonly eventHash: string;
  readonly events: number;
  readonly simulatedSeconds: number;
  /** How often each kind of fault happened. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  /** The kinds that stood in the schedule. */
  readonly enabled: readonly FaultKind[];
  /** The kinds that this cluster and workload allow at all. */
  readonly allowed: readonly FaultKind[];
  /** How often else happened what. */
  readonly happened: Readonly<Record<string, number>>;
  readonly schedule: Schedule;
}

class Run {
  readonly #options: RunOptions;
  readonly #world: World;
  readonly #happened: Record<string, number> = {};
  #violation: Violation | null = null;
  #schedule: Schedule = [];
  #allowed: readonly FaultKind[] = [];
  #director: FaultDirector | null = null;

  constructor(options: RunOptions) {
    this.#options = options;
    this.#world = new World(options.seed, options.module);
  }

  #fail(checker: string, what: string): void {
    this.#violation ??= { checker, what, at: this.#world.now };
  }

  #count(what: string, times = 1): void {
    this.#happened[what] = (this.#happened[what] ?? 0) + times;
  }

  async run(): Promise<RunResult> {
    try {
      await this.#live();
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      this.#fail(what.startsWith("kernel assertion") ? "trap" : "program", what);
    }
    this.#options.recorder?.close();
    return this.#result();
  }

  async #live(): Promise<void> {
    const { workload, machines = 5, recorder } = this.#options;
    const world = this.#world;
    const plan: Plan = workload.plan?.(world.stream(2), machines) ?? {};
    const cluster = buildCluster(world, plan, machines, {
      fail: (checker, what) => this.#fail(checker, what),
      happened: (what, times) => this.#count(what, times),
      timeline: recorder?.open(world) ?? null,
    });
    const activity = workload.start(cluster);
    this.#trouble(cluster, activity, plan);
    const { microseconds = 600 * SECOND } = this.#options;
    for (let left = microseconds; left > 0 && this.#violation === null; left -= sliceMicroseconds) {
      await this.#pass(Math.min(left, sliceMicroseconds));
      await this.#options.breathe?.(world.now / SECOND);
    }
    if (this.#violation === null) await this.#peace(cluster, activity);
  }

  #trouble(cluster: BuiltCluster, activity: Activity, plan: Plan): void {
    const { workload, rates = standardRates, schedule, microseconds = 600 * SECOND } = this.#options;
    const world = this.#world;
    const moves: FaultKind[] = activity.move === undefined ? ["move"] : [];
    const terrain = {
      lans: world.lans.map(({ sockets }) => sockets.map(({ name }) => name)),
      machines: cluster.machines.map(({ name }) => name),
      routers: cluster.routers.map(({ name }) => name),
      without: [...(workload.without ?? []), ...(plan.without ?? []), ...moves],
    };
    this.#allowed = possibleKinds(rates, terrain);
    this.#schedule = schedule ?? generateSchedule(world.stream(3), rates, terrain, microseconds);
    this.#director = new FaultDirector(
      world,
      this.#schedule,
      (choice) => activity.move?.(choice) ?? false,
      (entry) => show(cluster, entry),
    );
    for (const machine of world.machines) {
      cluster.onCrash(machine, () => {
        remember(cluster, machine);
        this.#count("crashes");
        cluster.timeline?.mark(machine.index, "crash");
      });
    }
    this.#director.start();
  }

  /** Lets so much virtual time pass, less when something is found. */
  async #pass(microseconds: number, done: () => boolean = () => false): Promise<void> {
    const world = this.#world;
    const over = (): boolean => this.#violation !== null || done();
    if (this.#options.workload.callbacks === true) world.run(over, microseconds);
    else await world.live(over, microseconds);
    if (world.events.size > eventsMax) this.#fail("queues", `${world.events.size} events wait`);
  }

  async #peace(cluster: BuiltCluster, activity: Activity): Promise<void> {
    this.#director?.stop();
    activity.finish();
    await this.#pass(livenessSeconds * SECOND, () => activity.idle());
    if (this.#violation === null && !activity.idle()) {
      this.#fail("liveness", `something is under way ${livenessSeconds} s after the faults stopped`);
    }
    if (this.#violation === null) await this.#pass(settleSeconds * SECOND);
    if (this.#violation !== null) return;
    this.#pools(activity);
    activity.judge();
    for (const router of cluster.routers) remember(cluster, router);
  }

  /** Every thread and frame is back where it belongs. */
  #pools(activity: Activity): void {
    for (const machine of this.#world.machines) {
      const { threadsBusy, framesHeld } = machine.running;
      if (framesHeld > 0) this.#fail("pools", `${machine.name} still holds ${framesHeld} frames`);
      const expected = activity.threads?.(machine);
      if (expected !== undefined && threadsBusy !== expected) {
        this.#fail("pools", `${machine.name} has ${threadsBusy} busy threads, not ${expected}`);
      }
    }
  }

  #result(): RunResult {
    const world = this.#world;
    for (const { counts } of world.lans) {
      this.#count("frames overrun", counts.overrun);
    }
    return {
      seed: this.#options.seed,
      violation: this.#violation,
      eventHash: world.hash.value,
      events: world.hash.count,
      simulatedSeconds: world.now / SECOND,
      faults: this.#director?.counts() ?? {},
      enabled: [...new Set(this.#schedule.map(({ kind }) => kind))],
      allowed: this.#allowed,
      happened: this.#happened,
      schedule: this.#schedule,
    };
  }
}

function show({ timeline }: BuiltCluster, entry: FaultEntry): void {
  if (timeline === null) return;
  const { at: _at, kind, ...details } = entry;
  const shown = Object.entries(details).map(([name, value]) => [name, String(value)] as const);
  timeline.fault(kind, "for" in entry ? entry.for : 0, Object.fromEntries(shown));
}

/** Runs one seed to its end. */
export function runSeed(options: RunOptions): Promise<RunResult> {
  return new Run(options).run();
}
