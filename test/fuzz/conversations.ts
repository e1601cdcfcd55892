// Conversations in progress while someone on the wire changes them, and what is left after.
//
// - Two to four kernels on one LAN, or on two with a router between; some are originals,
//   some networks untrusted or jumbo. Programs on all of them call and serve throughout.
// - Then the wire is good again: every call is ended, and each kernel must be as new: no
//   busy thread, no buffer kept, counters that add up, and clean calls between the same
//   kernels, and with fresh ones, answered byte for byte within simulated seconds.

import type { Limits } from "../../control/kernel/limits.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { pick, randomBytes } from "./frames.js";
import { type Interface, Machine } from "./machine.js";
import { Workload } from "./workload.js";
import { World } from "./world.js";

const memoryBytes = 8 * 1024 * 1024;
const second = 1_000_000;
const cleanBytes = 3_000;
/** Longest that a kernel may take to be of use again: lost routes age, old packets fade. */
const recoverySeconds = 60;

/** What one case did. */
export interface Played {
  readonly changed: number;
  readonly delivered: number;
  readonly calls: number;
  readonly replies: number;
}

const small: Partial<Limits> = {
  networks: 2,
  neighbours: 24,
  routes: 64,
  locations: 128,
  endpoints: 4,
  locates: 16,
  broadcastsSeen: 64,
  frames: 24,
  threads: 24,
  ports: 32,
  portCache: 16,
  clientKernels: 6,
  duplicateWindow: 1024,
  forgottenKernels: 64,
  stashBytes: 16_384,
  groups: 2,
  groupOperations: 16,
  groupBytes: 16_384,
};

/** Which machine is on which LANs. */
const topologies: readonly (readonly (readonly number[])[])[] = [
  [[0], [0]],
  [[0], [0], [0]],
  [[0], [0, 1], [1]],
  [[0], [0, 1], [1], [0]],
  [[0, 1], [0, 1], [0]],
];

class Conversation {
  readonly random: SeededRandom;
  readonly world: World;
  readonly workloads: Workload[] = [];
  readonly #lans: readonly { mtu: number; trusted: boolean }[];
  readonly #limits: Partial<Limits>;
  readonly #allOriginal: boolean;
  readonly #someOriginal: boolean;
  #made = 0;

  constructor(
    seed: number,
    readonly module: WebAssembly.Module,
  ) {
    const random = new SeededRandom(seed);
    this.random = random;
    const mtu = (): number => pick(random, [1500, 1500, 1500, 9000, 600]);
    this.#lans = [
      { mtu: mtu(), trusted: random.chance(0.9) },
      { mtu: mtu(), trusted: random.chance(0.85) },
    ];
    this.#limits = {
      ...small,
      frameBytes: 9100,
      ackDelayUs: pick(random, [1, 1000, 100_000]),
      locateTimeoutMs: pick(random, [500, 2000]),
      verifyMs: pick(random, [1, 500]),
      deadMs: pick(random, [2000, 2000, 8000]),
      portCache: pick(random, [2, 16]),
    };
    this.#allOriginal = random.chance(0.1);
    this.#someOriginal = random.chance(0.25);
    const frameMax = Math.min(...this.#lans.map((lan) => lan.mtu)) + 14;
    const malice = pick(random, [0.05, 0.15, 0.3, 0.6]);
    this.world = new World({ random, malice, forging: random.chance(0.5), frameMax });
    for (const lans of pick(random, topologies)) this.boot(lans);
    this.#employ();
  }

  /** A new kernel on these LANs. */
  boot(lans: readonly number[]): Machine {
    const { random } = this;
    const original = this.#allOriginal || (this.#someOriginal && random.chance(0.5));
    const interfaces: readonly Interface[] = lans.map((lan) => {
      const { mtu, trusted } = this.#lans[lan] as { mtu: number; trusted: boolean };
      const mac = Uint8Array.of(2, 0, 0, 9, lan, ++this.#made);
      const receiveFrames = pick(random, [1, 4, 8, 64, 64, 1024]);
      return { lan, trusted, mtu: random.chance(0.8) ? mtu : 1500, mac, receiveFrames };
    });
    const own = random.chance(0.1) ? { extensions: random.below(64) } : {};
    const limits = { ...this.#limits, ...(original ? { extensions: 0 } : own) };
    const machine = new Machine({ module: this.module, random, limits, memoryBytes, interfaces });
    this.world.add(machine);
    return machine;
  }

  #employ(): void {
    const gets = [1, 2, 3, 4].map((name) => Uint8Array.of(name, 1, 1, 1, 1, 1));
    const puts = gets.map((port) => publicPort(this.world.machines[0] as Machine, port));
    const nobody = Uint8Array.of(9, 9, 9, 9, 9, 9);
    this.world.words.ports.push(...puts);
    this.world.machines.forEach((machine, index) => {
      const mine = gets.filter((_, port) => port % this.world.machines.length === index || port === 3);
      this.workloads.push(new Workload(this.world, machine, mine, [...puts, ...puts, nobody]));
    });
  }

  /** Programs do things at random moments until told not to. */
  storm(changes: number): void {
    const { random, world } = this;
    const step = (workload: Workload): void => {
      if (!workload.running) return;
      const kind = random.below(24);
      if (kind < 11) workload.serve();
      else if (kind < 21) workload.transact();
      else if (kind < 23) workload.blunder();
      else if (random.chance(0.98)) workload.groupwork();
      else if (random.chance(0.5)) workload.unplug();
      else world.cut(workload.machine, random.below(pick(random, [100_000, 12_000_000])));
      world.at(pick(random, [20, 300, 3_000, 10_000, 30_000]), () => step(workload));
    };
    for (const workload of this.workloads) {
      step(workload);
      step(workload);
    }
    const end = () => world.changed >= changes || world.delivered > changes * 60;
    world.run(90 * second, end);
  }

  /** The wire is good, everything ends: nothing may be left of it. */
  aftermath(): void {
    const { world } = this;
    world.calm();
    for (const workload of this.workloads) workload.running = false;
    world.run((6 + this.random.below(4)) * second); // what was unplugged comes back
    for (const workload of this.workloads) workload.end();
    world.run(second);
    world.machines.forEach((machine, index) => {
      if (machine.threadsBusy !== 0)
        throw new Error(`machine ${index}: ${machine.threadsBusy} threads stay busy`);
      if (machine.taken !== 0)
        throw new Error(`machine ${index}: ${machine.taken} buffers were not given back`);
      machine.checkCounters();
    });
  }

  /** Clean calls, between the kernels of the storm and with fresh ones. */
  recovery(): void {
    const { world } = this;
    const veterans = [...world.machines];
    const lanOf = (machine: Machine): number => machine.interfaces[0]?.lan ?? 0;
    for (const veteran of veterans) {
      if (veteran.interfaces[0]?.trusted === false) continue; // RPC does not cross such a network
      const fresh = this.boot([lanOf(veteran)]);
      this.clean(fresh, veteran, "a fresh kernel calls one of the storm");
      this.clean(veteran, fresh, "one of the storm calls a fresh kernel");
    }
    if (world.options.forging) return;
    for (const client of veterans) {
      if (client.interfaces[0]?.trusted === false) continue;
      const server = veterans.find((other) => other !== client && lanOf(other) === lanOf(client));
      if (server !== undefined) this.clean(client, server, "two of the storm");
    }
  }

  /** One call of some bytes and its echo; tries until it works. */
  clean(client: Machine, server: Machine, who: string): void {
    const { world, random } = this;
    const name = randomBytes(random, 6);
    const data = randomBytes(random, cleanBytes);
    const started = world.now;
    const outcomes: number[] = [];
    for (;;) {
      const outcome = this.#echo(client, server, name, data);
      if (outcome === 0) break;
      outcomes.push(outcome);
      if (world.now - started > recoverySeconds * second) {
        const [mine, theirs] = [client, server].map((machine) => JSON.stringify(machine.interfaces[0]));
        if (process.env.PROTEUS_FUZZ_TRACE) console.log(client.counters(), server.counters());
        throw new Error(`${who}: no call succeeds, ${outcomes.slice(-10).join(" ")} ${mine} ${theirs}`);
      }
      world.run(second / 10);
    }
    for (const machine of [client, server]) {
      if (machine.threadsBusy !== 0) throw new Error(`${who}: ${machine.threadsBusy} threads stay busy`);
    }
  }

  #echo(client: Machine, server: Machine, name: Uint8Array, data: Uint8Array): number {
    const { world } = this;
    const [request, requestData] = [server.take(32), server.take(cleanBytes)];
    const [call, callData, reply] = [client.take(32), client.take(cleanBytes), client.take(cleanBytes)];
    server.bytes.set(name, request);
    client.bytes.fill(0, call, call + 32);
    client.bytes.set(publicPort(client, name), call);
    client.bytes.set(data, callData);
    let outcome: number | undefined;
    const service = server.begin(
      () => server.call.rpc_getreq(request, requestData, cleanBytes, world.now),
      (status, length, handle) => {
        if (status !== 0) return;
        server.enter(() => server.call.rpc_putrep(handle, request, requestData, length, world.now));
      },
    );
    const handle = client.begin(
      () => client.call.rpc_trans(call, callData, cleanBytes, call, reply, cleanBytes, 0, world.now),
      (status, length) => {
        outcome = status;
        if (status === 0 && length !== cleanBytes) throw new Error(`a clean reply has ${length} bytes`);
      },
    );
    if (handle < 0 || service < 0) throw new Error(`a clean call was refused: ${handle} ${service}`);
    world.settle(server);
    world.settle(client);
    world.run(20 * second, () => outcome !== undefined);
    if (outcome === 0) {
      const came = client.bytes.subarray(reply, reply + cleanBytes);
      if (came.some((byte, index) => byte !== data[index])) throw new Error("a clean reply has other bytes");
    }
    if (outcome === undefined) client.enter(() => client.call.rpc_kill(handle, world.now));
    world.run(second / 2);
    server.enter(() => server.call.rpc_kill(service, world.now));
    world.settle(server);
    for (const at of [request, requestData]) server.give(at);
    for (const at of [call, callData, reply]) client.give(at);
    return outcome ?? -100;
  }
}

function publicPort(machine: Machine, getPort: Uint8Array): Uint8Array {
  const at = machine.take(16);
  machine.bytes.set(getPort, at);
  machine.call.port_one_way(at, at + 8);
  const port = machine.bytes.slice(at + 8, at + 14);
  machine.give(at);
  return port;
}

/** One case: a storm of so many changed frames, and its aftermath. */
export function converse(
  seed: number,
  module: WebAssembly.Module,
  changes: number,
  seen: (machine: Machine) => void,
): Played {
  const conversation = new Conversation(seed, module);
  const { world, workloads } = conversation;
  conversation.storm(changes);
  const { changed, delivered } = world;
  conversation.aftermath();
  conversation.recovery();
  world.machines.forEach(seen);
  const sum = (of: (workload: Workload) => number): number =>
    workloads.reduce((total, workload) => total + of(workload), 0);
  return { changed, delivered, calls: sum((one) => one.calls), replies: sum((one) => one.replies) };
}
