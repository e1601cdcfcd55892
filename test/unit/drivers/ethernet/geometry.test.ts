// A slot that is too small cuts frames off; a region that is no multiple of wasm pages
// cannot be mapped.

import fc from "fast-check";
import { expect, it } from "vitest";
import { bufferBytes, geometry } from "../../../../drivers/ethernet/geometry.js";

it.each([
  [1500, 1024],
  [9000, 256],
  [65_521, 128],
])("has at least the usual slots at MTU %i", (mtu, slots) => {
  expect(geometry(mtu).slots).toBeGreaterThanOrEqual(slots);
});

it("holds whole frames on whole pages, whatever is asked for", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 68, max: 65_535 }),
      fc.option(fc.integer({ min: 1, max: 100_000 })),
      (mtu, wanted) => {
        const cut = geometry(mtu, wanted ?? undefined);
        const slotsABlock = Math.floor(cut.blockBytes / cut.slotBytes);
        expect(cut.slotBytes).toBeGreaterThanOrEqual(66 + 14 + mtu);
        expect(cut.slotBytes % 16).toBe(0);
        expect(cut.blockBytes % 65_536).toBe(0);
        expect(cut.regionBytes).toBe((cut.slots / slotsABlock) * cut.blockBytes);
        expect(cut.regionBytes).toBeLessThanOrEqual(16 << 20);
        expect(bufferBytes(mtu, cut.slots)).toBeLessThanOrEqual(64 << 20);
      },
    ),
  );
});
