// If one of these fails, a member loses what it said it has, serves what it should not, or says
// that it is well when its medium is not.

import { beforeEach, describe, expect, it } from "vitest";
import type { Member } from "../../../../../control/server/disk/member/member.js";
import { LEASE_MS } from "../../../../../control/server/disk/member/port.js";
import { BlockError } from "../../../../../drivers/block.js";
import { digests } from "../kernel.js";
import {
  blocksOf,
  CountingDevice,
  entryOf,
  HandClock,
  idOf,
  openMember,
  recordOf,
  seed,
  writeOf,
} from "./parts.js";

const blocks = 2048;
let clock: HandClock;
let device: CountingDevice;
let member: Member;

async function read(block: number, count = 1, epoch = 1): Promise<Uint8Array> {
  const buffer = new Uint8Array(count * 4096);
  await member.read(epoch, block, buffer);
  return buffer;
}

/** The power goes for everything that was not flushed; there is no cache here, so nothing is lost. */
async function openAnew(): Promise<void> {
  member = await openMember({ device }, clock);
}

beforeEach(async () => {
  clock = new HandClock();
  device = new CountingDevice(2100);
  member = await openMember({ device }, clock);
  await member.adopt(recordOf(blocks));
});

describe("a hole", () => {
  it("is punched where the device can, written where it cannot, and written when it is small", async () => {
    for (const can of [true, false]) {
      device = new CountingDevice(2100);
      const punched: [number, number][] = [];
      const punch = async (block: number, count: number): Promise<boolean> => {
        if (!can) return false;
        punched.push([block, count]);
        await device.write(block, new Uint8Array(count * 4096));
        return true;
      };
      member = await openMember({ device: Object.assign(device, { punch }), isEmpty: true }, clock);
      await member.adopt(recordOf(blocks));
      for (let at = 0; at < 600; at += 200)
        await member.write(writeOf(at + 1, at, new Uint8Array(200 * 4096).fill(5)));
      const hole = { epoch: 1, done: 0, durable: true };
      await member.zero({ ...hole, sequence: 1001, block: 10, blocks: 500, punch: true });
      await member.zero({ ...hole, sequence: 1002, block: 530, blocks: 8, punch: true });
      await member.zero({ ...hole, sequence: 1003, block: 560, blocks: 20, punch: false });
      expect(punched).toEqual(
        can
          ? [
              [10, 256],
              [266, 244],
            ]
          : [],
      );
      for (const [from, count] of [
        [10, 250],
        [260, 250],
        [530, 8],
        [560, 20],
      ] as const)
        expect((await read(from, count)).every((byte) => byte === 0)).toBe(true);
      expect((await read(9))[0]).not.toBe(0);
      expect(Buffer.compare(await member.digests(1, 10, 500, true), new Uint8Array(500 * 8))).toBe(0);
    }
  });
});

describe("a medium", () => {
  it("is blank until it is adopted, and says how much it has room for", async () => {
    const blank = await openMember({ device: new CountingDevice(2100), isEmpty: true }, clock);
    expect(await blank.look()).toEqual({ kind: "blank", blocks: 2087, isEmpty: true });
    await expect(blank.adopt(recordOf(2088))).rejects.toMatchObject({ code: "DISK_SHORT" });
    await expect(blank.read(1, 0, new Uint8Array(4096))).rejects.toMatchObject({ code: "DISK_FOREIGN" });
    await blank.adopt(recordOf(2087));
    expect(await blank.look()).toMatchObject({ kind: "member", record: { epoch: 1, generation: 5n } });
  });

  it("reads as zeros when it is adopted, whatever it held", async () => {
    await device.write(0, new Uint8Array(2100 * 4096).fill(0xa5));
    await openAnew();
    expect(await member.look()).toMatchObject({ kind: "blank", isEmpty: false });
    await member.adopt(recordOf(blocks));
    expect(Buffer.compare(await read(0, 256), new Uint8Array(256 * 4096))).toBe(0);
    expect(Buffer.compare(await member.digests(1, 0, blocks, true), new Uint8Array(blocks * 8))).toBe(0);
  });

  it("has the disk's bytes from its first block on", async () => {
    await member.write(writeOf(1, 5, blocksOf(1, 2)));
    const found = new Uint8Array(2 * 4096);
    await device.read(5, found);
    expect(found).toEqual(blocksOf(1, 2));
  });
});

describe("a block", () => {
  it("is read as it was written, and its digest is kept", async () => {
    await member.write(writeOf(1, 510, blocksOf(1, 2, 3, 4)));
    await openAnew();
    await member.fence({ epoch: 2, server: 11n, age: recordOf(1).storage.age });
    expect(await read(510, 4, 2)).toEqual(blocksOf(1, 2, 3, 4));
    expect(await member.digests(2, 509, 3, false)).toEqual(digests.of(blocksOf(0, 1, 2), seed));
  });

  it("that changed on its way is refused, and nothing is written", async () => {
    const request = writeOf(1, 3, blocksOf(1, 2));
    request.data[5000] = 0xff;
    await expect(member.write(request)).rejects.toMatchObject({ code: "DISK_TRANSFER", blocks: [4] });
    expect(await read(3, 2)).toEqual(blocksOf(0, 0));
  });

  it("that rotted is named, and is well again when it was written", async () => {
    await member.write(writeOf(1, 3, blocksOf(1, 2, 3)));
    await device.write(4, blocksOf(9));
    await expect(read(3, 3)).rejects.toMatchObject({ code: "DISK_ROT", blocks: [4] });
    await member.write(writeOf(2, 4, blocksOf(2)));
    expect(await read(3, 3)).toEqual(blocksOf(1, 2, 3));
  });

  it("that cannot be read is named like one that rotted", async () => {
    await member.write(writeOf(1, 3, blocksOf(1, 2, 3)));
    device.fails = (what, block) =>
      what === "read" && block <= 5 ? new BlockError("BLOCK_UNREADABLE", "", block) : null;
    await expect(read(4, 3)).rejects.toMatchObject({ code: "DISK_ROT", blocks: [4, 5] });
  });

  it("is zeros that hold nothing after it was zeroed", async () => {
    await member.write(writeOf(1, 3, blocksOf(1, 2, 3)));
    await member.zero({ epoch: 1, sequence: 2, done: 0, block: 4, blocks: 1000, durable: true, punch: true });
    expect(await read(3, 3)).toEqual(blocksOf(1, 0, 0));
    expect(await member.digests(1, 4, 2, false)).toEqual(new Uint8Array(16));
  });

  it("outside of the member is refused", async () => {
    await expect(read(blocks)).rejects.toMatchObject({ code: "DISK_RANGE" });
    await expect(member.write(writeOf(1, blocks - 1, blocksOf(1, 2)))).rejects.toMatchObject({
      code: "DISK_RANGE",
    });
    await expect(member.digests(1, 0, blocks + 1, false)).rejects.toMatchObject({ code: "DISK_RANGE" });
  });
});

describe("a durable write", () => {
  it("into a hot extent takes one flush, and two writes", async () => {
    await member.write(writeOf(1, 3, blocksOf(1)));
    const { flushes, writes } = device;
    await member.write(writeOf(2, 4, blocksOf(2)));
    expect([device.flushes - flushes, device.writes - writes]).toEqual([1, 2]);
  });

  it("shares its flush with those that came while another one was under way", async () => {
    await member.write(writeOf(1, 3, blocksOf(1)));
    const { flushes } = device;
    await Promise.all(Array.from({ length: 32 }, (_, i) => member.write(writeOf(2 + i, 4 + i, blocksOf(2)))));
    expect(device.flushes - flushes).toBeLessThanOrEqual(3);
  });

  it("is executed once, however often it comes", async () => {
    const first = writeOf(1, 3, blocksOf(1));
    await Promise.all([member.write(first), member.write(first)]);
    await member.write(writeOf(2, 3, blocksOf(2)));
    await member.write(first);
    await member.write(writeOf(9, 8, blocksOf(9), { done: 7 }));
    await member.write(writeOf(5, 3, blocksOf(5))); // late: all below 7 has ended
    expect(await read(3)).toEqual(blocksOf(2));
  });
});

describe("a server", () => {
  const { age } = recordOf(1).storage;

  it("is refused once a later one has the member", async () => {
    await clock.pass(LEASE_MS);
    const found = await member.fence({ epoch: 2, server: 22n, age });
    expect(found).toMatchObject({ epoch: 2, server: 22n });
    await expect(member.write(writeOf(1, 3, blocksOf(1)))).rejects.toMatchObject({ code: "DISK_FENCED" });
    await expect(read(3)).rejects.toMatchObject({ code: "DISK_FENCED" });
    await expect(member.fence({ epoch: 2, server: 33n, age })).rejects.toMatchObject({ code: "DISK_FENCED" });
  });

  it("has the member for as long as it lets hear of itself", async () => {
    await clock.pass(LEASE_MS - 1);
    await member.renew(1, 0);
    await clock.pass(LEASE_MS - 1);
    await expect(member.fence({ epoch: 2, server: 22n, age })).rejects.toMatchObject({ code: "DISK_FENCED" });
    await clock.pass(1);
    await member.fence({ epoch: 2, server: 22n, age });
  });

  it("has it for a lease after it was opened anew, unless the storage was closed in order", async () => {
    await clock.pass(LEASE_MS);
    await openAnew();
    await expect(member.fence({ epoch: 2, server: 22n, age })).rejects.toMatchObject({ code: "DISK_FENCED" });
    await member.fence({ epoch: 1, server: 11n, age });
    await member.update(recordOf(blocks, { isClean: true }));
    await openAnew();
    await member.fence({ epoch: 2, server: 22n, age });
  });

  it("must fence a member that was opened anew, since it may have lost what was not flushed", async () => {
    await openAnew();
    await expect(read(3)).rejects.toMatchObject({ code: "DISK_GONE" });
    await member.fence({ epoch: 1, server: 11n, age });
    expect(await read(3)).toEqual(blocksOf(0));
  });

  it("of another storage is refused", async () => {
    const other = new Uint8Array(16).fill(1);
    await expect(member.fence({ epoch: 2, server: 11n, age: other })).rejects.toMatchObject({
      code: "DISK_FOREIGN",
    });
  });
});

describe("a medium that fails", () => {
  it.each(["flush", "write"] as const)("in a %s is of no use until it is opened anew", async (what) => {
    await member.write(writeOf(1, 3, blocksOf(1)));
    let once = true;
    device.fails = (now) => {
      if (now !== what || !once) return null;
      once = false;
      return new BlockError(what === "flush" ? "BLOCK_GONE" : "BLOCK_UNWRITABLE", "it broke", 0);
    };
    const writes = [2, 3, 4].map((sequence) => member.write(writeOf(sequence, 3 + sequence, blocksOf(1))));
    for (const { status } of await Promise.allSettled(writes)) expect(status).toBe("rejected");
    await expect(member.look()).rejects.toMatchObject({ code: "DISK_MEDIUM" });
    await expect(member.flush(1)).rejects.toMatchObject({ code: "DISK_MEDIUM" });
    await openAnew();
    expect(await member.look()).toMatchObject({ kind: "member" });
  });

  it("for want of room fails the write alone", async () => {
    await member.write(writeOf(1, 3, blocksOf(1)));
    device.fails = (what, block) =>
      what === "write" && block === 4 ? new BlockError("BLOCK_FULL", "", 4) : null;
    await expect(member.write(writeOf(2, 4, blocksOf(2)))).rejects.toMatchObject({ code: "DISK_FULL" });
    await member.write(writeOf(3, 3, blocksOf(3)));
    expect(await read(3, 2)).toEqual(blocksOf(3, 0));
    device.fails = null;
    await member.write(writeOf(2, 4, blocksOf(2)));
    expect(await read(3, 2)).toEqual(blocksOf(3, 2));
  });
});

describe("a witness", () => {
  it("keeps the record and nothing else", async () => {
    const small = new CountingDevice(8);
    const witness = await openMember({ device: small, isEmpty: true }, clock);
    const members = [entryOf(1, blocks, { isWitness: true }), entryOf(2, blocks)];
    await witness.adopt(recordOf(blocks, { members }));
    await expect(witness.read(1, 0, new Uint8Array(4096))).rejects.toMatchObject({ code: "DISK_RANGE" });
    const again = await openMember({ device: small }, clock);
    expect(await again.look()).toMatchObject({ kind: "member", record: { member: idOf(1) } });
  });
});
