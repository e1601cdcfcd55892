// How many power cuts and faults of media the long tier has for storages and their members: each test that
// makes them says how many it has met, and fails when they were fewer than its share.
//
// - A cut point is a moment at which a medium lost its power: at each write and flush in turn, or at any.
// - A fault of a medium: a torn, lost or misdirected write, a bit that flipped, a block that cannot be
//   read, a flush that failed, a blank or a smaller medium.
// - The sum is what was promised: 10,000 cut points and 2,000 faults of media (disk-counts.test.ts).

import { expect } from "vitest";
import type { DiskCounts } from "../../simulation/disk/faults.js";
import { tier } from "./seeds.js";

export interface Share {
  readonly cuts: number;
  readonly media: number;
}

/** At least so many, in one run of the long tier. */
export const shares = {
  "lives of members": { cuts: 320, media: 10 },
  "growth of members": { cuts: 60, media: 0 },
  "updates of records": { cuts: 6300, media: 0 },
  "cooling of extents": { cuts: 250, media: 0 },
  "media that lie": { cuts: 0, media: 1500 },
  "mirrors in memory": { cuts: 2300, media: 350 },
  "mirrors on disks": { cuts: 150, media: 40 },
  scenes: { cuts: 900, media: 150 },
} as const satisfies Readonly<Record<string, Share>>;

/** Of a disk's counts, those that are faults of its medium. */
export const mediaFaults = (counts: DiskCounts): number =>
  counts.torn +
  counts.lostWrite +
  counts.misdirectedWrite +
  counts.bitRot +
  counts.readError +
  counts.badBlock +
  counts.replaced;

/** Says what a test has met; in the long tier it has to be its share. */
export function met(what: keyof typeof shares, found: Partial<Share>): void {
  const { cuts = 0, media = 0 } = found;
  console.log(`${what}: ${cuts} cut points, ${media} faults of media`);
  if (tier !== "long" || process.env.PROTEUS_SEED !== undefined) return;
  expect(cuts, `cut points of ${what}`).toBeGreaterThanOrEqual(shares[what].cuts);
  expect(media, `faults of media of ${what}`).toBeGreaterThanOrEqual(shares[what].media);
}
