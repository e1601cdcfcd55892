// What would be measured if someone asked: every combination once, and none that means nothing.

import { describe, expect, it } from "vitest";
import {
  batches,
  type GroupWanted,
  planGroupCases,
  planRecovery,
} from "../../../../control/bench/group/plan.js";
import {
  flowOutstanding,
  groupSystems,
  groupTests,
  senderChoices,
  standardMembers,
  standardResilience,
  standardSizes,
  streamOutstanding,
} from "../../../../control/bench/group/types.js";

const everything: GroupWanted = {
  tests: groupTests,
  members: standardMembers,
  sizes: standardSizes,
  resilience: standardResilience,
  senders: senderChoices,
  systems: groupSystems,
};

describe("the cases of a round", () => {
  const cases = planGroupCases(everything);

  it("are each there once", () => {
    const keys = cases.map((each) => JSON.stringify(Object.entries(each).sort()));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it("hold every size, number of members, degree and choice of senders for our groups", () => {
    for (const members of standardMembers)
      for (const bytes of standardSizes)
        for (const resilience of standardResilience.filter((degree) => degree < members))
          for (const senders of senderChoices)
            for (const [test, outstanding] of [
              ["group-send", 1],
              ["group-flow", flowOutstanding],
            ] as const)
              expect(cases).toContainEqual({
                ...{ system: "group", members, bytes, resilience, senders, test, outstanding },
              });
  });

  it("ask no group to survive the crash of all its members", () => {
    expect(cases.filter(({ members, resilience }) => (resilience ?? 0) >= members)).toEqual([]);
  });

  it("give calls and Corosync no resilience degree, and calls one sender", () => {
    const others = cases.filter(({ system }) => system !== "group");
    expect(others.every(({ resilience }) => resilience === null)).toBe(true);
    const calls = others.filter(({ system }) => system.startsWith("rpc"));
    expect(calls.every(({ senders, test }) => senders === "one" && test === "group-send")).toBe(true);
    expect(calls.map(({ system }) => system)).toEqual(expect.arrayContaining(["rpc", "rpc-all"]));
  });

  it("let ours and Corosync stream in the one case of which a goal speaks", () => {
    const streams = cases.filter(({ outstanding }) => outstanding === streamOutstanding);
    expect(streams.every(({ bytes, senders }) => bytes === 64 && senders === "all")).toBe(true);
    const three = streams.filter(({ members }) => members === 3).map(({ system }) => system);
    expect(three).toEqual(["group", "corosync", "corosync-knet"]);
  });

  it("come in the order in which machines and processes can be shared", () => {
    expect(batches(cases, ({ members }) => `${members}`).flat()).toEqual(cases);
    const three = cases.filter(({ members }) => members === 3);
    expect(batches(three, ({ system }) => system).flat()).toEqual(three);
  });

  it("are only what was asked for, whatever the order of the words", () => {
    const some = planGroupCases({ ...everything, members: [9, 2, 9], sizes: [64], tests: ["group-send"] });
    expect([...new Set(some.map(({ members }) => members))]).toEqual([2, 9]);
    expect(some.every(({ test }) => test === "group-send")).toBe(true);
    expect(planGroupCases({ ...everything, tests: ["group-recovery"] })).toEqual([]);
  });
});

describe("recovery", () => {
  it("is that of three members, ours and Corosync's", () => {
    const planned = planRecovery(everything);
    expect(planned.map(({ system, members }) => [system, members])).toEqual([
      ["group", 3],
      ["corosync", 3],
    ]);
  });

  it("is that of another number when three were not asked for, and none when it was not", () => {
    expect(planRecovery({ ...everything, members: [5, 2] }).map(({ members }) => members)).toEqual([2, 2]);
    expect(planRecovery({ ...everything, tests: ["group-send"] })).toEqual([]);
  });
});
