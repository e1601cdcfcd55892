// Welch's t-test, which says whether two sets of times differ by more than chance: the statistics
// of dudect.
//
// - Above 4.5 in absolute value two sets are taken for different; without a difference t stays
//   there, with one it grows with the square root of the number of samples.
// - The slowest are left out of all sets alike: interrupts and garbage collection are noise.
// - Source: B. L. Welch 1947; O. Reparaz, J. Balasch, I. Verbauwhede, "Dude, is my code constant
//   time?", DATE 2017.

/** From here on two sets are taken for different. */
export const tThreshold = 4.5;

export interface Moments {
  readonly count: number;
  readonly mean: number;
  /** Of a sample: divided by count - 1. */
  readonly variance: number;
}

/** Mean and variance, in one pass that loses no digits (Welford). */
export function momentsOf(values: Iterable<number>): Moments {
  let count = 0;
  let mean = 0;
  let squares = 0;
  for (const value of values) {
    count++;
    const delta = value - mean;
    mean += delta / count;
    squares += delta * (value - mean);
  }
  return { count, mean, variance: count > 1 ? squares / (count - 1) : 0 };
}

/** Welch's t of two sets; 0 when they are the same throughout. */
export function welch(one: Moments, other: Moments): number {
  const difference = one.mean - other.mean;
  const error = Math.sqrt(one.variance / one.count + other.variance / other.count);
  if (error > 0) return difference / error;
  return difference === 0 ? 0 : Math.sign(difference) * Number.POSITIVE_INFINITY;
}

/** Each set without what is slower than that part of all values is. */
export function cropped(sets: readonly (readonly number[])[], part: number): number[][] {
  const sorted = Float64Array.from(sets.flat()).sort();
  const limit = sorted[Math.max(0, Math.ceil(part * sorted.length) - 1)] ?? 0;
  return sets.map((set) => set.filter((value) => value <= limit));
}
