// Groups in which a reset got its place and nobody heard of it: if one of these fails, what was said
// under one number differs from member to member, or a group stands still after a leave.

import { describe, expect, it } from "vitest";
import { STD_OK } from "../../../core-wasm/status.js";
import { layersOf } from "../../simulation/pairs.js";
import { SECOND } from "../../simulation/world.js";
import { bytes, group, type User } from "./party.js";

/** Seqno, sender, kind and data of all from `seqno` on. */
const from = (user: User, seqno: number): string[] =>
  user.order.filter((line) => Number(line.split(" ")[0]) >= seqno);

describe("a reset that only its coordinator knows", () => {
  /**
   * m0 orders two messages that nobody hears; m1 forms a group without it, and its result comes to nobody.
   * Then all of them meet.
   */
  function parted(resilience: number) {
    const { users, world, lan } = group(5, { resilience });
    const [first, second] = users as [User, User];
    expect(second.sendNow(bytes(1))).toBe(STD_OK);
    world.run(undefined, SECOND);
    const before = first.info?.next ?? 0;
    lan.filter = (_frame, sender, receiver) => sender === "m0" || receiver === "m0";
    first.send(bytes(2));
    first.send(bytes(3));
    world.run(() => users.every((user) => user.info?.state === "aborted"), 5 * SECOND);
    lan.filter = (frame, sender, receiver) =>
      sender === "m0" || receiver === "m0" || layersOf(frame).group?.type === "RESULT";
    second.beginReset(3);
    world.run(() => second.info?.next === before + 1, SECOND);
    expect(second.info).toMatchObject({ state: "coordinator", next: before + 1, incarnation: 1 });
    return { users, world, lan, before };
  }

  it.each([1, 2])("leaves one order behind, whoever leads (resilience %i)", (resilience) => {
    for (const late of [null, 0, 1, 2, 3, 4]) {
      const { users, world, lan, before } = parted(resilience);
      lan.filter = null;
      for (const [index, user] of users.entries()) if (index !== late) user.beginReset(3);
      const isOpen = (user: User) => user.info?.state === "normal";
      world.run(undefined, SECOND);
      if (late !== null) users[late]?.beginReset(3);
      world.run(undefined, 10 * SECOND);
      const open = users.filter(isOpen);
      expect(open.length).toBeGreaterThanOrEqual(3);
      for (const user of open) user.receive();
      for (const user of open) expect(user.sendNow(bytes(9))).toBe(STD_OK);
      world.run(undefined, SECOND);
      const [one, ...others] = open as [User, ...User[]];
      expect(one.info?.total).toBe(open.length);
      for (const user of others) expect(from(user, before)).toEqual(from(one, before));
      // Either the messages that were not final or the reset took the place, not some of each.
      const places = from(one, before)
        .slice(0, 2)
        .map((line) => line.split(" ")[1]);
      expect([
        ["data", "data"],
        ["reset", "reset"],
        ["reset", "data"],
      ]).toContainEqual(places);
    }
  });

  it.each([1, 2])("is not mixed with what was ordered before it (resilience %i)", (resilience) => {
    const { users, world, lan, before } = parted(resilience);
    const third = users[2] as User;
    // m1 asks again, with the incarnation of its reset; nobody's vote comes back, and it is cut off.
    lan.filter = (frame, sender, receiver) =>
      sender === "m0" ||
      [sender, receiver].includes("m0") ||
      ["RESULT", "VOTE"].includes(layersOf(frame).group?.type ?? "");
    world.run(() => users.slice(2).every((user) => user.info?.incarnation === 1), 5 * SECOND);
    lan.filter = (_frame, sender, receiver) =>
      [sender, receiver].some((name) => name === "m0" || name === "m1");
    world.run(undefined, 10 * SECOND);
    expect(users.map((user) => user.info?.state)).toEqual(users.map(() => "aborted"));
    expect(users.map((user) => user.info?.next)).toEqual([2, 1, 0, 0, 0].map((more) => before + more));
    lan.filter = null;
    third.beginReset(3);
    world.run(undefined, SECOND / 10);
    for (const user of users) user.beginReset(3);
    world.run(undefined, 10 * SECOND);
    // m0 is no member after the reset of m1, whose place it had given to another message.
    const [first, second, ...others] = users as [User, User, ...User[]];
    expect(users.map((user) => user.info?.state)).toEqual([
      "aborted",
      "normal",
      "normal",
      "normal",
      "normal",
    ]);
    for (const user of users.slice(1)) user.receive();
    expect(second.sendNow(bytes(9))).toBe(STD_OK); // under the number of one that was never final
    world.run(undefined, SECOND);
    expect(from(second, before)[0]).toContain(" reset 1/");
    expect(from(second, before).at(-1)).toContain(" 1:9");
    for (const user of others) expect(from(user, before)).toEqual(from(second, before));
    expect(from(first, before)).toEqual([]);
  });

  it("leads also when the one that is asked to reset has an earlier one", () => {
    const { users, world, lan, before } = parted(1);
    const third = users[2] as User;
    lan.filter = (frame, sender, receiver) =>
      (sender === "m1" && layersOf(frame).group?.type === "REFORMREQ") ||
      sender === "m0" ||
      receiver === "m0";
    third.beginReset(3);
    world.run(() => users.slice(1).every((user) => user.info?.state === "normal"), 20 * SECOND);
    for (const user of users.slice(1)) user.receive();
    world.run(undefined, SECOND);
    const [first, ...others] = users.slice(1) as [User, ...User[]];
    expect(from(first, before)[0]).toMatch(/ reset 1\//);
    for (const user of others) expect(from(user, before)).toEqual(from(first, before));
  });

  it("leaves out whom something else is final for, and goes on", () => {
    const { users, world, lan, before } = parted(0); // with its number a message is final
    const [first, second] = users as [User, User];
    lan.filter = null;
    for (const user of users.slice(1)) user.beginReset(3);
    world.run(() => users.slice(1).every((user) => user.info?.state === "normal"), 20 * SECOND);
    for (const user of users.slice(1)) user.receive();
    expect(second.sendNow(bytes(9))).toBe(STD_OK);
    world.run(undefined, SECOND);
    expect(second.info?.view).toBe(0b11110n);
    for (const user of users.slice(2)) expect(from(user, before)).toEqual(from(second, before));
    expect(first.info?.state).not.toBe("normal");
  });
});

describe("a member that did not hear that a leave is final", () => {
  it("acknowledges in the place of the one that left", () => {
    const { users, world, lan } = group(4, { resilience: 1 });
    const [, second, third, fourth] = users as [User, User, User, User];
    const unheard = (types: readonly string[]) => {
      lan.filter = (frame, sender, receiver) =>
        sender === "m0" && receiver === "m2" && types.includes(layersOf(frame).group?.type ?? "");
    };
    unheard(["LEAVE", "SYNC", "ALIVE"]);
    expect(second.leave()).toBe(STD_OK);
    unheard(["LEAVE"]);
    expect(third.info?.total).toBe(4);
    expect(fourth.sendNow(bytes(1), 3 * SECOND)).toBe(STD_OK);
    world.run(undefined, SECOND);
    expect(third.info?.total).toBe(3);
  });
});
