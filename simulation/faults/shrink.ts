// Makes a failing schedule of faults small: delta debugging.
//
// - `fails` runs the same seed with fewer entries; true: the same checker still finds
//   something. It is asked at most `runsMax` times, and not after `enough` says so.
// - The answer still fails, and is as small as the bounds allowed: with them not reached, no
//   single entry of it can be left out.
// - Source: A. Zeller, R. Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002.

export interface ShrinkOptions<Entry> {
  readonly fails: (entries: readonly Entry[]) => Promise<boolean>;
  /** Default 64. */
  readonly runsMax?: number;
  readonly enough?: () => boolean;
}

/** A small part of `entries` that fails as well, in their order. */
export async function shrink<Entry>(
  entries: readonly Entry[],
  { fails, runsMax = 64, enough = () => false }: ShrinkOptions<Entry>,
): Promise<readonly Entry[]> {
  let runs = 0;
  const over = (): boolean => runs >= runsMax || enough();
  const failsStill = (candidate: readonly Entry[]): Promise<boolean> => {
    runs++;
    return fails(candidate);
  };
  if (entries.length === 0 || over()) return entries;
  if (await failsStill([])) return [];
  let current = entries;
  let parts = 2;
  while (current.length > 1 && !over()) {
    const size = Math.ceil(current.length / parts);
    let smaller: readonly Entry[] | null = null;
    for (let from = 0; from < current.length && smaller === null && !over(); from += size) {
      const rest = [...current.slice(0, from), ...current.slice(from + size)];
      if (await failsStill(rest)) smaller = rest;
    }
    if (smaller !== null) {
      current = smaller;
      parts = Math.max(parts - 1, 2);
    } else if (parts >= current.length) return current;
    else parts = Math.min(parts * 2, current.length);
  }
  return current;
}
