// The example that teachers copy: it passes, and the mistake that it is about is found.

import { describe, expect, it } from "vitest";
import counter from "../../../simulation/examples/counter.js";
import { runSeed, SECOND } from "../../../simulation/index.js";
import { kernelModule } from "../../simulation/world.js";

const run = (seed: number, durable: boolean) =>
  runSeed({
    ...{ seed, module: kernelModule(), workload: counter({ durable }), microseconds: 60 * SECOND },
    rates: { crash: 20, loss: 3, delay: 3, duplication: 3 },
  });

describe("the counter", () => {
  it("keeps its count through crashes when it flushes", async () => {
    let crashes = 0;
    for (let seed = 1; seed <= 4; seed++) {
      const { violation, happened } = await run(seed, true);
      expect(violation).toBeNull();
      expect(happened.added).toBeGreaterThan(100);
      crashes += happened.crashes ?? 0;
    }
    expect(crashes).toBeGreaterThan(10);
  });

  it("is caught when it does not", async () => {
    const violations = [];
    for (let seed = 1; seed <= 8; seed++) violations.push((await run(seed, false)).violation);
    expect(violations.some((violation) => violation?.checker === "counter")).toBe(true);
  });
});
