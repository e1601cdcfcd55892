// Takes a kernel's turns on a real machine: spins while something is going on, sleeps when not.
//
// - Turns run as microtasks, so that a caller's promise continues between two of them
//   without a trip through the event loop; a few follow each other directly while the
//   callbacks themselves go on calling. Every millisecond the loop yields to timers and
//   other I/O.
// - It waits inside a turn (the device's spin) only when the last one had nothing to hand
//   out; after SPIN_WINDOW without anything it watches the devices and sleeps.
// - A program that only listens to a stream (a member of a busy group that sends nothing) is
//   not woken for every frame: after a few in quick succession that it had no answer to, it
//   dozes for a millisecond and takes what has gathered.
// - A program that waits for files and sockets more than for frames says so (`calm`): it sleeps as
//   soon as nothing is there, since what it waits for comes only between two looks.
// - A program that has a clock of its own to watch (an open loop of calls) may ask to be called
//   after every turn: then nothing waits or sleeps until it has enough.
// - One thread: kernel, rings and servers. An idle machine costs a timer now and then.

import type { Kernel } from "../kernel/kernel.js";

/** How long one look at the ring may last, microseconds. */
const spinTurnUs = 20;
/** Nothing for so long, and in so many looks: sleep in the event loop. */
const spinWindowUs = 60;
const spinTurns = 3;
/** Nothing for so long: sleep whatever the looks were, the core belongs to somebody else. */
const spinMostUs = 1000;
/** Let timers and other I/O run at least this often. */
const yieldEveryUs = 1000;
/** Turns without waiting after something was handed out: promises need a few steps to go on. */
const quietTurns = 6;
/** Turns in a row without letting microtasks run, while callbacks alone keep the calls going. */
const turnsInARow = 8;

/** No looks for so long after something outside the network was used. */
const calmUs = 100_000;

/** Woken again within this time by a frame, */
const streamUs = 500;
/** so many times in a row without sending anything, a program only listens, */
const streamWakes = 4;
/** and looks again after this. */
const dozeMs = 1;

/** Runs a step as a microtask; queueMicrotask makes a resource for tracing each time. */
const resolved = Promise.resolve();

/** Microseconds of this machine's CLOCK_MONOTONIC: the kernel's `clock`. */
export function microseconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1000);
}

export class Loop {
  readonly #kernel: Kernel;
  /** Looks at the ring for a while before it sleeps; off: sleeps as soon as nothing is there. */
  spins = true;
  #calmUntil = 0;
  #turning = false;
  #closed = false;
  #watching = false;
  #turns = 0; // since something was handed out
  #sleptAt = 0;
  #sentAt = 0; // the kernel's count of frames sent when it went to sleep
  #works = 0; // turns in which something happened
  #worksBefore = 0;
  #listened = 0; // wakes in quick succession without anything sent
  #lastWork = 0;
  #lastYield = 0;
  #timer: NodeJS.Timeout | undefined;
  #failed: ((error: unknown) => void) | null = null;
  #everyTurn: (() => boolean) | null = null;
  readonly #awake = (): void => this.#wake();
  readonly #frameCame = (): void => {
    const quick = microseconds() - this.#sleptAt < streamUs;
    this.#listened = quick ? this.#listened + 1 : 0;
    this.#wake();
  };
  /** As long as frames gather while it dozes, it goes on so. */
  readonly #doze = (): void => {
    if (this.#works === this.#worksBefore) this.#listened = 0;
    this.#worksBefore = this.#works;
    this.#wake();
  };
  readonly #step = (): void => this.#hop();

  /** Starts at once; the devices are attached already. `failed` gets what a turn throws. */
  constructor(kernel: Kernel, failed?: (error: unknown) => void) {
    this.#kernel = kernel;
    this.#failed = failed ?? null;
    kernel.wake = () => this.#wake();
    this.#sleep();
    this.#wake();
  }

  /** Calls it after every turn until it answers false; the core is this program's so long. */
  everyTurn(look: () => boolean): void {
    this.#everyTurn = look;
    this.#wake();
  }

  /** Files or sockets are being used: for a while it does not look at the ring, and sleeps at once. */
  calm(): void {
    this.#calmUntil = microseconds() + calmUs;
  }

  #wake(): void {
    this.#turns = quietTurns; // whoever called has something to send: no need to wait for it
    if (this.#turning || this.#closed) return;
    this.#turning = true;
    this.#lastWork = microseconds();
    this.#lastYield = this.#lastWork;
    this.#kernel.rested(this.#lastWork);
    void resolved.then(this.#step);
  }

  #hop(): void {
    try {
      const kernel = this.#kernel;
      for (let row = 1; !this.#closed; row++) {
        const spins = this.spins && kernel.turnedAt > this.#calmUntil;
        const waits = spins && this.#turns >= quietTurns && this.#everyTurn === null;
        const work = kernel.turn(waits ? spinTurnUs : 0);
        const now = kernel.turnedAt;
        if (this.#everyTurn !== null && !this.#everyTurn()) this.#everyTurn = null;
        const sends = kernel.sendsPending;
        if (work > 0) {
          this.#turns = sends ? quietTurns : 0;
          this.#lastWork = now;
          this.#works++;
        } else if (
          this.#turns >= quietTurns &&
          this.#everyTurn === null &&
          (!spins || this.#looksOver(now))
        ) {
          this.#sleep();
          return;
        } else {
          this.#turns++;
        }
        if (now - this.#lastYield > yieldEveryUs) {
          this.#lastYield = now;
          this.#watch(false); // busy: each frame would go through the event loop as well
          setImmediate(this.#step);
          return;
        }
        if (!sends || row >= turnsInARow) {
          // One that waits comes behind all that promises have to do, however many steps that takes.
          if (spins && this.#turns >= quietTurns) process.nextTick(this.#step);
          else void resolved.then(this.#step);
          return;
        }
      }
    } catch (error) {
      this.close();
      if (this.#failed !== null) this.#failed(error);
      else
        setImmediate(() => {
          throw error;
        });
    }
  }

  /** It has looked at the ring long enough; others may have had the core in a look (spin.h). */
  #looksOver(now: number): boolean {
    const nothing = now - this.#lastWork;
    return nothing > spinMostUs || (nothing > spinWindowUs && this.#turns >= quietTurns + spinTurns);
  }

  #watch(on: boolean): void {
    if (this.#watching === on) return;
    this.#watching = on;
    for (const device of this.#kernel.devices) device.watch(on ? this.#frameCame : null);
  }

  #sleep(): void {
    this.#turning = false;
    const { transmits } = this.#kernel;
    if (transmits !== this.#sentAt) this.#listened = 0;
    this.#sentAt = transmits;
    this.#sleptAt = microseconds();
    const dozes = this.#listened >= streamWakes;
    this.#watch(!dozes);
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (dozes) {
      this.#timer = setTimeout(this.#doze, dozeMs);
      return;
    }
    const deadline = this.#kernel.nextDeadline();
    if (deadline === Number.POSITIVE_INFINITY) return;
    const wait = Math.max(1, Math.ceil((deadline - microseconds()) / 1000));
    this.#timer = setTimeout(this.#awake, wait);
  }

  /** Stops taking turns and closes the devices. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#kernel.wake = null;
    for (const device of this.#kernel.devices) device.watch(null);
    this.#kernel.close();
  }
}
