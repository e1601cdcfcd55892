// Groups in progress while someone on the wire forges their packets, and what is left after.
//
// - Three or four kernels on one LAN, some of them originals, each in up to two groups, with
//   programs that make every call in every state. The one on the wire changes a share of what
//   they say, and speaks as a member, a sequencer, a joiner, a coordinator or a stranger.
// - Nothing is asked of the order then: who can forge a sequencer can lie. But no entry traps,
//   hangs, or answers what is not documented; counters add up.
// - Then all groups are ended: nothing may be left of them, and a further group of the same
//   kernels must work, with the same messages in the same order everywhere.

import type { Limits } from "../../control/kernel/limits.js";
import * as layout from "../../core-wasm/layout.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { pick } from "./frames.js";
import { GroupForger } from "./group-frames.js";
import { GroupPrograms } from "./group-programs.js";
import { Machine } from "./machine.js";
import { World } from "./world.js";

const second = 1_000_000;
const memoryBytes = 6 * 1024 * 1024;
const groupsEach = 2;
const membersMax = 8;
/** Longest until kernels are of use again: lost routes age, old packets fade. */
const recoverySeconds = 60;

const limits: Partial<Limits> = {
  networks: 1,
  neighbours: 24,
  routes: 128,
  locations: 256,
  endpoints: 4,
  locates: 32,
  broadcastsSeen: 64,
  frames: 24,
  threads: 8,
  ports: 8,
  portCache: 8,
  clientKernels: 4,
  duplicateWindow: 1024,
  forgottenKernels: 8,
  stashBytes: 4096,
  groups: groupsEach,
};

export interface GroupsPlayed {
  readonly changed: number;
  readonly delivered: number;
  readonly messages: number;
  readonly joined: number;
  readonly resets: number;
}

class GroupStorm {
  readonly random: SeededRandom;
  readonly world: World;
  readonly programs: GroupPrograms[] = [];

  constructor(seed: number, module: WebAssembly.Module) {
    const random = new SeededRandom(seed);
    this.random = random;
    const malice = pick(random, [0.02, 0.05, 0.15, 0.3]);
    const forger = (words: World["words"]) => new GroupForger(random, words, 1514, membersMax);
    this.world = new World({ random, malice, forging: true, frameMax: 1514, forger });
    const ports = [1, 2, 3].map((name) => Uint8Array.of(name, 3, 3, 3, 3, 3));
    this.world.words.ports.push(...ports);
    const originals = random.chance(0.3);
    for (let i = 0; i < 3 + random.below(2); i++) {
      const original = originals && random.chance(0.5);
      const machine = new Machine({
        module,
        random,
        limits: {
          ...limits,
          groupOperations: pick(random, [4, 24, 64]),
          groupBytes: pick(random, [40_000, 1 << 18, 1 << 19]),
          ...(original ? { extensions: 0 } : {}),
        },
        memoryBytes,
        interfaces: [{ mac: Uint8Array.of(2, 0, 0, 9, 0, i + 1), mtu: 1500, trusted: true, lan: 0 }],
      });
      this.world.add(machine);
      this.programs.push(new GroupPrograms(this.world, machine, ports, groupsEach));
    }
  }

  storm(changes: number): void {
    const { random, world } = this;
    const step = (program: GroupPrograms): void => {
      if (!program.running) return;
      program.act();
      world.at(pick(random, [20, 300, 3_000, 20_000, 60_000]), () => step(program));
      if (random.chance(0.001)) world.cut(program.machine, random.below(3_000_000));
    };
    for (const program of this.programs) step(program);
    world.run(120 * second, () => world.changed >= changes || world.delivered > changes * 60);
  }

  /** The wire is good, every membership ends: nothing may be left of it. */
  aftermath(): void {
    const { world } = this;
    world.calm();
    for (const program of this.programs) program.running = false;
    world.run(second);
    for (const program of this.programs) for (let gid = 0; gid < groupsEach; gid++) program.end(gid);
    world.run(6 * second); // what was retired is free at the next tick, which the sweep asks for
    this.programs.forEach((program, index) => {
      const { machine, open, deliveries, requests } = program;
      const fail = (what: string): never => {
        throw new Error(`machine ${index}: ${what}`);
      };
      if (open.length > 0) fail(`${open.join(", ")} did not end`);
      if (machine.taken !== 0) fail(`${machine.taken} buffers were not given back`);
      if (machine.groupBytes !== 0) fail(`groups hold ${machine.groupBytes} bytes after their end`);
      machine.checkCounters();
      const counters = machine.counters();
      if (counters.groupDelivered !== deliveries)
        fail(`groupDelivered is ${counters.groupDelivered}, receives ended with ${deliveries} messages`);
      if (counters.groupSent !== requests)
        fail(`groupSent is ${counters.groupSent}, ${requests} sends and leaves were taken`);
    });
  }

  /** A further group of all that can hold it, in which everyone says something. */
  recovery(): void {
    const { world } = this;
    const able = this.programs.filter(({ machine }) => machine.call.grp_end(0, world.now) < 0);
    const port = Uint8Array.of(9, 3, 3, 3, 3, 3);
    const [first, ...others] = able;
    if (first === undefined) throw new Error("a group is still there");
    const gids = new Map<GroupPrograms, number>();
    const at = first.header(port);
    const made = first.machine.enter(() => first.machine.call.grp_create(at, 1, 4, 4, 10, world.now));
    first.machine.give(at);
    gids.set(first, made);
    const orders = new Map<GroupPrograms, string[]>(able.map((program) => [program, []]));
    this.#listen(first, made, orders.get(first) ?? []);
    for (const program of others) {
      gids.set(program, this.#joinAfterAll(program, port));
      this.#listen(program, gids.get(program) ?? -1, orders.get(program) ?? []);
    }
    let said = 0;
    for (const program of able) {
      let outcome: number | undefined;
      const handle = program.send(gids.get(program) ?? -1, 500, (ended) => {
        outcome = ended;
      });
      world.run(20 * second, () => outcome !== undefined);
      if (outcome !== 0) throw new Error(`a clean send ended with ${outcome} (${handle})`);
      said++;
    }
    world.run(20 * second, () => [...orders.values()].every((order) => order.filter(isData).length >= said));
    const last = (program: GroupPrograms) => (orders.get(program) ?? []).filter(isData).join(" ");
    for (const program of others)
      if (last(program) !== last(first))
        throw new Error(`orders differ: ${last(first)} and ${last(program)}`);
    if ((orders.get(first) ?? []).filter(isData).length !== said)
      throw new Error(`${said} messages were sent: ${last(first)}`);
    for (const program of able) program.end(gids.get(program));
    world.run(6 * second);
    for (const { machine } of able)
      if (machine.groupBytes !== 0) throw new Error("the last group holds bytes");
  }

  #listen(program: GroupPrograms, gid: number, order: string[]): void {
    const { view } = program.machine;
    program.receive(gid, (at) => {
      const field = (offset: number): number => view.getUint32(at + offset, true);
      const [kind, seqno, member] = [layout.DELIVERY_KIND, layout.DELIVERY_SEQNO, layout.DELIVERY_MEMBER].map(
        field,
      );
      order.push(`${kind}:${seqno}/${member}`);
      this.#listen(program, gid, order);
    });
  }

  #joinAfterAll(program: GroupPrograms, port: Uint8Array): number {
    const { world } = this;
    const outcomes: number[] = [];
    for (const started = world.now; world.now - started < recoverySeconds * second; ) {
      let joined: number | undefined;
      let outcome: number | undefined;
      const handle = program.join(port, (ended, gid) => {
        outcome = ended;
        joined = gid;
      });
      if (handle < 0) throw new Error(`a clean join was refused: ${handle}`);
      world.run(20 * second, () => outcome !== undefined);
      if (outcome === 0 && joined !== undefined) return joined;
      outcomes.push(outcome ?? -100);
      world.run(second / 10);
    }
    throw new Error(`nobody can join a new group: ${outcomes.slice(-10).join(" ")}`);
  }
}

const isData = (delivery: string): boolean => delivery.startsWith(`${layout.DELIVERED_DATA}:`);

/** One case: a storm of so many changed frames, and its aftermath. */
export function groupStorm(
  seed: number,
  module: WebAssembly.Module,
  changes: number,
  seen: (machine: Machine) => void,
): GroupsPlayed {
  const storm = new GroupStorm(seed, module);
  storm.storm(changes);
  const { world, programs } = storm;
  const { changed, delivered } = world;
  const sum = (of: (program: GroupPrograms) => number): number =>
    programs.reduce((total, program) => total + of(program), 0);
  const messages = sum((one) => one.deliveries);
  storm.aftermath();
  storm.recovery();
  world.machines.forEach(seen);
  return { changed, delivered, messages, joined: sum((one) => one.joined), resets: sum((one) => one.resets) };
}
