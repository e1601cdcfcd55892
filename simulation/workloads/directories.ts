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
import { ProteusError } from "../../control/kernel/errors.js";
import { Directories } from "../../control/stub/directories.js";
import { byObject, type Operation } from "../checkers/linearizable.js";
import { type RegisterInput, type RegisterOutput, register } from "../checkers/models.js";
import type { Machine } from "../engine/machine.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import { DirectoryHosts, directoryLimits, type PlantedBug } from "./directory-hosts.js";
import { bytesOf, timersOf } from "./programs.js";
import type { Activity, Cluster, Workload } from "./workload.js";

const serversMost = 3;
const names = 3;
const nameLasts = 30 * SECOND;
const pauseMost = 400 * MILLISECOND;
const islandEvery = 15 * SECOND;
const islandLasts = 5 * SECOND;
/** Callers are quicker then. */
const islandPause = 100 * MILLISECOND;
const callersEach = 2;

/** The workload. */
export function directoriesWorkload(bug: PlantedBug = {}): Workload {
  return {
    name: "directories",
    summary: "names on replicated directory servers, judged for linearizability",
    plan: () => ({
      machine: () => ({ limits: directoryLimits }),
    }),
    start: (cluster) => new DirectoriesRun(cluster, bug),
  };
}

type Seen = Operation<RegisterInput, RegisterOutput> & { readonly object: string };

const noName = new Set(["NAME_NOT_FOUND", "NAME_GONE"]);

class DirectoriesRun implements Activity {
  readonly #cluster: Cluster;
  readonly #hosts: DirectoryHosts;
  readonly #callers: readonly Machine[];
  readonly #history: Seen[] = [];
  /** Callers that have not yet had their last operation done. */
  readonly #waiting = new Set<string>();
  #values = 0;
  #islandUntil = 0;
  #islander = "";
  #over = false;

  constructor(cluster: Cluster, bug: PlantedBug) {
    this.#cluster = cluster;
    const { machines } = cluster;
    const count = Math.max(1, Math.min(serversMost, machines.length - 1));
    this.#hosts = new DirectoryHosts(cluster, machines.slice(0, count), bytesOf(cluster.random), bug);
    this.#callers = machines.slice(count);
    for (const machine of this.#callers)
      cluster.program(machine, () => {
        for (let caller = 0; caller < callersEach; caller++)
          this.#call(machine, `${machine.index}.${caller}`);
      });
    this.#hosts.blackouts(() => this.#over);
    this.#islands();
  }

  #below(limit: number): number {
    return this.#cluster.random.below(limit);
  }

  /** A server and a caller of its network are alone for a while; the callers on both sides go on. */
  #islands(): void {
    const { world } = this.#cluster;
    world.after(islandEvery / 2 + this.#below(islandEvery), () => {
      if (this.#over) return;
      const host = this.#hosts.all[this.#below(this.#hosts.all.length)];
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
      if (this.#hosts.root === null) {
        done(false);
        return;
      }
      this.#operate(machine, this.#hosts.root).then((answered) => done(last && answered), this.#hosts.failed);
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
