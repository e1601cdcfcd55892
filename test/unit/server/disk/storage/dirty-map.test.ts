// The map of dirty blocks and the locks of ranges, against plain ones: if one of these fails, a block is
// not copied to a member that lacks it, or two writes change places on one of the members.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProteusError } from "../../../../../control/kernel/errors.js";
import { DirtyMap } from "../../../../../control/server/disk/dirty-map.js";
import { Ranges } from "../../../../../control/server/disk/ranges.js";
import { PagedDirtyMap, plainBits } from "../../../../../control/server/disk/storage/dirty-map.js";
import { kernel } from "../kernel.js";

const size = 70_000; // more than two pages

describe.each([
  ["plain", plainBits],
  ["the kernel's", (bits: number) => new DirtyMap(kernel, bits)],
] as const)("a dirty map of %s bits", (_, make) => {
  it("has what was set and not cleared, and finds its runs", () => {
    const step = fc.record({
      isSet: fc.boolean(),
      from: fc.integer({ min: 0, max: size - 1 }),
      blocks: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: size })),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 12 }),
        fc.nat(size - 1),
        fc.integer({ min: 1, max: size }),
        (steps, at, most) => {
          const { taken } = kernel.buffers;
          const map = new PagedDirtyMap(size, make);
          const plain = new Uint8Array(size);
          for (const { isSet, from, blocks } of steps) {
            if (isSet) map.set(from, blocks);
            else map.clear(from, blocks);
            plain.fill(isSet ? 1 : 0, from, from + blocks);
          }
          expect(map.count).toBe(plain.reduce((sum, bit) => sum + bit, 0));
          const first = plain.indexOf(1, at);
          const run = map.next(at, most);
          const end = plain.indexOf(0, first);
          const blocks = Math.min(most, (end < 0 ? size : end) - first);
          expect(run).toEqual(first < 0 ? null : { block: first, blocks });
          map.close();
          map.set(0, 1);
          expect([map.count, kernel.buffers.taken]).toEqual([0, taken]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("a dirty map for which the kernel has no room", () => {
  it("is a plain one there, and says the same", () => {
    let pages = 0;
    const map = new PagedDirtyMap(size, (bits) => {
      if (pages++ % 2 === 0) return new DirtyMap(kernel, bits);
      throw new ProteusError({ code: "KERNEL_NOMEMORY", exit: 1, message: "no room", hint: "" });
    });
    map.set(32_000, 34_000);
    map.clear(40_000, 1);
    expect([map.next(0, size), map.next(40_000, size)]).toEqual([
      { block: 32_000, blocks: 8000 },
      { block: 40_001, blocks: 25_999 },
    ]);
    map.close();
  });
});

describe("range locks", () => {
  it("let overlapping writers through one by one in their order, and others at once", async () => {
    const locks = new Ranges();
    const order: string[] = [];
    const take = (name: string, block: number, blocks: number, isExclusive = true) =>
      locks.acquire(block, blocks, isExclusive).then((release) => {
        order.push(name);
        return release;
      });
    const first = await take("a", 0, 10);
    const second = take("b", 5, 10);
    const reader = take("r", 12, 1, false);
    const apart = await take("c", 20, 5);
    expect(order).toEqual(["a", "c"]);
    first();
    const b = await second;
    expect(order).toEqual(["a", "c", "b"]);
    b();
    (await reader)();
    apart();
    expect(order).toEqual(["a", "c", "b", "r"]);
    expect(locks.size).toBe(0);
  });
});
