// The sum of many runs: what `proteus simulate` reports.
//
// - The hash of all is made of their hashes in the order of their seeds, whoever ran them.
// - From 20 seeds on a kind of fault that was planned and never happened is a failure: a
//   fault that does not fire proves nothing. So is one that should have been planned often
//   by its rate, and never was.

import { combineHashes } from "./engine/hash.js";
import { type FaultKind, type FaultRates, faultKinds } from "./faults/kinds.js";
import type { RunResult, Violation } from "./run.js";

const seedsForKinds = 20;
/** Entries that a kind's rate promises, from which on its absence is no accident. */
const expectedMin = 60;

/** What a run of a seed tells the campaign. */
export type SeedOutcome = Pick<
  RunResult,
  | "seed"
  | "violation"
  | "eventHash"
  | "events"
  | "simulatedSeconds"
  | "faults"
  | "enabled"
  | "allowed"
  | "happened"
>;

export interface Failure {
  /** Null: all seeds together. */
  readonly seed: number | null;
  readonly checker: string;
  readonly what: string;
}

export class Campaign {
  readonly #outcomes = new Map<number, SeedOutcome>();
  readonly #failures: Failure[] = [];
  readonly faults: Partial<Record<FaultKind, number>> = {};
  readonly happened: Record<string, number> = {};
  readonly #planned = new Set<FaultKind>();
  /** Simulated minutes in which a kind might have happened. */
  readonly #minutes = new Map<FaultKind, number>();
  simulatedSeconds = 0;
  events = 0;

  get seeds(): number {
    return this.#outcomes.size;
  }

  add(outcome: SeedOutcome): void {
    const { seed, violation, simulatedSeconds, events, faults, happened, enabled, allowed } = outcome;
    this.#outcomes.set(seed, outcome);
    this.simulatedSeconds += simulatedSeconds;
    this.events += events;
    for (const kind of faultKinds) this.faults[kind] = (this.faults[kind] ?? 0) + (faults[kind] ?? 0);
    for (const [what, times] of Object.entries(happened))
      this.happened[what] = (this.happened[what] ?? 0) + times;
    for (const kind of enabled) this.#planned.add(kind);
    for (const kind of allowed)
      this.#minutes.set(kind, (this.#minutes.get(kind) ?? 0) + simulatedSeconds / 60);
    if (violation !== null) this.#failures.push(failureOf(seed, violation));
  }

  /** Kinds that happened, with their counts. */
  get faultsSeen(): Partial<Record<FaultKind, number>> {
    return Object.fromEntries(Object.entries(this.faults).filter(([, count]) => count > 0));
  }

  get eventHash(): string {
    const inOrder = [...this.#outcomes.values()].toSorted((a, b) => a.seed - b.seed);
    return combineHashes(inOrder.map(({ eventHash }) => eventHash));
  }

  /** Everything that is wrong, by seed. `rates`: what each seed's schedule was made from, if it was. */
  failures(rates: FaultRates = {}): readonly Failure[] {
    const found = this.#failures.toSorted((a, b) => (a.seed ?? 0) - (b.seed ?? 0));
    if (this.seeds < seedsForKinds) return found;
    for (const kind of faultKinds) {
      const promised = (rates[kind] ?? 0) * (this.#minutes.get(kind) ?? 0) >= expectedMin;
      if ((this.faults[kind] ?? 0) > 0 || !(this.#planned.has(kind) || promised)) continue;
      found.push({ seed: null, checker: "faults", what: `${kind} never happened in ${this.seeds} seeds` });
    }
    return found;
  }
}

function failureOf(seed: number, { checker, what }: Violation): Failure {
  return { seed, checker, what };
}
