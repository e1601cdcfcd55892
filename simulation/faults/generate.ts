// Makes a run's schedule of faults from its seed.
//
// - Each seed leaves out a quarter of the kinds: what hides behind the noise of all faults
//   together shows when some are missing.
// - Integer dice only; the same seed, rates and cluster give the same schedule anywhere.

import type { SeededRandom } from "../../drivers/fault/random.js";
import { MILLISECOND, SECOND } from "../engine/world.js";
import { type FaultEntry, type FaultKind, type FaultRates, faultKinds, type Schedule } from "./kinds.js";

/** Times a simulated minute. */
export const standardRates: Required<FaultRates> = {
  loss: 3,
  duplication: 3,
  reordering: 3,
  delay: 3,
  bitFlips: 2,
  partition: 1,
  oneWayPartition: 0.7,
  clog: 0.7,
  flap: 0.4,
  routerDeath: 0.5,
  crash: 2,
  pause: 1.5,
  slow: 1,
  clockJump: 0.4,
  move: 0.7,
};

/** What a schedule is made for. */
export interface Terrain {
  /** Names of the machines on each LAN, routers included. */
  readonly lans: readonly (readonly string[])[];
  readonly machines: readonly string[];
  readonly routers: readonly string[];
  /** Kinds that the workload or the cluster does not bear. */
  readonly without: readonly FaultKind[];
}

const leftOut = 0.25;
/** A neighbour that is this late with its HELLO is taken for an original: its frames have no check. */
const uncheckedAfter = 100 * MILLISECOND;

class Generator {
  readonly #random: SeededRandom;
  readonly #terrain: Terrain;

  constructor(random: SeededRandom, terrain: Terrain) {
    this.#random = random;
    this.#terrain = terrain;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random.below(from.length)] as T;
  }

  /** Mostly short, sometimes as long as `most`. */
  #lasting(least: number, most: number): number {
    let range = most - least;
    while (range > 1000 && this.#random.chance(0.5)) range >>= 1;
    return least + this.#random.below(range);
  }

  #lan(): number {
    return this.#random.below(this.#terrain.lans.length);
  }

  /** Some, not all and not none, of the machines on a LAN. */
  #part(lan: number): string[] {
    const names = this.#terrain.lans[lan] ?? [];
    const part = names.filter(() => this.#random.chance(0.5));
    return part.length === 0 || part.length === names.length ? [this.#pick(names)] : part;
  }

  entry(kind: FaultKind, at: number): FaultEntry {
    const random = this.#random;
    const lan = this.#lan();
    const machine = this.#pick(this.#terrain.machines);
    switch (kind) {
      case "loss":
        return {
          at,
          for: this.#lasting(SECOND, 12 * SECOND),
          kind,
          lan,
          share: this.#pick([0.01, 0.05, 0.1, 0.3]),
        };
      case "duplication":
        return {
          at,
          for: this.#lasting(SECOND, 12 * SECOND),
          kind,
          lan,
          share: this.#pick([0.02, 0.1, 0.3]),
        };
      case "reordering":
        return { at, for: this.#lasting(SECOND, 12 * SECOND), kind, lan, share: this.#pick([0.05, 0.3]) };
      case "bitFlips":
        return {
          at,
          for: this.#lasting(SECOND, 12 * SECOND),
          kind,
          lan,
          share: this.#pick([0.001, 0.01, 0.03]),
        };
      case "delay": {
        const max = this.#pick([500, 5 * MILLISECOND, 40 * MILLISECOND, 300 * MILLISECOND]);
        const min = random.chance(0.3) ? max >> 2 : 0;
        return { at, for: this.#lasting(SECOND, 12 * SECOND), kind, lan, min, max, tail: random.chance(0.5) };
      }
      case "partition":
      case "oneWayPartition":
        return { at, for: this.#lasting(20 * MILLISECOND, 8 * SECOND), kind, lan, part: this.#part(lan) };
      case "clog": {
        const names = this.#terrain.lans[lan] ?? [];
        const from = this.#pick(names);
        const to = this.#pick(names.filter((name) => name !== from));
        return { at, for: this.#lasting(10 * MILLISECOND, 4 * SECOND), kind, lan, from, to };
      }
      case "flap": {
        const period = this.#lasting(5 * MILLISECOND, SECOND);
        const flapping = this.#pick(this.#terrain.lans[lan] ?? []);
        return { at, for: this.#lasting(SECOND, 10 * SECOND), kind, lan, machine: flapping, period };
      }
      case "routerDeath":
        return {
          at,
          for: this.#lasting(MILLISECOND, 8 * SECOND),
          kind,
          machine: this.#pick(this.#terrain.routers),
        };
      case "crash":
        return { at, for: this.#lasting(0, 6 * SECOND), kind, machine };
      case "pause":
        return {
          at,
          for: this.#lasting(5 * MILLISECOND, 4 * SECOND),
          kind,
          machine,
          busy: random.chance(0.5),
        };
      case "slow":
        return {
          at,
          for: this.#lasting(SECOND, 10 * SECOND),
          kind,
          machine,
          turn: this.#pick([200, 1000, 5000]),
        };
      case "clockJump": {
        const by = this.#lasting(MILLISECOND, 3 * SECOND);
        return { at, kind, machine, by: random.chance(0.5) ? by : -by };
      }
      case "move":
        return { at, kind, choice: random.below(1 << 20) };
    }
  }
}

/** The kinds that this terrain allows at these rates. */
export function possibleKinds(rates: FaultRates, { without, routers, lans, machines }: Terrain): FaultKind[] {
  return faultKinds.filter((kind) => {
    if ((rates[kind] ?? 0) <= 0 || without.includes(kind)) return false;
    if (kind === "routerDeath") return routers.length > 0;
    if (kind === "clog") return lans.every((names) => names.length > 1);
    return machines.length > 0;
  });
}

const overlap = (a: FaultEntry, b: FaultEntry): boolean =>
  a.at < b.at + ("for" in b ? b.for : 0) && b.at < a.at + ("for" in a ? a.for : 0);

/** Where frames take long to a router, none of them has its bits flipped: they may have no check. */
function withoutUnchecked(entries: readonly FaultEntry[], terrain: Terrain): FaultEntry[] {
  if (terrain.routers.length === 0) return [...entries];
  const slow = entries.filter((entry) => entry.kind === "delay" && entry.max > uncheckedAfter);
  return entries.filter((entry) => entry.kind !== "bitFlips" || !slow.some((other) => overlap(entry, other)));
}

/** The schedule of a run of so many microseconds. */
export function generateSchedule(
  random: SeededRandom,
  rates: FaultRates,
  terrain: Terrain,
  microseconds: number,
): Schedule {
  const generator = new Generator(random, terrain);
  const kinds = possibleKinds(rates, terrain).filter(() => !random.chance(leftOut));
  const entries: FaultEntry[] = [];
  for (const kind of kinds) {
    const perSecond = (rates[kind] ?? 0) / 60;
    for (let second = 0; second * SECOND < microseconds; second++) {
      for (let left = perSecond; left > 0; left--) {
        if (!random.chance(left)) continue;
        entries.push(generator.entry(kind, second * SECOND + random.below(SECOND)));
      }
    }
  }
  return withoutUnchecked(entries, terrain)
    .filter((entry) => entry.at < microseconds)
    .toSorted((a, b) => a.at - b.at);
}
