// A cable between two pseudo-terminals: what goes in at one end comes out at the other, as fast as
// a line of the given speed would carry it, with noise when that is asked for.
//
// - Noise: each byte is changed, lost, or followed by a stray one, each with the probability
//   `noise`; what happens depends on the seed alone.
// - What is under way is bounded; a sender that is faster has to wait, as on a line with flow
//   control. At an end where nobody takes anything for a while bytes are lost.
// - Nothing runs while nothing is under way.

import { SeededRandom } from "../fault/random.js";
import { PseudoTerminal } from "./pseudo-terminal.js";

export interface CableOptions {
  /** Bits a second; null: as fast as it goes. */
  readonly speed: number | null;
  /** Probability, for each byte, of each kind of damage. */
  readonly noise: number;
  readonly seed: number;
}

const bitsPerByte = 10;
const stepMs = 2;
/** Bytes under way in one direction, beyond which its sender is held. */
const queueBytesMax = 8192;
/** An end that takes nothing for so long has no listener. */
const deafMs = 200;

/** What noise makes of bytes. */
export function disturb(bytes: Uint8Array, noise: number, random: SeededRandom): Buffer {
  if (noise <= 0) return Buffer.from(bytes);
  const out: number[] = [];
  for (const byte of bytes) {
    if (!random.chance(noise)) out.push(random.chance(noise) ? byte ^ (1 << random.below(8)) : byte);
    if (random.chance(noise)) out.push(random.below(256));
  }
  return Buffer.from(out);
}

class Way {
  readonly #from: PseudoTerminal;
  readonly #to: PseudoTerminal;
  readonly #bytesPerMs: number;
  #queue: Buffer[] = [];
  #queued = 0;
  #held = false;
  #stuck = false;
  #timer: NodeJS.Timeout | undefined;
  #before = 0;
  #owed = 0;
  #tookAt = 0;

  constructor(from: PseudoTerminal, to: PseudoTerminal, { noise, seed, speed }: CableOptions) {
    this.#from = from;
    this.#to = to;
    this.#bytesPerMs = speed === null ? Number.POSITIVE_INFINITY : speed / bitsPerByte / 1000;
    const random = new SeededRandom(seed);
    from.onData((bytes) => {
      const damaged = disturb(bytes, noise, random);
      if (damaged.length === 0) return;
      this.#queue.push(damaged);
      this.#queued += damaged.length;
      if (speed === null) this.#move(Number.POSITIVE_INFINITY);
      this.#start();
      this.#hold();
    });
  }

  #start(): void {
    if (this.#timer !== undefined) return;
    this.#before = performance.now();
    this.#tookAt = this.#before;
    this.#owed = 0;
    this.#arm();
  }

  #arm(): void {
    this.#timer = this.#queued === 0 ? undefined : setTimeout(() => this.#step(), stepMs);
  }

  #step(): void {
    const now = performance.now();
    this.#owed += this.#bytesPerMs * (now - this.#before);
    this.#before = now;
    const most = Math.floor(this.#owed);
    const moved = this.#move(Number.isFinite(most) ? most : Number.POSITIVE_INFINITY);
    this.#owed = moved < most ? 0 : this.#owed - moved;
    if (moved > 0) this.#tookAt = now;
    else if (this.#stuck && now - this.#tookAt > deafMs) this.#lose();
    this.#arm();
  }

  #lose(): void {
    this.#queue = [];
    this.#queued = 0;
    this.#hold();
  }

  #hold(): void {
    const on = this.#queued > queueBytesMax;
    if (on === this.#held) return;
    this.#held = on;
    this.#from.hold(on);
  }

  /** Moves up to so many bytes on, as far as there is room; gives how many. */
  #move(bytesMax: number): number {
    let moved = 0;
    for (let first = this.#queue[0]; first !== undefined && moved < bytesMax; first = this.#queue[0]) {
      const part = first.subarray(0, bytesMax - moved);
      const sent = this.#to.send(part);
      moved += sent;
      if (sent === first.length) this.#queue.shift();
      else this.#queue[0] = first.subarray(sent);
      this.#stuck = sent < part.length;
      if (this.#stuck) break;
    }
    this.#queued -= moved;
    this.#hold();
    return moved;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#lose();
  }
}

/** See the head of this file. */
export class Cable {
  /** The two ports. */
  readonly paths: readonly [string, string];
  readonly #parts: readonly { close(): void }[];

  constructor(options: CableOptions) {
    const a = new PseudoTerminal();
    const b = new PseudoTerminal();
    this.paths = [a.path, b.path];
    const there = new Way(a, b, options);
    const back = new Way(b, a, { ...options, seed: ~options.seed });
    this.#parts = [there, back, a, b];
  }

  close(): void {
    for (const part of this.#parts) part.close();
  }
}
