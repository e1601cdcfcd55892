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
import { type Mutant, mutants, mutated, type Planted, planted } from "./disk-mutants.js";
import { scenes } from "./disk-scenes.js";
import { isLong, perTier } from "./seeds.js";

const only = process.env.PROTEUS_MUTANT;
const chosen = mutants.filter(({ name }) => only === undefined || name === only);

interface Hunt {
  readonly first: number;
  readonly count: number;
  readonly faults: readonly Fault[];
  readonly number: number;
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

async function hunt(mutant: Mutant): Promise<{ runs: number; found: string | null }> {
  const bug = await planted(mutant);
  const { first, count, faults, number, options } = huntOf(mutant);
  for (let runs = 1; runs <= count; runs++) {
    const seed = first + runs - 1;
    try {
      await live({ ...withBug(options(seed), bug), seed }, number, faults);
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
      expect(huntOf(mutant).count).toBeGreaterThan(0);
    }
  });

  if (isLong)
    it.each(chosen)("is found by CI's own seeds: $name", async (mutant) => {
      const { runs, found } = await hunt(mutant);
      console.log(`${mutant.name}: ${found ?? "not found"}, ${runs} runs`);
      expect(found).not.toBeNull();
    });
});
