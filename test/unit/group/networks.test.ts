// Groups on networks of every kind: if one of these fails, members behind a router, on a
// network without multicast, or on one that nobody trusts are left out.

import { describe, expect, it } from "vitest";
import { STD_OK } from "../../../core-wasm/status.js";
import { FC_MCACK, FC_MCNAK, FC_MCREQ } from "../../../core-wasm/wire/formats.js";
import type { Lan } from "../../../simulation/engine/lan.js";
import { layersOf } from "../../simulation/pairs.js";
import { SECOND, World } from "../../simulation/world.js";
import { bytes, group, groupLimits, User } from "./party.js";

/** Joins all to the group of the first, which it makes. */
function gather(users: readonly User[], choice: Parameters<User["create"]>[0] = {}): void {
  for (const [index, user] of users.entries()) {
    if (index === 0) user.create(choice);
    else expect(user.join()).toBe(STD_OK);
  }
}

function expectSame(users: readonly User[], count: number): void {
  const [first] = users as [User];
  expect(first.got.filter(({ delivery }) => delivery.kind === "data")).toHaveLength(count);
  for (const user of users) {
    expect(user.info).toMatchObject({ state: "normal", total: users.length });
    const data = user.order.filter((line) => line.includes(" data "));
    expect(data).toEqual(first.order.slice(-data.length));
  }
}

function everyoneSends(users: readonly User[], rounds: number, size: number): void {
  const world = (users[0] as User).world;
  for (let i = 0; i < rounds; i++)
    for (const [index, user] of users.entries()) user.send(new Uint8Array(size).fill(index));
  world.run(() => users.every((user) => user.sends.length === rounds), 60 * SECOND);
  world.run(undefined, SECOND);
  for (const user of users) expect(user.sends.every(({ status }) => status === STD_OK)).toBe(true);
}

describe("a network that multicasts", () => {
  it("carries a message to four members in one frame, once they listen", () => {
    const { users, world, lan } = group(5);
    const second = users[1] as User;
    for (let i = 0; i < 20; i++) second.sendNow(bytes(i));
    world.run(undefined, SECOND);
    second.sendNow(bytes(1));
    let multicasts = 0;
    let unicasts = 0;
    lan.tap = (frame, from) => {
      if (from !== "m0") return;
      if (((frame[0] ?? 0) & 1) === 1) multicasts++;
      else unicasts++;
    };
    for (let i = 0; i < 10; i++) expect(second.sendNow(bytes(i))).toBe(STD_OK);
    lan.tap = null;
    expect(multicasts).toBe(10);
    expect(unicasts).toBeLessThan(3);
  });

  it("is asked member by member (MCREQ), and one that refuses gets its own copies", () => {
    const { users, world, lan } = group(4);
    const second = users[1] as User;
    let asked = 0;
    lan.tap = (frame) => {
      if (frame[14] === FC_MCREQ) asked++;
    };
    lan.filter = (frame, from) => {
      if (from === "m3" && frame[14] === FC_MCACK) frame[14] = FC_MCNAK;
      return false;
    };
    for (let i = 0; i < 10; i++) {
      second.sendNow(bytes(i));
      world.run(undefined, SECOND);
    }
    lan.filter = null;
    world.run(undefined, SECOND);
    expect(asked).toBeGreaterThan(0);
    expectSame(users, 10);
  });

  it("is done without when no answer ever comes", () => {
    const { users, world, lan } = group(4, { resilience: 1 });
    lan.filter = (frame) => frame[14] === FC_MCREQ || frame[14] === FC_MCACK;
    everyoneSends(users, 20, 100);
    world.run(undefined, SECOND);
    expectSame(users, 80);
  });
});

/** Two networks with a router between; `near` members on the first, `far` on the second. */
function acrossRouter(near: number, far: number, options: { mtu?: number; untrusted?: boolean } = {}) {
  const world = new World(11);
  const lans: [Lan, Lan] = [world.lan({ mtu: options.mtu ?? 1500 }), world.lan()];
  const limits = { ...groupLimits };
  world.machine("router", lans, { limits, ...(options.untrusted ? { untrusted: [1] } : {}) });
  const users = Array.from({ length: near + far }, (_, index) => {
    const lan = index < near ? lans[0] : lans[1];
    return new User(
      world.machine(`m${index}`, lan, {
        limits,
        ...(options.untrusted && index >= near ? { untrusted: [0] } : {}),
      }),
    );
  });
  return { world, lans, users };
}

describe.each([0, 1])("members on both sides of a router (resilience %i)", (resilience) => {
  it.each([
    [2, 1],
    [2, 2],
    [1, 3],
  ])("%i near and %i far keep one order, small and large", (near, far) => {
    const { users } = acrossRouter(near, far);
    gather(users, { resilience, logMessage: 15 });
    everyoneSends(users, 10, 200);
    expectSame(users, 10 * users.length);
    for (const user of users) user.sends.length = 0;
    everyoneSends(users, 3, 14_000);
    expectSame(users, 13 * users.length);
  });

  it("go on over networks of different frames", () => {
    const { users } = acrossRouter(2, 2, { mtu: 9000 });
    gather(users, { resilience, logMessage: 15 });
    everyoneSends(users, 5, 14_000);
    expectSame(users, 5 * users.length);
  });

  it("send what is large although the router forgot where the group is, which it then learns again", () => {
    const { world, lans, users } = acrossRouter(3, 1);
    gather(users, { resilience, logMessage: 15 });
    const last = users[3] as User;
    let forwarded = 0;
    lans[0].tap = (frame, from) => {
      const { flip, group: packet } = layersOf(frame);
      if (from === "router" && flip?.type === "MULTIDATA" && packet?.type === "BCASTREQ") forwarded++;
    };
    const sendUntilForwarded = (): void => {
      const before = forwarded;
      for (let left = 20; left > 0 && forwarded === before; left--) {
        expect(last.sendNow(new Uint8Array(14_000))).toBe(STD_OK);
        world.run(undefined, SECOND);
      }
      expect(forwarded).toBeGreaterThan(before);
    };
    sendUntilForwarded();
    world.machines[0]?.crash();
    world.machines[0]?.boot();
    expect(last.sendNow(new Uint8Array(14_000), 2 * SECOND)).toBe(STD_OK);
    sendUntilForwarded();
    expect(users.map(({ info }) => info?.incarnation)).toEqual([0, 0, 0, 0]);
  });

  it("are reached by multicast again soon when the router forgot where the group is", () => {
    const { world, lans, users } = acrossRouter(1, 3);
    gather(users, { resilience });
    const [, second, third] = users as [User, User, User];
    let forwarded = 0;
    lans[1].tap = (frame, from) => {
      if (from === "router" && layersOf(frame).flip?.type === "MULTIDATA") forwarded++;
    };
    const sendUntilForwarded = (): void => {
      const before = forwarded;
      for (let left = 12; left > 0 && forwarded === before; left--) {
        for (const user of [second, third]) expect(user.sendNow(bytes(left))).toBe(STD_OK);
        world.run(undefined, SECOND / 2);
      }
      expect(forwarded).toBeGreaterThan(before);
    };
    const reboot = (): void => {
      world.machines[0]?.crash();
      world.machines[0]?.boot();
    };
    reboot(); // until then the sequencer looked for the group no further than its own network
    sendUntilForwarded();
    reboot();
    sendUntilForwarded();
    expect(users.map(({ info }) => info?.incarnation)).toEqual([0, 0, 0, 0]);
  });

  it("notice that the router died, and what is left of the group goes on", () => {
    const { world, users } = acrossRouter(3, 1);
    gather(users, { resilience });
    everyoneSends(users, 3, 10);
    world.machines[0]?.crash();
    const rest = users.slice(0, 3);
    world.run(() => rest.every((user) => user.info?.state === "aborted"), 5 * SECOND);
    const first = rest[0] as User;
    world.run(() => first.info?.state === "aborted", 5 * SECOND);
    const reset = first.beginReset(3);
    world.run(
      () => reset.status !== null && rest.every((user) => user.info?.state === "normal"),
      10 * SECOND,
    );
    expect(reset).toEqual({ status: STD_OK, total: 3 });
    expect(rest[1]?.sendNow(bytes(5))).toBe(STD_OK);
  });
});

describe("an untrusted network", () => {
  it("carries groups all the same: they do not ask for security (spec 5.3)", () => {
    const { users } = acrossRouter(2, 2, { untrusted: true });
    gather(users, { resilience: 1 });
    everyoneSends(users, 5, 100);
    expectSame(users, 5 * users.length);
  });
});
