// If one of these fails, parts of a medium lie on each other, or room is given away.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  capacityOf,
  copyStart,
  mediumBlocks,
  pageBlock,
  pageOf,
  RECORD_BLOCKS,
} from "../../../../../control/server/disk/member/layout.js";

describe("a medium's layout", () => {
  it("has room for as much as fits, and not for a block more", () => {
    const property = fc.property(fc.nat({ max: 2 ** 40 }), (extra) => {
      const medium = 8 + extra;
      const blocks = capacityOf(medium);
      expect(mediumBlocks(blocks)).toBeLessThanOrEqual(medium);
      expect(mediumBlocks(blocks + 1)).toBeGreaterThan(medium);
    });
    fc.assert(property, { numRuns: 500, seed: 1 });
    for (let medium = 8; medium < 3000; medium++) {
      expect(mediumBlocks(capacityOf(medium))).toBeLessThanOrEqual(medium);
      expect(mediumBlocks(capacityOf(medium) + 1)).toBeGreaterThan(medium);
    }
    expect([capacityOf(7), capacityOf(8), capacityOf(9), capacityOf(10)]).toEqual([-1, 0, 0, 1]);
  });

  it("has data, digests and records one behind the other", () => {
    for (const medium of [10, 100, 521, 522, 5000, 1_000_000]) {
      const blocks = capacityOf(medium);
      expect(pageBlock(medium, pageOf(blocks - 1))).toBeGreaterThanOrEqual(blocks);
      expect(pageBlock(medium, 0) + 1).toBe(copyStart(medium, 0));
      expect(copyStart(medium, 1) + RECORD_BLOCKS).toBe(medium);
    }
  });
});
