// If one of these fails, a machine without an operating system is no member of a group that Linux
// machines are in, sees another order than they do, or stands in the way of their recovery.

import { describe, expect, it } from "vitest";
import { groupPort } from "../../../control/cli/group-name.js";
import { anyMemberPort, memberPort } from "../../../control/interface/group.js";
import { describeGroup, listGroups, submitToGroup } from "../../../control/stub/group.js";
import { type LinuxMember, MetalGroupRoom, messages, typed } from "./group-room.js";
import type { MetalMachine } from "./metal-machine.js";

const joinedAs = (machine: MetalMachine, how = "joined"): number => {
  const [, id = "-1"] =
    [...machine.said.matchAll(new RegExp(`${how}, as member (\\d+) of`, "g"))].at(-1) ?? [];
  return Number(id);
};
const isMember = (machine: MetalMachine, how?: string) => () => joinedAs(machine, how) >= 0;

/** A group that two Linux machines and then a metal one are in. */
async function three(): Promise<{ room: MetalGroupRoom; linux: LinuxMember[]; metal: MetalMachine }> {
  const room = new MetalGroupRoom();
  const linux = [await room.linux("chat", true), await room.linux("chat", false)];
  const metal = room.metal("name=m1 group=chat");
  await room.until("the machine joins", isMember(metal));
  return { room, linux, metal };
}

const first = ({ linux }: { linux: readonly LinuxMember[] }): LinuxMember => {
  const [found] = linux;
  if (found === undefined) throw new Error("there is no member");
  return found;
};

describe("a metal machine in a group of Linux machines", () => {
  it("is counted, hears everything in their order, and is heard by them", async () => {
    const there = await three();
    const { room, linux, metal } = there;
    const { replica, kernel } = first(there);
    expect(replica.describe()?.members.map(({ id }) => id)).toEqual([0, 1, 2]);
    expect(joinedAs(metal)).toBe(2);
    metal.typed = "send from the metal\r";
    const sent = linux.flatMap(({ submit }, i) =>
      [..."abcdefgh"].map((letter) => submit(`${letter} of ${i}`)),
    );
    await room.settled(Promise.all(sent));
    await room.until("the machine's line", () => metal.said.includes("sent as message"));
    const own = await room.settled(describeGroup(kernel, memberPort(kernel, groupPort("chat"), 2)));
    expect(own).toMatchObject({ name: "chat", answeredBy: 2, state: "normal", minimum: 1 });
    expect(own.members.length).toBe(3);
    const heard = await messages(room, metal);
    expect(heard.length).toBe(17);
    for (const { lines } of linux) expect(lines).toEqual(heard);
    expect(heard.filter(([, member]) => member === 2).map(([, , text]) => text)).toEqual(["from the metal"]);
  });

  it("sends for those that are no members, and shows what goes on", async () => {
    const { room, linux, metal } = await three();
    const asker = room.kernel();
    const port = memberPort(asker, groupPort("chat"), 2);
    const seqno = await room.settled(submitToGroup(asker, port, new TextEncoder().encode("outside")));
    await room.run(5);
    for (const { lines } of linux) expect(lines).toEqual([[seqno, 2, "outside"]]);
    expect(await typed(room, metal, "groups")).toContain("chat  636861740000  normal  2  0  0  4  0,1,2");
  });

  it("takes part in the reset when the sequencer's machine dies, and the order goes on", async () => {
    const there = await three();
    const { room, linux, metal } = there;
    room.off.add(first(there).kernel);
    await room.until("the reset", () => metal.said.includes("reset, here as member 2"));
    const [, left] = linux as [LinuxMember, LinuxMember];
    await room.settled(left.submit("after the crash"));
    metal.typed = "send me too\r";
    await room.until("both lines", () => left.lines.length === 2);
    expect(await messages(room, metal)).toEqual(left.lines);
    expect(left.replica.describe()?.members.map(({ id }) => id)).toEqual([1, 2]);
  });

  it("is left out when its power is cut, and can come back as another member", async () => {
    const there = await three();
    const { room, metal } = there;
    const { replica, submit, lines } = first(there);
    room.off.add(metal);
    await room.until("the others reset", () => replica.describe()?.members.length === 2);
    await room.settled(submit("without it"));
    const again = room.metal("name=m1 group=chat");
    await room.until("it joins again", isMember(again));
    await room.settled(submit("with it"));
    await room.run(5);
    expect(await messages(room, again)).toEqual(lines.filter(([, , text]) => text === "with it"));
  });

  it("joins again when the group went on without it, and sends its line once", async () => {
    const there = await three();
    const { room, metal } = there;
    const { replica, submit, lines } = first(there);
    room.off.add(metal); // it stands still
    metal.typed = "send once\r";
    await room.until("the others reset", () => replica.describe()?.members.length === 2);
    await room.settled(submit("meanwhile"));
    room.off.delete(metal);
    await room.until("it joins again", () => (metal.said.match(/joined, as member/g)?.length ?? 0) === 2);
    await room.until("its line", () => lines.some(([, , text]) => text === "once"));
    await room.run(200);
    expect(lines.map(([, , text]) => text)).toEqual(["meanwhile", "once"]);
  });

  it("leaves a group whose state it cannot keep, and disturbs nobody", async () => {
    const room = new MetalGroupRoom();
    const machine = {
      apply: () => new Uint8Array(),
      snapshot: () => Uint8Array.of(1),
      restore: () => undefined,
    };
    const { replica, events } = await room.linux("names", true, { machine });
    const metal = room.metal("group=names");
    await room.until("it says why", () => metal.said.includes("this machine cannot be a member"));
    await room.until("it is gone", () => replica.describe()?.members.length === 1);
    await room.run(50);
    expect(events.filter(({ kind }) => kind === "reset" || kind === "recovering")).toEqual([]);
    expect(await typed(room, metal, "groups")).toContain("names  6e616d657300  out");
  });
});

describe("a metal machine whose group is not there", () => {
  it("creates it, is found by its name and in the list, and gives a Linux machine its state", async () => {
    const room = new MetalGroupRoom();
    const metal = room.metal(`name=m1 group=long-name-of-a-group`);
    await room.until("it creates the group", isMember(metal, "created"));
    await room.run(500);
    metal.typed = "send before\r";
    await room.until("its line", () => metal.said.includes("sent as message"));
    const asker = room.kernel();
    const port = groupPort("long-name-of-a-group");
    const found = await room.settled(describeGroup(asker, anyMemberPort(asker, port)));
    expect(found).toMatchObject({
      name: "long-name-of-a-group",
      answeredBy: 0,
      sequencer: 0,
      membersMax: 16,
    });
    expect(await room.settled(listGroups(asker, 500))).toEqual([
      expect.objectContaining({ port: found.port }),
    ]);
    const joined = await room.linux("long-name-of-a-group", false);
    await room.settled(joined.submit("after"));
    await room.run(5);
    expect((await messages(room, metal)).map(([, , text]) => text)).toEqual(["before", "after"]);
    expect(joined.lines.map(([, , text]) => text)).toEqual(["after"]);
    room.off.add(metal); // the sequencer
    await room.until("the other goes on", () => joined.replica.describe()?.members.length === 1);
    await room.settled(joined.submit("alone"));
  });

  it("is in one group with those that begin in the same instant", async () => {
    for (const count of [1, 2]) {
      const room = new MetalGroupRoom();
      const metals = Array.from({ length: count }, () => room.metal("group=same"));
      const linux = await Promise.all([room.linux("same", true), room.linux("same", true)]);
      await room.until("all are members", () => metals.every((metal) => /as member \d/.test(metal.said)));
      await room.run(100);
      for (const { replica } of linux) expect(replica.describe()?.members.length).toBe(2 + count);
    }
  });

  it("says that a name is none, or that there is no room, and serves all the same", async () => {
    const room = new MetalGroupRoom();
    expect(room.metal(`group=${"x".repeat(56)}`).said).toContain("this is no name");
    expect(room.metal("group=000000000000").said).toContain("this is no name");
    expect(room.metal("group=chat", { memoryMebibytes: 4 }).said).toContain("serves {");
    const { replica } = await room.linux("large", true, { parameters: { logHistory: 12 } });
    const metal = room.metal("group=large", { memoryMebibytes: 4 });
    await room.until("it says why", () => metal.said.includes("its history does not fit into this machine"));
    await room.run(3000);
    expect(metal.said.match(/does not fit/g)).toHaveLength(1);
    expect(replica.describe()?.members.length).toBe(1);
  });
});
