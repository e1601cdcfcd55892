// What programs on a machine do: serve, call, change their minds, and make mistakes.
//
// - Services answer with as many bytes as the call asks for, sooner or later or never;
//   some forward, some die. Calls are of all sizes up to 200 KB, some are signalled or
//   killed on the way.
// - Mistakes: stale and invented handles, buffers outside the memory, negative lengths.
// - Every buffer goes back when its call or service has ended; `end` kills what is left.

import * as layout from "../../core-wasm/layout.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import { extreme, pick, randomBytes } from "./frames.js";
import type { Machine } from "./machine.js";
import type { World } from "./world.js";

const headerBytes = 32;
const dataMax = 200_000;

export class Workload {
  readonly #random: SeededRandom;
  readonly #alive = new Map<number, readonly number[]>();
  readonly #old: number[] = [];
  calls = 0;
  replies = 0;
  running = true;

  constructor(
    readonly world: World,
    readonly machine: Machine,
    readonly getPorts: readonly Uint8Array[],
    readonly putPorts: readonly Uint8Array[],
  ) {
    this.#random = world.options.random;
  }

  #size(): number {
    const random = this.#random;
    const most = pick(random, [0, 1, 100, 1402, 1403, 3000, 3000, 9000, 20_000, 60_000, dataMax]);
    return random.chance(0.5) ? most : random.below(most + 1);
  }

  #header(port: Uint8Array, offset: number): number {
    const at = this.machine.take(headerBytes);
    this.machine.bytes.fill(0, at, at + headerBytes);
    this.machine.bytes.set(port, at);
    this.machine.view.setInt32(at + 24, offset, true);
    return at;
  }

  /** Enters the kernel, then lets the world have what that led to. */
  #enter(entry: () => number): number {
    const answer = this.machine.enter(entry);
    this.world.settle(this.machine);
    return answer;
  }

  #over(handle: number): void {
    this.#alive.get(handle)?.forEach((buffer) => {
      this.machine.give(buffer);
    });
    this.#alive.delete(handle);
    this.#old.push(handle);
    if (this.#old.length > 16) this.#old.shift();
  }

  #begun(handle: number, buffers: readonly number[]): void {
    if (handle >= 0) this.#alive.set(handle, buffers);
    else for (const buffer of buffers) this.machine.give(buffer);
    this.world.settle(this.machine);
  }

  /** A program waits for a request to one of its ports. */
  serve(): void {
    const { machine, world } = this;
    const size = this.#size();
    const header = this.#header(pick(this.#random, this.getPorts), 0);
    const buffer = machine.take(size);
    const handle = machine.begin(
      () => machine.call.rpc_getreq(header, buffer, size, world.now),
      (status) => this.#requested(status, handle, header),
    );
    this.#begun(handle, [header, buffer]);
    if (handle >= 0 && this.#random.chance(0.1)) this.#signalLater(handle);
  }

  #requested(status: number, handle: number, header: number): void {
    if (status !== 0) {
      this.#over(handle);
      return;
    }
    const random = this.#random;
    const asked = this.machine.view.getInt32(header + 24, true);
    const kind = random.below(20);
    if (kind === 0) return; // forgotten: killed at the end
    const act = (): void => {
      if (!this.#alive.has(handle)) return;
      if (kind === 1) this.kill(handle);
      else if (kind === 2) this.#forward(handle);
      else this.#reply(handle, Math.min(Math.max(asked, 0), dataMax));
    };
    if (random.chance(0.3)) act();
    else this.world.at(pick(random, [0, 1, 500, 20_000, 700_000]), act);
  }

  #reply(handle: number, size: number): void {
    const { machine, world } = this;
    const header = this.#header(new Uint8Array(6), 0);
    const data = machine.take(size);
    const before = this.#alive.get(handle) ?? [];
    const status = machine.enter(() => machine.call.rpc_putrep(handle, header, data, size, world.now));
    if (status >= 0) {
      this.#alive.set(handle, [...before, header, data]);
      machine.waiting.set(handle, () => this.#over(handle));
    } else {
      machine.give(header);
      machine.give(data);
    }
    world.settle(machine);
  }

  #forward(handle: number): void {
    const { machine, world } = this;
    machine.bytes.set(pick(this.#random, world.words.addresses), layout.SCRATCH_ADDRESS);
    const status = machine.enter(() => machine.call.rpc_forward(handle, layout.SCRATCH_ADDRESS, world.now));
    if (status >= 0) machine.waiting.set(handle, () => this.#over(handle));
    else this.kill(handle);
    world.settle(machine);
  }

  /** A program calls some port. */
  transact(): void {
    const { machine, world } = this;
    const random = this.#random;
    const size = this.#size();
    const capacity = this.#size();
    const wanted = random.chance(0.8) ? capacity : this.#size();
    const header = this.#header(pick(random, this.putPorts), wanted);
    const replyHeader = random.chance(0.3) ? header : machine.take(headerBytes);
    const data = machine.take(size);
    machine.bytes.fill(random.below(256), data, data + size);
    const reply = machine.take(capacity);
    const options = random.chance(0.3) ? this.#options() : 0;
    const legacy = random.chance(0.1);
    const entry = legacy ? machine.call.trans : machine.call.rpc_trans;
    const handle = machine.begin(
      () => entry(header, data, size, replyHeader, reply, capacity, options, world.now),
      (status) => {
        if (status === 0) this.replies++;
        this.#over(handle);
      },
    );
    if (handle >= 0) this.calls++;
    const buffers = replyHeader === header ? [header, data, reply] : [header, replyHeader, data, reply];
    this.#begun(handle, buffers);
    if (handle >= 0 && random.chance(0.2)) this.#signalLater(handle);
  }

  #signalLater(handle: number): void {
    const { machine, world } = this;
    const kill = this.#random.chance(0.4);
    world.at(this.#random.below(30_000), () => {
      if (!this.#alive.has(handle)) return;
      if (kill) this.kill(handle);
      else this.#enter(() => machine.call.rpc_signal(handle, world.now));
    });
  }

  #options(): number {
    const at = layout.SCRATCH_ADDRESS + 64;
    this.machine.view.setUint32(at, pick(this.#random, [0, 1, 300, 2000, 0xffffffff]), true);
    this.machine.view.setUint32(at + 4, pick(this.#random, [0, 1, 50, 500]), true);
    this.machine.view.setUint32(at + 8, pick(this.#random, [0, 1, 100, 1000, 5000]), true);
    return at;
  }

  /** The death of a thread: nothing is heard of it any more. */
  kill(handle: number): void {
    const { machine, world } = this;
    machine.waiting.delete(handle);
    machine.enter(() => machine.call.rpc_kill(handle, world.now));
    if (this.#alive.has(handle)) this.#over(handle);
    world.settle(machine);
  }

  /** A program does what it must not. */
  blunder(): void {
    const { machine, world } = this;
    const random = this.#random;
    const { call } = machine;
    const alive = [...this.#alive.keys()];
    const handle = random.chance(0.6) && this.#old.length > 0 ? pick(random, this.#old) : extreme(random) | 0;
    const stranger = this.#alive.has(handle) ? -1 : handle;
    const end = machine.bytes.length;
    const address = pick(random, [0, 1, 1024, 3071, end - 16, end, 0x7fffffff, 0xffffffff, 0xfffffff0]);
    const length = pick(random, [-1, -2147483648, 0x7fffffff, 0x7fffff01, end, 33]);
    const good = layout.SCRATCH_ADDRESS;
    machine.bytes.set(pick(random, this.putPorts), good);
    const blunders: readonly (() => number)[] = [
      () => call.rpc_trans(address, good, 1, good, good, 1, 0, world.now),
      () => call.rpc_trans(good, address, length, good, good, 1, 0, world.now),
      () => call.rpc_trans(good, good, 1, address, good, 1, 0, world.now),
      () => call.rpc_trans(good, good, 1, good, address, length, 0, world.now),
      () => call.rpc_getreq(address, good, 1, world.now),
      () => call.rpc_getreq(good, address, length, world.now),
      () => call.getreq(good, address, 30_001, world.now),
      () => call.trans(good, good, 30_001, good, good, 1, 0, world.now),
      () => call.putrep(stranger, good, good, pick(random, [1, 30_001]), world.now),
      () => call.rpc_putrep(stranger, good, good, 1, world.now),
      () => (alive.length > 0 ? call.rpc_putrep(pick(random, alive), address, good, -1, world.now) : 0),
      () => call.rpc_signal(stranger, world.now),
      () => call.rpc_kill(stranger, world.now),
      () => call.rpc_source(stranger, good),
      () => (alive.length > 0 ? call.rpc_source(pick(random, alive), address) : 0),
      () => call.rpc_forward(stranger, good, world.now),
      () => call.rpc_forward(stranger, address, world.now),
      () => call.network_set(pick(random, [-1, 16, 2 ** 31]), 1, 1),
      () => call.network_add(pick(random, [end - 5, end, 0x7fffffff, 0xffffffff]), 1500, 3, 1, 64),
      () => call.network_add(good, pick(random, [-1, 0, 575, 65_536]), 3, 1, 64),
      () => call.network_add(good, 1500, pick(random, [-1, 0, 26]), 1, 64),
      () => machine.receiveAstray(pick(random, [-1, 7, 2 ** 31]), world.now),
      () => call.receive(0, address, length, world.now),
      () => call.flip_multicast(address, good, 1, 1, world.now),
      () => call.flip_known(address),
      () => call.flip_register(address) * 0,
    ];
    const doomed = pick(random, blunders);
    const answer = this.#enter(doomed);
    if (answer > 0 && !blunders.slice(-2).includes(doomed))
      throw new Error(`a mistake was answered with handle ${answer}`);
  }

  /** A network goes down, and comes back after a while. */
  unplug(): void {
    const { machine, world } = this;
    const network = this.#random.below(machine.interfaces.length);
    const trusted = machine.interfaces[network]?.trusted === false ? 0 : 1;
    const set = (up: number): number => this.#enter(() => machine.call.network_set(network, up, trusted));
    set(0);
    world.at(this.#random.below(pick(this.#random, [50_000, 6_000_000])), () => set(1));
  }

  /** Group addresses: registered, called, given up. */
  groupwork(): void {
    const { machine, world } = this;
    const random = this.#random;
    const at = layout.SCRATCH_ADDRESS;
    machine.bytes.set(
      random.chance(0.5) ? Uint8Array.of(7, 7, 7, 7, 7, 7, 7, 0) : randomBytes(random, 8),
      at,
    );
    const kind = random.below(4);
    if (kind === 0) this.#enter(() => machine.call.flip_register(at));
    else if (kind === 1) this.#enter(() => machine.call.flip_unregister(at));
    else {
      machine.bytes.set(pick(random, world.words.addresses), at);
      const size = pick(random, [0, 56, 5000]);
      this.#enter(() =>
        machine.call.flip_multicast(at, machine.bytes.length - 8192, size, random.below(3), world.now),
      );
    }
  }

  /** Ends everything that is still going on here. */
  end(): void {
    this.running = false;
    for (const handle of [...this.#alive.keys()]) if (this.#alive.has(handle)) this.kill(handle);
  }

  get open(): number {
    return this.#alive.size;
  }
}
