// One direction of a link, with its faults, as a queue in time: frames go in, and come
// out when they are due, if they do.
//
// - Whoever owns it says what time it is (microseconds that never go back) and asks for
//   what is due: no clock, no timer, no randomness of its own.
// - A constant delay keeps the order. What is held back to be reordered goes right after
//   the next frame, or alone after REORDER_HOLD_MICROSECONDS.
// - A rate is a wire of that many bits a second, with a queue of RATE_QUEUE_MICROSECONDS
//   before it; what finds the queue full is lost, as at a switch.
// - Bounded: beyond `bytesMax` waiting bytes a frame is lost and counted.

import {
  decide,
  type FaultCounts,
  type Faults,
  type MutableCounts,
  mergeFaults,
  NO_FAULTS,
  noCounts,
  REORDER_HOLD_MICROSECONDS,
} from "./faults.js";
import type { SeededRandom } from "./random.js";

export const RATE_QUEUE_MICROSECONDS = 20_000;
const BYTES_MAX = 64 * 1024 * 1024;

/** Faults of a line: a delay that is the same for all, and a rate. */
export interface LineFaults extends Omit<Faults, "delayMicroseconds"> {
  readonly delayMicroseconds: number;
  /** Bits a second; null: no limit. */
  readonly rate: number | null;
}

export const HEALTHY_LINE: LineFaults = { ...NO_FAULTS, delayMicroseconds: 0, rate: null };

interface Waiting {
  readonly frame: Uint8Array;
  readonly due: number;
}

/** Held back: due alone at `due`, and behind another frame not before `earliest`. */
interface Held extends Waiting {
  readonly earliest: number;
}

const undelayed = { min: 0, max: 0 };

/** See the head of this file. */
export class FaultLine {
  #faults: Faults = NO_FAULTS;
  #delay = 0;
  #rate: number | null = null;
  /** When the last bit of what was accepted so far has left. */
  #freeAt = 0;
  /** In the order in which they are due; those before #first are gone. */
  #waiting: Waiting[] = [];
  #first = 0;
  #held: Held[] = [];
  #bytes = 0;
  readonly #counts: MutableCounts = noCounts();

  constructor(
    private readonly random: SeededRandom,
    private readonly bytesMax = BYTES_MAX,
  ) {}

  /** Faults for the frames from now on; what waits keeps its time, a cut takes it too. Throws RangeError. */
  setFaults({ delayMicroseconds, rate, ...faults }: LineFaults): void {
    if (!(delayMicroseconds >= 0 && Number.isFinite(delayMicroseconds)))
      throw new RangeError(`a delay is 0 or more, not ${delayMicroseconds}`);
    if (rate !== null && !(rate > 0)) throw new RangeError(`a rate is more than 0, not ${rate}`);
    this.#faults = mergeFaults(NO_FAULTS, { ...faults, delayMicroseconds: undelayed });
    this.#delay = delayMicroseconds;
    this.#rate = rate;
    if (!faults.cut) return;
    this.#counts.cut += this.size;
    this.#waiting = [];
    this.#first = 0;
    this.#held = [];
    this.#bytes = 0;
  }

  /** Frames that wait. */
  get size(): number {
    return this.#waiting.length - this.#first + this.#held.length;
  }

  counts(): FaultCounts {
    return { ...this.#counts };
  }

  /** Takes a frame; its bytes must not change any more. */
  offer(frame: Uint8Array, now: number): void {
    const fate = decide(this.#faults, this.random, frame.length, this.#counts);
    if (fate.copies === 0) return;
    const passed = fate.flip < 0 ? frame : flipped(frame, fate.flip);
    let last: number | null = null;
    for (let copy = 0; copy < fate.copies; copy++) {
      const sent = this.#sent(frame.length, now);
      if (sent === null || this.#bytes + frame.length > this.bytesMax) {
        this.#counts.overflowed++;
        continue;
      }
      if (this.#delay > 0) this.#counts.delayed++;
      this.#bytes += frame.length;
      const due = sent + this.#delay;
      if (fate.holdBack)
        this.#held.push({ frame: passed, due: due + REORDER_HOLD_MICROSECONDS, earliest: due });
      else {
        this.#insert({ frame: passed, due });
        last = due;
      }
    }
    if (last === null) return;
    for (const { frame, earliest } of this.#held.splice(0))
      this.#insert({ frame, due: Math.max(last, earliest) });
  }

  /** When the next frame is due; null when none waits. */
  nextDue(): number | null {
    const [first, held] = [this.#waiting[this.#first]?.due, this.#held[0]?.due];
    if (first === undefined) return held ?? null;
    return held === undefined ? first : Math.min(first, held);
  }

  /** The next frame that is due by now, or null. */
  take(now: number): Uint8Array | null {
    const due = this.nextDue();
    if (due === null || due > now) return null;
    const next = this.#waiting[this.#first];
    const taken = next !== undefined && next.due === due ? next : this.#held.shift();
    if (taken === undefined) throw new Error("a frame is due that does not wait");
    if (taken === next) this.#dropFirst();
    this.#bytes -= taken.frame.length;
    return taken.frame;
  }

  /** When a frame that comes now has left the sender; null when the queue before the wire is full. */
  #sent(bytes: number, now: number): number | null {
    if (this.#rate === null) return now;
    const begins = Math.max(now, this.#freeAt);
    if (begins - now > RATE_QUEUE_MICROSECONDS) return null;
    this.#freeAt = begins + (bytes * 8 * 1e6) / this.#rate;
    return this.#freeAt;
  }

  /** Behind all that are due no later; looked for from the end, where it nearly always is. */
  #insert(frame: Waiting): void {
    let at = this.#waiting.length;
    while (at > this.#first && (this.#waiting[at - 1]?.due ?? 0) > frame.due) at--;
    this.#waiting.splice(at, 0, frame);
  }

  #dropFirst(): void {
    this.#first++;
    if (this.#first < 1024 && this.#first < this.#waiting.length) return;
    this.#waiting = this.#waiting.slice(this.#first);
    this.#first = 0;
  }
}

function flipped(frame: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(frame);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}
