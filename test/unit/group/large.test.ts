// Long messages, slow users, many members: if one of these fails, a group loses what is large,
// or one that reads slowly stops or loses messages.

import { describe, expect, it } from "vitest";
import { GROUP_SET_LARGE } from "../../../core-wasm/layout.js";
import { STD_OK } from "../../../core-wasm/status.js";
import { layersOf } from "../../simulation/pairs.js";
import { SECOND } from "../../simulation/world.js";
import { bytes, group, type User } from "./party.js";

const long = (size: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, index) => (index * 31 + seed * 7 + (index >> 8)) & 0xff);
const dataOf = (user: User): Uint8Array[] =>
  user.got.filter(({ delivery }) => delivery.kind === "data").map(({ data }) => data);
const same = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
  a.length === b.length && a.every((one, index) => Buffer.compare(one, b[index] ?? new Uint8Array(0)) === 0);

describe.each([0, 1, 2])("long messages (resilience %i)", (resilience) => {
  it("arrive whole at everyone, from the sequencer and from the others, by both methods", () => {
    const { users, world } = group(4, { resilience, logMessage: 15, logHistory: 5 });
    const sent: Uint8Array[] = [];
    for (const [index, size] of [9967, 9968, 10_000, 20_000, 32_768].entries()) {
      for (const user of users) {
        const data = long(size, index + user.gid + sent.length);
        sent.push(data);
        expect(user.sendNow(data)).toBe(STD_OK);
      }
    }
    world.run(undefined, SECOND);
    for (const user of users) {
      const got = dataOf(user).slice(-sent.length);
      expect(same(got, sent.slice(-got.length))).toBe(true);
    }
    expect(dataOf(users[0] as User)).toHaveLength(sent.length);
  });

  it("survive a bad wire, with everyone sending at once", () => {
    const machine = { limits: { groupBytes: 1 << 21 } };
    const { users, world, lan } = group(
      3,
      { resilience, logMessage: 14, logHistory: 5 },
      { seed: 5, machine },
    );
    lan.setFaults({ loss: 0.03, duplicate: 0.03, reorder: 0.05 });
    for (let round = 0; round < 15; round++)
      for (const [index, user] of users.entries()) user.send(long(12_000 + round * 100, index));
    world.run(() => users.every((user) => user.sends.length === 15), 120 * SECOND);
    lan.setFaults({});
    world.run(undefined, 2 * SECOND);
    expect(users.map((user) => user.sends.filter(({ status }) => status === STD_OK).length)).toEqual([
      15, 15, 15,
    ]);
    const [first, second, third] = users.map(dataOf) as [Uint8Array[], Uint8Array[], Uint8Array[]];
    expect(first).toHaveLength(45);
    expect(same(second, first)).toBe(true);
    expect(same(third, first)).toBe(true);
  });
});

describe("the method", () => {
  it("follows the size: the sequencer sends a small message's data, its sender a large one's", () => {
    const { users, world, lan } = group(4, { logMessage: 15 });
    const second = users[1] as User;
    world.run(undefined, SECOND);
    for (let i = 0; i < 3; i++) {
      second.sendNow(long(12_000, i)); // where everyone is gets known, and who they are
      world.run(undefined, SECOND);
    }
    const by = (size: number): Set<string> => {
      const senders = new Set<string>();
      lan.tap = (frame, from) => {
        const { group: packet } = layersOf(frame);
        if ((packet?.type === "BCAST" || packet?.type === "BCASTREQ") && frame.length > 500)
          senders.add(`${from} ${packet.type}`);
      };
      expect(second.sendNow(long(size, 2))).toBe(STD_OK);
      world.run(undefined, SECOND / 10);
      lan.tap = null;
      return senders;
    };
    expect(by(1000)).toEqual(new Set(["m1 BCASTREQ", "m0 BCAST"]));
    expect(by(12_000)).toEqual(new Set(["m1 BCASTREQ"]));
    second.groups.set(second.gid, GROUP_SET_LARGE, 600);
    expect(by(1000)).toEqual(new Set(["m1 BCASTREQ"]));
  });
});

describe("a full history", () => {
  it.each([0, 1])(
    "waits for a slow user and goes on with it, with nothing lost (resilience %i)",
    (resilience) => {
      const { users, world } = group(3, { resilience, logHistory: 4 });
      const [first, second, third] = users as [User, User, User];
      third.reading = false;
      world.run(undefined, SECOND / 10);
      for (let i = 0; i < 100; i++) for (const user of [first, second]) user.send(bytes(i));
      world.run(undefined, 5 * SECOND);
      const held = first.sends.length + second.sends.length;
      expect(held).toBeLessThan(40); // third's user had 8 receives out, and a history has 16 slots
      expect(first.info?.state).toBe("normal");
      expect(first.machine.running.counters().groupHistoryFull).toBeGreaterThan(0);
      third.reading = true;
      third.receive();
      world.run(() => first.sends.length === 100 && second.sends.length === 100, 60 * SECOND);
      world.run(undefined, SECOND);
      for (const user of [first, second])
        expect(user.sends.every(({ status }) => status === STD_OK)).toBe(true);
      expect(dataOf(third)).toHaveLength(200);
      expect(third.order.slice(-200)).toEqual(first.order.slice(-200));
      expect(first.machine.running.counters().groupResets).toBe(0);
    },
  );

  it("does not keep a new member out", () => {
    const { users, world } = group(3, { logHistory: 4, membersMax: 4 });
    const [first, second, third] = users as [User, User, User];
    third.reading = false;
    world.run(undefined, SECOND / 10);
    for (let i = 0; i < 60; i++) second.send(bytes(i));
    world.run(undefined, SECOND);
    const fourth = new (third.constructor as new (machine: User["machine"]) => User)(
      world.machine(
        "late",
        first.machine.lans[0] as NonNullable<(typeof first.machine.lans)[0]>,
        first.machine.options,
      ),
    );
    const end = fourth.beginJoin();
    world.run(undefined, SECOND / 2);
    third.reading = true;
    third.receive();
    world.run(() => end.status !== null, 20 * SECOND);
    expect(end.status).toBe(STD_OK);
    world.run(() => second.sends.length === 60, 20 * SECOND);
    world.run(undefined, SECOND);
    expect(fourth.order.at(-1)).toBe(first.order.at(-1));
  });
});

describe("fifteen members", () => {
  it.each([0, 2])("all send and all get the same (resilience %i)", (resilience) => {
    const { users, world } = group(15, { resilience, membersMax: 15, logHistory: 7 });
    for (let round = 0; round < 10; round++)
      for (const [index, user] of users.entries()) user.send(bytes(index, round));
    world.run(() => users.every((user) => user.sends.length === 10), 30 * SECOND);
    world.run(undefined, SECOND);
    for (const user of users) {
      expect(user.sends.every(({ status }) => status === STD_OK)).toBe(true);
      expect(user.order.slice(-150)).toEqual((users[0] as User).order.slice(-150));
    }
    expect(users[0]?.info?.total).toBe(15);
  });

  it("go on when the sequencer and another die at once, with nothing lost", () => {
    const { users, world } = group(15, { resilience: 2, membersMax: 15, logHistory: 7 });
    const rest = users.filter((_, index) => index !== 0 && index !== 7);
    for (let i = 0; i < 3; i++) for (const [index, user] of users.entries()) user.send(bytes(index, i));
    world.run(() => (users[3] as User).sends.length > 0, SECOND);
    users[0]?.machine.crash();
    users[7]?.machine.crash();
    world.run(() => rest.every((user) => user.info?.state === "aborted"), 3 * SECOND);
    const resets = rest.map((user) => user.beginReset(13));
    world.run(() => resets.every(({ status }) => status !== null), 10 * SECOND);
    expect(resets).toEqual(rest.map(() => ({ status: STD_OK, total: 13 })));
    expect((rest[0] as User).sendNow(bytes(99))).toBe(STD_OK);
    world.run(undefined, SECOND);
    const data = rest.map((user) => user.order.filter((line) => line.includes(" data ")));
    for (const order of data) expect(order).toEqual(data[0]);
    for (const user of rest) {
      for (const { status, length } of user.sends)
        if (status === STD_OK) expect(data[0]?.some((line) => line.startsWith(`${length} data`))).toBe(true);
    }
  });
});
