// A deterministic world in virtual time: machines with real kernels on LANs with faults.
//
// - One step: every machine that has something to do takes turns until all are quiet, then
//   the clock jumps to the next frame, action or kernel deadline. Idle machines cost nothing.
// - `run` is for programs of callbacks. `live` also lets promises go on after each step, a
//   bounded number of turns of the microtask queue at a time: servers as they are written
//   for real machines run in it unchanged.
// - Everything random comes from the seed, in streams of their own: kernel ids (`random`),
//   the faults of frames (`dice`), and what a program draws (`stream`).
// - Times are whole microseconds.

import { SeededRandom } from "../../drivers/fault/random.js";
import { EventQueue } from "./events.js";
import { EventHash } from "./hash.js";
import { type Air, Lan, type LanOptions } from "./lan.js";
import { Machine, type MachineOptions } from "./machine.js";

export const MILLISECOND = 1000;
export const SECOND = 1_000_000;
export const HOUR = 3600 * SECOND;

/** So many turns of the microtask queue without anything new: the promises wait for the world. */
const quietTurns = 24;
const turnsMax = 100_000;
const eventsAtOnceMax = 200_000;
const roundsMax = 50_000;

export class World implements Air {
  now = 0;
  /** Goes up when a program may have something to do: a completion was handed out. */
  activity = 0;
  /** Sees every frame that is sent, on any LAN. */
  onSend: ((frame: Uint8Array) => void) | null = null;
  readonly random: SeededRandom;
  readonly dice: SeededRandom;
  readonly events = new EventQueue();
  readonly hash = new EventHash();
  readonly lans: Lan[] = [];
  readonly machines: Machine[] = [];
  readonly #dirty: Machine[] = [];
  #macs = 0;
  #stepsAtThisTime = 0;

  /** `module`: the compiled kernel.wasm of every machine. */
  constructor(
    readonly seed: number,
    readonly module: WebAssembly.Module,
  ) {
    this.random = new SeededRandom(seed);
    this.dice = this.stream(1);
  }

  /** A generator of its own, the same for the same seed and number. */
  stream(number: number): SeededRandom {
    return new SeededRandom((Math.imul(this.seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b)) | 0);
  }

  lan(options: LanOptions = {}): Lan {
    const lan = new Lan(this, { name: `lan${this.lans.length}`, ...options });
    this.lans.push(lan);
    return lan;
  }

  /** A machine that runs from now on. */
  machine(name: string, lans: Lan | readonly Lan[], options: MachineOptions = {}): Machine {
    const on = lans instanceof Lan ? [lans] : lans;
    const machine = new Machine(this, this.machines.length, name, on, options);
    this.machines.push(machine);
    machine.boot();
    return machine;
  }

  nextMac(): Uint8Array {
    this.#macs++;
    return Uint8Array.of(2, 0, 0, 0, this.#macs >> 8, this.#macs & 0xff);
  }

  at(time: number, action: () => void): void {
    this.events.add(Math.max(time, this.now), action);
  }

  after(microseconds: number, action: () => void): void {
    this.at(this.now + microseconds, action);
  }

  /** Resolves after so many microseconds of virtual time; only inside `live`. */
  sleep(microseconds: number): Promise<void> {
    return new Promise((resolve) => this.after(microseconds, resolve));
  }

  /** For machines: it wants a turn. */
  wants(machine: Machine): void {
    this.#dirty.push(machine);
  }

  /** Runs until `done` says so or `limit` microseconds have passed; true when `done` did. */
  run(done: () => boolean = () => false, limit: number = 60 * SECOND): boolean {
    const until = this.now + limit;
    for (;;) {
      this.#settle();
      if (done()) return true;
      const next = this.#next();
      if (next > until) {
        this.now = until;
        return false;
      }
      this.#advance(next);
    }
  }

  /** The same for programs with promises. */
  async live(done: () => boolean = () => false, limit: number = 60 * SECOND): Promise<boolean> {
    const until = this.now + limit;
    let seen = -1;
    for (;;) {
      this.#settle();
      if (this.#activities() !== seen) {
        await this.#quiet();
        seen = this.#activities();
        if (this.#dirty.length > 0) continue;
      }
      if (done()) return true;
      const next = this.#next();
      if (next > until) {
        this.now = until;
        return false;
      }
      this.#advance(next);
    }
  }

  #activities(): number {
    return this.activity + this.events.actions;
  }

  /** Lets promises go on until they ask for nothing more. */
  async #quiet(): Promise<void> {
    let quiet = 0;
    let before = this.events.size + this.#dirty.length;
    for (let turns = 0; quiet < quietTurns; turns++) {
      if (turns > turnsMax) throw new Error(`the promises never wait for the world at ${this.now}`);
      await null;
      const after = this.events.size + this.#dirty.length;
      quiet = after === before ? quiet + 1 : 0;
      before = after;
    }
  }

  #next(): number {
    let next = this.events.next;
    for (const machine of this.machines) if (machine.due < next) next = machine.due;
    return next;
  }

  #advance(time: number): void {
    if (time > this.now) this.#stepsAtThisTime = 0;
    else if (++this.#stepsAtThisTime > 100_000) throw new Error(`time stands still at ${this.now}`);
    if (time > this.now) this.now = time;
    const { events, now } = this;
    for (let fired = 0; events.next <= now; fired++) {
      if (fired > eventsAtOnceMax) throw new Error(`events at ${now} never end`);
      events.fire();
    }
    for (const machine of this.machines) if (machine.due <= now) machine.wake();
  }

  #settle(): void {
    const dirty = this.#dirty;
    let turned = 0;
    while (turned < dirty.length) {
      (dirty[turned] as Machine).takeTurn();
      turned++;
      if (turned > roundsMax) throw new Error(`the kernels never become quiet at ${this.now}`);
    }
    dirty.length = 0;
  }
}
