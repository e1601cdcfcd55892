// The judge of groups, fed with histories that are right and histories that are wrong in one
// place: what it misses, no run of the simulator can find.

import { beforeEach, describe, expect, it } from "vitest";
import { type Delivered, GroupJudge, type MemberRecord } from "../../../simulation/checkers/groups.js";

let found: string[];
let judge: GroupJudge;
let a: MemberRecord;
let b: MemberRecord;
let c: MemberRecord;

function start(resilience = 1): void {
  found = [];
  judge = new GroupJudge("g", resilience, (checker) => found.push(checker));
  [a, b, c] = ["a", "b", "c"].map((name) => judge.member(name)) as [MemberRecord, MemberRecord, MemberRecord];
  for (const member of [a, b, c]) give([member], { kind: "join", id: 1000, seqno: 1 });
}

function give(
  members: readonly MemberRecord[],
  what: Partial<Delivered> & { id: number; seqno: number },
): void {
  for (const member of members) judge.delivered(member, { kind: "data", view: 0b111n, ...what });
}

const reset = (id: number, seqno: number, view: bigint): Delivered => ({
  kind: "reset",
  id,
  seqno,
  view,
});

beforeEach(() => start());

describe("the judge of groups", () => {
  it("finds nothing in one order that all get, and that promises were kept in", () => {
    for (const [id, sender] of [
      [1, a],
      [2, b],
      [3, a],
    ] as const)
      judge.sent(sender, id);
    give([a, b], { id: 1, seqno: 2 });
    judge.completed(a, 1, 2);
    judge.completed(b, 2, 3);
    give([b, a], { id: 2, seqno: 3 });
    give([c], { id: 1, seqno: 2 });
    give([c], { id: 2, seqno: 3 });
    judge.settled([a, b, c]);
    expect(found).toEqual([]);
  });

  it("finds two orders", () => {
    for (const id of [1, 2]) judge.sent(a, id);
    give([a], { id: 1, seqno: 2 });
    give([b], { id: 2, seqno: 2 });
    expect(found).toContain("total-order");
  });

  it("finds a gap, and what nobody sent", () => {
    judge.sent(a, 1);
    give([a], { id: 1, seqno: 3 });
    expect(found).toEqual(["total-order"]);
    give([b], { id: 77, seqno: 2 });
    expect(found).toEqual(["total-order", "total-order"]);
  });

  it("finds a message that was delivered twice, and one that was overtaken", () => {
    for (const id of [1, 2]) judge.sent(b, id);
    give([a], { id: 2, seqno: 2 });
    give([a], { id: 2, seqno: 3 });
    expect(found).toEqual(["twice"]);
    give([a], { id: 1, seqno: 4 });
    expect(found).toEqual(["twice", "fifo"]);
  });

  it("finds a completed send that another message took the place of, or that never came", () => {
    for (const id of [1, 2]) judge.sent(a, id);
    judge.completed(a, 1, 2);
    give([a], { id: 2, seqno: 2 });
    expect(found).toEqual(["completed-send"]);
    start();
    judge.sent(a, 1);
    judge.completed(a, 1, 2);
    judge.settled([b, c]);
    expect(found).toEqual(["completed-send"]);
  });

  it("finds a message that a reset lost, though few enough were gone", () => {
    judge.sent(a, 1);
    give([a], { id: 1, seqno: 2 });
    for (const member of [b, c]) judge.delivered(member, reset(2000, 2, 0b110n));
    expect(found).toEqual(["durability"]);
  });

  it("finds it too when it is delivered after the reset", () => {
    judge.sent(a, 1);
    for (const member of [b, c]) judge.delivered(member, reset(2000, 2, 0b110n));
    give([a], { id: 1, seqno: 2 });
    expect(found).toEqual(["durability"]);
  });

  it("allows that when more are gone than the resilience covers", () => {
    start(0);
    judge.sent(a, 1);
    give([a], { id: 1, seqno: 2 });
    for (const member of [b, c]) judge.delivered(member, reset(2000, 2, 0b110n));
    judge.settled([b, c]);
    expect(found).toEqual([]);
  });

  it("finds members that were not delivered the same when all is quiet", () => {
    judge.sent(a, 1);
    give([a, b], { id: 1, seqno: 2 });
    judge.settled([a, b, c]);
    expect(found).toEqual(["liveness"]);
  });

  it("takes a joiner into the log that it joined", () => {
    judge.sent(a, 1);
    give([a, b], { id: 1, seqno: 2 });
    const late = judge.member("late");
    give([late], { kind: "join", id: 1001, seqno: 3 });
    give([a, b], { kind: "join", id: 1001, seqno: 3 });
    judge.sent(late, 2);
    give([a, b, late], { id: 2, seqno: 4 });
    expect(found).toEqual([]);
    give([late], { id: 1, seqno: 6 });
    expect(found).toEqual(["total-order"]);
  });

  it("waits to be told what a joiner goes on from, when nobody else has come so far", () => {
    for (const id of [1, 2]) judge.sent(a, id);
    give([a], { id: 1, seqno: 2 });
    const late = judge.member("late");
    // The old history ends at 2, and the reset that the others are about to be told is 3.
    give([late], { kind: "join", id: 1001, seqno: 4 });
    give([b, c], { id: 1, seqno: 2 });
    for (const member of [b, c]) judge.delivered(member, reset(2000, 3, 0b110n));
    give([b], { kind: "join", id: 1001, seqno: 4 });
    give([late], { id: 2, seqno: 5 });
    give([b], { id: 2, seqno: 5 });
    expect(found).toEqual([]);
    give([c], { kind: "join", id: 1002, seqno: 4 });
    expect(found).toEqual(["total-order"]);
  });

  it("finds what a joiner was delivered alone, and a reset that it is in has lost", () => {
    judge.sent(a, 1);
    const late = judge.member("late");
    give([late], { kind: "join", id: 1001, seqno: 2 });
    give([late], { id: 1, seqno: 3 });
    give([a, b], { kind: "join", id: 1001, seqno: 2 });
    for (const member of [b, late]) judge.delivered(member, reset(2000, 3, 0b110n));
    expect(found).toContain("durability");
  });

  it("finds it too when the joiner was the first to be told of the reset", () => {
    judge.sent(a, 1);
    const late = judge.member("late");
    give([late], { kind: "join", id: 1001, seqno: 2 });
    judge.delivered(late, reset(2000, 3, 0b110n));
    judge.delivered(b, { kind: "join", id: 1001, seqno: 2, view: 0b111n });
    judge.delivered(b, { kind: "data", id: 1, seqno: 3, view: 0b111n });
    expect(found).toEqual(["durability"]);
  });
});
