// The sum of many runs decides whether CI is green.

import { describe, expect, it } from "vitest";
import { Campaign, type SeedOutcome } from "../../../simulation/campaign.js";

const outcome = (seed: number, over: Partial<SeedOutcome> = {}): SeedOutcome => ({
  ...{ seed, violation: null, eventHash: `hash${seed}`, events: 10, simulatedSeconds: 660 },
  ...{ faults: { loss: 2 }, enabled: ["loss"], allowed: ["loss", "pause"], happened: { calls: 3 } },
  ...over,
});

function campaignOf(outcomes: readonly SeedOutcome[]): Campaign {
  const campaign = new Campaign();
  for (const each of outcomes) campaign.add(each);
  return campaign;
}

const twenty = Array.from({ length: 20 }, (_, seed) => outcome(seed));

describe("a campaign", () => {
  it("adds up, and hashes in the order of the seeds, whoever was first", () => {
    const one = campaignOf(twenty);
    expect(one.faults.loss).toBe(40);
    expect(one.happened.calls).toBe(60);
    expect(campaignOf(twenty.toReversed()).eventHash).toBe(one.eventHash);
    expect(campaignOf([...twenty.slice(1), outcome(0, { eventHash: "other" })]).eventHash).not.toBe(
      one.eventHash,
    );
    expect(campaignOf([outcome(7)]).eventHash).toBe("hash7");
  });

  it("names the seed and the checker of every failure", () => {
    const violation = { checker: "fifo", what: "x", at: 5 };
    expect(campaignOf([...twenty, outcome(99, { violation })]).failures()).toEqual([
      { seed: 99, checker: "fifo", what: "x" },
    ]);
  });

  it("fails when a planned kind of fault never happened, from 20 seeds on", () => {
    const planned = twenty.map((each) => ({ ...each, enabled: ["loss", "crash"] as const }));
    expect(campaignOf(planned).failures()).toMatchObject([{ seed: null, checker: "faults" }]);
    expect(campaignOf(planned.slice(1)).failures()).toEqual([]);
  });

  it("fails when a kind should have been planned often, and never was", () => {
    expect(campaignOf(twenty).failures({ loss: 3, pause: 2 })).toMatchObject([{ checker: "faults" }]);
    expect(campaignOf(twenty).failures({ loss: 3, pause: 0.01 })).toEqual([]);
    expect(campaignOf(twenty).failures({ loss: 3, move: 2 })).toEqual([]); // not possible there
  });
});
