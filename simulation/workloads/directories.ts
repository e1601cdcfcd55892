// The directory servers of a pool, each with a store on a disk, and machines that use names, as
// they are written for real machines (control/server/directory, control/stub/directories.ts).
//
// - Names are registers: looking one up reads it, appending and replacing are compare-and-swaps,
//   removing writes 0. What the callers saw must be linearizable, name by name: so nothing that
//   was acknowledged is lost, and nobody is told what is old.
// - Now and then the power of all directory servers goes at once: their disks lose what was not
//   flushed. A name is used for half a minute, then another takes its place.
// - Now and then one directory server and a caller are cut off from the rest, for longer than a group
//   takes to go on without it. The caller reads one name all the time, and the others change it: what
//   the lone server still answers would be old.
// - An update of which nobody said what became of it may have happened or not.

import { type CapabilitySet, setOf } from "../../control/capability/set.js";
import { ROOT_OBJECT } from "../../control/interface/directory.js";
import { ProteusError } from "../../control/kernel/errors.js";
import { Journal } from "../../control/server/directory/journal.js";
import { DirectoryServer } from "../../control/server/directory/server.js";
import { DirectoryState } from "../../control/server/directory/state.js";
import { Together } from "../../control/server/directory/together.js";
import { DiskStore } from "../../control/store/disk/store.js";
import { Directories } from "../../control/stub/directories.js";
import { byObject, type Operation } from "../checkers/linearizable.js";
import { type RegisterInput, type RegisterOutput, register } from "../checkers/models.js";
import { VirtualDisk } from "../disk/disk.js";
import type { Machine } from "../engine/machine.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import { bytesOf, timersOf } from "./programs.js";
import type { Activity, Cluster, Workload } from "./workload.js";

const memoryBytes = 32 * 1024 * 1024;
const groupBytes = 6 * 1024 * 1024;
const serversMost = 3;
const diskBlocks = 1024;
const names = 3;
const nameLasts = 30 * SECOND;
const pauseMost = 400 * MILLISECOND;
const blackoutEvery = 40 * SECOND;
const islandEvery = 15 * SECOND;
const islandLasts = 5 * SECOND;
/** Callers are quicker then. */
const islandPause = 100 * MILLISECOND;
const callersEach = 2;
const calendarMs = 1_767_225_600_000;

/** Bugs that the checkers must find. */
export interface PlantedBug {
  /** A lease counts longer than it was granted. */
  readonly leaseMs?: number;
  /** Disks say that they have flushed, and have not. */
  readonly noFlush?: boolean;
}

/** The workload. */
export function directoriesWorkload(bug: PlantedBug = {}): Workload {
  return {
    name: "directories",
    summary: "names on replicated directory servers, judged for linearizability",
    plan: () => ({
      machine: () => ({
        limits: { memoryBytes, groupBytes, groups: 4, threads: 160, locates: 64, ports: 256 },
      }),
    }),
    start: (cluster) => new DirectoriesRun(cluster, bug),
  };
}

type Seen = Operation<RegisterInput, RegisterOutput> & { readonly object: string };

/** A directory server's machine: its disk outlives it. */
interface Host {
  readonly machine: Machine;
  readonly disk: VirtualDisk;
  server: DirectoryServer | null;
  together: Together | null;
}

const noName = new Set(["NAME_NOT_FOUND", "NAME_GONE"]);

class DirectoriesRun implements Activity {
  readonly #cluster: Cluster;
  readonly #bug: PlantedBug;
  readonly #hosts: readonly Host[];
  readonly #callers: readonly Machine[];
  readonly #getPort: Uint8Array;
  readonly #key: Uint8Array;
  readonly #history: Seen[] = [];
  /** Callers that have not yet had their last operation done. */
  readonly #waiting = new Set<string>();
  #root: CapabilitySet | null = null;
  #values = 0;
  #islandUntil = 0;
  #islander = "";
  #over = false;

  constructor(cluster: Cluster, bug: PlantedBug) {
    this.#cluster = cluster;
    this.#random = bytesOf(cluster.random);
    this.#bug = bug;
    this.#getPort = this.#random(6);
    this.#key = this.#random(32);
    const { machines, world } = cluster;
    const count = Math.max(1, Math.min(serversMost, machines.length - 1));
    this.#hosts = machines.slice(0, count).map((machine): Host => {
      const disk = new VirtualDisk({
        blocks: diskBlocks,
        random: world.stream(300 + machine.index),
        clock: world,
      });
      if (bug.noFlush === true) disk.flush = () => Promise.resolve();
      const host: Host = { machine, disk, server: null, together: null };
      cluster.onCrash(machine, () => {
        disk.cut();
        host.server = null;
        host.together = null;
      });
      return host;
    });
    this.#callers = machines.slice(count);
    for (const host of this.#hosts) cluster.program(host.machine, () => this.#boot(host));
    for (const machine of this.#callers)
      cluster.program(machine, () => {
        for (let caller = 0; caller < callersEach; caller++)
          this.#call(machine, `${machine.index}.${caller}`);
      });
    this.#blackouts();
    this.#islands();
  }

  #below(limit: number): number {
    return this.#cluster.random.below(limit);
  }

  readonly #random: (bytes: number) => Uint8Array;

  readonly #failed = (error: unknown): void => {
    if (error instanceof ProteusError) this.#cluster.happened(`directory ${error.code}`);
    else
      this.#cluster.fail("program", error instanceof Error ? (error.stack ?? error.message) : String(error));
  };

  // ---- servers -------------------------------------------------------------------

  #boot(host: Host): void {
    host.disk.restore();
    this.#open(host).catch(this.#failed);
  }

  async #open(host: Host): Promise<void> {
    const { machine, disk } = host;
    const kernel = machine.running;
    const { world } = this.#cluster;
    const store = await DiskStore.open(disk);
    const journal = await Journal.open(store, this.#failed);
    if (machine.kernel !== kernel) return;
    const state = new DirectoryState(kernel.publicPort(this.#getPort));
    if (journal.loaded !== null) state.load(journal.loaded);
    const given = { kernel, getPort: this.#getPort, random: this.#random, state, failed: this.#failed };
    const together = new Together({
      ...{ ...given, journal, after: timersOf(machine) },
      now: () => world.now / MILLISECOND,
      name: `d${machine.index}`,
      members: this.#hosts.map((each) => `d${each.machine.index}`),
      ...(this.#bug.leaseMs === undefined ? {} : { leaseMs: this.#bug.leaseMs }),
      changed: (serving) => {
        this.#cluster.happened(serving ? "directory serves" : "directory rests");
        if (serving) server.open();
        else server.close();
        if (serving) this.#root ??= setOf(server.capability(ROOT_OBJECT));
      },
    });
    const server: DirectoryServer = new DirectoryServer({
      ...{ ...given, key: this.#key, order: together, threads: 8 },
      time: () => (calendarMs + world.now / MILLISECOND) / 1000,
    });
    host.server = server;
    host.together = together;
  }

  /** The power of all servers goes; they come back one after the other, in any order. */
  #blackouts(): void {
    const { world } = this.#cluster;
    world.after(blackoutEvery / 2 + this.#below(blackoutEvery), () => {
      if (this.#over) return;
      this.#cluster.happened("blackouts");
      for (const { machine } of this.#hosts) {
        machine.crash();
        world.after(SECOND / 2 + this.#below(4 * SECOND), () => {
          if (machine.kernel === null) machine.boot();
        });
      }
      this.#blackouts();
    });
  }

  /** A server and a caller of its network are alone for a while; the callers on both sides go on. */
  #islands(): void {
    const { world } = this.#cluster;
    world.after(islandEvery / 2 + this.#below(islandEvery), () => {
      if (this.#over) return;
      const host = this.#hosts[this.#below(this.#hosts.length)];
      const callers = this.#callers.filter((each) => host !== undefined && this.#areNear(each, host.machine));
      const caller = callers[this.#below(Math.max(1, callers.length))];
      if (host !== undefined && caller !== undefined) {
        this.#cluster.happened("islands");
        const island = [host.machine.name, caller.name];
        this.#islander = caller.name;
        this.#islandUntil = world.now + islandLasts + this.#below(islandLasts);
        for (const lan of world.lans)
          for (const { name: inside } of lan.sockets)
            for (const { name: outside } of lan.sockets) {
              if (!island.includes(inside) || island.includes(outside)) continue;
              lan.cut(inside, outside, this.#islandUntil, "partition");
              lan.cut(outside, inside, this.#islandUntil, "partition");
            }
      }
      this.#islands();
    });
  }

  /** Whether two machines are on one network. */
  #areNear(one: Machine, other: Machine): boolean {
    return this.#cluster.world.lans.some(({ sockets }) => {
      const names = sockets.map(({ name }) => name);
      return names.includes(one.name) && names.includes(other.name);
    });
  }

  // ---- callers -------------------------------------------------------------------

  /** One operation after the other. */
  #call(machine: Machine, caller: string): void {
    const isIsland = this.#cluster.world.now < this.#islandUntil;
    const most = this.#over ? 50 * MILLISECOND : isIsland ? islandPause : pauseMost;
    machine.after(this.#below(most), () => {
      if (this.#over && !this.#waiting.has(caller)) return;
      const done = (isOver: boolean) => {
        if (isOver) this.#waiting.delete(caller);
        this.#call(machine, caller);
      };
      const last = this.#over;
      if (this.#root === null) {
        done(false);
        return;
      }
      this.#operate(machine, this.#root).then((answered) => done(last && answered), this.#failed);
    });
  }

  async #operate(machine: Machine, root: CapabilitySet): Promise<boolean> {
    const { world } = this.#cluster;
    const kernel = machine.running;
    const directories = new Directories(kernel, root, {
      pause: (milliseconds) => new Promise((resolve) => timersOf(machine)(milliseconds, () => resolve())),
      call: { locateTimeoutMs: 700, pollMs: 300, deadMs: 1200 },
      patienceMs: 6000,
    });
    const isIsland = world.now < this.#islandUntil;
    const which = Math.floor(world.now / nameLasts) * names + (isIsland ? 0 : this.#below(names));
    const input = isIsland ? this.#islandInput(machine) : this.#input();
    const seen: { -readonly [Name in keyof Seen]: Seen[Name] } = {
      ...{ object: String(which), input, begin: world.now },
    };
    this.#history.push(seen);
    try {
      const output = await perform(directories, `/n${which}`, input);
      if (machine.kernel !== kernel) return false;
      seen.output = output;
      seen.end = world.now;
      this.#cluster.happened("operations");
      return true;
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
      this.#cluster.happened(`operations ${error.code}`);
      return false;
    }
  }

  #islandInput(machine: Machine): RegisterInput {
    if (machine.name === this.#islander) return { do: "read" };
    if (this.#below(2) === 0) return { do: "write", value: 0 };
    return { do: "swap", expected: 0, value: ++this.#values };
  }

  #input(): RegisterInput {
    const kind = this.#below(10);
    if (kind < 5) return { do: "read" };
    if (kind < 6) return { do: "write", value: 0 };
    const value = ++this.#values;
    return {
      do: "swap",
      expected: this.#below(2) === 0 ? 0 : Math.max(0, value - 1 - this.#below(3)),
      value,
    };
  }

  // ---- the end -------------------------------------------------------------------

  finish(): void {
    this.#over = true;
    for (const machine of this.#callers)
      for (let caller = 0; caller < callersEach; caller++) this.#waiting.add(`${machine.index}.${caller}`);
  }

  /** Every caller had one more operation done. */
  idle(): boolean {
    return this.#waiting.size === 0;
  }

  judge(): void {
    if (this.#waiting.size > 0) this.#cluster.fail("directory progress", "callers still wait for an answer");
    const answer = byObject(this.#history, register());
    if (answer === "no") this.#cluster.fail("linearizability", "the names did what no names do");
    if (answer === "unknown") this.#cluster.happened("histories not known");
  }
}

const setFor = (value: number): CapabilitySet => {
  const bytes = new Uint8Array(10);
  new DataView(bytes.buffer).setUint32(4, value);
  return setOf({ port: Uint8Array.of(1, 2, 3, 4, 5, 6), private: bytes });
};

const numberIn = ({ members: [first] }: CapabilitySet): number => {
  const bytes = first?.capability.private ?? new Uint8Array(10);
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(4);
};

/** An operation on a register, as one on a name. */
async function perform(
  directories: Directories,
  path: string,
  input: RegisterInput,
): Promise<RegisterOutput> {
  const code = (error: unknown): string => (error instanceof ProteusError ? error.code : "");
  switch (input.do) {
    case "read":
      try {
        return numberIn(await directories.lookup(path));
      } catch (error) {
        if (noName.has(code(error))) return 0;
        throw error;
      }
    case "write":
      try {
        await directories.remove(path);
      } catch (error) {
        if (!noName.has(code(error))) throw error;
      }
      return null;
    case "swap":
      try {
        if (input.expected === 0) await directories.append(path, setFor(input.value));
        else await directories.replace(path, setFor(input.value), setFor(input.expected));
        return true;
      } catch (error) {
        if (["NAME_EXISTS", "NAME_CHANGED", "NAME_NOT_FOUND"].includes(code(error))) return false;
        throw error;
      }
  }
}
