// If one of these fails, a member of a group loses a message, gets one twice, or sees another
// order than the rest, when machines crash.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { GroupMessage } from "../../../control/group/inbox.js";
import { GroupMember, type MemberEnd, type MemberOptions } from "../../../control/group/member.js";
import { BC_ABORT, BC_FAIL, BC_ILLRESET, BC_TOOBIG } from "../../../core-wasm/status.js";
import type { FakeGroups } from "./fake-groups.js";
import { GroupRoom } from "./room.js";

const port = Uint8Array.of(1, 2, 3, 4, 5, 6);
const parameters = { resilience: 0, membersMax: 8, logHistory: 8, logMessage: 10 };

interface Watched {
  readonly groups: FakeGroups;
  readonly member: GroupMember;
  readonly got: GroupMessage[];
  readonly ends: MemberEnd[];
  readonly sent: { text: string; status: number; seqno: number }[];
  readonly send: (text: string) => void;
}

const textOf = ({ data }: GroupMessage): string => new TextDecoder().decode(data);
const lines = ({ got }: Watched): string[] => got.filter(({ kind }) => kind === "data").map(textOf);

async function enter(room: GroupRoom, more: Partial<MemberOptions> = {}, create = false): Promise<Watched> {
  const { kernel, groups } = room.machine();
  const got: GroupMessage[] = [];
  const ends: MemberEnd[] = [];
  const options: MemberOptions = {
    kernel,
    after: room.after,
    port,
    minimum: 1,
    take: (message) => {
      got.push(message);
      return undefined;
    },
    ended: (end) => ends.push(end),
    receives: 4,
    sendsMax: 6,
    ...more,
  };
  const member = create
    ? GroupMember.create(options, parameters)
    : await room.settled(GroupMember.join(options, {}));
  const sent: Watched["sent"] = [];
  const send = (text: string) => {
    member.send({}, new TextEncoder().encode(text), (status, seqno) => sent.push({ text, status, seqno }));
  };
  return { groups, member, got, ends, sent, send };
}

async function three(room: GroupRoom): Promise<[Watched, Watched, Watched]> {
  return [await enter(room, {}, true), await enter(room), await enter(room)];
}

describe("members of a group", () => {
  it("get all messages in one order, each sender's in the order of sending", async () => {
    const room = new GroupRoom(1);
    const members = await three(room);
    for (let i = 0; i < 40; i++) for (const [who, { send }] of members.entries()) send(`${who}:${i}`);
    await room.until(() => members.every((member) => lines(member).length === 120));
    const [first, ...others] = members.map(lines);
    for (const other of others) expect(other).toEqual(first);
    for (const who of [0, 1, 2]) {
      const own = first?.filter((line) => line.startsWith(`${who}:`));
      expect(own).toEqual(Array.from({ length: 40 }, (_, i) => `${who}:${i}`));
    }
    for (const { sent, got } of members) {
      for (const { text, status, seqno } of sent) {
        expect(status).toBe(0);
        expect(textOf(got.find((message) => message.seqno === seqno) as GroupMessage)).toBe(text);
      }
    }
  });

  it("wait for a slow handler, and lose nothing meanwhile", async () => {
    const room = new GroupRoom(2);
    const taken: string[] = [];
    let busy = 0;
    let most = 0;
    const slow = await enter(
      room,
      {
        take: (message) => {
          most = Math.max(most, ++busy);
          return new Promise((resolve) => {
            room.after(20, () => {
              busy--;
              taken.push(textOf(message));
              resolve();
            });
          });
        },
      },
      true,
    );
    for (let i = 0; i < 30; i++) slow.send(`${i}`);
    await room.until(() => taken.length === 30);
    expect(taken).toEqual(Array.from({ length: 30 }, (_, i) => `${i}`));
    expect(most).toBe(1);
  });

  it("say of a message that is too long that it is, and go on", async () => {
    const room = new GroupRoom(3);
    const alone = await enter(room, {}, true);
    alone.send("first");
    alone.send("x".repeat(1025));
    alone.send("last");
    await room.until(() => alone.sent.length === 3 && lines(alone).length === 2);
    expect(alone.sent.find(({ status }) => status < 0)).toMatchObject({ status: BC_TOOBIG });
    expect(lines(alone)).toEqual(["first", "last"]);
  });

  it("end their membership when fewer than the minimum can be reached, and say what became of messages", async () => {
    const room = new GroupRoom(4);
    const first = await enter(room, { minimum: 2 }, true);
    const second = await enter(room);
    for (let i = 0; i < 20; i++) first.send(`${i}`);
    room.network.crash(second.groups);
    await room.until(() => first.ends.length > 0);
    expect(first.ends).toEqual([{ kind: "cutOff", status: BC_ILLRESET }]);
    await room.until(() => first.sent.length === 20);
    const known = lines(first);
    for (const { text, status } of first.sent) {
      if (status === BC_ABORT) expect(known).not.toContain(text);
      else if (status !== BC_FAIL) expect(known).toContain(text);
    }
    expect(first.member.info()).toBeNull();
    const late: number[] = [];
    first.member.send({}, new Uint8Array(0), (status) => late.push(status));
    expect(late[0]).toBeLessThan(0);
  });

  it("leave, which is the last that they and the others hear of them", async () => {
    const room = new GroupRoom(5);
    const [first, second, third] = await three(room);
    await room.settled(second.member.leave());
    await room.until(() => third.got.some(({ kind }) => kind === "leave"));
    expect(second.got.at(-1)).toMatchObject({ kind: "leave", member: second.member.id });
    expect(second.ends).toEqual([{ kind: "left" }]);
    first.send("after");
    await room.until(() => lines(third).includes("after"));
    expect(lines(second)).toEqual([]);
  });

  it("deliver every message once or not at all, whoever crashes when", async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ what: fc.constant("send" as const), who: fc.nat(3) }) },
      { weight: 3, arbitrary: fc.record({ what: fc.constant("run" as const), who: fc.nat(9) }) },
      { weight: 1, arbitrary: fc.record({ what: fc.constant("crash" as const), who: fc.nat(3) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.nat(1e6), async (steps, seed) => {
        const room = new GroupRoom(seed);
        const all = [...(await three(room)), await enter(room)];
        const alive = new Set(all);
        for (const [number, { what, who }] of steps.entries()) {
          const one = all[who % all.length] as Watched;
          if (what === "send" && alive.has(one)) one.send(`${who}:${number}`);
          if (what === "run") await room.run(who);
          if (what === "crash" && alive.size > 1 && alive.delete(one)) room.network.crash(one.groups);
        }
        const survivors = [...alive];
        const waiting = () => survivors.some(({ sent }) => sent.some(({ status }) => status < 0));
        const wanted = steps.filter(({ what, who }) => what === "send" && alive.has(all[who % 4] as Watched));
        await room.until(
          () => survivors.reduce((sum, { sent }) => sum + sent.length, 0) >= wanted.length,
          5000,
        );
        await room.run(50);
        expect(waiting()).toBe(false);
        const [first = [], ...others] = survivors.map(lines);
        const late = survivors.map(({ got }) => got[0]?.seqno ?? 0); // what each joined with
        for (const [index, other] of others.entries()) {
          const from = Math.max(late[0] ?? 0, late[index + 1] ?? 0);
          const since = ({ got }: Watched) =>
            got.filter(({ seqno }) => seqno > from).map((message) => `${message.kind} ${textOf(message)}`);
          expect(since(survivors[index + 1] as Watched)).toEqual(since(survivors[0] as Watched));
          expect(other.length).toBe(new Set(other).size);
        }
        for (const { sent } of survivors) {
          for (const { text } of sent) expect(first.filter((line) => line === text)).toEqual([text]);
          // In the order of sending; the ends of two sends may be told in any order.
          const numberOf = ({ text }: { readonly text: string }) => Number(text.split(":")[1]);
          const order = [...sent]
            .sort((a, b) => numberOf(a) - numberOf(b))
            .map(({ text }) => first.indexOf(text));
          expect(order).toEqual([...order].sort((a, b) => a - b));
        }
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});
