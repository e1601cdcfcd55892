// If one of these fails, members of a replicated group come to hold different states, or a
// command is applied twice, or lost although its caller was told that it was done.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Replica, type ReplicaEvent, type ReplicaOptions } from "../../../control/group/replica.js";
import type { FakeGroups } from "./fake-groups.js";
import { GroupRoom } from "./room.js";

const port = Uint8Array.of(1, 2, 3, 4, 5, 6);
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The state: all commands so far, and how many bytes of ballast. */
class Log {
  lines: string[] = [];

  apply(command: Uint8Array): Uint8Array {
    this.lines.push(decode(command));
    return encode(`${this.lines.length}`);
  }

  snapshot(): Uint8Array {
    return encode(JSON.stringify(this.lines));
  }

  restore(snapshot: Uint8Array): void {
    this.lines = JSON.parse(decode(snapshot)) as string[];
  }
}

interface Machine {
  readonly groups: FakeGroups;
  readonly log: Log;
  readonly events: ReplicaEvent[];
  readonly ends: unknown[];
  readonly options: ReplicaOptions;
}

function machine(room: GroupRoom, more: Partial<ReplicaOptions> = {}): Machine {
  const { kernel, groups } = room.machine();
  const log = new Log();
  const events: ReplicaEvent[] = [];
  const ends: unknown[] = [];
  const { after, random } = room;
  const options: ReplicaOptions = {
    ...{ kernel, after, random, port, name: "group", machine: log, create: true },
    event: (event) => events.push(event),
    ended: (why) => ends.push(why),
    ...more,
  };
  return { groups, log, events, ends, options };
}

type Opened = Machine & { readonly replica: Replica };

async function open(room: GroupRoom, more: Partial<ReplicaOptions> = {}): Promise<Opened> {
  const made = machine(room, more);
  return { ...made, replica: await room.settled(Replica.open(made.options)) };
}

const text = async (room: GroupRoom, promise: Promise<{ result: Uint8Array }>): Promise<string> =>
  decode((await room.settled(promise)).result);

describe("a replica", () => {
  it("applies the same commands in the same order everywhere, and gives the caller the answer", async () => {
    const room = new GroupRoom(1);
    const all = [await open(room), await open(room), await open(room)];
    const [first, second] = all as [Opened, Opened];
    const answers = [first, second, first].map(({ replica }, i) => replica.submit(encode(`line ${i}`)));
    const numbers = (await room.settled(Promise.all(answers))).map(({ result }) => decode(result));
    expect([...numbers].sort()).toEqual(["1", "2", "3"]);
    await room.until(() => all.every(({ log }) => log.lines.length === 3));
    for (const { log } of all) expect(log.lines).toEqual(first.log.lines);
    expect(first.log.lines.indexOf("line 1") + 1).toBe(Number(numbers[1]));
  });

  it("is in one group with those that began in the same instant and drew the same first place", async () => {
    for (let seed = 0; seed < 8; seed++) {
      const room = new GroupRoom(seed);
      const random = (bytes: number) =>
        Uint8Array.from(room.random(bytes), (byte, i) => (i === 0 ? 7 : byte));
      const opening = Array.from({ length: 3 }, () => Replica.open(machine(room, { random }).options));
      const replicas = await room.settled(Promise.all(opening));
      expect(replicas.map(({ id }) => id).sort()).toEqual([0, 1, 2]);
    }
  });

  it("gives a joiner its state, however long, and what was ordered meanwhile", async () => {
    const room = new GroupRoom(2);
    const first = await open(room);
    for (let i = 0; i < 100; i++) void first.replica.submit(encode(`${i} ${"x".repeat(1000)}`));
    await room.until(() => first.log.lines.length === 100);
    const joining = open(room);
    let joined = false;
    void joining.then(() => {
      joined = true;
    });
    for (let i = 0; !joined; i++) {
      void first.replica.submit(encode(`while joining ${i}`));
      await room.run(1);
    }
    const second = await joining;
    const done = await room.settled(second.replica.submit(encode("last")));
    await room.until(() => first.log.lines.includes("last"));
    expect(second.log.lines).toEqual(first.log.lines);
    expect(second.log.lines.length).toBeGreaterThan(101);
    expect(done.seqno).toBeGreaterThan(0);
  });

  it("refuses to join a group that has another resilience or minimum, and states both", async () => {
    const room = new GroupRoom(3);
    await open(room, { parameters: { resilience: 1 }, wishes: { resilience: 1, minimum: 2 } });
    for (const [wishes, why] of [
      [{ resilience: 2 }, "its resilience is 1, 2 was asked for"],
      [{ minimum: 3 }, "its minimum is 2, 3 was asked for"],
    ] as const) {
      const { options } = machine(room, { wishes });
      await expect(room.settled(Replica.open(options))).rejects.toMatchObject({ code: "GROUP_DIFFERS", why });
    }
    const same = await open(room, { wishes: { minimum: 2 } });
    expect(same.replica.describe()).toMatchObject({ minimum: 2, resilience: 1, name: "group" });
  });

  it("does not join a group that does not exist", async () => {
    const room = new GroupRoom(4);
    const { options } = machine(room, { create: false });
    await expect(room.settled(Replica.open(options))).rejects.toMatchObject({ code: "BC_NOEXIST", exit: 3 });
  });

  it("is created once when several want to create it at the same time", async () => {
    for (let seed = 0; seed < 5; seed++) {
      const room = new GroupRoom(seed);
      const opening = [0, 1, 2].map(() => Replica.open(machine(room).options));
      const replicas = await room.settled(Promise.all(opening));
      await room.run(100);
      expect(new Set(replicas.map(({ id }) => id)).size).toBe(3);
      for (const replica of replicas) expect(replica.describe()?.members.length).toBe(3);
    }
  });

  it("goes on after a crash, and applies what was under way once", async () => {
    const room = new GroupRoom(5);
    const [first, second, third] = [await open(room), await open(room), await open(room)];
    const submitted = Array.from({ length: 30 }, (_, i) => second.replica.submit(encode(`${i}`)));
    await room.run(3);
    room.network.crash(first.groups);
    await room.settled(Promise.all(submitted));
    await room.until(() => third.log.lines.length === 30);
    expect(third.log.lines).toEqual(Array.from({ length: 30 }, (_, i) => `${i}`));
    expect(second.events.map(({ kind }) => kind)).toContain("reset");
  });

  it("joins anew when it was cut off, with a new state, and repeats what was open without doing it twice", async () => {
    for (let seed = 10; seed < 20; seed++) {
      const room = new GroupRoom(seed);
      const [first, second] = [await open(room), await open(room)];
      const submitted = Array.from({ length: 30 }, (_, i) => second.replica.submit(encode(`${i}`)));
      await room.run(seed - 8);
      room.network.cutOff(second.groups);
      void first.replica.submit(encode("meanwhile"));
      const applied = await room.settled(Promise.all(submitted));
      await room.until(() => first.log.lines.length === 31);
      expect(second.log.lines).toEqual(first.log.lines);
      const own = first.log.lines.filter((line) => line !== "meanwhile");
      expect(own).toEqual(Array.from({ length: 30 }, (_, i) => `${i}`));
      for (const [i, { result }] of applied.entries()) {
        expect(first.log.lines[Number(decode(result)) - 1]).toBe(`${i}`);
      }
      expect(second.events.map(({ kind }) => kind)).toContain("cutOff");
      expect(second.ends).toEqual([]);
    }
  });

  it("ends with an error that says why when too few are left, and leaves no call without an end", async () => {
    const room = new GroupRoom(6);
    const first = await open(room, { wishes: { minimum: 2 } });
    const second = await open(room);
    room.network.crash(second.groups);
    const call = first.replica.submit(encode("late"));
    await expect(room.settled(call, 60_000)).rejects.toMatchObject({ code: "GROUP_LOST", exit: 6 });
    expect(first.ends).toEqual([expect.objectContaining({ why: expect.stringContaining("at least 2") })]);
    await expect(first.replica.submit(encode("later"))).rejects.toMatchObject({ code: "BC_NOEXIST" });
  });

  it("leaves, and the others hear of it", async () => {
    const room = new GroupRoom(7);
    const [first, second] = [await open(room), await open(room)];
    await room.settled(first.replica.leave());
    expect(first.ends).toEqual([null]);
    await room.until(() => second.events.some(({ kind }) => kind === "leave"));
    expect(await text(room, second.replica.submit(encode("alone")))).toBe("1");
  });

  it("says of a command that is too long how long it may be", async () => {
    const room = new GroupRoom(8);
    const first = await open(room, { parameters: { logMessage: 10 } });
    const why = "its largest message has 1024 bytes";
    await expect(first.replica.submit(new Uint8Array(1025))).rejects.toMatchObject({
      code: "BC_TOOBIG",
      why,
    });
    expect(await text(room, first.replica.submit(new Uint8Array(1024)))).toBe("1");
  });

  it("is the same everywhere, and has every acknowledged command once, whoever fails when", async () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.record({ what: fc.constant("submit" as const), who: fc.nat(2) }) },
      { weight: 4, arbitrary: fc.record({ what: fc.constant("run" as const), who: fc.nat(20) }) },
      { weight: 1, arbitrary: fc.record({ what: fc.constant("crash" as const), who: fc.nat(2) }) },
      { weight: 1, arbitrary: fc.record({ what: fc.constant("cutOff" as const), who: fc.nat(2) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(1e6), async (steps, seed) => {
        const room = new GroupRoom(seed);
        const all = [await open(room), await open(room), await open(room)];
        const alive = new Set(all);
        const done: string[] = [];
        const open_: Promise<unknown>[] = [];
        for (const [number, { what, who }] of steps.entries()) {
          const one = all[who % 3] as Opened;
          const line = `${who % 3}:${number}`;
          if (what === "submit" && alive.has(one)) {
            open_.push(one.replica.submit(encode(line)).then(() => done.push(line)));
          }
          if (what === "run") await room.run(who);
          // Somebody who has the state must be there to give it.
          const others = [...alive].filter(
            (other) => other !== one && other.replica.id >= 0 && room.network.holds(other.groups),
          );
          if (others.length === 0 || !alive.has(one)) continue;
          if (what === "cutOff") room.network.cutOff(one.groups);
          if (what === "crash" && alive.delete(one)) room.network.crash(one.groups);
        }
        const survivors = [...alive];
        await room.until(() => survivors.every(({ replica }) => replica.pending === 0 && replica.id >= 0));
        await room.run(20);
        const lines = (survivors[0] as Opened).log.lines;
        for (const { log } of survivors) expect(log.lines).toEqual(lines);
        expect(new Set(lines).size).toBe(lines.length);
        for (const line of done) expect(lines).toContain(line);
      }),
      { numRuns: 20 },
    );
  });
});
