// The directory servers of a simulated pool, each with a store on a disk, as they are written for real
// machines (control/server/directory): what the workloads of names have in common.
//
// - Every boot opens what the disk has; a crash cuts its power.
// - Blackouts: now and then the power of all goes at once, and comes back one after the other.

import { type CapabilitySet, setOf } from "../../control/capability/set.js";
import { ROOT_OBJECT } from "../../control/interface/directory.js";
import { ProteusError } from "../../control/kernel/errors.js";
import type { Limits } from "../../control/kernel/limits.js";
import { Journal } from "../../control/server/directory/journal.js";
import { DirectoryServer } from "../../control/server/directory/server.js";
import { DirectoryState } from "../../control/server/directory/state.js";
import { Together } from "../../control/server/directory/together.js";
import { DiskStore } from "../../control/store/disk/store.js";
import { VirtualDisk } from "../disk/disk.js";
import type { Machine } from "../engine/machine.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import { timersOf } from "./programs.js";
import type { Cluster } from "./workload.js";

/** What the kernel of a machine with a directory server, or of one that calls it, must hold. */
export const directoryLimits: Partial<Limits> = {
  ...{ memoryBytes: 32 * 1024 * 1024, groupBytes: 6 * 1024 * 1024 },
  ...{ groups: 4, threads: 160, locates: 64, ports: 256 },
};
const diskBlocks = 1024;
const blackoutEvery = 40 * SECOND;
const calendarMs = 1_767_225_600_000;

/** Bugs that the checkers must find. */
export interface PlantedBug {
  /** A lease counts longer than it was granted. */
  readonly leaseMs?: number;
  /** Disks say that they have flushed, and have not. */
  readonly noFlush?: boolean;
}

/** A directory server's machine: its disk outlives it. */
export interface DirectoryHost {
  readonly machine: Machine;
  readonly disk: VirtualDisk;
  server: DirectoryServer | null;
  together: Together | null;
  state: DirectoryState | null;
}

export class DirectoryHosts {
  readonly all: readonly DirectoryHost[];
  /** Known from the first time that one serves. */
  root: CapabilitySet | null = null;
  readonly #cluster: Cluster;
  readonly #bug: PlantedBug;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #getPort: Uint8Array;
  readonly #key: Uint8Array;

  constructor(
    cluster: Cluster,
    machines: readonly Machine[],
    random: (bytes: number) => Uint8Array,
    bug: PlantedBug,
  ) {
    this.#cluster = cluster;
    this.#random = random;
    this.#bug = bug;
    this.#getPort = random(6);
    this.#key = random(32);
    const { world } = cluster;
    this.all = machines.map((machine): DirectoryHost => {
      const disk = new VirtualDisk({
        blocks: diskBlocks,
        random: world.stream(300 + machine.index),
        clock: world,
      });
      if (bug.noFlush === true) disk.flush = () => Promise.resolve();
      const host: DirectoryHost = { machine, disk, server: null, together: null, state: null };
      cluster.onCrash(machine, () => {
        disk.cut();
        host.server = null;
        host.together = null;
        host.state = null;
      });
      return host;
    });
    for (const host of this.all) cluster.program(host.machine, () => this.#boot(host));
  }

  /** What a server, or a caller's operation, ends with: the network's errors are counted, others are bugs. */
  readonly failed = (error: unknown): void => {
    if (error instanceof ProteusError) this.#cluster.happened(`directory ${error.code}`);
    else
      this.#cluster.fail("program", error instanceof Error ? (error.stack ?? error.message) : String(error));
  };

  #boot(host: DirectoryHost): void {
    host.disk.restore();
    this.#open(host).catch(this.failed);
  }

  async #open(host: DirectoryHost): Promise<void> {
    const { machine, disk } = host;
    const kernel = machine.running;
    const { world } = this.#cluster;
    const store = await DiskStore.open(disk);
    const journal = await Journal.open(store, this.failed);
    if (machine.kernel !== kernel) return;
    const state = new DirectoryState(kernel.publicPort(this.#getPort));
    if (journal.loaded !== null) state.load(journal.loaded);
    const given = { kernel, getPort: this.#getPort, random: this.#random, state, failed: this.failed };
    const together = new Together({
      ...{ ...given, journal, after: timersOf(machine) },
      now: () => world.now / MILLISECOND,
      name: `d${machine.index}`,
      members: this.all.map((each) => `d${each.machine.index}`),
      ...(this.#bug.leaseMs === undefined ? {} : { leaseMs: this.#bug.leaseMs }),
      changed: (serving) => {
        this.#cluster.happened(serving ? "directory serves" : "directory rests");
        if (serving) server.open();
        else server.close();
        if (serving) this.root ??= setOf(server.capability(ROOT_OBJECT));
      },
    });
    const server: DirectoryServer = new DirectoryServer({
      ...{ ...given, key: this.#key, order: together, threads: 8 },
      time: () => (calendarMs + world.now / MILLISECOND) / 1000,
    });
    host.server = server;
    host.together = together;
    host.state = state;
  }

  /** The power of all servers goes; they come back one after the other, in any order; now and then. */
  blackouts(isOver: () => boolean): void {
    const { world } = this.#cluster;
    world.after(blackoutEvery / 2 + this.#cluster.random.below(blackoutEvery), () => {
      if (isOver()) return;
      this.#cluster.happened("blackouts");
      for (const { machine } of this.all) {
        machine.crash();
        world.after(SECOND / 2 + this.#cluster.random.below(4 * SECOND), () => {
          if (machine.kernel === null) machine.boot();
        });
      }
      this.blackouts(isOver);
    });
  }
}
