// Whole directories on replicated servers, changed by everybody at once: callers on the machines of
// the servers and beside them append, replace, install, rename, discard and look up, in a few
// directories that know each other (control/server/directory).
//
// - What the callers saw must be linearizable for all directories of a tree together
//   (checkers/trees.ts): an update of two directories is one step. A tree is used for 20 seconds.
// - Servers stop with a word, lose their power alone or all at once, and come back. At the end all
//   have the same state, and each caller lists every directory of the last tree: so each is
//   as the model is.
// - An update of which nobody said what became of it may have happened or not.

import type { Capability } from "../../control/capability/capability.js";
import { claims } from "../../control/capability/private-part.js";
import { type CapabilitySet, inOrder, setOf } from "../../control/capability/set.js";
import { directoryTable, standardColumns } from "../../control/interface/directory.js";
import { toHex } from "../../control/kernel/bytes.js";
import { ProteusError } from "../../control/kernel/errors.js";
import type { Kernel } from "../../control/kernel/kernel.js";
import { putsOf } from "../../control/server/directory/contents.js";
import { stub } from "../../control/stub/client.js";
import { Directories } from "../../control/stub/directories.js";
import { byObject, type Operation } from "../checkers/linearizable.js";
import { dirText, listText, lookupText, type TreeInput, trees } from "../checkers/trees.js";
import type { Machine } from "../engine/machine.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import { DirectoryHosts, directoryLimits, type PlantedBug } from "./directory-hosts.js";
import { bytesOf, timersOf } from "./programs.js";
import type { Activity, Cluster, Workload } from "./workload.js";

const serversMost = 3;
const treeLasts = 20 * SECOND;
const pauseMost = 300 * MILLISECOND;
const againMs = 100;
const patience = 6 * SECOND;
const stopEvery = 12 * SECOND;
const directoriesMost = 4;
const things = ["a", "b", "c"];
/** Only directories have these, so that none comes to stand below itself. */
const places = ["x", "y"];
const masksOfRows = [
  [0xff, 2],
  [0xff, 2],
  [0x02, 1],
  [0, 0],
];
const call = { locateTimeoutMs: 700, pollMs: 300, deadMs: 1200 };
/** Nothing was said of the directories. */
const passing = new Set(["RPC_NOTFOUND", "RPC_FAILURE", "RPC_TRYAGAIN", "STD_NOTNOW", "SP_UNAVAIL"]);
/** After these an update may have been executed, or still be. */
const open = new Set(["RPC_FAILURE", "SP_UNAVAIL"]);

/** The workload. */
export function treesWorkload(bug: PlantedBug = {}): Workload {
  return {
    name: "trees",
    summary: "whole directories on replicated directory servers, judged for linearizability",
    plan: () => ({ machine: () => ({ limits: directoryLimits }) }),
    start: (cluster) => new TreesRun(cluster, bug),
  };
}

type Seen = { -readonly [Name in keyof Operation<TreeInput, string>]: Operation<TreeInput, string>[Name] } & {
  readonly object: string;
};

/** A tree that is in use. */
interface Tree {
  readonly name: string;
  readonly top: number;
  /** Of its directories, by number; also of those that are gone: somebody may still ask for them. */
  readonly known: Map<number, Capability>;
  readonly live: Set<number>;
}

const thingPort = Uint8Array.of(1, 2, 3, 4, 5, 6);
const thing = (value: number): CapabilitySet => {
  const part = new Uint8Array(10);
  new DataView(part.buffer).setUint32(4, value);
  return setOf({ port: thingPort, private: part });
};

class TreesRun implements Activity {
  readonly #cluster: Cluster;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #hosts: DirectoryHosts;
  readonly #history: Seen[] = [];
  readonly #waiting = new Set<Machine>();
  #tree: Tree | null = null;
  #values = 0;
  #over = false;

  constructor(cluster: Cluster, bug: PlantedBug) {
    this.#cluster = cluster;
    this.#random = bytesOf(cluster.random);
    const { machines } = cluster;
    const count = Math.max(1, Math.min(serversMost, machines.length - 1));
    this.#hosts = new DirectoryHosts(cluster, machines.slice(0, count), this.#random, bug);
    for (const machine of machines) cluster.program(machine, () => this.#next(machine));
    this.#hosts.blackouts(() => this.#over);
    this.#stops();
  }

  #below(limit: number): number {
    return this.#cluster.random.below(limit);
  }

  #pick<Value>(values: readonly Value[]): Value {
    return values[this.#below(values.length)] as Value;
  }

  /** A server takes its leave, and comes back later. */
  #stops(): void {
    const { world } = this.#cluster;
    world.after(stopEvery / 2 + this.#below(stopEvery), () => {
      if (this.#over) return;
      const { machine, together, server } = this.#pick(this.#hosts.all);
      if (together !== null && machine.kernel !== null) {
        this.#cluster.happened("servers stopped");
        together.leave().catch(this.#hosts.failed);
        machine.after(SECOND, () => {
          server?.close();
          machine.crash();
          world.after(SECOND / 2 + this.#below(3 * SECOND), () => {
            if (machine.kernel === null) machine.boot();
          });
        });
      }
      this.#stops();
    });
  }

  // ---- callers -------------------------------------------------------------------

  #next(machine: Machine): void {
    machine.after(this.#below(this.#over ? 50 * MILLISECOND : pauseMost), () => {
      if (this.#over && !this.#waiting.has(machine)) return;
      const work = this.#over ? this.#listAll(machine) : this.#work(machine);
      work.then(() => this.#next(machine), this.#hosts.failed);
    });
  }

  async #work(machine: Machine): Promise<void> {
    const { root } = this.#hosts;
    if (root === null) return;
    const tree = await this.#current(machine, root);
    if (tree === null) return;
    const input = this.#input(tree, this.#pick([...tree.live]));
    const { output } = await this.#operate(machine, tree, input);
    if (input.do === "discard" && output === "ok") tree.live.delete(input.at);
    if (input.do !== "create" || output === undefined) return;
    tree.live.add(Number(output));
    await this.#place(machine, tree, Number(output));
  }

  /** The tree of this time; whoever comes first makes it. */
  async #current(machine: Machine, root: CapabilitySet): Promise<Tree | null> {
    const { world } = this.#cluster;
    const name = `t${Math.floor(world.now / treeLasts)}`;
    if (this.#tree?.name === name) return this.#tree;
    const names = new Directories(machine.running, root, { call });
    try {
      await names.makeDirectory(`/${name}`);
    } catch (error) {
      if (!(error instanceof ProteusError)) throw error;
    }
    try {
      const [top] = inOrder(await names.lookup(`/${name}`));
      if (top === undefined || this.#tree?.name === name) return this.#tree;
      const { object } = claims(top.private);
      this.#tree = { name, top: object, known: new Map([[object, top]]), live: new Set([object]) };
      const made = { input: { do: "create" as const }, output: String(object) };
      this.#history.push({ object: name, ...made, begin: world.now, end: world.now });
      return this.#tree;
    } catch (error) {
      if (error instanceof ProteusError) return null;
      throw error;
    }
  }

  /** Gives a new directory a name in one of the others. */
  async #place(machine: Machine, tree: Tree, object: number): Promise<void> {
    const at = this.#pick([...tree.live]);
    const row = { is: dirText(object), masks: this.#pick(masksOfRows) };
    await this.#operate(machine, tree, { do: "append", at, name: this.#pick(places), row });
  }

  #thing(): string {
    return `thing ${++this.#values}`;
  }

  #input(tree: Tree, at: number): TreeInput {
    const [name, other] = [this.#pick(things), this.#pick([...tree.live])];
    const former = `thing ${Math.max(1, this.#values - this.#below(6))}`;
    switch (this.#below(14)) {
      case 0:
        if (tree.live.size < directoriesMost) return { do: "create" };
        return { do: "list", at };
      case 1:
        return at === tree.top ? { do: "list", at } : { do: "discard", at };
      case 2:
        return { do: "chmod", at, name: this.#pick([name, ...places]), masks: this.#pick(masksOfRows) };
      case 3:
        return { do: "delete", at, name: this.#pick([name, name, ...places]) };
      case 4:
        return { do: "rename", at, name, to: other, newName: this.#pick(things) };
      case 5: {
        const rows = [{ at, name, is: this.#thing(), ...(this.#below(2) === 0 ? { expected: former } : {}) }];
        const second = { at: other, name: this.#pick(things), is: this.#thing() };
        return { do: "install", rows: other === at ? rows : [...rows, second] };
      }
      case 6:
        return { do: "replace", at, name, is: this.#thing() };
      case 7:
      case 8:
      case 9:
        return { do: "append", at, name, row: { is: this.#thing(), masks: [0xff, 2] } };
      case 10:
        return { do: "list", at };
      default: {
        const path = [this.#pick([...places, ...things])];
        if (this.#below(2) === 0) path.push(this.#pick(things));
        return { do: "lookup", at, path };
      }
    }
  }

  /** One operation, asked again until it is answered or nobody has patience any more. */
  async #operate(machine: Machine, tree: Tree, input: TreeInput): Promise<Seen> {
    const { world } = this.#cluster;
    const kernel = machine.running;
    const seen: Seen = { object: tree.name, input, begin: world.now };
    this.#history.push(seen);
    const [request, requestMore] = [this.#below(2 ** 31), this.#below(2 ** 16)];
    const isReading = input.do === "lookup" || input.do === "list";
    let isOpen = false;
    while (machine.kernel === kernel) {
      try {
        const output = await this.#ask(kernel, tree, input, { request, requestMore });
        if (machine.kernel !== kernel) break;
        return this.#answered(seen, output);
      } catch (error) {
        if (!(error instanceof ProteusError)) throw error;
        const { code } = error;
        this.#cluster.happened(`tree ${input.do} ${code}`);
        if (!passing.has(code)) {
          // A refusal of this copy says nothing of an earlier one.
          if (isOpen || machine.kernel !== kernel) break;
          return this.#answered(seen, code);
        }
        isOpen ||= open.has(code) && !isReading;
        if (world.now - seen.begin > patience) break;
        await new Promise<void>((resolve) => void timersOf(machine)(againMs, resolve));
      }
    }
    // Whatever it was, it changed nothing.
    if (isReading || (!isOpen && machine.kernel === kernel))
      this.#history.splice(this.#history.indexOf(seen), 1);
    return seen;
  }

  #answered(seen: Seen, output: string): Seen {
    seen.output = output;
    seen.end = this.#cluster.world.now;
    this.#cluster.happened(`tree ${seen.input.do} answered`);
    return seen;
  }

  /** The set that a text of the model stands for. */
  #setFor(tree: Tree, is: string): CapabilitySet {
    const number = Number(is.split(" ")[1]);
    return is.startsWith("thing") ? thing(number) : setOf(capabilityOf(tree, number));
  }

  #textOf(set: CapabilitySet): string {
    const [capability] = inOrder(set);
    if (capability === undefined) return "nothing";
    const { port, private: part } = capability;
    if (toHex(port) !== toHex(thingPort)) return dirText(claims(part).object);
    return `thing ${new DataView(part.buffer, part.byteOffset).getUint32(4)}`;
  }

  async #ask(
    kernel: Kernel,
    tree: Tree,
    input: TreeInput,
    identity: { readonly request: number; readonly requestMore: number },
  ): Promise<string> {
    const at = (object: number) => stub(kernel, directoryTable, capabilityOf(tree, object), call);
    switch (input.do) {
      case "create": {
        const { directory } = await at(tree.top).create({ columns: standardColumns, ...identity });
        const { object } = claims(directory.private);
        tree.known.set(object, directory);
        return String(object);
      }
      case "list":
        return listText((await at(input.at).list()).listing.rows);
      case "lookup": {
        const { set, rest } = await at(input.at).lookup({ path: input.path.join("/") });
        const left = rest.split("/").filter((name) => name !== "");
        return lookupText(this.#textOf(set), left);
      }
      case "discard":
        await at(input.at).discard(identity);
        return "ok";
      case "append": {
        const { name, row } = input;
        const set = this.#setFor(tree, row.is);
        await at(input.at).append({ name, set, masks: row.masks, ...identity });
        return "ok";
      }
      case "replace":
        await at(input.at).replace({ name: input.name, set: this.#setFor(tree, input.is), ...identity });
        return "ok";
      case "chmod":
        await at(input.at).chmod({ name: input.name, masks: input.masks, ...identity });
        return "ok";
      case "delete":
        await at(input.at).delete({ name: input.name, ...identity });
        return "ok";
      case "rename": {
        const { name, newName } = input;
        await at(input.at).rename({
          name,
          directory: capabilityOf(tree, input.to),
          to: newName,
          ...identity,
        });
        return "ok";
      }
      case "install": {
        const rows = input.rows.map(({ at: object, name, is, expected }) => ({
          directory: setOf(capabilityOf(tree, object)),
          ...{ name, set: this.#setFor(tree, is) },
          expected: expected === undefined ? undefined : this.#setFor(tree, expected).members[0]?.capability,
        }));
        const [first] = input.rows;
        await at(first?.at ?? tree.top).install({ rows, ...identity });
        return "ok";
      }
    }
  }

  // ---- the end -------------------------------------------------------------------

  finish(): void {
    this.#over = true;
    for (const machine of this.#cluster.machines) this.#waiting.add(machine);
  }

  /** Lists every directory of the last tree, as this machine sees it. */
  async #listAll(machine: Machine): Promise<void> {
    const tree = this.#tree;
    for (const at of tree?.live ?? []) {
      if (tree === null) break;
      const { output } = await this.#operate(machine, tree, { do: "list", at });
      if (output === undefined) return;
    }
    this.#waiting.delete(machine);
  }

  #states(): readonly string[] {
    return this.#hosts.all.map(({ state }) => {
      if (state === null) return "";
      const entries = putsOf(state.contents()).map(({ key, value }) => `${toHex(key)} ${toHex(value)}`);
      return entries.toSorted().join("\n");
    });
  }

  /** Every caller has seen all, and all servers have the same. */
  idle(): boolean {
    return this.#waiting.size === 0 && new Set(this.#states()).size === 1;
  }

  judge(): void {
    if (new Set(this.#states()).size > 1)
      this.#cluster.fail("directory states", "servers that are together have different directories");
    const answer = byObject(this.#history, trees);
    if (answer === "no") this.#cluster.fail("linearizability", "directories did what no directories do");
    if (answer === "unknown") this.#cluster.happened("histories not known");
  }
}

function capabilityOf({ known, name }: Tree, object: number): Capability {
  const capability = known.get(object);
  if (capability === undefined) throw new Error(`directory ${object} is not of ${name}`);
  return capability;
}
