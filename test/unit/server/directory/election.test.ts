// If one of these fails, the directory servers may begin on a store that lacks what was
// acknowledged, two groups of them may serve at once, or none ever does.

import { describe, expect, it } from "vitest";
import {
  type Candidate,
  decide,
  majorityOf,
  mayPromise,
} from "../../../../control/server/directory/election.js";
import { comparePositions } from "../../../../control/server/directory/records.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";

const candidate = (index: number, of: Partial<Candidate> = {}): Candidate => ({
  ...{ index, term: 1, view: 0, version: 10, promised: 1, group: 0 },
  ...of,
});

it("a majority is more than half", () => {
  expect([1, 2, 3, 4, 5].map(majorityOf)).toEqual([1, 2, 2, 3, 3]);
});

describe("a member in no group", () => {
  const [own, other] = [candidate(0), candidate(1)];

  it("joins a group that there is, of the highest term, and none below what it promised", () => {
    const groups = [candidate(1, { group: 3 }), candidate(2, { group: 4 })];
    expect(decide(own, groups, 3, 1)).toEqual({ kind: "join", term: 4 });
    expect(decide(own, groups.slice(0, 1), 3, 4)).not.toMatchObject({ kind: "join" });
  });

  it("waits while a majority is not there, and says how many are missing", () => {
    expect(decide(own, [], 3, 1)).toEqual({ kind: "wait", missing: 1 });
    expect(decide(own, [other], 5, 1)).toEqual({ kind: "wait", missing: 1 });
  });

  it("founds one when its store is the best, in a term above all that it knows of", () => {
    const behind = candidate(1, { version: 9, promised: 6 });
    expect(decide(own, [behind], 3, 1)).toEqual({ kind: "found", term: 7 });
    expect(decide(behind, [own], 3, 1)).toEqual({ kind: "wait", missing: 0 });
  });

  it("is one of several with equal stores, and all know which", () => {
    const all = [0, 1, 2].map((index) => candidate(index));
    const founders = all.filter((each) => {
      const others = all.filter(({ index }) => index !== each.index);
      return decide(each, others, 3, 1).kind === "found";
    });
    expect(founders).toHaveLength(1);
  });

  it("counts a later view above more updates in an earlier one", () => {
    const alone = candidate(1, { version: 99 });
    const together = candidate(0, { view: 1, version: 10 });
    expect(decide(together, [alone], 3, 1).kind).toBe("found");
  });

  it("promises a term once, upwards, and to no store behind its own", () => {
    expect(mayPromise(own, 2, other)).toBe(true);
    expect(mayPromise({ ...own, promised: 2 }, 2, other)).toBe(false);
    expect(mayPromise({ ...own, term: 2 }, 2, other)).toBe(false);
    expect(mayPromise({ ...own, group: 1 }, 2, other)).toBe(false);
    expect(mayPromise(own, 2, { ...other, version: 9 })).toBe(false);
    expect(mayPromise(own, 2, { ...other, view: 1, version: 0 })).toBe(true);
  });

  it("of any five, whoever gets a majority of promises has what any majority has stored", () => {
    const random = new SeededRandom(11);
    const below = (most: number) => random.next() % most;
    let founded = 0;
    for (let round = 0; round < 3000; round++) {
      const all = Array.from({ length: 5 }, (_, index) =>
        candidate(index, { term: 1 + below(2), view: below(2), version: below(4), promised: 1 + below(4) }),
      );
      const own = all[below(5)] ?? candidate(0);
      const others = all.filter(({ index }) => index !== own.index && below(3) > 0);
      const decision = decide(own, others, 5, own.promised);
      if (decision.kind !== "found") continue;
      const promising = others.filter((each) => mayPromise(each, decision.term, own));
      if (1 + promising.length < majorityOf(5)) continue;
      founded++;
      // What three of the five have is acknowledged.
      const [, , acknowledged] = all.toSorted((one, other) => comparePositions(other, one));
      if (acknowledged === undefined) throw new Error("there are five");
      expect(comparePositions(own, acknowledged), `round ${round}`).toBeGreaterThanOrEqual(0);
    }
    expect(founded).toBeGreaterThan(100);
  });
});
