// What can go wrong with a frame on its way, and the dice that decide it.
//
// - Probabilities are shares of frames, 0 to 1. Every fault that fires is counted.
// - Decided frame by frame in a fixed order, so a seed and a row of frames give the same
//   faults each time.

import type { SeededRandom } from "./random.js";

export type FaultDirection = "in" | "out";

/** Faults of one direction. */
export interface Faults {
  /** Lost without a trace. */
  readonly loss: number;
  /** Delivered twice. */
  readonly duplicate: number;
  /** Held back until the next frame of its direction has passed, or REORDER_HOLD_MICROSECONDS. */
  readonly reorder: number;
  /** One bit anywhere in the frame is flipped. */
  readonly corrupt: number;
  /**
   * On its way that much longer, evenly spread; frames may overtake each other. With `tail`
   * the range is halved for each frame as long as dice say so: most come early, few late.
   */
  readonly delayMicroseconds: { readonly min: number; readonly max: number; readonly tail?: boolean };
  /** Nothing passes. */
  readonly cut: boolean;
}

/** How often each fault has fired, in frames. */
export interface FaultCounts {
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
  readonly delayed: number;
  readonly cut: number;
  /** Should have been held back or copied, but every buffer was taken: lost. */
  readonly overflowed: number;
}

export const REORDER_HOLD_MICROSECONDS = 1000;

export const NO_FAULTS: Faults = {
  loss: 0,
  duplicate: 0,
  reorder: 0,
  corrupt: 0,
  delayMicroseconds: { min: 0, max: 0 },
  cut: false,
};

/** `faults` over `base`, checked. Throws RangeError. */
export function mergeFaults(base: Faults, faults: Partial<Faults>): Faults {
  const merged = { ...base, ...faults };
  for (const name of ["loss", "duplicate", "reorder", "corrupt"] as const) {
    const share = merged[name];
    if (!(share >= 0 && share <= 1)) throw new RangeError(`${name} is a share between 0 and 1, not ${share}`);
  }
  const { min, max } = merged.delayMicroseconds;
  if (!(min >= 0 && max >= min && Number.isFinite(max))) {
    throw new RangeError(`a delay has 0 <= min <= max, not ${min} and ${max}`);
  }
  return merged;
}

export type MutableCounts = { -readonly [Name in keyof FaultCounts]: number };

export function noCounts(): MutableCounts {
  return { lost: 0, duplicated: 0, reordered: 0, corrupted: 0, delayed: 0, cut: 0, overflowed: 0 };
}

/** What happens to one frame. */
export interface Fate {
  readonly copies: 0 | 1 | 2;
  /** The bit to flip, counted from the first byte's lowest; -1: none. */
  readonly flip: number;
  readonly holdBack: boolean;
  readonly delayMicroseconds: number;
}

const DROPPED: Fate = { copies: 0, flip: -1, holdBack: false, delayMicroseconds: 0 };

const tailHalvings = 8;

function delay({ delayMicroseconds: { min, max, tail = false } }: Faults, random: SeededRandom): number {
  if (max === 0) return 0;
  if (max === min) return min;
  let range = Math.floor(max - min) + 1;
  if (tail) for (let i = 0; i < tailHalvings && random.chance(0.75); i++) range = Math.ceil(range / 2);
  return min + random.below(range);
}

/** Throws the dice for a frame of `length` bytes and counts what it gets. */
export function decide(faults: Faults, random: SeededRandom, length: number, counts: MutableCounts): Fate {
  if (faults.cut) {
    counts.cut++;
    return DROPPED;
  }
  if (random.chance(faults.loss)) {
    counts.lost++;
    return DROPPED;
  }
  const copies = random.chance(faults.duplicate) ? 2 : 1;
  const flip = random.chance(faults.corrupt) ? random.below(length * 8) : -1;
  const delayMicroseconds = delay(faults, random);
  const holdBack = delayMicroseconds === 0 && random.chance(faults.reorder);
  if (copies === 2) counts.duplicated++;
  if (flip >= 0) counts.corrupted++;
  if (delayMicroseconds > 0) counts.delayed++;
  if (holdBack) counts.reordered++;
  return { copies, flip, holdBack, delayMicroseconds };
}
