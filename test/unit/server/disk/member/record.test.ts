// If one of these fails, a member tells a server something else than what it needs to bring the
// others up to date: who lacks what, and where writes were under way.

import { beforeEach, describe, expect, it } from "vitest";
import { COOL_MS } from "../../../../../control/server/disk/member/activity.js";
import type { Member } from "../../../../../control/server/disk/member/member.js";
import type { MemberRecord } from "../../../../../control/server/disk/member/record.js";
import { blocksOf, CountingDevice, entryOf, HandClock, openMember, recordOf, writeOf } from "./parts.js";

const blocks = 8 * 1024;
let clock: HandClock;
let device: CountingDevice;
let member: Member;

async function recordNow(): Promise<MemberRecord> {
  const found = await member.look();
  if (found.kind !== "member") throw new Error("it is blank");
  return found.record;
}

/** What the medium says, opened anew. */
async function stored(): Promise<MemberRecord> {
  const found = await (await openMember({ device }, clock)).look();
  if (found.kind !== "member") throw new Error("it is blank");
  return found.record;
}

const withOther = (
  state: "in-sync" | "syncing" | "out",
  lacks: Uint8Array | null,
  changes = {},
): MemberRecord =>
  recordOf(blocks, { members: [entryOf(1, blocks), entryOf(2, blocks, { state, lacks })], ...changes });

const extent = (number: number): number => number * 1024;

beforeEach(async () => {
  clock = new HandClock();
  device = new CountingDevice(8300);
  member = await openMember({ device, isEmpty: true }, clock);
  await member.adopt(recordOf(blocks));
});

describe("an activity bit", () => {
  it("is on the medium before the first write into its extent", async () => {
    let before: number | undefined;
    const { write } = device;
    device.write = async (block, data) => {
      if (block === extent(2)) before = (await stored()).activity[0];
      return write.call(device, block, data);
    };
    await member.write(writeOf(1, extent(2), blocksOf(1)));
    expect(before).toBe(0b100);
  });

  it("goes when the extent was idle and all that was written is done", async () => {
    await member.write(writeOf(1, extent(2), blocksOf(1), { durable: false }));
    await member.write(writeOf(2, extent(3), blocksOf(1), { durable: false }));
    await clock.pass(COOL_MS + 2000);
    expect((await stored()).activity[0]).toBe(0b1100);
    await member.renew(1, 2);
    await clock.pass(2000);
    expect((await stored()).activity[0]).toBe(0b1000);
    await member.renew(1, 3);
    await clock.pass(2000);
    expect((await stored()).activity[0]).toBe(0);
    expect(clock.waiting).toBe(0);
  });

  it("goes at once when the storage is closed in order", async () => {
    await member.write(writeOf(1, extent(2), blocksOf(1), { durable: false }));
    await member.update(recordOf(blocks, { isClean: true }));
    expect(await stored()).toMatchObject({ isClean: true, activity: new Uint8Array(1) });
    await member.write(writeOf(2, extent(2), blocksOf(2)));
    expect(await stored()).toMatchObject({ isClean: false, activity: Uint8Array.of(0b100) });
  });

  it("of an earlier life is the server's to take back", async () => {
    await member.write(writeOf(1, extent(2), blocksOf(1)));
    await member.write(writeOf(2, extent(4), blocksOf(1)));
    member = await openMember({ device }, clock);
    const { activity } = await member.fence({ epoch: 2, server: 11n, age: recordOf(1).storage.age });
    expect(activity[0]).toBe(0b10100);
    await member.update(recordOf(blocks, { epoch: 2, activity: Uint8Array.of(0b100) }));
    expect((await stored()).activity[0]).toBe(0b100);
  });
});

describe("what another member lacks", () => {
  it("is what the server says and where writes may be under way, when it is out", async () => {
    await member.write(writeOf(1, extent(2), blocksOf(1)));
    await member.update(withOther("out", Uint8Array.of(1)));
    expect((await stored()).members[1]?.lacks).toEqual(Uint8Array.of(0b101));
    await member.write(writeOf(2, extent(5), blocksOf(1)));
    expect((await stored()).members[1]?.lacks).toEqual(Uint8Array.of(0b100101));
  });

  it("is not forgotten while it is out, also when the server knows less", async () => {
    await member.update(withOther("out", Uint8Array.of(1)));
    await member.write(writeOf(1, extent(2), blocksOf(1)));
    await member.renew(1, 2);
    await clock.pass(COOL_MS + 2000);
    await member.update(withOther("out", null));
    expect((await stored()).members[1]?.lacks).toEqual(Uint8Array.of(0b101));
  });

  it("is what the server says when it is syncing, and nothing when it is in sync", async () => {
    await member.write(writeOf(1, extent(2), blocksOf(1)));
    await member.update(withOther("syncing", Uint8Array.of(0b1000)));
    expect((await stored()).members[1]?.lacks).toEqual(Uint8Array.of(0b1000));
    await member.update(withOther("in-sync", Uint8Array.of(0b1000)));
    expect((await stored()).members[1]?.lacks).toBeNull();
  });
});

describe("an update", () => {
  it("of another storage, epoch or size is refused and changes nothing", async () => {
    const before = await recordNow();
    const other = { ...before.storage, age: new Uint8Array(16) };
    const wrong: [MemberRecord, string][] = [
      [recordOf(blocks, { storage: other }), "DISK_FOREIGN"],
      [recordOf(blocks, { members: [entryOf(2, blocks)] }), "DISK_FOREIGN"],
      [recordOf(blocks, { epoch: 0 }), "DISK_FENCED"],
      [recordOf(blocks - 1), "DISK_RANGE"],
      [recordOf(9000), "DISK_SHORT"],
    ];
    for (const [record, code] of wrong) await expect(member.update(record)).rejects.toMatchObject({ code });
    expect(await recordNow()).toEqual(before);
  });

  it("makes a member larger: what is new reads as zeros, and what was there is there", async () => {
    await member.write(writeOf(1, blocks - 1, blocksOf(3)));
    await member.update(recordOf(8275));
    const buffer = new Uint8Array(3 * 4096);
    await member.read(1, blocks - 1, buffer);
    expect(Buffer.compare(buffer, blocksOf(3, 0, 0))).toBe(0);
    await member.write(writeOf(2, 8274, blocksOf(4)));
    expect((await stored()).storage.blocks).toBe(8275);
  });

  it("never tells of another member's identity or epoch", async () => {
    await member.update(recordOf(blocks, { member: entryOf(2, 1).id, server: 99n, generation: 6n }));
    expect(await stored()).toMatchObject({ member: entryOf(1, 1).id, server: 11n, generation: 6n });
  });
});
