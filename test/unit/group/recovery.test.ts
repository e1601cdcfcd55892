// Groups whose members die: the rest finds out, agrees, and goes on.

import { describe, expect, it } from "vitest";
import { SECOND } from "../../simulation/world.js";
import { bytes, group, type User } from "./party.js";

const alive = (users: readonly User[]): User[] => users.filter((user) => user.machine.kernel !== null);

describe.each([0, 1, 2])("a group with resilience %i", (resilience) => {
  it("notices within a second that its sequencer died, and goes on after a reset", () => {
    const { users, world } = group(4, { resilience });
    const [first, second, third, fourth] = users as [User, User, User, User];
    expect(second.sendNow(bytes(1))).toBe(0);
    first.machine.crash();
    const died = world.now;
    world.run(() => alive(users).every((user) => user.aborted > 0) || world.now - died > SECOND, 2 * SECOND);
    world.run(() => alive(users).some((user) => user.info?.state === "aborted"), SECOND);
    expect(world.now - died).toBeLessThan(SECOND);
    const resets = alive(users).map((user) => user.beginReset(3));
    world.run(() => resets.every(({ status }) => status !== null), 5 * SECOND);
    expect(resets).toEqual([0, 0, 0].map((status) => ({ status, total: 3 })));
    expect(world.now - died).toBeLessThan(2 * SECOND);
    for (const user of [second, third, fourth]) expect(user.sendNow(bytes(2, 3))).toBe(0);
    world.run(undefined, SECOND);
    const tail = (user: User): string[] => user.order.slice(-5);
    expect(tail(third)).toEqual(tail(second));
    expect(tail(fourth)).toEqual(tail(second));
    expect(second.got.filter(({ delivery }) => delivery.kind === "reset")).toHaveLength(1);
  });

  it("lets a machine that came back join again", () => {
    const { users, world } = group(3, { resilience });
    const [first, second, third] = users as [User, User, User];
    third.machine.crash();
    world.run(() => first.info?.state === "aborted", 2 * SECOND);
    const reset = first.beginReset(2);
    world.run(() => reset.status !== null && second.info?.state === "normal", 5 * SECOND);
    expect(reset.status).toBe(0);
    second.receive(); // its user was told BC_ABORT, and finds the group open again
    third.machine.boot();
    third.gid = -1;
    third.receiving = 0;
    expect(third.join()).toBe(0);
    expect(third.sendNow(bytes(9))).toBe(0);
    world.run(undefined, SECOND);
    expect(first.order.at(-1)).toBe(third.order.at(-1));
    expect(second.order.at(-1)).toBe(third.order.at(-1));
    expect(first.info?.total).toBe(3);
  });

  it("refuses a reset with fewer members than it asks for", () => {
    const { users, world } = group(3, { resilience });
    const [first, second, third] = users as [User, User, User];
    second.machine.crash();
    third.machine.crash();
    world.run(() => first.info?.state === "aborted", 2 * SECOND);
    const reset = first.beginReset(2);
    world.run(() => reset.status !== null, 5 * SECOND);
    expect(reset.status).toBe(-28);
    const alone = first.beginReset(1);
    world.run(() => alone.status !== null, 5 * SECOND);
    expect(alone).toEqual({ status: 0, total: 1 });
    expect(first.sendNow(bytes(1))).toBe(0);
  });
});

describe("what became final by a reset alone", () => {
  it("is told with the new incarnation, before the reset that says which one it began", () => {
    const { users, world } = group(3, { resilience: 2 });
    const [first, second, third] = users as [User, User, User];
    expect(first.sendNow(bytes(1))).toBe(0);
    world.run(undefined, SECOND);
    second.machine.crash();
    third.machine.crash();
    first.send(bytes(2)); // nobody else has it
    world.run(() => first.info?.state === "aborted", 2 * SECOND);
    const told = (): (readonly [string, number])[] =>
      first.got.map(({ delivery }) => [delivery.kind, delivery.incarnation] as const);
    const before = told().at(-1)?.[1] as number;
    expect(told().filter(([kind]) => kind === "data")).toEqual([["data", before]]);
    const reset = first.beginReset(1);
    world.run(() => reset.status !== null, 5 * SECOND);
    first.receive();
    world.run(undefined, SECOND);
    expect(told().slice(-2)).toEqual([
      ["data", first.info?.incarnation],
      ["reset", first.info?.incarnation],
    ]);
    expect(first.info?.incarnation).toBeGreaterThan(before);
  });
});
