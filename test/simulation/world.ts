// A deterministic world in virtual time: machines with real kernels on LANs with faults.
//
// - One step: every machine that has something to do takes turns until all are quiet,
//   then the clock jumps to the next frame, action or kernel deadline.
// - A crash drops the kernel where it stands; frames in the air stay. The next boot is a
//   new instance of kernel.wasm behind the same MAC address.
// - Everything random comes from one seed: kernel ids, faults, whatever a test draws.

import { kernelBytes } from "../../control/cli/package-files.js";
import { Kernel } from "../../control/kernel/kernel.js";
import type { Limits } from "../../control/kernel/limits.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { type CallEnd, type CallRequest, callOn, type Handler, serveOn } from "./calls.js";
import { EventQueue } from "./events.js";
import { type Air, Lan, type LanOptions, type Socket } from "./wire.js";

export const MILLISECOND = 1000;
export const SECOND = 1_000_000;

let compiled: WebAssembly.Module | null = null;

/** kernel.wasm, compiled once a process. */
function kernelModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(kernelBytes());
  return compiled;
}

/** Few entries of everything: thousands of kernels fit, and tables do run full. */
export const smallLimits: Partial<Limits> = {
  memoryBytes: 6 * 1024 * 1024,
  networks: 4,
  neighbours: 64,
  routes: 128,
  locations: 256,
  locates: 32,
  frames: 256,
  threads: 64,
  ports: 64,
  portCache: 64,
  clientKernels: 32,
  duplicateWindow: 4096,
  forgottenKernels: 256,
  stashBytes: 65536,
  groups: 2,
  groupOperations: 64,
  groupBytes: 65536,
};

export interface MachineOptions {
  readonly limits?: Partial<Limits>;
  /** Networks of these indexes are not trusted. */
  readonly untrusted?: readonly number[];
  readonly mtu?: number;
}

/** A machine: its MAC addresses last, its kernels come and go. */
export class Machine {
  kernel: Kernel | null = null;
  boots = 0;
  dirty = false;
  deadline = Number.POSITIVE_INFINITY;
  /** What its programs do after every boot. */
  onBoot: (() => void) | null = null;
  readonly sockets: readonly Socket[];

  constructor(
    readonly world: World,
    readonly name: string,
    lans: readonly Lan[],
    readonly options: MachineOptions,
  ) {
    const wake = (): void => {
      this.dirty = true;
    };
    this.sockets = lans.map((lan) => lan.socket(name, world.nextMac(), wake, options.mtu));
  }

  boot(): Kernel {
    if (this.kernel !== null) throw new Error(`${this.name} runs already`);
    const kernel = new Kernel({
      module: kernelModule(),
      clock: () => this.world.now,
      random: (bytes) => {
        for (let i = 0; i < bytes.length; i++) bytes[i] = this.world.random.next();
      },
      limits: { ...smallLimits, ...this.options.limits },
      wake: () => {
        this.dirty = true;
      },
    });
    for (const [index, socket] of this.sockets.entries()) {
      kernel.attach(socket.open(), { trusted: !this.options.untrusted?.includes(index) });
    }
    this.kernel = kernel;
    this.boots++;
    this.dirty = true;
    this.onBoot?.();
    return kernel;
  }

  /** The power goes: what was not on the wire is lost, nobody is told. */
  crash(): void {
    for (const socket of this.sockets) socket.device?.close();
    this.kernel = null;
    this.deadline = Number.POSITIVE_INFINITY;
  }

  /** The kernel, which must run. */
  get running(): Kernel {
    if (this.kernel === null) throw new Error(`${this.name} is down`);
    return this.kernel;
  }

  /** Begins a call; `done` gets its end, unless this machine crashes first. */
  begin(request: CallRequest, done: (end: CallEnd) => void): number {
    return callOn(this, request, done);
  }

  /** Makes a call and runs the world until it ends, at most `limit` microseconds. */
  call(request: CallRequest, limit = 120 * SECOND): CallEnd {
    let end: CallEnd | null = null;
    this.begin(request, (given) => {
      end = given;
    });
    this.world.run(() => end !== null, limit);
    if (end === null) throw new Error(`the call did not end within ${limit / SECOND} s`);
    return end;
  }

  /** So many threads wait for requests to a get-port, from now until the next crash. */
  serve(getPort: Uint8Array, threads: number, capacity: number, handler: Handler): void {
    for (let i = 0; i < threads; i++) serveOn(this, getPort, capacity, handler);
  }

  takeTurn(): void {
    const kernel = this.kernel;
    this.dirty = false;
    if (kernel === null) return;
    if (kernel.turn(0) > 0) this.dirty = true;
    if (this.kernel === kernel) this.deadline = kernel.nextDeadline();
  }
}

/** See the head of this file. */
export class World implements Air {
  now = 0;
  readonly random: SeededRandom;
  readonly lans: Lan[] = [];
  readonly machines: Machine[] = [];
  readonly #events = new EventQueue();
  #macs = 0;
  #stepsAtThisTime = 0;

  constructor(readonly seed: number) {
    this.random = new SeededRandom(seed);
  }

  lan(options: LanOptions = {}): Lan {
    const lan = new Lan(this, options);
    this.lans.push(lan);
    return lan;
  }

  /** A machine that runs from now on. */
  machine(name: string, lans: Lan | readonly Lan[], options: MachineOptions = {}): Machine {
    const machine = new Machine(this, name, lans instanceof Lan ? [lans] : lans, options);
    this.machines.push(machine);
    machine.boot();
    return machine;
  }

  nextMac(): Uint8Array {
    this.#macs++;
    return Uint8Array.of(2, 0, 0, 0, this.#macs >> 8, this.#macs & 0xff);
  }

  at(time: number, action: () => void): void {
    this.#events.add(Math.max(time, this.now), action);
  }

  after(microseconds: number, action: () => void): void {
    this.at(this.now + microseconds, action);
  }

  /** Runs until `done` says so or `limit` microseconds have passed; true when `done` did. */
  run(done: () => boolean = () => false, limit: number = 60 * SECOND): boolean {
    const until = this.now + limit;
    for (;;) {
      this.#settle();
      if (done()) return true;
      let next = this.#events.next;
      for (const machine of this.machines) next = Math.min(next, machine.deadline);
      if (next > until) {
        this.now = until;
        return false;
      }
      this.#advance(next);
    }
  }

  #advance(time: number): void {
    if (time > this.now) this.#stepsAtThisTime = 0;
    else if (++this.#stepsAtThisTime > 100_000) throw new Error(`time stands still at ${this.now}`);
    this.now = Math.max(this.now, time);
    while (this.#events.next <= this.now) this.#events.take()();
    for (const machine of this.machines) if (machine.deadline <= this.now) machine.dirty = true;
  }

  #settle(): void {
    for (let rounds = 0; ; rounds++) {
      let busy = false;
      for (const machine of this.machines) {
        if (!machine.dirty) continue;
        busy = true;
        machine.takeTurn();
      }
      if (!busy) return;
      if (rounds > 100_000) throw new Error(`the kernels never become quiet at ${this.now}`);
    }
  }
}
