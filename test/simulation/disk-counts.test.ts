// If this fails, storages are proven with fewer power cuts and faults of media than was promised.

import { expect, it } from "vitest";
import { type Share, shares } from "./disk-counts.js";

it("the shares of the long tier are 10,000 cut points and 2,000 faults of media", () => {
  const all: readonly Share[] = Object.values(shares);
  expect(all.reduce((sum, { cuts }) => sum + cuts, 0)).toBeGreaterThanOrEqual(10_000);
  expect(all.reduce((sum, { media }) => sum + media, 0)).toBeGreaterThanOrEqual(2000);
});
