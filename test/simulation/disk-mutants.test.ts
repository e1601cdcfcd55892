// If one of these fails, the tests of storages would not notice a bug of the kind that they are for.
//
// - Each is hunted with CI's own seeds (disks.test.ts, disk-scenes.ts), as many as the long tier takes at
//   most, and it is printed how many it took. Quick tier: only that every mutation still fits its source.
// - PROTEUS_MUTANT=NAME: only that one.

import { describe, expect, it } from "vitest";
import type { FakeOptions } from "../unit/server/disk/fake-storage.js";
import { classic, type Fault } from "./disk-faults.js";
import { kinds, live, real } from "./disk-lives.js";
import { RealMember } from "./disk-medium.js";
import { liveUnderPowerCuts, liveUntilFlushFails } from "./disk-member-lives.js";
import { type Mutant, mutants, mutated, type Planted, planted } from "./disk-mutants.js";
import { scenes } from "./disk-scenes.js";
import type { Habits } from "./disks.js";
import { isLong, perTier } from "./seeds.js";

const only = process.env.PROTEUS_MUTANT;
const chosen = mutants.filter(({ name }) => only === undefined || name === only);

interface Hunt {
  readonly first: number;
  readonly count: number;
  readonly faults: readonly Fault[];
  readonly number: number;
  readonly habits?: Habits | undefined;
  options(seed: number): FakeOptions;
}

function huntOf({ name, seeds }: Mutant): Hunt {
  const kindOf = (seed: number): FakeOptions => kinds[seed % kinds.length] ?? {};
  if (seeds === "fake")
    return {
      first: 1,
      count: perTier({ quick: 400, long: 400, nightly: 4000 }),
      faults: classic,
      number: 12,
      options: kindOf,
    };
  if (seeds === "real") {
    const options = (seed: number): FakeOptions => ({ ...kindOf(seed), ...real });
    return { first: 5001, count: 100, faults: classic, number: 8, options };
  }
  const scene = scenes.find((each) => each.name === seeds);
  if (scene === undefined) throw new Error(`${name} has the seeds of no scene`);
  return { ...scene, count: scene.seeds.long, number: 8 };
}

/** With the bug in place of what it was planted in. */
function withBug(options: FakeOptions, { storage, member }: Planted): FakeOptions {
  if (storage !== undefined) return { ...options, storage };
  return { ...options, medium: (time, random, blocks) => new RealMember(time, random, blocks, member) };
}

/** Lives of a member alone, by the name of their seeds: what disk-member.test.ts takes in the long tier. */
const alone = {
  "member under power cuts": { live: liveUnderPowerCuts, first: 1, count: 80 },
  "member until a flush fails": { live: liveUntilFlushFails, first: 7001, count: 40 },
} as const;

const isAlone = (seeds: string): seeds is keyof typeof alone => Object.hasOwn(alone, seeds);

type Found = { readonly runs: number; readonly found: string | null };

async function hunt(mutant: Mutant): Promise<Found> {
  const bug = await planted(mutant);
  if (isAlone(mutant.seeds)) {
    const { live: lifeOf, first, count } = alone[mutant.seeds];
    return huntSeeds(first, count, (seed) => lifeOf(seed, bug.member));
  }
  const { first, count, faults, number, options, habits } = huntOf(mutant);
  return huntSeeds(first, count, (seed) =>
    live({ ...withBug(options(seed), bug), seed }, number, faults, habits),
  );
}

/** Until one of the seeds finds it. */
async function huntSeeds(
  first: number,
  count: number,
  run: (seed: number) => Promise<unknown>,
): Promise<Found> {
  for (let runs = 1; runs <= count; runs++) {
    try {
      await run(first + runs - 1);
    } catch (error) {
      return { runs, found: String(error).split("\n", 1)[0] ?? "" };
    }
  }
  return { runs: count, found: null };
}

describe("a bug planted in a storage or a member", () => {
  it("stands in its source once, in mutants of different names", () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
    expect(mutants.length).toBeGreaterThanOrEqual(6);
    for (const mutant of mutants) {
      expect(mutated(mutant)).toContain(mutant.replace);
      if (!isAlone(mutant.seeds)) expect(huntOf(mutant).count).toBeGreaterThan(0);
    }
  });

  if (isLong)
    it.each(chosen)("is found by CI's own seeds: $name", async (mutant) => {
      const { runs, found } = await hunt(mutant);
      console.log(`${mutant.name}: ${found ?? "not found"}, ${runs} runs`);
      expect(found).not.toBeNull();
    });
});
