// Originals and ours in one group: if one of these fails, a machine that runs Amoeba 5 cannot
// be in a group with ours. The original here is our kernel without extensions: its wire, its
// timers (minutes of virtual time pass).

import { describe, expect, it } from "vitest";
import { BC_FAIL, STD_OK } from "../../../core-wasm/status.js";
import { original } from "../../simulation/pairs.js";
import { SECOND, World } from "../../simulation/world.js";
import { bytes, groupLimits, User } from "./party.js";

const minute = 60 * SECOND;

/** Machines on a LAN, each "ours" or "original", in the order in which they join. */
function mixed(
  kinds: readonly ("ours" | "original")[],
  choice: Parameters<User["create"]>[0] = {},
  seed = 3,
) {
  const world = new World(seed);
  const lan = world.lan();
  const users = kinds.map((kind, index) => {
    const extra = kind === "original" ? original.limits : {};
    return new User(world.machine(`${kind}${index}`, lan, { limits: { ...groupLimits, ...extra } }));
  });
  for (const [index, user] of users.entries()) {
    if (index === 0) user.create(choice);
    else expect(user.join(2 * minute)).toBe(STD_OK);
  }
  return { world, lan, users };
}

function expectSame(users: readonly User[], count: number): void {
  const data = users.map((user) => user.order.filter((line) => line.includes(" data ")));
  expect(data[0]?.length).toBe(count);
  for (const order of data) expect(order).toEqual(data[0]?.slice(-order.length));
}

const compositions = [
  ["ours", "original"],
  ["original", "ours"],
  ["ours", "original", "ours"],
  ["original", "ours", "ours"],
  ["original", "ours", "original", "ours"],
] as const;

describe.each([0, 1])("with resilience %i", (resilience) => {
  it.each(compositions.map((kinds) => [kinds.join(", "), kinds] as const))(
    "%s: all send small and large messages and get the same order",
    (_, kinds) => {
      const { users, world } = mixed(kinds, { resilience, logMessage: 15 });
      for (let i = 0; i < 5; i++) for (const user of users) user.send(bytes(i, user.gid));
      for (const user of users) user.send(new Uint8Array(14_000).fill(user.gid + 1));
      world.run(() => users.every((user) => user.sends.length === 6), 2 * minute);
      world.run(undefined, 10 * SECOND);
      for (const user of users) {
        expect(user.sends.map(({ status }) => status)).toEqual([0, 0, 0, 0, 0, 0]);
        expect(user.info).toMatchObject({ state: "normal", total: users.length, features: 0 });
      }
      expectSame(users, 6 * users.length);
    },
  );

  it.each([9, 10, 11, 12])("survive a bad wire (seed %i)", (seed) => {
    const { users, world, lan } = mixed(["original", "ours", "ours"], { resilience }, seed);
    lan.setFaults({ loss: 0.05, duplicate: 0.05, reorder: 0.1 });
    for (let i = 0; i < 20; i++) for (const [index, user] of users.entries()) user.send(bytes(index, i));
    world.run(() => users.every((user) => user.sends.length === 20), 20 * minute);
    lan.setFaults({});
    world.run(undefined, minute);
    expect(users.map((user) => user.sends.filter(({ status }) => status === STD_OK).length)).toEqual([
      20, 20, 20,
    ]);
    expectSame(users, 60);
  });

  it("one leaves, ours or the original, and the group goes on; only ours are quick again", () => {
    const { users, world } = mixed(["ours", "original", "ours"], { resilience });
    const [first, second, third] = users as [User, User, User];
    expect(second.leave(minute)).toBe(STD_OK);
    expect(first.sendNow(bytes(1), minute)).toBe(STD_OK);
    expect(third.sendNow(bytes(2), minute)).toBe(STD_OK);
    world.run(undefined, SECOND);
    expect(third.order.slice(-3)).toEqual(first.order.slice(-3));
    expect(first.info?.total).toBe(2);
    expect(third.leave(minute)).toBe(STD_OK);
    expect(first.sendNow(bytes(3), minute)).toBe(STD_OK);
  });

  it.each([
    ["original", ["original", "ours", "ours"]],
    ["ours", ["ours", "original", "ours"]],
  ] as const)(
    "the sequencer (%s) dies: the others find out with the original's timers, and reset",
    (_, kinds) => {
      const { users, world } = mixed(kinds, { resilience });
      const [first, second, third] = users as [User, User, User];
      for (const user of users) expect(user.sendNow(bytes(1), minute)).toBe(STD_OK);
      first.machine.crash();
      const died = world.now;
      world.run(() => second.info?.state === "aborted" || third.info?.state === "aborted", 10 * minute);
      expect(world.now - died).toBeGreaterThan(20 * SECOND);
      const coordinator = second.info?.state === "aborted" ? second : third;
      const other = coordinator === second ? third : second;
      const reset = coordinator.beginReset(2);
      world.run(() => reset.status !== null && other.info?.state === "normal", 5 * minute);
      expect(reset).toEqual({ status: STD_OK, total: 2 });
      other.receive();
      expect(other.sendNow(bytes(2), minute)).toBe(STD_OK);
      expect(coordinator.sendNow(bytes(3), minute)).toBe(STD_OK);
      world.run(undefined, 10 * SECOND);
      expect(other.order.slice(-3)).toEqual(coordinator.order.slice(-3));
      expect(coordinator.info).toMatchObject({ state: "normal", total: 2, incarnation: 1 });
    },
  );

  it("a member's send fails when the sequencer does not answer ten times", () => {
    const { users, world } = mixed(["original", "ours"], { resilience });
    const [first, second] = users as [User, User];
    first.machine.crash();
    let status: number | null = null;
    second.send(bytes(1), (end) => {
      status = end.status;
    });
    world.run(() => status !== null, 5 * minute);
    expect(status).toBe(BC_FAIL);
    expect(second.info?.state).toBe("aborted");
  });
});

describe("a group of ours", () => {
  it("takes the original's ways when one joins, in the middle of everything", () => {
    const { users, world, lan } = mixed(["ours", "ours"], { resilience: 1 });
    const [first, second] = users as [User, User];
    expect(first.info?.features).not.toBe(0);
    const third = new User(world.machine("late", lan, { limits: { ...groupLimits, ...original.limits } }));
    let left = 40;
    const more = (): void => {
      if (left-- > 0) second.send(bytes(left), more);
    };
    more();
    expect(third.join(2 * minute)).toBe(STD_OK);
    world.run(() => left < 0 && second.sends.length >= 40, 5 * minute);
    world.run(undefined, 10 * SECOND);
    for (const user of [first, second, third]) expect(user.info).toMatchObject({ total: 3, features: 0 });
    expect(second.sends.every(({ status }) => status === STD_OK)).toBe(true);
    const tail = third.order.slice(1);
    expect(first.order.slice(first.order.length - tail.length)).toEqual(tail);
    expect(third.sendNow(bytes(9), minute)).toBe(STD_OK);
  });
});
