// Members that go and come: if one of these fails, a group keeps a member that is gone, or
// somebody who left waits for ever, or a group dies with its founder.

import { describe, expect, it } from "vitest";
import { BC_FAIL, BC_NOEXIST, STD_OK } from "../../../core-wasm/status.js";
import { layersOf } from "../../simulation/pairs.js";
import { SECOND } from "../../simulation/world.js";
import { bytes, group, groupPort, party, User } from "./party.js";

const kinds = (user: User): string[] => user.got.map(({ delivery }) => `${delivery.kind} ${delivery.member}`);

describe.each([0, 1])("a member that leaves (resilience %i)", (resilience) => {
  it("gets everything up to its own leave, and all others see it go at the same place", () => {
    const { users, world } = group(4, { resilience });
    const [first, second, third, fourth] = users as [User, User, User, User];
    for (const user of users) user.send(bytes(1));
    expect(third.leave()).toBe(STD_OK);
    for (const user of [first, second, fourth]) expect(user.sendNow(bytes(2))).toBe(STD_OK);
    world.run(undefined, SECOND);
    expect(third.got.at(-1)?.delivery).toMatchObject({ kind: "leave", member: 2 });
    expect(third.got.at(-1)?.delivery.header.offset).toBe(77);
    const place = first.order.findIndex((line) => line.includes(" leave 2/"));
    expect(place).toBeGreaterThan(0);
    for (const user of [second, fourth]) expect(user.order.slice(-4)).toEqual(first.order.slice(-4));
    expect(first.info).toMatchObject({ total: 3, view: 0b1011n });
    expect(third.send(bytes(3))).toBe(BC_NOEXIST);
    expect(third.leave()).toBe(BC_NOEXIST);
    expect(third.groups.receive(third.gid, third.header(), third.header(), 8, () => {})).toBe(BC_NOEXIST);
  });

  it("joins again under the id that is free, as often as it likes", () => {
    const { users, world } = group(3, { resilience, membersMax: 3 });
    const [first, second, third] = users as [User, User, User];
    for (let round = 0; round < 5; round++) {
      expect(third.leave()).toBe(STD_OK);
      third.groups.end(third.gid);
      expect(second.sendNow(bytes(round))).toBe(STD_OK);
      expect(third.join()).toBe(STD_OK);
      expect(third.sendNow(bytes(99))).toBe(STD_OK);
    }
    world.run(undefined, SECOND);
    expect(first.info?.total).toBe(3);
    expect(third.order.at(-1)).toBe(first.order.at(-1));
  });

  it("finds out that it has left when it missed that, and what it missed is gone", () => {
    const { users, world, lan } = group(3, { resilience, logHistory: 4, membersMax: 4 });
    const [first, second, third] = users as [User, User, User];
    lan.filter = (frame, from, to) => {
      const type = layersOf(frame).group?.type;
      return from === "m0" && to === "m2" && !["ALIVE", "ALIVEREQ", "DEAD"].includes(type ?? "");
    };
    let status: number | null = null;
    third.groups.leave(third.gid, third.header(), (ended) => {
      status = ended;
    });
    for (let i = 0; i < 60; i++) expect((i % 2 === 0 ? first : second).sendNow(bytes(i))).toBe(STD_OK);
    lan.filter = null;
    world.run(() => status !== null, 20 * SECOND);
    expect(status).toBe(BC_FAIL); // what became of it is not known here
    third.groups.end(third.gid);
    third.receiving = 0;
    expect(third.join()).toBe(STD_OK);
    expect(first.info?.total).toBe(3);
  });
});

describe("a sequencer that leaves", () => {
  it("goes on for the others, in the state left, and lets new ones in", () => {
    const { users, world } = party(4);
    const [first, second, third, fourth] = users as [User, User, User, User];
    first.create();
    expect([second.join(), third.join()]).toEqual([STD_OK, STD_OK]);
    expect(first.leave()).toBe(STD_OK);
    expect(first.info).toMatchObject({ state: "left", total: 2, view: 0b110n });
    expect(second.sendNow(bytes(1))).toBe(STD_OK);
    expect(fourth.join()).toBe(STD_OK);
    expect(fourth.sendNow(bytes(2))).toBe(STD_OK);
    world.run(undefined, SECOND);
    expect(kinds(second).slice(-4)).toEqual(["leave 0", "data 1", "join 3", "data 3"]);
    expect(third.order.slice(-4)).toEqual(second.order.slice(-4));
    expect(second.groups.member(second.gid, 0)?.state).toBe("left");
    expect(first.send(bytes(3))).toBe(BC_NOEXIST);
    expect(first.groups.receive(first.gid, first.header(), first.header(), 8, () => {})).toBe(BC_NOEXIST);
  });

  it("may die then: the others reset and go on without it", () => {
    const { users, world } = group(3);
    const [first, second, third] = users as [User, User, User];
    expect(first.leave()).toBe(STD_OK);
    first.machine.crash();
    world.run(() => second.info?.state === "aborted" && third.info?.state === "aborted", 2 * SECOND);
    const reset = second.beginReset(2);
    world.run(() => reset.status !== null && third.info?.state === "normal", 5 * SECOND);
    expect(reset).toEqual({ status: STD_OK, total: 2 });
    expect(third.sendNow(bytes(1))).toBe(STD_OK);
  });

  it("is let go by a reset of the others", () => {
    const { users, world } = group(4);
    const [first, second, third, fourth] = users as [User, User, User, User];
    expect(first.leave()).toBe(STD_OK);
    fourth.machine.crash();
    world.run(() => second.info?.state === "aborted" && third.info?.state === "aborted", 3 * SECOND);
    const reset = second.beginReset(2);
    world.run(() => reset.status !== null && third.info?.state === "normal", 5 * SECOND);
    expect(reset).toEqual({ status: STD_OK, total: 2 });
    world.run(() => first.info === null, 15 * SECOND);
    expect(first.info).toBeNull();
    world.run(undefined, 6 * SECOND);
    expect(first.machine.running.groupBytes).toBe(0);
  });

  it("is gone with the last member", () => {
    const { users, world } = group(3);
    const [first, second, third] = users as [User, User, User];
    for (const user of [first, second, third]) expect(user.leave()).toBe(STD_OK);
    world.run(() => users.every((user) => user.info === null), 30 * SECOND);
    expect(users.map((user) => user.info)).toEqual([null, null, null]);
    world.run(undefined, 6 * SECOND);
    expect(users.map((user) => user.machine.running.groupBytes)).toEqual([0, 0, 0]);
    expect(third.join()).toBe(BC_NOEXIST);
    second.create();
    expect(third.join()).toBe(STD_OK);
  });
});

describe("groups of one", () => {
  it.each([0, 1, 2])("have their order for themselves, and need nobody (resilience %i)", (resilience) => {
    const { users, world } = group(1, { resilience });
    const first = users[0] as User;
    for (let i = 0; i < 50; i++) expect(first.sendNow(bytes(i))).toBe(STD_OK);
    world.run(undefined, SECOND);
    expect(first.got.map(({ data }) => data[0])).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(first.info).toMatchObject({ total: 1, state: "normal" });
    expect(first.leave()).toBe(STD_OK);
    world.run(() => first.info === null, 30 * SECOND);
    expect(first.info).toBeNull();
  });
});

describe("several groups in one kernel", () => {
  it("do not mix: each keeps its own order, and the end of one leaves the others alone", () => {
    const { users, world } = party(2, { machine: { limits: { groups: 4 } } });
    const [first, second] = users as [User, User];
    const ports = [1, 2, 3].map((name) => Uint8Array.of(name, 7, 7, 7, 7, 7));
    const pairs = ports.map((port) => {
      const [here, there] = [new User(first.machine), new User(second.machine)];
      here.gid = here.groups.create(port, { resilience: 0, membersMax: 4, logHistory: 5, logMessage: 10 });
      here.receive();
      const header = there.header();
      there.machine.running.bytes.set(port, header);
      there.groups.join(header, (status, gid) => {
        expect(status).toBe(STD_OK);
        there.gid = gid;
        there.receive();
      });
      world.run(() => there.gid >= 0, 5 * SECOND);
      return [here, there] as const;
    });
    for (let i = 0; i < 30; i++)
      for (const [name, [here, there]] of pairs.entries()) (i % 2 === 0 ? here : there).send(bytes(name, i));
    world.run(undefined, SECOND);
    for (const [name, [here, there]] of pairs.entries()) {
      const data = here.got.filter(({ delivery }) => delivery.kind === "data");
      expect(data).toHaveLength(30);
      expect(data.every((one) => one.data[0] === name)).toBe(true);
      expect(there.order.slice(-30)).toEqual(here.order.slice(-30));
    }
    const [one, two] = pairs as [(typeof pairs)[0], (typeof pairs)[0]];
    one[0].groups.end(one[0].gid);
    world.run(undefined, SECOND);
    expect(one[1].info?.state).toBe("aborted");
    expect(two[1].info?.state).toBe("normal");
    expect(two[1].sendNow(bytes(1))).toBe(STD_OK);
    expect(
      first.groups.create(groupPort, { resilience: 0, membersMax: 4, logHistory: 5, logMessage: 10 }),
    ).toBe(one[0].gid);
  });
});
