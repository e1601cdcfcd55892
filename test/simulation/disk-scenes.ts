// Kinds of storages, the faults that each of them is to survive, and the seeds that CI takes of them.
//
// - disks.test.ts has the mirrors under everything that may happen to machines; here each scene has one
//   kind of trouble, so that few seeds meet much of it.

import type { FakeOptions } from "../unit/server/disk/fake-storage.js";
import * as faults from "./disk-faults.js";
import { kinds, real } from "./disk-lives.js";
import { RealMember, realDigests } from "./disk-medium.js";
import { TreeMember } from "./disk-tree.js";
import type { Habits } from "./disks.js";

const { power, cut, kill, takeOver, blackout, blank, rot } = faults;
const {
  flap,
  flicker,
  blankWitness,
  shortMedium,
  failFlush,
  lie,
  crashInResync,
  fallWhileBlank,
  inside,
  together,
} = faults;

export interface Scene {
  readonly name: string;
  readonly options: (seed: number) => FakeOptions;
  readonly faults: readonly faults.Fault[];
  readonly seeds: { readonly quick: number; readonly long: number; readonly nightly: number };
  readonly first: number;
  readonly habits?: Habits;
}

const kindOf = (seed: number): FakeOptions => kinds[seed % kinds.length] ?? {};
const linear: FakeOptions = { members: 3, blocks: 3072, facts: { algorithm: "linear" } };

/** The first member lies on a storage. */
const tree = (): FakeOptions => {
  let made = 0;
  return {
    ...{ members: 3, blocks: 1024, digests: realDigests },
    medium: (time, random, blocks) =>
      made++ === 0 ? new TreeMember(time, random, blocks) : new RealMember(time, random, blocks),
  };
};

export const scenes: readonly Scene[] = [
  {
    name: "linear, of members whose machines and links fail",
    options: (seed) => (seed % 2 === 0 ? linear : { ...linear, ...real, blocks: 1536 }),
    faults: [power, cut, kill, takeOver, blackout, flap, flicker],
    seeds: { quick: 2, long: 30, nightly: 1000 },
    first: 20_001,
  },
  {
    name: "on media that lie, fail, rot, are blank or too small",
    options: (seed) => ({ ...kindOf(seed), ...real }),
    faults: [lie, lie, failFlush, shortMedium, blankWitness, blank, rot, power],
    seeds: { quick: 2, long: 40, nightly: 1000 },
    first: 30_001,
  },
  {
    name: "of members that come and go",
    options: (seed) => ({ ...kindOf(seed), ...(seed % 2 === 0 ? real : {}) }),
    faults: [flap, flap, flicker, flicker, power, takeOver, blankWitness],
    seeds: { quick: 2, long: 30, nightly: 1000 },
    first: 40_001,
  },
  {
    name: "whose source, target or server falls in a resync",
    options: (seed) => ({ ...kindOf(seed), ...(seed % 2 === 0 ? real : {}) }),
    faults: [crashInResync, crashInResync, crashInResync, power, blank],
    seeds: { quick: 2, long: 40, nightly: 1000 },
    first: 50_001,
  },
  {
    name: "of blank members that fall while they are made whole slowly",
    options: (seed) => ({ ...kindOf(seed), ...real, policy: { resyncBytesPerSecond: 1e6 } }),
    faults: [fallWhileBlank, fallWhileBlank, fallWhileBlank, power, cut],
    seeds: { quick: 2, long: 40, nightly: 1000 },
    first: 70_001,
    habits: { zeros: 0.5, durable: 0.1, places: 150 },
  },
  {
    name: "one member of which lies on another storage",
    options: tree,
    faults: [inside, inside, together, together, power, cut, kill, blank],
    seeds: { quick: 1, long: 25, nightly: 600 },
    first: 60_001,
  },
];
