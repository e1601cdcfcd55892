// A checker that lets a wrong history pass proves nothing; one that refuses a right one stops
// everybody's work.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  byObject,
  linearizable,
  type Model,
  type Operation,
} from "../../../simulation/checkers/linearizable.js";
import {
  type RegisterInput,
  type RegisterOutput,
  register,
  set,
} from "../../../simulation/checkers/models.js";

type RegisterOperation = Operation<RegisterInput, RegisterOutput>;

const write = (value: number, begin: number, end?: number): RegisterOperation => ({
  ...{ input: { do: "write", value }, begin },
  ...(end !== undefined && { output: null, end }),
});
const read = (output: number, begin: number, end: number): RegisterOperation => ({
  ...{ input: { do: "read" }, output, begin, end },
});
const swap = (
  expected: number,
  value: number,
  output: boolean,
  begin: number,
  end: number,
): RegisterOperation => ({
  ...{ input: { do: "swap", expected, value }, output, begin, end },
});

describe("a register's history", () => {
  it.each<[string, RegisterOperation[]]>([
    ["of nothing", []],
    ["one after the other", [write(1, 0, 1), read(1, 2, 3), write(2, 4, 5), read(2, 6, 7)]],
    ["with a read that sees an overlapping write", [write(1, 0, 10), read(1, 1, 2)]],
    ["with a read that does not yet see it", [write(1, 0, 10), read(0, 1, 2), read(1, 3, 4)]],
    ["with a write of unknown outcome that happened late", [write(1, 0), read(0, 1, 2), read(1, 50, 51)]],
    ["with a write of unknown outcome that never happened", [write(1, 0), read(0, 1, 2), read(0, 3, 4)]],
    [
      "where one of two overlapping swaps wins",
      [swap(0, 1, true, 0, 5), swap(0, 2, false, 1, 4), read(1, 6, 7)],
    ],
  ])("%s is linearizable", (_, history) => {
    expect(linearizable(history, register())).toBe("yes");
  });

  it.each<[string, RegisterOperation[]]>([
    ["with a stale read", [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)]],
    ["with a value that nobody wrote", [write(1, 0, 1), read(7, 2, 3)]],
    ["that goes back", [write(1, 0, 10), read(1, 1, 2), read(0, 3, 4)]],
    ["where both swaps win", [swap(0, 1, true, 0, 5), swap(0, 2, true, 1, 4)]],
    ["where an unknown write happened before it began", [read(1, 0, 1), write(1, 2)]],
    [
      "where two readers see two orders",
      [...[write(1, 0, 10), write(2, 0, 10)], ...[read(1, 11, 12), read(2, 13, 14)]],
    ],
  ])("%s is not", (_, history) => {
    expect(linearizable(history, register())).toBe("no");
  });

  it("is not known when the bound was reached first", () => {
    const history = Array.from({ length: 12 }, (_, i) => write(i, 0, 100));
    expect(linearizable([...history, read(99, 200, 201)], register(), 50)).toBe("unknown");
  });
});

/** Every order that the times allow, tried one after the other. */
function tried<State, Input, Output>(
  history: readonly Operation<Input, Output>[],
  model: Model<State, Input, Output>,
  state = model.initial,
): boolean {
  if (history.every(({ end }) => end === undefined)) return true;
  const firstEnd = Math.min(...history.map(({ end }) => end ?? Number.POSITIVE_INFINITY));
  return history.some((operation, index) => {
    if (operation.begin > firstEnd) return false;
    const after = model.step(state, operation.input, operation.output);
    return after !== null && tried(history.toSpliced(index, 1), model, after);
  });
}

const times = fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 }));
const setOperation = fc
  .record({
    input: fc.record({
      do: fc.constantFrom("add" as const, "remove" as const, "has" as const),
      value: fc.integer({ min: 0, max: 1 }),
    }),
    output: fc.boolean(),
    times,
    open: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ input, output, times: [a, b], open }) => {
    const begin = Math.min(a, b);
    return open === 0 ? { input, begin } : { input, output, begin, end: Math.max(a, b) };
  });

describe("the search", () => {
  it("agrees with trying every order, for small histories of a set", () => {
    let yes = 0;
    fc.assert(
      fc.property(fc.array(setOperation, { maxLength: 7 }), (history) => {
        const expected = tried(history, set);
        if (expected && history.length > 3) yes++;
        expect(linearizable(history, set)).toBe(expected ? "yes" : "no");
      }),
      { seed: 1, numRuns: 2000 },
    );
    expect(yes).toBeGreaterThan(100); // both sorts were among them
  });

  it("accepts what a real set did, and refuses it when one answer is turned round", () => {
    const real = fc.array(
      fc.record({
        do: fc.constantFrom("add" as const, "remove" as const, "has" as const),
        value: fc.integer({ min: 0, max: 5 }),
        before: fc.integer({ min: 0, max: 3 }),
        after: fc.integer({ min: 0, max: 3 }),
      }),
      { minLength: 20, maxLength: 200 },
    );
    fc.assert(
      fc.property(real, fc.nat(), (steps, which) => {
        const state = new Set<number>();
        const history = steps.map(({ do: what, value, before, after }, index) => {
          const output = state.has(value);
          if (what === "add") state.add(value);
          if (what === "remove") state.delete(value);
          return { input: { do: what, value }, output, begin: index - before, end: index + after + 0.5 };
        });
        expect(linearizable(history, set)).toBe("yes");
        const alone = history.map((operation, index) => ({ ...operation, begin: index, end: index + 0.5 }));
        const wrong = alone.map((operation, index) =>
          index === which % alone.length ? { ...operation, output: !operation.output } : operation,
        );
        expect(linearizable(wrong, set)).toBe("no");
      }),
      { seed: 2, numRuns: 200 },
    );
  });

  it("judges independent objects one by one", () => {
    const good = [write(1, 0, 1), read(1, 2, 3)].map((operation) => ({ ...operation, object: "a" }));
    const bad = [write(1, 0, 1), read(0, 2, 3)].map((operation) => ({ ...operation, object: "b" }));
    expect(byObject(good, register())).toBe("yes");
    expect(byObject([...good, ...bad], register())).toBe("no");
  });
});
