// If one of these fails, two calls write into the same bytes, or a machine that runs for
// days has no buffers left.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProteusError } from "../../../control/kernel/errors.js";
import { LinearMemory } from "../../../control/kernel/linear-memory.js";

const base = 3 * 65_536;
const end = base + 4 * 1024 * 1024;

describe("buffers in the linear memory", () => {
  it("never overlap, whatever was taken and given back before", () => {
    const step = fc.record({
      take: fc.boolean(),
      bytes: fc.integer({ min: 0, max: 70_000 }),
      which: fc.nat(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const memory = new LinearMemory(base, end);
        const out: { at: number; bytes: number }[] = [];
        for (const { take, bytes, which } of steps) {
          if (!take && out.length > 0) {
            const [given] = out.splice(which % out.length, 1);
            if (given !== undefined) memory.give(given.at);
            continue;
          }
          let at: number;
          try {
            at = memory.take(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(ProteusError);
            continue;
          }
          expect(at % 64).toBe(0);
          expect(at).toBeGreaterThanOrEqual(base);
          expect(at + bytes).toBeLessThanOrEqual(end);
          for (const other of out) expect(at + bytes <= other.at || other.at + other.bytes <= at).toBe(true);
          out.push({ at, bytes });
        }
      }),
    );
  });

  it("come back for good: taking and giving for ever needs no more memory", () => {
    const memory = new LinearMemory(base, end);
    for (let i = 0; i < 10_000; i++) memory.give(memory.take((i * 7919) % 100_000));
    const large = memory.take(1024 * 1024);
    expect(large).toBeGreaterThanOrEqual(base);
  });

  it("run out with an error that says how much is left, and nothing changed", () => {
    const memory = new LinearMemory(base, base + 65_536);
    const first = memory.take(32_768);
    expect(() => memory.take(65_536)).toThrow(expect.objectContaining({ code: "KERNEL_NOMEMORY" }));
    memory.give(first);
    expect(memory.take(20_000)).toBe(first);
  });

  it("cannot be given back by anyone who never had them", () => {
    expect(() => new LinearMemory(base, end).give(base + 64)).toThrow("no buffer");
  });
});
