// What a register and a set do, for the linearizability checker.
// What each operation answers in each state: linearizable.ts searches for an order that fits.

import type { Model } from "./linearizable.js";

export type RegisterInput =
  | { readonly do: "read" }
  | { readonly do: "write"; readonly value: number }
  | { readonly do: "swap"; readonly expected: number; readonly value: number };

/** A read answers the value, a write null, a compare-and-swap whether it was done. */
export type RegisterOutput = number | boolean | null;

/** One number. */
export const register = (initial = 0): Model<number, RegisterInput, RegisterOutput> => ({
  initial,
  key: String,
  step(state, input, output) {
    switch (input.do) {
      case "read":
        return output === undefined || output === state ? state : null;
      case "write":
        return input.value;
      case "swap": {
        const done = state === input.expected;
        if (output !== undefined && output !== done) return null;
        return done ? input.value : state;
      }
    }
  },
});

export interface SetInput {
  readonly do: "add" | "remove" | "has";
  readonly value: number;
}

/** A set of numbers: every operation answers whether the number was in it before. */
export const set: Model<ReadonlySet<number>, SetInput, boolean> = {
  initial: new Set(),
  key: (state) => [...state].toSorted((a, b) => a - b).join(),
  step(state, input, output) {
    const has = state.has(input.value);
    if (output !== undefined && output !== has) return null;
    if (input.do === "has" || has === (input.do === "add")) return state;
    const after = new Set(state);
    if (input.do === "add") after.add(input.value);
    else after.delete(input.value);
    return after;
  },
};
