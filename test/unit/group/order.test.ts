// Groups while nobody dies: everyone gets the same messages in the same order.

import { describe, expect, it } from "vitest";
import { SECOND } from "../../simulation/world.js";
import { bytes, group, type User } from "./party.js";

const settle = (users: readonly User[]): void => {
  users[0]?.world.run(undefined, 2 * SECOND);
};

function sameOrder(users: readonly User[]): string[] {
  const last = users.at(-1);
  const own = last?.order ?? [];
  const first = own[0];
  for (const user of users) {
    const at = user.order.indexOf(first ?? "");
    expect(user.order.slice(at)).toEqual(own);
  }
  return own;
}

describe.each([0, 1, 2])("a group with resilience %i", (resilience) => {
  it("delivers joins and messages in one order", () => {
    const { users } = group(3, { resilience });
    for (const [index, user] of users.entries()) expect(user.sendNow(bytes(index, 1, 2))).toBe(0);
    settle(users);
    const order = sameOrder(users);
    expect(order).toHaveLength(4);
    expect(users.map((user) => user.info?.total)).toEqual([3, 3, 3]);
  });

  it("keeps it with everyone sending, over a bad wire", () => {
    const { users, lan, world } = group(4, { resilience }, { seed: 7 });
    lan.setFaults({ loss: 0.05, duplicate: 0.05, reorder: 0.1, corrupt: 0.01 });
    for (let round = 0; round < 100; round++)
      for (const [index, user] of users.entries()) user.send(new Uint8Array((round * 37) % 5000).fill(index));
    world.run(() => users.every((user) => user.sends.length === 100), 60 * SECOND);
    lan.setFaults({});
    settle(users);
    expect(users.map((user) => user.sends.filter(({ status }) => status === 0).length)).toEqual([
      100, 100, 100, 100,
    ]);
    expect(sameOrder(users)).toHaveLength(401);
  });
});
