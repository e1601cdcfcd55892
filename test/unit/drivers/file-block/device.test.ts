// A file as a block device: what is written is in the file, one process has it, and each failure
// has its code.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FileBlockDevice } from "../../../../drivers/file-block/device.js";

describe("a file as a block device", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "proteus-block-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("is made with its length, for its owner only, and has what was written when it is opened again", async () => {
    const path = join(folder, "new");
    const device = await FileBlockDevice.open({ path, bytes: 40_960 + 100 });
    expect([device.blocks, device.blockBytes]).toEqual([10, 4096]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(path).blocks * 512).toBeGreaterThanOrEqual(40_960);
    const data = new Uint8Array(8192).map((_, at) => at % 251);
    await Promise.all([device.write(3, data), device.write(9, data.subarray(0, 4096))]);
    await device.flush();
    await device.close();
    expect(readFileSync(path).subarray(3 * 4096, 5 * 4096)).toEqual(Buffer.from(data));
    const again = await FileBlockDevice.open({ path, bytes: 4096 });
    expect(again.blocks).toBe(10);
    const found = new Uint8Array(8192);
    await again.read(3, found);
    expect(found).toEqual(data);
    await again.read(0, found);
    expect(found.every((byte) => byte === 0)).toBe(true);
    await again.close();
  });

  it("is refused while it is open elsewhere, and free when that process has ended", async () => {
    const path = join(folder, "held");
    writeFileSync(path, new Uint8Array(8192));
    const device = await FileBlockDevice.open({ path });
    await expect(FileBlockDevice.open({ path })).rejects.toMatchObject({ code: "BLOCK_BUSY" });
    const other = () => spawnSync("flock", ["--nonblock", path, "true"]).status;
    expect(other()).toBe(1);
    await device.close();
    await device.close();
    expect(other()).toBe(0);
    await expect(device.read(0, new Uint8Array(4096))).rejects.toMatchObject({ code: "BLOCK_GONE" });
    await expect(device.flush()).rejects.toMatchObject({ code: "BLOCK_GONE" });
  });

  it("refuses what is not whole blocks of it", async () => {
    const path = join(folder, "range");
    const device = await FileBlockDevice.open({ path, bytes: 8192, blockBytes: 512 });
    expect(device.blocks).toBe(16);
    for (const [block, bytes] of [
      [16, 512],
      [15, 1024],
      [-1, 512],
      [0, 100],
    ] as const)
      await expect(device.write(block, new Uint8Array(bytes))).rejects.toMatchObject({ code: "BLOCK_RANGE" });
    await device.close();
  });

  it("is gone when there is no file, or when it has become shorter", async () => {
    await expect(FileBlockDevice.open({ path: join(folder, "none") })).rejects.toMatchObject({
      code: "BLOCK_GONE",
    });
    const path = join(folder, "short");
    const device = await FileBlockDevice.open({ path, bytes: 8192 });
    truncateSync(path, 4096);
    await expect(device.read(1, new Uint8Array(4096))).rejects.toMatchObject({ code: "BLOCK_GONE" });
    await device.close();
    writeFileSync(path, "tiny");
    await expect(FileBlockDevice.open({ path })).rejects.toMatchObject({ code: "BLOCK_RANGE" });
  });

  it("is full at once when what it lies on has no room for it", async () => {
    const path = join(folder, "large");
    const call = FileBlockDevice.open({ path, bytes: 2 ** 52 });
    await expect(call).rejects.toMatchObject({ code: "BLOCK_FULL" });
  });

  it("takes positions beyond 4 GiB", async () => {
    const path = join(folder, "sparse");
    const device = await FileBlockDevice.open({ path, bytes: 5 * 2 ** 30, reserve: false });
    const data = new Uint8Array(4096).fill(7);
    const block = Math.floor((4.5 * 2 ** 30) / 4096);
    await device.write(block, data);
    const found = new Uint8Array(4096);
    await device.read(block, found);
    expect(found).toEqual(data);
    expect(statSync(path).blocks * 512).toBeLessThan(2 ** 20);
    await device.close();
  });
});
