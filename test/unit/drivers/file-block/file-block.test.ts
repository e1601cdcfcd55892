// A file as a block device. If one of these fails, a server writes where it should not, two of
// them write to one medium, or a medium that is full or cut short is taken for a good one.

import { mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileBlockDevice } from "../../../../drivers/file-block/file-block.js";

let folder: string;
const open: FileBlockDevice[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "file-block-"));
});

afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
  rmSync(folder, { recursive: true, force: true });
});

async function made(blocks = 8): Promise<{ path: string; device: FileBlockDevice }> {
  const path = join(folder, "medium");
  const device = await FileBlockDevice.create(path, blocks * 4096 + 100);
  open.push(device);
  return { path, device };
}

describe("a file as a block device", () => {
  it("gives back the room of a hole, which reads as zeros, and takes what is written there next", async () => {
    const { path, device } = await made(512);
    await device.write(0, new Uint8Array(512 * 4096).fill(7));
    await device.flush();
    const before = statSync(path).blocks;
    expect(await device.punch(16, 400)).toBe(true);
    await device.flush();
    expect(statSync(path).blocks).toBeLessThan(before - (390 * 4096) / 512);
    const held = new Uint8Array(3 * 4096);
    await device.read(15, held);
    expect([held[4095], held[4096], held[3 * 4096 - 1]]).toEqual([7, 0, 0]);
    await device.write(17, new Uint8Array(4096).fill(9));
    await device.read(16, held);
    expect([held[0], held[4096], held[2 * 4096]]).toEqual([0, 9, 0]);
    expect(statSync(path).size).toBe(512 * 4096);
    await expect(device.punch(500, 20)).rejects.toMatchObject({ code: "BLOCK_RANGE" });
  });

  it("is whole blocks of zeros at first, and gives back what was written when it is opened again", async () => {
    const { path, device } = await made();
    expect([device.blocks, device.blockBytes]).toEqual([8, 4096]);
    const blocks = new Uint8Array(2 * 4096).fill(7);
    await device.read(3, blocks);
    expect(blocks.every((byte) => byte === 0)).toBe(true);
    await device.write(3, blocks.fill(9));
    await device.flush();
    await device.close();
    const again = await FileBlockDevice.open(path);
    open.push(again);
    const read = new Uint8Array(4 * 4096);
    await again.read(2, read);
    expect([0, 4096, 3 * 4096 - 1, 3 * 4096].map((at) => read[at])).toEqual([0, 9, 9, 0]);
  });

  it("keeps all of many writes at once, small and large, to places that held nothing", async () => {
    const { path, device } = await made(1024);
    const writes = Array.from({ length: 40 }, (_, index) => {
      const count = index % 5 === 4 ? 80 : 1 + (index % 3);
      return {
        block: 25 * index,
        count: Math.min(count, 25),
        data: new Uint8Array(Math.min(count, 25) * 4096),
      };
    });
    const large = { block: 1000 - 600, count: 100, data: new Uint8Array(100 * 4096).fill(99) };
    const small = writes.filter(({ block, count }) => block + count <= 400 || block >= 500);
    for (const [index, { data }] of small.entries()) data.fill(index + 1);
    await Promise.all([...small, large].map(({ block, data }) => device.write(block, data)));
    await device.flush();
    await device.close();
    const again = await FileBlockDevice.open(path);
    open.push(again);
    for (const { block, data } of [...small, large]) {
      const read = new Uint8Array(data.length);
      await again.read(block, read);
      expect(Buffer.compare(read, data)).toBe(0);
    }
    expect(statSync(path).blocks * 512).toBeLessThanOrEqual(1024 * 4096 + 65_536);
  });

  it("gives a piece of a file its room at the first small write, and leaves the others alone", async () => {
    const { path, device } = await made(1024);
    await device.write(300, new Uint8Array(4096).fill(1));
    await device.flush();
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(1024 * 1024);
    expect(statSync(path).blocks * 512).toBeLessThan(2 * 1024 * 1024);
  });

  it("belongs to one process at a time", async () => {
    const { path, device } = await made();
    await expect(FileBlockDevice.open(path)).rejects.toMatchObject({ code: "BLOCK_IN_USE" });
    await device.close();
    open.push(await FileBlockDevice.open(path));
  });

  it("takes nothing outside of it, or that is not whole blocks", async () => {
    const { device } = await made();
    const one = new Uint8Array(4096);
    for (const [block, data] of [
      [8, one],
      [-1, one],
      [0, new Uint8Array(100)],
      [7, new Uint8Array(2 * 4096)],
    ] as const) {
      await expect(device.write(block, data)).rejects.toMatchObject({ code: "BLOCK_RANGE" });
      await expect(device.read(block, data)).rejects.toMatchObject({ code: "BLOCK_RANGE" });
    }
  });

  it("is unreadable where it was cut short, and gone when it is closed", async () => {
    const { path, device } = await made();
    truncateSync(path, 4 * 4096);
    await device.read(3, new Uint8Array(4096));
    await expect(device.read(4, new Uint8Array(4096))).rejects.toMatchObject({ code: "BLOCK_UNREADABLE" });
    await device.close();
    await expect(device.read(0, new Uint8Array(4096))).rejects.toMatchObject({ code: "BLOCK_GONE" });
    await expect(device.flush()).rejects.toMatchObject({ code: "BLOCK_GONE" });
  });

  it("is a file or a partition and nothing else", async () => {
    await expect(FileBlockDevice.open("/dev/full")).rejects.toMatchObject({ code: "BLOCK_NO_MEDIUM" });
  });

  it("is not made over what is there", async () => {
    const path = join(folder, "there");
    writeFileSync(path, "mine");
    await expect(FileBlockDevice.create(path, 4096)).rejects.toMatchObject({ code: "EEXIST" });
    await expect(FileBlockDevice.open(join(folder, "missing"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});
