// Random requests to a store and to a model of one, a plain map: both must answer alike, and a
// watch that was there from the start must tell the same story.
//
// - fast-check makes the requests and shrinks those that part the two.

import fc from "fast-check";
import { expect } from "vitest";
import {
  type BatchResult,
  type Change,
  compareKeys,
  isInRange,
  type KeyRange,
  type Operation,
  type Store,
} from "../../../control/store/store.js";

type Guess = "right" | "absent" | "stale";

type Step =
  | { readonly do: "get"; readonly key: Uint8Array }
  | { readonly do: "range"; readonly range: KeyRange; readonly limit: number; readonly reverse: boolean }
  | {
      readonly do: "batch";
      readonly operations: readonly Operation[];
      readonly guesses: readonly (readonly [key: Uint8Array, guess: Guess])[];
    };

// Few keys, so that requests meet; bytes at both ends of their range.
const keys = fc
  .array(fc.constantFrom(0, 1, 0x7f, 0xff), { minLength: 1, maxLength: 2 })
  .map((bytes) => Uint8Array.from(bytes));
const operations = fc.oneof(
  fc.record({ kind: fc.constant("put" as const), key: keys, value: fc.uint8Array({ maxLength: 8 }) }),
  fc.record({ kind: fc.constant("delete" as const), key: keys }),
);
const guesses = fc.constantFrom<Guess>("right", "right", "right", "absent", "stale");
const bounds = fc.option(keys, { nil: undefined });
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: fc.constant("get" as const), key: keys }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("range" as const),
      range: fc
        .tuple(bounds, bounds)
        .filter(([from, to]) => to === undefined || compareKeys(from ?? new Uint8Array(0), to) < 0)
        .map(([from, to]) => ({ from, to })),
      limit: fc.integer({ min: 1, max: 6 }),
      reverse: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("batch" as const),
      operations: fc.uniqueArray(operations, { maxLength: 4, selector: ({ key }) => String(key) }),
      guesses: fc.array(fc.tuple(keys, guesses), { maxLength: 2 }),
    }),
  },
);

class Model {
  readonly entries = new Map<string, { key: Uint8Array; value: Uint8Array; revision: number }>();
  readonly changes: Change[] = [];

  revisionOf(key: Uint8Array): number {
    return this.entries.get(String(key))?.revision ?? 0;
  }

  /** What a guess at the revision of a key comes to. */
  guessed(key: Uint8Array, guess: Guess): number {
    const stale = this.changes[0]?.revision ?? 0;
    return guess === "right" ? this.revisionOf(key) : guess === "absent" ? 0 : stale;
  }

  /** Follows a batch that was committed at a revision. */
  follow(operations: readonly Operation[], revision: number): void {
    const effective = operations.filter(({ kind, key }) => kind === "put" || this.entries.has(String(key)));
    if (effective.length === 0) return;
    expect(revision).toBeGreaterThan(this.changes.at(-1)?.revision ?? 0);
    this.changes.push({ revision, operations: effective });
    for (const operation of effective) {
      const { key } = operation;
      if (operation.kind === "delete") this.entries.delete(String(key));
      else this.entries.set(String(key), { key, value: operation.value, revision });
    }
  }
}

async function take(step: Step, store: Store, model: Model): Promise<void> {
  switch (step.do) {
    case "get":
      expect(await store.get(step.key)).toEqual(model.entries.get(String(step.key)) ?? null);
      return;
    case "range": {
      const all = [...model.entries.values()]
        .filter((entry) => isInRange(entry.key, step.range))
        .sort((a, b) => (step.reverse ? -1 : 1) * compareKeys(a.key, b.key));
      const { entries, more } = await store.range(step.range, { limit: step.limit, reverse: step.reverse });
      expect({ entries, more }).toEqual({ entries: all.slice(0, step.limit), more: all.length > step.limit });
      return;
    }
    case "batch": {
      const conditions = step.guesses.map(([key, guess]) => ({ key, revision: model.guessed(key, guess) }));
      const found = conditions.map(({ key }) => model.revisionOf(key));
      const holds = conditions.every(({ revision }, index) => revision === found[index]);
      const result: BatchResult = await store.batch({ conditions, operations: step.operations });
      if (result.committed) {
        expect(holds).toBe(true);
        model.follow(step.operations, result.revision);
      } else expect(result.found).toEqual(holds ? "committed" : found);
    }
  }
}

/** Compares fresh stores with fresh models, so many runs of at most so many steps. */
export async function checkAgainstModel(
  open: () => Promise<Store>,
  { runs, steps: length }: { readonly runs: number; readonly steps: number },
): Promise<void> {
  const property = fc.asyncProperty(fc.array(steps, { maxLength: length, size: "max" }), async (taken) => {
    const store = await open();
    try {
      const model = new Model();
      const watch = await store.watch({});
      for (const step of taken) await take(step, store, model);
      const end = await store.put(Uint8Array.of(9), Uint8Array.of());
      const seen: Change[] = [];
      for await (const change of watch) {
        if (change.revision === end) break;
        seen.push(change);
      }
      expect(seen).toEqual(model.changes);
    } finally {
      await store.close();
    }
  });
  await fc.assert(property, { numRuns: runs });
}
