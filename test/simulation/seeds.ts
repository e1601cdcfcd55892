// Which seeds a run takes, and what a failing one says: one line to paste.
//
// - PROTEUS_TIER: quick takes a sample, long many, nightly ten times as many again.
// - PROTEUS_SEED=N: only that one.

export const tier = process.env.PROTEUS_TIER ?? "quick";

/** Is this more than a sample? A test of the long tier alone stands behind `if (isLong)`. */
export const isLong = tier !== "quick";

/** What is the same whenever it is run: CI has it in the quick tier, and the long one does not repeat it. */
export const repeats = tier !== "long";

/** What this tier takes. */
export function perTier<T>(of: { readonly quick: T; readonly long: T; readonly nightly: T }): T {
  return tier === "long" ? of.long : tier === "nightly" ? of.nightly : of.quick;
}

/** Calls `run` with so many seeds from `first` on; a failure names its seed and how to repeat it. */
export async function forEachSeed(
  file: string,
  first: number,
  count: number,
  run: (seed: number) => Promise<void>,
): Promise<void> {
  const only = process.env.PROTEUS_SEED;
  const from = only === undefined ? first : Number(only);
  const to = only === undefined ? first + count : from + 1;
  for (let seed = from; seed < to; seed++) {
    try {
      await run(seed);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      const repeat = `PROTEUS_SEED=${seed} npx vitest run --project simulation ${file}`;
      throw new Error(`seed ${seed}: ${why}\nrepeat it with: ${repeat}`, { cause });
    }
  }
}
