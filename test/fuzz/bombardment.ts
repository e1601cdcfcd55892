// Frames made up for one kernel: rubbish, recorded frames changed, and frames that fit it.
//
// - The kernel has two networks, services waiting, calls under way and a clock that moves,
//   so that what fits it meets something. What it sends teaches the maker of frames.
// - Every entry is judged by machine.ts. At the end all is killed, the counters must add
//   up, and one clean call within the kernel must still work.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../control/cli/package-files.js";
import { fromHex } from "../../control/kernel/bytes.js";
import type { Limits } from "../../control/kernel/limits.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { FrameMaker, pick, randomBytes } from "./frames.js";
import { Machine } from "./machine.js";
import { Mutator } from "./mutate.js";
import { Workload } from "./workload.js";
import { World } from "./world.js";

const folder = join(packageRoot, "test", "vectors", "captures");
const recorded: readonly Uint8Array[] = readdirSync(folder).flatMap((file) => {
  const { frames } = JSON.parse(readFileSync(join(folder, file), "utf8")) as { frames: { hex: string }[] };
  return frames.map(({ hex }) => fromHex(hex) ?? new Uint8Array(0));
});

const macs = [1, 2].map((network) => Uint8Array.of(2, 0, 0, 8, network, 1));
const strangers = [1, 2, 3, 4, 5, 6].map((name) => Uint8Array.of(2, 0, 0, 8, 9, name));
const limits: Partial<Limits> = {
  networks: 2,
  neighbours: 12,
  routes: 32,
  locations: 48,
  endpoints: 4,
  locates: 8,
  broadcastsSeen: 32,
  frames: 16,
  frameBytes: 2_000,
  threads: 16,
  ports: 16,
  portCache: 8,
  clientKernels: 4,
  duplicateWindow: 1024,
  forgottenKernels: 8,
  stashBytes: 8_192,
  groups: 2,
  groupOperations: 16,
  groupBytes: 16_384,
};

/** Tables so small that everything is full all the time. */
function tiny(random: SeededRandom): Partial<Limits> {
  const few = (): number => 1 + random.below(3);
  return {
    networks: 2,
    neighbours: few(),
    routes: 1 + few(),
    locations: few(),
    endpoints: few(),
    locates: few(),
    broadcastsSeen: few(),
    broadcastsPerSecond: pick(random, [1, 5, 1000]),
    frames: few(),
    frameBytes: pick(random, [600, 1536]),
    threads: 1 + few(),
    ports: few(),
    portCache: few(),
    clientKernels: few(),
    duplicateWindow: 1024,
    forgottenKernels: few(),
    stashBytes: pick(random, [64, 1600]),
    groups: 1,
    groupOperations: few(),
    groupBytes: pick(random, [128, 8_192]),
  };
}

export interface Bombardment {
  readonly seed: number;
  readonly module: WebAssembly.Module;
  readonly frames: number;
  /** Ever new machines, addresses and kernels, into tables for two or three of them. */
  readonly crowd: boolean;
  readonly seen: (machine: Machine) => void;
}

/** One case: so many frames into one kernel. */
export function bombard({ seed, module, frames, crowd, seen }: Bombardment): void {
  const random = new SeededRandom(seed);
  const world = new World({ random, malice: 0, forging: true, frameMax: 1514 });
  const interfaces = macs.map((mac, lan) => ({
    mac,
    lan,
    mtu: 1500,
    trusted: lan === 0 || random.chance(0.7),
  }));
  const own = random.chance(0.2) ? { extensions: random.below(64) } : {};
  const machine = new Machine({
    module,
    random,
    limits: { ...(crowd ? tiny(random) : limits), ...own, deadMs: pick(random, [300, 2000]) },
    transmitsLost: crowd ? 0.05 : 0,
    memoryBytes: 4 * 1024 * 1024,
    interfaces,
  });
  world.add(machine);
  const { words } = world;
  words.macs.push(...strangers);
  for (let i = 0; i < 8; i++) words.addresses.push(randomBytes(random, 8));
  for (let i = 0; i < 6; i++) words.kernelIds.push(randomBytes(random, 8));
  const maker = new FrameMaker(random, words, 1514);
  const mutator = new Mutator(random, words, 1514);
  const gets = [1, 2].map((name) => Uint8Array.of(name, 2, 2, 2, 2, 2));
  const puts = gets.map((port) => putPort(machine, port));
  const elsewhere = Uint8Array.of(5, 5, 5, 5, 5, 5);
  words.ports.push(...puts, elsewhere);
  const workload = new Workload(world, machine, gets, [puts[0] ?? elsewhere, elsewhere, elsewhere]);

  const next = (network: number): Uint8Array => {
    const kind = random.below(20);
    if (kind === 0) return randomBytes(random, random.below(1600));
    if (kind < 4) {
      const frame = mutator.mutate(pick(random, recorded));
      if (frame.length >= 6 && random.chance(0.9)) frame.set(macs[network] ?? frame.subarray(0, 6));
      return frame;
    }
    const heard = world.heard;
    if (kind < 8 && heard.length > 0)
      return mutator.mutate(answering(pick(random, heard), pick(random, words.macs)));
    return maker.frame(macs[network] ?? new Uint8Array(6));
  };

  const newcomer = (): void => {
    words.macs[random.below(words.macs.length)] = Uint8Array.of(2, ...randomBytes(random, 5));
    words.addresses[1 + random.below(words.addresses.length - 1)] = randomBytes(random, 8);
    words.kernelIds[random.below(words.kernelIds.length)] = randomBytes(random, 8);
  };

  for (let i = 0; i < frames; i++) {
    const network = random.below(2);
    if (crowd) newcomer();
    const frame = next(network);
    world.turn(machine, () => machine.receive(network, frame, world.now));
    if (random.chance(0.06)) workload.serve();
    if (random.chance(0.06)) workload.transact();
    if (random.chance(0.02)) workload.blunder();
    if (random.chance(0.01)) workload.groupwork();
    if (random.chance(0.001)) workload.unplug();
    if (random.chance(0.003)) workload.end();
    world.run(pick(random, [0, 1, 100, 2_000, 20_000]));
    if (random.chance(0.001)) world.run(400_000_000);
  }
  workload.end();
  world.run(10_000_000);
  if (machine.threadsBusy !== 0) throw new Error(`${machine.threadsBusy} threads stay busy`);
  if (machine.taken !== 0) throw new Error(`${machine.taken} buffers were not given back`);
  machine.checkCounters();
  localCall(world, machine);
  seen(machine);
}

/** A frame that the kernel sent, turned round: as if its receiver had sent it back. */
function answering(frame: Uint8Array, from: Uint8Array): Uint8Array {
  const copy = frame.slice();
  copy.set(frame.subarray(6, 12), 0);
  copy.set(from, 6);
  const at = frame[14] === 0 ? 16 : frame[14] === 0x51 ? 20 : 0;
  if (at > 0 && frame.length >= at + 24) {
    copy.set(frame.subarray(at + 16, at + 24), at + 8);
    copy.set(frame.subarray(at + 8, at + 16), at + 16);
  }
  return copy;
}

function putPort(machine: Machine, getPort: Uint8Array): Uint8Array {
  const at = machine.take(16);
  machine.bytes.set(getPort, at);
  machine.call.port_one_way(at, at + 8);
  const port = machine.bytes.slice(at + 8, at + 14);
  machine.give(at);
  return port;
}

/** After all that, a call within the kernel. */
function localCall(world: World, machine: Machine): void {
  const getPort = Uint8Array.of(7, 7, 7, 7, 7, 7);
  const [header, reply] = [machine.take(32), machine.take(32)];
  machine.bytes.set(getPort, header);
  let outcome: number | undefined;
  machine.begin(
    () => machine.call.rpc_getreq(header, header, 0, world.now),
    (status, _, handle) => {
      if (status === 0) machine.enter(() => machine.call.rpc_putrep(handle, header, header, 0, world.now));
    },
  );
  machine.bytes.set(putPort(machine, getPort), reply);
  machine.begin(
    () => machine.call.rpc_trans(reply, reply, 0, reply, reply, 0, 0, world.now),
    (status) => {
      outcome = status;
    },
  );
  world.settle(machine);
  world.run(1000);
  if (outcome !== 0) throw new Error(`a call within the kernel ended with ${outcome}`);
  if (machine.threadsBusy !== 0) throw new Error("a call within the kernel left a thread busy");
  machine.give(header);
  machine.give(reply);
}
