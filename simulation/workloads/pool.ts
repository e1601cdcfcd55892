// A pool: control daemons with stores on disks, and machines that announce themselves, as they
// are written for real machines (control/server/pool, control/node/announce.ts).
//
// - Any daemon is asked to drain and undrain any machine, daemons leave and come back, and now
//   and then the power of all of them goes at once: their disks lose what was not flushed.
// - When the faults are over every daemon must show the machines as they are, and the same
//   records, for a while; what was decided last must have come to all of them in one order.
// - A decision that was acknowledged is never lost: checkers/pool.ts.

import type { PoolEvent } from "../../control/interface/pool.js";
import { toHex } from "../../control/kernel/bytes.js";
import { ProteusError } from "../../control/kernel/errors.js";
import { Announcer } from "../../control/node/announce.js";
import { Pool } from "../../control/server/pool/pool.js";
import { SystemServer } from "../../control/server/system/system.js";
import { DiskStore } from "../../control/store/disk/store.js";
import { type DaemonView, Decisions, differences, orderFaults } from "../checkers/pool.js";
import { VirtualDisk } from "../disk/disk.js";
import type { Machine } from "../engine/machine.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import { bytesOf, timersOf } from "./programs.js";
import type { Activity, Cluster, Workload } from "./workload.js";

const memoryBytes = 16 * 1024 * 1024;
const groupBytes = 2 * 1024 * 1024;
const daemonsMost = 3;
const askEvery = 3 * SECOND;
const leaveChance = 0.05;
const blackoutChance = 0.04;
/** What every machine's calendar begins with: the first of January 2026. */
const calendarMs = 1_767_225_600_000;
const diskBlocks = 256;
/** So long all must be well before it counts: a partition that ended a moment ago is noticed meanwhile. */
const calm = 5 * SECOND;
const expectedCodes = new Set(["NODE_UNKNOWN", "NODE_AMBIGUOUS", "POOL_ALONE", "POOL_CLOSED"]);

/** The workload. */
export function poolWorkload(): Workload {
  return {
    name: "pool",
    summary: "control daemons and the machines of their pool",
    plan: () => ({
      machine: () => ({
        limits: { memoryBytes, groupBytes, groups: 4, threads: 128, locates: 64, ports: 256 },
      }),
    }),
    start: (cluster) => new PoolRun(cluster),
  };
}

/** A control daemon's machine: its disk outlives it. */
interface Host {
  readonly machine: Machine;
  readonly disk: VirtualDisk;
  pool: Pool | null;
  /** It stopped on purpose, and comes back. */
  away: boolean;
  /** What it told since it was opened. */
  events: PoolEvent[];
}

class PoolRun implements Activity {
  readonly #cluster: Cluster;
  readonly #hosts: Host[];
  readonly #members: readonly Machine[];
  readonly #names: ReadonlyMap<Machine, string>;
  readonly #decisions = new Decisions();
  #phase: "faults" | "healing" | "deciding" | "over" = "faults";
  #wellSince: number | null = null; // nothing was pending since then
  #open = 0; // last decisions that are under way
  #decidedFrom = 0; // the order of the last event before those

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#random = bytesOf(cluster.random);
    const { machines, world, random } = cluster;
    const count = Math.max(1, Math.min(daemonsMost, machines.length - 2));
    this.#hosts = machines.slice(0, count).map((machine): Host => {
      const disk = new VirtualDisk({
        blocks: diskBlocks,
        random: world.stream(200 + machine.index),
        clock: world,
      });
      cluster.onCrash(machine, () => {
        disk.cut();
      });
      return { machine, disk, pool: null, away: false, events: [] };
    });
    this.#members = machines.slice(count);
    // In a quarter of the runs two machines have one name.
    const twins = this.#members.length > 2 && random.chance(0.25);
    const nameOf = (index: number): string => (twins && index > 1 ? "n1" : `n${index}`);
    this.#names = new Map(this.#members.map((machine, index) => [machine, nameOf(index)]));
    for (const host of this.#hosts) cluster.program(host.machine, () => this.#boot(host));
    for (const machine of this.#members) cluster.program(machine, () => this.#announce(machine));
    this.#next();
  }

  #below(limit: number): number {
    return this.#cluster.random.below(limit);
  }

  readonly #random: (bytes: number) => Uint8Array;

  #now(machine: Machine): number {
    return calendarMs + (this.#cluster.world.now + machine.clockAhead) / MILLISECOND;
  }

  readonly #failed = (error: unknown): void => {
    if (error instanceof ProteusError) this.#cluster.happened(`pool ${error.code}`);
    else
      this.#cluster.fail("program", error instanceof Error ? (error.stack ?? error.message) : String(error));
  };

  // ---- daemons -------------------------------------------------------------------

  #boot(host: Host): void {
    host.pool = null;
    host.away = false;
    host.disk.restore();
    this.#openPool(host);
  }

  /** Opens the daemon until that works. */
  #openPool(host: Host): void {
    const { machine } = host;
    const { kernel } = machine;
    const here = (): boolean => machine.kernel === kernel;
    const open = async (): Promise<void> => {
      const store = await DiskStore.open(host.disk);
      if (kernel === null || !here()) return; // it lost its power meanwhile
      const pool = await Pool.open({
        ...{ kernel, after: timersOf(machine), random: this.#random, store },
        ...{ pool: "pool", name: `c${machine.index}`, failed: this.#failed },
        now: () => this.#now(machine),
        elapsed: () => this.#cluster.world.now / MILLISECOND,
      });
      if (!here()) return;
      host.pool = pool;
      host.events = [];
      pool.watch((event) => host.events.push(event));
      this.#cluster.happened("daemons opened");
    };
    open().catch((error: unknown) => {
      this.#failed(error);
      machine.after(SECOND, () => this.#openPool(host));
    });
  }

  /** It leaves, and comes back a little later. */
  #leave(host: Host, pool: Pool): void {
    host.away = true;
    host.pool = null;
    this.#cluster.happened("daemons left");
    pool.leave().catch(this.#failed);
    host.machine.after(3 * SECOND + this.#below(3 * SECOND), () => {
      host.away = false;
      this.#openPool(host);
    });
  }

  /** The power of all daemons goes; they come back one after the other, in any order. */
  #blackout(): void {
    this.#cluster.happened("blackouts");
    for (const { machine } of this.#hosts) {
      machine.crash();
      this.#cluster.world.after(SECOND + this.#below(8 * SECOND), () => {
        if (machine.kernel === null) machine.boot();
      });
    }
  }

  // ---- machines ------------------------------------------------------------------

  #announce(machine: Machine): void {
    const kernel = machine.running;
    const name = this.#names.get(machine) ?? machine.name;
    const address = toHex(kernel.address);
    const system = new SystemServer({
      ...{ kernel, random: this.#random, failed: this.#failed, getPort: this.#random(6), info: name },
      describe: () => ({ name, address, clockMs: this.#now(machine) }),
      interfaces: () => [],
    });
    new Announcer({
      ...{ kernel, after: timersOf(machine), random: this.#random, pool: "pool", failed: this.#failed },
      announcement: () => ({ name, address, kind: "pool", servers: { sys: toHex(system.putPort) } }),
      answered: () => this.#cluster.happened("announcements"),
    });
  }

  // ---- what administrators do ----------------------------------------------------

  #next(): void {
    this.#cluster.world.after(this.#below(askEvery), () => {
      if (this.#phase !== "faults") return;
      this.#act();
      this.#next();
    });
  }

  #act(): void {
    const { random } = this.#cluster;
    if (random.chance(blackoutChance)) {
      this.#blackout();
      return;
    }
    const host = this.#hosts[this.#below(this.#hosts.length)] as Host;
    if (host.pool === null || host.machine.kernel === null) return;
    if (random.chance(leaveChance)) {
      this.#leave(host, host.pool);
      return;
    }
    const name = this.#names.get(this.#members[this.#below(this.#members.length)] as Machine) ?? "";
    this.#decide(host.pool, name, random.chance(0.5)).catch(this.#failed);
  }

  async #decide(pool: Pool, name: string, draining: boolean): Promise<void> {
    const decision = this.#decisions.begin(name, draining);
    try {
      decision.version = await pool.decide(name, draining);
      this.#cluster.happened("decisions");
    } catch (error) {
      if (!(error instanceof ProteusError) || !expectedCodes.has(error.code)) throw error;
      if (error.code.startsWith("NODE_")) this.#decisions.refuse(decision);
      this.#cluster.happened(`decisions ${error.code}`);
    }
  }

  // ---- the end -------------------------------------------------------------------

  finish(): void {
    this.#phase = "healing";
  }

  #views(): DaemonView[] {
    return this.#hosts.map(({ machine, pool, events }) => ({
      name: `c${machine.index}`,
      pool: pool ?? null,
      events,
    }));
  }

  /** The names that one decision concerns one machine. */
  #singles(): string[] {
    const all = [...this.#names.values()];
    return all.filter((name) => all.indexOf(name) === all.lastIndexOf(name));
  }

  /** What is not yet as it should be; empty: nothing. */
  #pending(): string[] {
    const truth = this.#members.map((machine) => ({
      name: this.#names.get(machine) ?? "",
      address: toHex(machine.running.address),
    }));
    return differences(this.#views(), truth);
  }

  idle(): boolean {
    if (this.#phase === "healing" && this.#isCalm()) this.#decideLast();
    if (this.#phase === "deciding" && this.#open === 0 && this.#pending().length === 0) this.#phase = "over";
    return this.#phase === "over";
  }

  #isCalm(): boolean {
    const { now } = this.#cluster.world;
    this.#wellSince = this.#pending().length === 0 ? (this.#wellSince ?? now) : null;
    return this.#wellSince !== null && now - this.#wellSince >= calm;
  }

  /** All is well again: every daemon decides about every machine, at once. */
  #decideLast(): void {
    this.#phase = "deciding";
    this.#judgeDecisions(); // what is decided now would hide what was lost
    this.#decidedFrom = Math.max(0, ...this.#hosts.flatMap(({ events }) => events.at(-1)?.order ?? 0));
    for (const host of this.#hosts) {
      for (const name of this.#singles()) {
        this.#open++;
        this.#decide(host.pool as Pool, name, this.#cluster.random.chance(0.5))
          .catch(this.#failed)
          .finally(() => this.#open--);
      }
    }
  }

  judge(): void {
    const views = this.#views();
    for (const what of orderFaults(views, this.#decidedFrom)) this.#cluster.fail("event order", what);
    for (const what of this.#pending()) this.#cluster.fail("pool states", what);
    this.#judgeDecisions();
  }

  #judgeDecisions(): void {
    for (const view of this.#views())
      for (const what of this.#decisions.faults(view)) this.#cluster.fail("lost decision", what);
  }
}
