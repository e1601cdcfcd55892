// Requests and replies of the NBD server: if one of these fails, a client gets a wrong byte or a wrong
// error, waits for ever, or one client's nonsense costs another.

import { describe, expect, it } from "vitest";
import { BLOCK_BYTES } from "../../../../../control/server/disk/disk.js";
import { DiskError, type DiskErrorCode } from "../../../../../control/server/disk/errors.js";
import * as nbd from "../../../../../control/server/disk/nbd/protocol.js";
import { MemoryDisk } from "../memory-disk.js";
import { MemoryClient, request, words } from "./client.js";

const blocks = 64;
const bytes = blocks * BLOCK_BYTES;
const open = async (how: "simple" | "structured" | "extended" = "simple", disk = new MemoryDisk(blocks)) => {
  const client = new MemoryClient([{ name: "d", disk }]);
  await client.go("d", how, how === "simple" ? [] : ["base:allocation", "proteus:dirty"]);
  return { client, disk };
};
const data = Buffer.from("what somebody has written");

describe.each(["simple", "structured", "extended"] as const)("requests with %s headers", (how) => {
  const isExtended = how === "extended";

  it("read what was written, at any offset, in any pieces", async () => {
    const { client } = await open(how);
    client.send(request({ type: nbd.CMD_WRITE, cookie: 7, offset: 4090, data }, isExtended), 3);
    await client.settle();
    expect(client.reply()).toMatchObject({ cookie: 7, error: 0, isLast: true });
    const reply = await client.call(
      { type: nbd.CMD_READ, cookie: 8, offset: 4090, length: data.length },
      isExtended,
    );
    expect(reply).toMatchObject({ cookie: 8, error: 0, isLast: true });
    const expected = how === "simple" ? data : words([64, 4090], data);
    expect(reply.data).toEqual(expected);
    expect(client.received).toHaveLength(0);
  });

  it("flush, trim, zero and cache", async () => {
    const { client, disk } = await open(how);
    const done = async (ask: Parameters<typeof request>[0]) =>
      expect((await client.call(ask, isExtended)).error).toBe(0);
    await done({ type: nbd.CMD_WRITE, data: Buffer.alloc(4 * BLOCK_BYTES, 1), flags: nbd.CMD_FLAG_FUA });
    expect(disk.durable).toBe(1);
    await done({ type: nbd.CMD_FLUSH });
    expect(disk.calls.flush).toBe(1);
    await done({ type: nbd.CMD_TRIM, length: BLOCK_BYTES, flags: nbd.CMD_FLAG_FUA });
    await done({
      type: nbd.CMD_WRITE_ZEROES,
      offset: BLOCK_BYTES,
      length: BLOCK_BYTES,
      flags: nbd.CMD_FLAG_NO_HOLE,
    });
    await done({
      type: nbd.CMD_WRITE_ZEROES,
      offset: 2 * BLOCK_BYTES,
      length: BLOCK_BYTES,
      flags: nbd.CMD_FLAG_FAST_ZERO,
    });
    await done({ type: nbd.CMD_CACHE, length: 3 * BLOCK_BYTES });
    expect((await disk.extents(0, 4)).map(({ blocks, isHole }) => [blocks, isHole])).toEqual([
      [1, true],
      [1, false],
      [1, true],
      [1, false],
    ]);
    expect(disk.durable).toBe(2);
  });

  it.each([
    ["a read past the end", { type: nbd.CMD_READ, offset: bytes - 10, length: 11 }, nbd.EINVAL],
    [
      "a read far past the end",
      { type: nbd.CMD_READ, offset: 0xffff_ffff_ffff_ffffn, length: 10 },
      nbd.EINVAL,
    ],
    ["a write past the end", { type: nbd.CMD_WRITE, offset: bytes - 4, data }, nbd.ENOSPC],
    ["a trim past the end", { type: nbd.CMD_TRIM, offset: bytes, length: 1 }, nbd.EINVAL],
    ["zeros past the end", { type: nbd.CMD_WRITE_ZEROES, offset: bytes, length: 1 }, nbd.ENOSPC],
    ["a flush of a range", { type: nbd.CMD_FLUSH, length: 1 }, nbd.EINVAL],
    [
      "a read with flags of a write",
      { type: nbd.CMD_READ, length: 1, flags: nbd.CMD_FLAG_NO_HOLE },
      nbd.EINVAL,
    ],
    ["what nobody knows", { type: 77, length: 1 }, nbd.EINVAL],
    [
      "fast zeros that keep their room",
      { type: nbd.CMD_WRITE_ZEROES, length: 9, flags: 0b10010 },
      nbd.ENOTSUP,
    ],
  ])("refuse %s, and go on", async (_what, ask, error) => {
    const { client, disk } = await open(how);
    expect(await client.call({ ...ask, cookie: 3 }, isExtended)).toMatchObject({
      cookie: 3,
      error,
      isLast: true,
    });
    expect((await client.call({ type: nbd.CMD_READ, length: 5 }, isExtended)).error).toBe(0);
    expect(disk.calls.write + disk.calls.zero).toBe(0);
  });

  it("of no bytes are done", async () => {
    const { client, disk } = await open(how);
    for (const type of [0, 1, 4, 5, 6])
      expect(await client.call({ type, offset: 100 }, isExtended)).toMatchObject({ error: 0, isLast: true });
    expect(Object.values(disk.calls)).toEqual([0, 0, 0, 0, 0]);
    expect(client.received).toHaveLength(0);
  });

  it.each<[DiskErrorCode, number]>([
    ["DISK_READ_ONLY", nbd.EPERM],
    ["DISK_FULL", nbd.ENOSPC],
    ["DISK_ROT", nbd.EIO],
    ["DISK_NO_QUORUM", nbd.EIO],
    ["DISK_SILENT", nbd.EIO],
  ])("that fail with %s are answered with %i", async (code, error) => {
    const { client, disk } = await open(how);
    disk.before = () => Promise.reject(new DiskError(code, "it is so"));
    const reply = await client.call({ type: nbd.CMD_READ, length: 10, cookie: 5 }, isExtended);
    expect(reply).toMatchObject({ cookie: 5, error, isLast: true });
    if (how !== "simple") expect(reply.data.toString("utf8", 6)).toBe("it is so");
    expect(client.failures).toHaveLength(1);
  });
});

describe("block status", () => {
  const holes = async (how: "structured" | "extended") => {
    const opened = await open(how);
    await opened.disk.write(2, Buffer.alloc(2 * BLOCK_BYTES), { durable: false });
    opened.disk.dirty.add(3).add(4);
    return opened;
  };

  it("tells of holes and of what is out of sync", async () => {
    const { client } = await holes("structured");
    client.send(request({ type: nbd.CMD_BLOCK_STATUS, offset: BLOCK_BYTES + 100, length: 5 * BLOCK_BYTES }));
    await client.settle();
    expect(client.reply()).toMatchObject({
      type: nbd.REPLY_TYPE_BLOCK_STATUS,
      isLast: false,
      data: words(
        [32, 1],
        [32, BLOCK_BYTES - 100],
        [32, 3],
        [32, 2 * BLOCK_BYTES],
        [32, 0],
        [32, 2 * BLOCK_BYTES + 100],
        [32, 3],
      ),
    });
    expect(client.reply()).toMatchObject({
      isLast: true,
      data: words(
        [32, 2],
        [32, 2 * BLOCK_BYTES - 100],
        [32, 0],
        [32, 2 * BLOCK_BYTES],
        [32, 1],
        [32, BLOCK_BYTES + 100],
        [32, 0],
      ),
    });
  });

  it("tells of one run, with wide numbers, when asked so", async () => {
    const { client } = await holes("extended");
    client.send(request({ type: nbd.CMD_BLOCK_STATUS, length: bytes, flags: nbd.CMD_FLAG_REQ_ONE }, true));
    await client.settle();
    expect(client.reply().data).toEqual(words([32, 1], [32, 1], [64, 2 * BLOCK_BYTES], [64, 3]));
    expect(client.reply().data).toEqual(words([32, 2], [32, 1], [64, 3 * BLOCK_BYTES], [64, 0]));
  });

  it("is refused without contexts, and of nothing", async () => {
    const { client } = await holes("structured");
    expect(await client.call({ type: nbd.CMD_BLOCK_STATUS })).toMatchObject({ error: nbd.EINVAL });
    const bare = await open("simple");
    expect(await bare.client.call({ type: nbd.CMD_BLOCK_STATUS, length: 1 })).toMatchObject({
      error: nbd.EINVAL,
    });
  });
});

describe("a connection", () => {
  it("refuses changes of a read-only export, and swallows their data", async () => {
    const client = new MemoryClient([{ name: "d", disk: new MemoryDisk(blocks), isReadOnly: true }]);
    await client.go("d");
    for (const type of [nbd.CMD_WRITE, nbd.CMD_TRIM, nbd.CMD_WRITE_ZEROES])
      expect(
        await client.call({ type, data: type === nbd.CMD_WRITE ? data : undefined, length: data.length }),
      ).toMatchObject({ error: nbd.EPERM });
    expect((await client.call({ type: nbd.CMD_READ, length: 5 })).error).toBe(0);
  });

  it("answers in the order in which the disk does", async () => {
    const { client, disk } = await open();
    const waiting: (() => void)[] = [];
    disk.before = () => new Promise((resolve) => waiting.push(resolve));
    for (const cookie of [1, 2, 3]) client.send(request({ type: nbd.CMD_READ, cookie, length: 4 }));
    waiting[1]?.();
    await client.settle();
    expect(client.reply(4).cookie).toBe(2);
    for (const go of waiting) go();
    await client.settle();
    expect([client.reply(4).cookie, client.reply(4).cookie]).toEqual([1, 3]);
  });

  it("sends the replies of one turn together", async () => {
    const { client } = await open();
    const before = client.sends;
    client.send(
      Buffer.concat([1, 2, 3, 4].map((cookie) => request({ type: nbd.CMD_READ, cookie, length: 4096 }))),
    );
    await client.settle();
    expect(client.sends - before).toBe(1);
  });

  it("takes no more than its limits while the disk is slow, and goes on after", async () => {
    const { client, disk } = await open();
    const waiting: (() => void)[] = [];
    disk.before = () => new Promise((resolve) => waiting.push(resolve));
    const many = Array.from({ length: 300 }, (_, cookie) =>
      request({ type: nbd.CMD_READ, cookie, length: 4 }),
    );
    client.send(Buffer.concat(many));
    await client.settle();
    expect(waiting).toHaveLength(128);
    expect(client.isPaused).toBe(true);
    disk.before = null;
    for (const go of waiting) go();
    await client.settle();
    expect(client.isPaused).toBe(false);
    const cookies = new Set(many.map(() => client.reply(4).cookie));
    expect(cookies.size).toBe(300);
  });

  it("takes no more while its client does not read", async () => {
    const disk = new MemoryDisk(16 * 256);
    const { client } = await open("simple", disk);
    client.isStuck = true;
    for (let count = 0; count < 10; count++)
      client.send(request({ type: nbd.CMD_READ, length: 8 * 1024 * 1024, cookie: count }));
    await client.settle();
    expect(client.isPaused).toBe(true);
    expect(disk.calls.read).toBe(4 * 8); // of a megabyte each
    client.isStuck = false;
    await client.settle();
    expect(client.isPaused).toBe(false);
    expect(disk.calls.read).toBe(10 * 8);
  });

  it.each([
    ["no request", Buffer.alloc(28, 9)],
    ["more than a request may have", request({ type: nbd.CMD_WRITE, length: 33 * 1024 * 1024 })],
  ])("drops a client that sends %s, and lets the disk finish", async (_what, nonsense) => {
    const { client, disk } = await open();
    let go = (): void => undefined;
    disk.before = () =>
      new Promise((resolve) => {
        go = resolve;
      });
    client.send(request({ type: nbd.CMD_WRITE, data: Buffer.alloc(BLOCK_BYTES, 5) }));
    client.send(nonsense);
    expect(client.end).toBe("destroyed");
    expect(client.isOver).toBe(false);
    go();
    await client.settle();
    expect(client.isOver).toBe(true);
    disk.before = null;
    const block = Buffer.alloc(BLOCK_BYTES);
    await disk.read(0, block);
    expect(block[0]).toBe(5);
  });

  it.each(["DISK_FENCED", "DISK_GONE"] as const)("leaves without an answer on %s", async (code) => {
    const { client, disk } = await open();
    disk.before = () => Promise.reject(new DiskError(code, "gone"));
    client.send(request({ type: nbd.CMD_READ, length: 4 }));
    await client.settle();
    expect([client.end, client.isOver, client.received.length]).toEqual(["destroyed", true, 0]);
  });

  it.each(["DISC", "the end of the server", "the client's last byte"])(
    "answers what is under way at %s",
    async (how) => {
      const { client, disk } = await open();
      let go = (): void => undefined;
      disk.before = () =>
        new Promise((resolve) => {
          go = resolve;
        });
      client.send(request({ type: nbd.CMD_READ, length: 4, cookie: 9 }));
      if (how === "DISC") client.send(request({ type: nbd.CMD_DISC }));
      else if (how === "the end of the server") client.connection.finish();
      else client.connection.clientEnded();
      client.send(request({ type: nbd.CMD_READ, length: 4, cookie: 10 }));
      expect(client.end).toBe("open");
      go();
      await client.settle();
      expect(client.reply(4).cookie).toBe(9);
      expect([client.end, client.isOver, client.received.length]).toEqual(["ended", true, 0]);
    },
  );

  it("that ends within a write changes nothing", async () => {
    const { client, disk } = await open();
    client.send(request({ type: nbd.CMD_WRITE, data }).subarray(0, 40));
    client.connection.gone();
    await client.settle();
    expect(client.isOver).toBe(true);
    expect(disk.calls.write).toBe(0);
  });

  it("sees a disk that has grown", async () => {
    const { client, disk } = await open();
    disk.blocks += 1;
    expect((await client.call({ type: nbd.CMD_READ, offset: bytes, length: 10 })).error).toBe(0);
  });
});
