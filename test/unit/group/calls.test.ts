// What every call of a group answers: if one of these fails, a program is told something else
// than what the documentation says, or loses a message to its own mistake.

import { describe, expect, it } from "vitest";
import type { GroupParameters } from "../../../control/kernel/groups.js";
import * as layout from "../../../core-wasm/layout.js";
import {
  BC_ABORT,
  BC_BADPORT,
  BC_FAIL,
  BC_ILLRESET,
  BC_NOEXIST,
  BC_TOOBIG,
  BC_TOOMANY,
  KERNEL_BADHANDLE,
  RPC_BADADDRESS,
  STD_ARGBAD,
  STD_EXISTS,
  STD_NOMEM,
  STD_OK,
} from "../../../core-wasm/status.js";
import { SECOND } from "../../simulation/world.js";
import { bytes, type Ended, group, groupPort, party, User } from "./party.js";

const plain: GroupParameters = { resilience: 0, membersMax: 4, logHistory: 6, logMessage: 12 };
const beyond = 0xfffffff0;
const nobody = (): void => {
  throw new Error("an operation that was refused has ended");
};

/** One machine with a user that is in no group. */
function alone(limits: object = {}): User {
  const { users } = party(1, { machine: { limits } });
  return users[0] as User;
}

/** What has ended, in order; and something to hand to a call. */
function ends() {
  const list: Ended[] = [];
  return {
    list,
    done: (status: number, length: number, pointer: number) => list.push({ status, length, pointer }),
  };
}

describe("grp_create", () => {
  it.each([
    ["a resilience below 0", { resilience: -1 }],
    ["a resilience of 32", { resilience: 32 }],
    ["room for one member", { membersMax: 1 }],
    ["room for 65 members", { membersMax: 65 }],
    ["a history of 8 messages", { logHistory: 3 }],
    ["a history of 131072 messages", { logHistory: 17 }],
    ["messages of 512 bytes", { logMessage: 9 }],
    ["messages of 32 MiB", { logMessage: 25 }],
  ])("refuses %s, and leaves nothing behind", (_, wrong) => {
    const user = alone();
    expect(user.groups.create(groupPort, { ...plain, ...wrong })).toBe(STD_ARGBAD);
    expect(user.machine.running.groupBytes).toBe(0);
    expect(user.groups.create(groupPort, plain)).toBeGreaterThanOrEqual(0);
  });

  it("refuses the null port, and a history with no room beside its members", () => {
    const user = alone();
    expect(user.groups.create(new Uint8Array(6), plain)).toBe(BC_BADPORT);
    expect(user.groups.create(groupPort, { ...plain, membersMax: 12, logHistory: 4 })).toBe(STD_NOMEM);
    expect(user.groups.create(groupPort, { ...plain, membersMax: 11, logHistory: 4 })).toBe(0);
  });

  it("refuses a group that is here already, one too many, and one that the memory cannot hold", () => {
    const user = alone({ groups: 2 });
    const { groups } = user;
    expect(groups.create(groupPort, plain)).toBe(0);
    expect(groups.create(groupPort, plain)).toBe(STD_EXISTS);
    expect(groups.create(bytes(1, 2, 3, 4, 5, 6), { ...plain, logHistory: 16, logMessage: 24 })).toBe(
      STD_NOMEM,
    );
    expect(groups.create(bytes(1, 2, 3, 4, 5, 6), plain)).toBe(1);
    expect(groups.create(bytes(1, 2, 3, 4, 5, 7), plain)).toBe(BC_TOOMANY);
    expect(groups.end(0)).toBe(STD_OK);
    expect(groups.create(bytes(1, 2, 3, 4, 5, 7), plain)).toBe(0);
  });
});

describe("grp_join", () => {
  it("says BC_NOEXIST for a group that nobody has, in the time that was promised", () => {
    const user = alone();
    const { world } = user;
    const began = world.now;
    expect(user.join()).toBe(BC_NOEXIST);
    expect(world.now - began).toBeGreaterThanOrEqual(1.5 * SECOND);
    expect(world.now - began).toBeLessThan(4 * SECOND);
    world.run(undefined, SECOND);
    expect(user.machine.running.groupBytes).toBe(0);
  });

  it("refuses the null port, a group that is here, and a header that is not in memory", () => {
    const user = alone().create();
    const { groups, machine } = user;
    const header = user.header();
    expect(groups.join(header, nobody)).toBe(STD_EXISTS);
    expect(groups.join(beyond, nobody)).toBe(RPC_BADADDRESS);
    machine.running.bytes.fill(0, header, header + 6);
    expect(groups.join(header, nobody)).toBe(BC_BADPORT);
  });

  it("refuses a third group where there is room for two, and has room again when one has ended", () => {
    const { users } = group(1, {}, { machine: { limits: { groups: 2 } } });
    const first = users[0] as User;
    const other = new User(first.machine);
    expect(other.groups.create(bytes(9, 9, 9, 9, 9, 9), plain)).toBe(1);
    const at = first.header();
    first.machine.running.bytes.set(bytes(8, 8, 8, 8, 8, 8), at);
    expect(other.groups.join(at, nobody)).toBe(BC_TOOMANY);
    other.groups.end(1);
    const { list, done } = ends();
    expect(other.groups.join(at, done)).toBeGreaterThan(0);
    first.world.run(() => list.length > 0, 10 * SECOND);
    expect(list.map(({ status }) => status)).toEqual([BC_NOEXIST]);
  });

  it("says BC_NOEXIST when the group is full, and finds a place when one has left", () => {
    const { users, world } = party(4);
    const [first, second, third, fourth] = users as [User, User, User, User];
    first.create({ membersMax: 3 });
    expect([second.join(), third.join()]).toEqual([0, 0]);
    expect(fourth.join()).toBe(BC_NOEXIST);
    expect(third.leave()).toBe(0);
    world.run(undefined, SECOND);
    expect(fourth.join()).toBe(0);
    expect(first.info?.total).toBe(3);
  });

  it("says STD_NOMEM when the group's history does not fit here", () => {
    const { users, lan } = party(1);
    const first = users[0] as User;
    first.create({ logHistory: 10 });
    const limits = { groupBytes: 65536 };
    const small = new User(first.world.machine("small", lan, { limits }));
    expect(small.join()).toBe(STD_NOMEM);
    first.world.run(undefined, SECOND);
    expect(small.machine.running.groupBytes).toBe(0);
    expect(first.sendNow(bytes(1))).toBe(0);
  });
});

describe("a group that does not exist", () => {
  it.each([-1, 0, 1, 2, 1 << 30])("has no member that could send, receive or leave (gid %i)", (gid) => {
    const user = alone();
    const { groups } = user;
    const at = user.header();
    expect([
      groups.send(gid, at, 0, 0, nobody),
      groups.leave(gid, at, nobody),
      groups.receive(gid, at, 0, 0, nobody),
      groups.reset(gid, at, 1, nobody),
      groups.end(gid),
      groups.set(gid, layout.GROUP_SET_REPLY_MS, 1),
      groups.forward(gid, 0, 0),
    ]).toEqual(Array.from({ length: 7 }, () => BC_NOEXIST));
    expect(groups.info(gid)).toBeNull();
    expect(groups.member(gid, 0)).toBeNull();
  });
});

describe("one who is joining", () => {
  it("is no member yet: nothing may be sent, received or reset", () => {
    const user = alone();
    const { groups } = user;
    const end = user.beginJoin();
    expect(groups.info(0)?.state).toBe("locating");
    const at = user.header();
    expect([
      groups.send(0, at, 0, 0, nobody),
      groups.leave(0, at, nobody),
      groups.receive(0, at, at, 0, nobody),
      groups.reset(0, at, 1, nobody),
      groups.forward(0, 0, 0),
    ]).toEqual([BC_NOEXIST, BC_NOEXIST, BC_NOEXIST, BC_NOEXIST, BC_NOEXIST]);
    expect(groups.end(0)).toBe(STD_OK);
    user.world.run(() => end.status !== null, SECOND);
    expect(end.status).toBeLessThan(0);
    user.world.run(undefined, SECOND);
    expect(user.machine.running.groupBytes).toBe(0);
  });
});

describe("grp_send", () => {
  it("takes what the group allows to the byte, and refuses one more with nothing lost", () => {
    const { users } = group(2, { logMessage: 12 });
    const [first, second] = users as [User, User];
    expect(second.sendNow(new Uint8Array(4096).fill(1))).toBe(STD_OK);
    expect(second.sendNow(new Uint8Array(4097))).toBe(BC_TOOBIG);
    expect(second.sendNow(bytes(2))).toBe(STD_OK);
    first.world.run(undefined, SECOND);
    expect(
      first.got.filter(({ delivery }) => delivery.kind === "data").map(({ data }) => data.length),
    ).toEqual([4096, 1]);
  });

  it("refuses data that is not in memory, and a size below zero", () => {
    const user = alone().create();
    const at = user.header();
    expect(user.groups.send(0, beyond, 0, 0, nobody)).toBe(RPC_BADADDRESS);
    expect(user.groups.send(0, at, beyond, 100, nobody)).toBe(RPC_BADADDRESS);
    expect(user.groups.send(0, at, at, -1, nobody)).toBe(RPC_BADADDRESS);
    expect(user.sendNow(new Uint8Array(0))).toBe(STD_OK);
  });

  it("says BC_TOOMANY when as many wait as may, and goes on with those", () => {
    const { users, world } = group(2, {}, { machine: { limits: { groupOperations: 24 } } });
    const second = users[1] as User;
    const statuses = Array.from({ length: 60 }, () => second.send(bytes(1)));
    expect(statuses.filter((status) => status >= 0).length).toBeGreaterThan(0);
    expect(statuses.at(-1)).toBe(BC_TOOMANY);
    world.run(() => second.sends.length === 60, 10 * SECOND);
    const good = second.sends.filter(({ status }) => status === STD_OK).length;
    expect(good).toBe(statuses.filter((status) => status >= 0).length);
  });

  it("gives seqno and message id, as the delivery has them", () => {
    const { users, world } = group(2);
    const [first, second] = users as [User, User];
    for (let i = 0; i < 5; i++) second.send(bytes(i));
    world.run(() => second.sends.length === 5, SECOND);
    world.run(undefined, SECOND);
    const seen = first.got.filter(({ delivery }) => delivery.kind === "data");
    expect(second.sends).toEqual(
      seen.map(({ delivery }) => ({ status: 0, length: delivery.seqno, pointer: delivery.message })),
    );
  });
});

describe("grp_receive", () => {
  it("cuts off what does not fit and says how long it was", () => {
    const { users, world } = group(2);
    const [first, second] = users as [User, User];
    const small = new User(first.machine, 10);
    small.gid = 0;
    first.reading = false;
    world.run(() => first.receiving === 0 || true, SECOND);
    for (let i = 0; i < 20; i++) second.send(new Uint8Array(100).fill(i));
    world.run(() => first.receiving === 0, SECOND);
    small.receive();
    world.run(() => small.got.length > 3, SECOND);
    expect(small.got[3]?.data.length).toBe(10);
    expect(small.got[3]?.delivery.length).toBe(100);
  });

  it("refuses a place that is not in memory", () => {
    const user = alone().create();
    const at = user.header();
    expect(user.groups.receive(0, beyond, at, 0, nobody)).toBe(RPC_BADADDRESS);
    expect(user.groups.receive(0, at, beyond, 100, nobody)).toBe(RPC_BADADDRESS);
    expect(user.groups.receive(0, at, at, -1, nobody)).toBe(RPC_BADADDRESS);
  });
});

describe("grp_reset", () => {
  it("of a healthy group answers its size, and BC_ILLRESET for more than there are", () => {
    const { users, world } = group(3);
    const second = users[1] as User;
    const fine = second.beginReset(3);
    const many = second.beginReset(4);
    world.run(() => fine.status !== null && many.status !== null, SECOND);
    expect(fine).toEqual({ status: STD_OK, total: 3 });
    expect(many.status).toBe(BC_ILLRESET);
    expect(second.beginReset(9).status).toBe(BC_ILLRESET); // more than may ever be
    expect(second.sendNow(bytes(1))).toBe(STD_OK);
    expect(second.got.some(({ delivery }) => delivery.kind === "reset")).toBe(false);
  });

  it("refuses a header that is not in memory", () => {
    const user = alone().create();
    expect(user.groups.reset(0, beyond, 1, nobody)).toBe(RPC_BADADDRESS);
  });

  it("is wanted by every call once a member is dead", () => {
    const { users, world } = group(2);
    const [first, second] = users as [User, User];
    second.machine.crash();
    world.run(() => first.info?.state === "aborted", 2 * SECOND);
    const at = first.header();
    expect(first.groups.send(0, at, 0, 0, nobody)).toBe(BC_ABORT);
    expect(first.groups.leave(0, at, nobody)).toBe(BC_ABORT);
    expect(first.groups.receive(0, at, at, 0, nobody)).toBe(BC_ABORT);
    expect(first.groups.forward(0, 0, 0)).toBe(BC_ABORT);
  });
});

describe("grp_signal", () => {
  it("ends a join with BC_FAIL and leaves nothing of it", () => {
    const user = alone();
    const { list, done } = ends();
    const handle = user.groups.join(user.header(), done);
    user.world.run(undefined, SECOND / 10);
    expect(user.groups.signal(handle)).toBe(STD_OK);
    user.world.run(undefined, SECOND);
    expect(list.map(({ status }) => status)).toEqual([BC_FAIL]);
    expect(user.groups.signal(handle)).toBe(KERNEL_BADHANDLE);
    expect(user.groups.info(0)).toBeNull();
    expect(user.machine.running.groupBytes).toBe(0);
  });

  it("ends a receive with BC_ABORT, first, last or in the middle; the others get every message", () => {
    for (const chosen of [0, 1, 2]) {
      const user = alone();
      user.reading = false;
      user.create();
      const { groups, machine } = user;
      const ended: [number, number][] = [];
      const handles = [0, 1, 2].map((index) =>
        groups.receive(0, machine.running.buffers.take(128), user.header(), 8, (status) =>
          ended.push([index, status]),
        ),
      );
      expect(groups.signal(handles[chosen] ?? -1)).toBe(STD_OK);
      for (let i = 0; i < 2; i++) user.sendNow(bytes(i));
      user.world.run(() => ended.length === 3, SECOND);
      const others = [0, 1, 2].filter((index) => index !== chosen);
      expect(ended).toEqual([[chosen, BC_ABORT], ...others.map((index) => [index, STD_OK])]);
      const again = ends();
      expect(groups.receive(0, user.header(), user.header(), 8, again.done)).toBeGreaterThan(0);
      user.sendNow(bytes(3));
      expect(again.list.map(({ status }) => status)).toEqual([STD_OK]);
    }
  });

  it("takes back a send that has not left yet, with BC_FAIL; those before and after it go", () => {
    const { users, world } = group(2);
    const [first, second] = users as [User, User];
    const handles = Array.from({ length: 40 }, (_, i) => second.send(bytes(i)));
    expect(second.groups.signal(handles[39] ?? -1)).toBe(STD_OK);
    expect(second.groups.signal(handles[30] ?? -1)).toBe(STD_OK);
    second.send(bytes(40));
    world.run(() => second.sends.length === 41, 10 * SECOND);
    world.run(undefined, SECOND);
    expect(second.sends.filter(({ status }) => status !== STD_OK).map(({ status }) => status)).toEqual([
      BC_FAIL,
      BC_FAIL,
    ]);
    const sent = first.got.filter(({ delivery }) => delivery.kind === "data").map(({ data }) => data[0]);
    expect(sent).toEqual(Array.from({ length: 41 }, (_, i) => i).filter((i) => i !== 30 && i !== 39));
  });

  it("ends a reset with BC_FAIL, while the recovery goes on", () => {
    const { users, world } = group(3);
    const [first, second, third] = users as [User, User, User];
    first.machine.crash();
    world.run(() => second.info?.state === "aborted" && third.info?.state === "aborted", 2 * SECOND);
    const { list, done } = ends();
    const handle = second.groups.reset(second.gid, second.header(), 2, done);
    expect(second.groups.signal(handle)).toBe(STD_OK);
    world.run(() => list.length > 0, SECOND);
    expect(list.map(({ status }) => status)).toEqual([BC_FAIL]);
    world.run(() => second.info?.state === "normal" && third.info?.state === "normal", 5 * SECOND);
    expect(second.info?.total).toBe(2);
    expect(third.sendNow(bytes(1))).toBe(STD_OK);
  });

  it.each([-1, 0, 5, layout.HANDLE_GROUP, layout.HANDLE_GROUP | 77, 0x7fffffff])(
    "refuses a handle that nobody has: %i",
    (handle) => {
      const user = alone().create();
      expect(user.groups.signal(handle)).toBe(KERNEL_BADHANDLE);
      expect(user.sendNow(bytes(1))).toBe(STD_OK);
    },
  );
});

describe("grp_set", () => {
  it("takes what exists and refuses the rest", () => {
    const user = alone().create();
    const { groups } = user;
    for (let setting = layout.GROUP_SET_SYNC_MS; setting <= layout.GROUP_SET_DETECT_MS; setting++) {
      expect(groups.set(0, setting, 1000)).toBe(STD_OK);
      expect(groups.set(0, setting, 0)).toBe(STD_OK);
      expect(groups.set(0, setting, -1)).toBe(STD_ARGBAD);
      expect(groups.set(0, setting, 86_400_001)).toBe(STD_ARGBAD);
    }
    for (const setting of [0, -1, layout.GROUP_SET_DETECT_MS + 1, 0x7fffffff])
      expect(groups.set(0, setting, 1000)).toBe(STD_ARGBAD);
  });

  it("changes how long silence is suffered, and from where on the sender multicasts", () => {
    const { users, world } = group(2);
    const [first, second] = users as [User, User];
    first.groups.set(0, layout.GROUP_SET_LARGE, 100);
    expect(first.info?.large).toBe(100);
    expect(second.info?.large).toBe(10000);
    first.groups.set(0, layout.GROUP_SET_DETECT_MS, 3000);
    second.machine.crash();
    const died = world.now;
    world.run(() => first.info?.state === "aborted", 10 * SECOND);
    expect(world.now - died).toBeGreaterThan(2.5 * SECOND);
    expect(world.now - died).toBeLessThan(4 * SECOND);
  });
});

describe("grp_info and grp_member", () => {
  it("say the same at every member", () => {
    const { users, world } = group(3, { resilience: 1, membersMax: 5 });
    expect(users[2]?.sendNow(bytes(1))).toBe(STD_OK);
    world.run(undefined, SECOND);
    const infos = users.map((user) => user.info);
    for (const [index, info] of infos.entries()) {
      expect(info).toMatchObject({
        state: "normal",
        total: 3,
        myId: index,
        sequencer: 0,
        incarnation: 0,
        resilience: 1,
        membersMax: 5,
        logHistory: 6,
        logMessage: 13,
        view: 7n,
        expect: 4,
        next: 4,
        port: groupPort,
      });
      const members = [0, 1, 2, 3, 4].map(
        (id) => users[index]?.groups.member(users[index]?.gid ?? -1, id)?.state,
      );
      expect(members).toEqual(["member", "member", "member", "unused", "unused"]);
    }
    const addresses = users.map((user) => user.groups.member(user.gid, 1)?.address);
    expect(addresses[1]).toEqual(addresses[0]);
    expect(addresses[2]).toEqual(addresses[0]);
    const kernels = users.map((user) => user.groups.member(user.gid, 2)?.rpcAddress);
    expect(kernels).toEqual(users.map(() => users[2]?.machine.running.address));
  });

  it("refuse a member that the group has no place for", () => {
    const user = alone().create({ membersMax: 4 });
    expect(user.groups.member(0, 4)).toBeNull();
    expect(user.groups.member(0, -1)).toBeNull();
    expect(user.groups.member(0, 3)?.state).toBe("unused");
  });
});
