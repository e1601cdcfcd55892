// A replicated register map on control/group: what directory, control and disks build on, with
// promises as they are written for real machines.
//
// - Every machine has a replica and submits reads, writes and compare-and-swaps; the history
//   that the callers saw must be linearizable, register by register.
// - A register is used for half a minute, then another takes its place: histories stay short.
// - Degrees of resilience by which what was delivered is with a majority, which is also what the
//   group must have to go on: with less a part that goes on may lack what another acknowledged.
// - An operation whose replica ended, or whose machine crashed, may have happened or not.
// - A group that makes no progress is given up and made anew, with registers of its own.

import { Replica, type StateMachine } from "../../control/group/replica.js";
import { byObject, type Operation } from "../checkers/linearizable.js";
import { type RegisterInput, type RegisterOutput, register } from "../checkers/models.js";
import type { Machine } from "../engine/machine.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import { bytesOf, timersOf } from "./programs.js";
import type { Activity, Cluster, Workload } from "./workload.js";

const memoryBytes = 16 * 1024 * 1024;
const groupBytes = 2 * 1024 * 1024;
const registers = 3;
const registerLasts = 30 * SECOND;
const pauseMax = SECOND;
const givenUpAfter = 12 * SECOND;
const commandBytes = 16;
const kinds = ["read", "write", "swap"] as const;

type Seen = Operation<RegisterInput, RegisterOutput> & { readonly object: string };

/** The workload. */
export function replicaWorkload(): Workload {
  return {
    name: "replica",
    summary: "a replicated state machine, judged for linearizability",
    plan: (random) => ({
      lan: { receiveFrames: [32, 64][random.below(2)] ?? 64 },
      machine: () => ({
        limits: { memoryBytes, groupBytes, groups: 4, threads: 128, locates: 64, ports: 256 },
      }),
    }),
    start: (cluster) => new Replicas(cluster),
  };
}

/** Registers by number; a register that nobody wrote holds 0. */
class Registers implements StateMachine {
  #values = new Map<number, number>();

  apply(command: Uint8Array): Uint8Array {
    const view = new DataView(command.buffer, command.byteOffset);
    const [kind, which] = [kinds[view.getUint32(0)], view.getUint32(4)];
    const value = this.#values.get(which) ?? 0;
    const done = kind === "write" || (kind === "swap" && value === view.getUint32(8));
    if (done) this.#values.set(which, view.getUint32(12));
    const answer = new DataView(new ArrayBuffer(4));
    answer.setUint32(0, kind === "read" ? value : Number(done));
    return new Uint8Array(answer.buffer);
  }

  snapshot(): Uint8Array {
    return new Uint8Array(Uint32Array.from([...this.#values].flat()).buffer);
  }

  restore(snapshot: Uint8Array): void {
    const words = new Uint32Array(snapshot.slice().buffer);
    this.#values = new Map();
    for (let i = 0; i + 1 < words.length; i += 2)
      this.#values.set(words[i] as number, words[i + 1] as number);
  }
}

function encode(which: number, input: RegisterInput): Uint8Array {
  const view = new DataView(new ArrayBuffer(commandBytes));
  view.setUint32(0, kinds.indexOf(input.do));
  view.setUint32(4, which);
  if (input.do === "swap") view.setUint32(8, input.expected);
  if (input.do !== "read") view.setUint32(12, input.value);
  return new Uint8Array(view.buffer);
}

function decode(input: RegisterInput, result: Uint8Array): RegisterOutput {
  const value = new DataView(result.buffer, result.byteOffset).getUint32(0);
  return input.do === "read" ? value : input.do === "swap" ? value === 1 : null;
}

class Replicas implements Activity {
  readonly #cluster: Cluster;
  readonly #history: Seen[] = [];
  readonly #resilience: number;
  /** Machines that have not yet had their last operation done. */
  readonly #waiting = new Set<Machine>();
  readonly #replicas = new Map<Machine, { readonly replica: Replica; readonly here: () => boolean }>();
  #life = 0;
  #made = false;
  #values = 0;
  #progressAt = 0;
  #over = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#resilience = (cluster.machines.length >> 1) + cluster.random.below(2);
    for (const machine of cluster.machines) cluster.program(machine, () => this.#start(machine));
    this.#watch();
  }

  #below(limit: number): number {
    return this.#cluster.random.below(limit);
  }

  /** A machine in this life of the group, until it crashes or the life is given up. */
  #start(machine: Machine): void {
    const [life, kernel] = [this.#life, machine.kernel];
    const here = (): boolean => this.#life === life && machine.kernel === kernel;
    if (this.#over) this.#waiting.add(machine);
    const create = !this.#made;
    this.#made = true;
    const enter = async (creates: boolean): Promise<void> => {
      const replica = await this.#open(machine, creates, here, () => void again());
      if (!here()) {
        if (machine.kernel === kernel) replica.close();
        return;
      }
      this.#replicas.set(machine, { replica, here });
      this.#work(machine, replica, here);
    };
    const again = async (): Promise<void> => {
      for (let tries = 0; here() && tries < 1000; tries++) {
        await this.#cluster.world.sleep(200 * MILLISECOND + this.#below(300 * MILLISECOND));
        if (!here()) return;
        try {
          await enter(false);
          return;
        } catch {
          this.#cluster.happened("replica not open");
        }
      }
    };
    enter(create).catch(() => again());
  }

  #open(machine: Machine, create: boolean, here: () => boolean, ended: () => void): Promise<Replica> {
    const { world, machines, random } = this.#cluster;
    return Replica.open({
      kernel: machine.running,
      after: timersOf(machine),
      random: bytesOf(random),
      port: Uint8Array.of(0x72, 0x65, 0x70, this.#life >> 8, this.#life & 0xff, 1),
      name: `life ${this.#life}`,
      machine: new Registers(),
      create,
      parameters: {
        resilience: this.#resilience,
        membersMax: machines.length + 3,
        logHistory: 6,
        logMessage: 12,
      },
      wishes: create ? { minimum: (machines.length >> 1) + 1 } : {},
      event: ({ kind }) => {
        this.#cluster.happened(`replica ${kind}`);
        this.#cluster.timeline?.mark(machine.index, kind, { at: world.now });
      },
      ended: (why) => {
        this.#cluster.happened(why === null ? "replica left" : "replica ended");
        if (here()) ended();
      },
    });
  }

  /** One operation after the other. */
  #work(machine: Machine, replica: Replica, here: () => boolean): void {
    machine.after(this.#below(this.#over ? 50 * MILLISECOND : pauseMax), async () => {
      if (!here() || (this.#over && !this.#waiting.has(machine))) return;
      if (await this.#operate(machine, replica)) this.#work(machine, replica, here);
    });
  }

  /** False: the replica has ended. */
  async #operate(machine: Machine, replica: Replica): Promise<boolean> {
    const { world } = this.#cluster;
    const which = Math.floor(world.now / registerLasts) * registers + this.#below(registers);
    const input = this.#input();
    const seen: { -readonly [Name in keyof Seen]: Seen[Name] } = {
      ...{ object: `${this.#life}.${which}`, input, begin: world.now },
    };
    this.#history.push(seen);
    const last = this.#over;
    try {
      const { result } = await replica.submit(encode(which, input));
      if (machine.kernel === null) return false;
      seen.output = decode(input, result);
      seen.end = world.now;
      this.#progressAt = world.now;
      this.#cluster.happened("operations");
      if (last) this.#waiting.delete(machine);
      return true;
    } catch {
      this.#cluster.happened("operations open");
      return false;
    }
  }

  #input(): RegisterInput {
    const kind = this.#below(3);
    if (kind === 0) return { do: "read" };
    const value = ++this.#values;
    return kind === 1
      ? { do: "write", value }
      : { do: "swap", expected: Math.max(0, value - 1 - this.#below(4)), value };
  }

  #watch(): void {
    const { world, machines } = this.#cluster;
    world.after(SECOND / 2, () => {
      if (world.now - this.#progressAt > givenUpAfter) {
        this.#cluster.happened("groups given up");
        const left = [...this.#replicas.values()].filter(({ here }) => here());
        this.#life++;
        for (const { replica } of left) replica.close();
        this.#made = false;
        this.#progressAt = world.now;
        for (const machine of machines) if (machine.kernel !== null) this.#start(machine);
      }
      this.#watch();
    });
  }

  finish(): void {
    this.#over = true;
    for (const machine of this.#cluster.machines) this.#waiting.add(machine);
  }

  /** Every machine had one more operation done. */
  idle(): boolean {
    return this.#waiting.size === 0;
  }

  judge(): void {
    const answer = byObject(this.#history, register());
    if (answer === "no") this.#cluster.fail("linearizability", "the registers did what no registers do");
    if (answer === "unknown") this.#cluster.happened("histories not known");
  }
}
