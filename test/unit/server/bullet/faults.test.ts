// A volume whose medium lies, is full or is cut to pieces: what is wrong is found and named, and
// what is good stays.

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { decodeSlot, encodeSlot, type Slot } from "../../../../control/server/bullet/volume/layout.js";
import { FileVolume } from "../../../../control/server/bullet/volume/volume.js";
import { type BlockDevice, BlockError } from "../../../../drivers/block.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { MemoryBlockDevice } from "../../../../drivers/memory/block.js";
import { VirtualDisk } from "../../../../simulation/disk/disk.js";
import { noDiskFaults } from "../../../../simulation/disk/faults.js";
import { isLong } from "../../../simulation/seeds.js";
import { contentOf, create, isSame, MiB, made, open, randomBytes, whole } from "./volumes.js";

async function rot(device: BlockDevice, block: number, byte = 100): Promise<void> {
  const bytes = new Uint8Array(device.blockBytes);
  await device.read(block, bytes);
  bytes[byte] = (bytes[byte] ?? 0) ^ 4;
  await device.write(block, bytes);
}

/** The device blocks that a content lies in, found by looking. */
async function blocksWith(device: BlockDevice, wanted: Uint8Array): Promise<number[]> {
  const found: number[] = [];
  const bytes = new Uint8Array(device.blockBytes);
  for (let block = 0; block < device.blocks; block++) {
    await device.read(block, bytes);
    if (isSame(bytes, wanted)) found.push(block);
  }
  return found;
}

describe("bit rot", () => {
  it.each([20_000, 100_000, 600_000])(
    "in a file of %i bytes is found, named, and mended by the same content",
    async (bytes) => {
      const device = new MemoryBlockDevice(1000);
      const volume = await made(device);
      const content = contentOf(bytes, 1);
      const [first, second] = [await create(volume, content), await create(volume, content)];
      const other = await create(volume, contentOf(9000, 2));
      await volume.close();
      const [at = 0] = await blocksWith(device, content.subarray(2 * 4096, 3 * 4096));
      await rot(device, at);
      const again = await open(device);
      const error = { code: "VOLUME_CORRUPT", file: second, block: 2 };
      await expect(again.read(second, 2 * 4096, 5)).rejects.toMatchObject(error);
      expect(isSame(await whole(again, other), contentOf(9000, 2))).toBe(true);
      const row = { bytes, block: 2, deviceBlock: at };
      expect(await again.check({ repair: true })).toMatchObject({
        clean: false,
        corrupt: [
          { number: first, ...row },
          { number: second, ...row },
        ],
      });
      await create(again, content);
      await again.close();
      const mended = await open(device);
      expect(isSame(await whole(mended, second), content)).toBe(true);
      expect((await mended.check({ repair: false })).clean).toBe(true);
    },
  );

  it("in the checksums of a file is found as well", async () => {
    const device = new MemoryBlockDevice(1000);
    const volume = await made(device);
    const content = contentOf(30 * 4096, 1);
    const number = await create(volume, content);
    await volume.close();
    const [last = 0] = await blocksWith(device, content.subarray(29 * 4096));
    await rot(device, last + 1);
    const again = await open(device);
    await expect(again.read(number, 0, 1)).rejects.toMatchObject({ code: "VOLUME_CORRUPT", block: 30 });
  });

  it("in one copy of any block of the tables or superblocks is mended at the start", async () => {
    const device = new MemoryBlockDevice(200);
    const volume = await made(device);
    const numbers: number[] = [];
    for (let index = 0; index < 60; index++)
      numbers.push(await create(volume, contentOf(700 + index, index)));
    await volume.close();
    // Superblock, table of 101 slots in 4 blocks; and the same at the end.
    for (const block of [0, 1, 2, 195, 196, 199]) {
      await rot(device, block, 30);
      const again = await open(device);
      expect(again.report).toMatchObject({ brokenCopies: 1, clean: true, files: 60 });
      expect((await again.check({ repair: false })).clean).toBe(true);
      await again.close();
    }
  });

  it("in both copies of a slot loses that file, and is reported until it is repaired", async () => {
    const device = new MemoryBlockDevice(200);
    const volume = await made(device);
    const numbers = [await create(volume, contentOf(5000, 1)), await create(volume, contentOf(5000, 2))];
    const [lost = 0, kept = 0] = numbers;
    await volume.close();
    for (const table of [1, 195]) await rot(device, table, lost * 128 + 30);
    for (let times = 0; times < 2; times++) {
      const again = await open(device);
      expect(again.report).toMatchObject({ lostInodes: [lost], clean: false, files: 1 });
      expect(isSame(await whole(again, kept), contentOf(5000, 2))).toBe(true);
      await again.remove(await create(again, contentOf(100, times))); // writes the same block
      await again.close();
    }
    const again = await open(device);
    expect(await again.check({ repair: true })).toMatchObject({ lostInodes: [lost], clean: true });
    await again.close();
    expect((await open(device)).report).toMatchObject({ lostInodes: [], clean: true, brokenCopies: 0 });
  });

  it("in both superblocks makes the volume unreadable, and says so", async () => {
    const device = new MemoryBlockDevice(200);
    await made(device);
    for (const block of [0, 199]) await rot(device, block, 20);
    await expect(open(device)).rejects.toMatchObject({ code: "VOLUME_CORRUPT" });
  });
});

describe("a medium", () => {
  const clock = { after: (_: number, action: () => void): void => queueMicrotask(action) };

  it("whose reads fail once is read again, and one whose blocks are bad names the file", async () => {
    const disk = new VirtualDisk({ blocks: 2000, random: new SeededRandom(1), clock });
    const volume = await made(disk);
    const content = contentOf(MiB, 1);
    const number = await create(volume, content);
    await volume.close();
    disk.faults = { ...noDiskFaults, readError: 0.02 };
    const again = await open(disk);
    expect(isSame(await whole(again, number), content)).toBe(true);
    disk.faults = { ...noDiskFaults, badBlock: 1 };
    await expect(again.read(number, 400_000, 1)).rejects.toMatchObject({
      code: "VOLUME_CORRUPT",
      file: number,
    });
    expect(await again.check({ repair: false })).toMatchObject({ clean: false });
  });

  it("that cannot write a block has the file elsewhere; one that cannot write at all says so", async () => {
    const memory = new MemoryBlockDevice(200);
    const bad = new Set([6]);
    const device: BlockDevice = {
      ...{ blockBytes: 4096, blocks: 200 },
      read: (block, buffer) => memory.read(block, buffer),
      flush: () => memory.flush(),
      write: async (block, data) => {
        for (let at = block; at < block + data.length / 4096; at++)
          if (bad.has(at)) throw new BlockError("BLOCK_UNWRITABLE", `block ${at}`, at);
        await memory.write(block, data);
      },
    };
    const volume = await made(device);
    const number = await create(volume, contentOf(20_000, 1));
    expect(isSame(await whole(await open(device), number), contentOf(20_000, 1))).toBe(true);
    for (let block = 5; block < 195; block++) bad.add(block);
    await expect(create(volume, contentOf(20_000, 2))).rejects.toMatchObject({ code: "VOLUME_CORRUPT" });
    bad.clear();
    for (let block = 1; block < 5; block++) bad.add(block);
    await expect(volume.remove(number)).rejects.toMatchObject({ code: "VOLUME_GONE" });
  });

  it("below which there is no room is full, and everything is as it was", async () => {
    const memory = new MemoryBlockDevice(2000);
    let isFull = false;
    const device: BlockDevice = {
      ...{ blockBytes: 4096, blocks: 2000 },
      read: (block, buffer) => memory.read(block, buffer),
      flush: () => memory.flush(),
      write: async (block, data) => {
        if (isFull) throw new BlockError("BLOCK_FULL", "no space left", block);
        await memory.write(block, data);
      },
    };
    const volume = await made(device);
    const before = volume.usage();
    isFull = true;
    for (const bytes of [20_000, 2 * MiB])
      await expect(create(volume, contentOf(bytes, 1))).rejects.toMatchObject({ code: "VOLUME_FULL" });
    await volume.sync();
    expect(volume.usage()).toEqual(before);
    isFull = false;
    await create(volume, contentOf(20_000, 1));
  });
});

describe("a volume", () => {
  it("is full, takes a file when another goes, and has no more inodes than it has", async () => {
    const volume = await made(new MemoryBlockDevice(64), 6);
    const numbers: number[] = [];
    for (let index = 0; index < 3; index++) numbers.push(await create(volume, contentOf(70_000, index)));
    const refused = await create(volume, contentOf(70_000, 9)).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "VOLUME_FULL" });
    const draft = await volume.draft();
    await draft.write(0, contentOf(70_000, 9));
    await expect(draft.commit({ durable: true })).rejects.toMatchObject({ code: "VOLUME_FULL" });
    // Not awaited: the draft waits for its blocks itself.
    const removed = volume.remove(numbers[0] ?? 0);
    const { number } = await draft.commit({ durable: true });
    await removed;
    expect(isSame(await whole(volume, number), contentOf(70_000, 9))).toBe(true);
    for (let index = 0; index < 3; index++) await create(volume, contentOf(0, 0));
    await expect(volume.draft()).rejects.toMatchObject({ code: "VOLUME_INODES" });
  });

  it("has so many drafts and no more", async () => {
    const device = new MemoryBlockDevice(64);
    await made(device);
    const options = { device, name: "v", cacheBytes: MiB, random: randomBytes(1), draftsMax: 2 };
    const volume = await FileVolume.open(options);
    const [one] = [await volume.draft(), await volume.draft()];
    await expect(volume.draft()).rejects.toMatchObject({ code: "VOLUME_NOMEM" });
    await one?.commit({ durable: true });
    await volume.draft();
  });

  it("in pieces is whole again after a compaction, and its files are as they were", async () => {
    const device = new MemoryBlockDevice(400);
    const volume = await made(device);
    const files = new Map<number, Uint8Array>();
    for (let index = 0; index < 36; index++) {
      const content = contentOf(4096 * (1 + ((index * 7) % 17)), index);
      files.set(await create(volume, content), content);
    }
    for (const number of [...files.keys()].filter((_, index) => index % 3 !== 1)) {
      await volume.remove(number);
      files.delete(number);
    }
    const { freeBytes, largestFreeBytes } = volume.usage();
    expect(largestFreeBytes).toBeLessThan(freeBytes / 2);
    const large = contentOf(freeBytes - 2 * 4096, 50);
    await expect(create(volume, large)).rejects.toMatchObject({
      code: "VOLUME_FULL",
      hint: "compact the volume, then try again",
    });
    const [compacting, again] = [volume.compact(), volume.compact()];
    await expect(again).rejects.toMatchObject({ code: "VOLUME_BUSY" });
    const report = await compacting;
    expect(report).toMatchObject({
      largestFreeBytesBefore: largestFreeBytes,
      largestFreeBytes: freeBytes,
      skipped: [],
    });
    expect(report.movedFiles).toBeGreaterThan(5);
    files.set(await create(volume, large), large);
    const reopened = await open(device);
    for (const [number, content] of files) expect(isSame(await whole(reopened, number), content)).toBe(true);
    expect((await reopened.check({ repair: false })).clean).toBe(true);
  });
});

describe("a file beyond 4 GiB", () => {
  const bytes = 2 ** 32 + 3 * MiB + 77;

  it("has its length and its place in its slot", () => {
    const geometry = { blockBytes: 4096, blocks: 2 ** 34, inodes: 100, id: new Uint8Array(16) };
    const slot: Slot = {
      ...{ kind: "file", sequence: 2 ** 40 + 1, age: 3, bytes, start: 2 ** 33 + 5 },
      ...{ generation: contentOf(8, 1), hash: contentOf(32, 2), checksums: new Uint32Array(0) },
    };
    const coded = new Uint8Array(128);
    encodeSlot(coded, 9, slot, 1);
    expect(decodeSlot(coded, 9, geometry, 1)).toEqual(slot);
    expect(decodeSlot(coded, 8, geometry, 1)).toBeNull();
  });

  // Streams 4 GiB through the volume ten times: some minutes.
  if (isLong)
    it("is written as a stream, read at both ends, shared and changed, and whole when opened again", {
      timeout: 1_200_000,
    }, async () => {
      const device = new MemoryBlockDevice(2 ** 22); // zeros take no memory
      const newHash = () => createHash("sha256");
      await made(device);
      const options = { device, name: "v", cacheBytes: 8 * MiB, random: randomBytes(1), newHash };
      const volume = await FileVolume.open(options);
      const draft = await volume.draft();
      const zeros = new Uint8Array(MiB);
      for (let at = 0; at < bytes; at += MiB)
        await draft.write(at, zeros.subarray(0, Math.min(MiB, bytes - at)));
      const end = contentOf(100, 1);
      await draft.write(bytes - 100, end);
      const { number } = await draft.commit({ durable: true });
      await volume.close();

      const again = await FileVolume.open(options);
      expect(again.entry(number)?.bytes).toBe(bytes);
      expect(isSame(await again.read(number, bytes - 100, 200), end)).toBe(true);
      expect(isSame(await again.read(number, 2 ** 32 - 5, 10), zeros.subarray(0, 10))).toBe(true);
      const { freeBytes } = again.usage();
      // The same content takes no more room, though it came by way of the medium.
      const { number: same } = await (await again.draft(number)).commit({ durable: true });
      expect(again.usage()).toMatchObject({ freeBytes, files: 2 });
      expect(again.usage().sharedBytes).toBeGreaterThan(bytes);
      await again.remove(number);
      // Another one, changed on both sides of 4 GiB, and longer.
      const changing = await again.draft(same);
      const [low, high] = [contentOf(10, 2), contentOf(10, 3)];
      await changing.write(2 ** 32 - 5, low);
      await changing.write(bytes, high);
      const { number: other } = await changing.commit({ durable: true });
      await again.close();

      const last = await FileVolume.open(options);
      expect([...last.files()].map((each) => [each.number, each.bytes])).toEqual([
        [same, bytes],
        [other, bytes + 10],
      ]);
      expect(isSame(await last.read(same, bytes - 100, 200), end)).toBe(true);
      expect(isSame(await last.read(same, 2 ** 32 - 5, 10), zeros.subarray(0, 10))).toBe(true);
      expect(isSame(await last.read(other, 2 ** 32 - 5, 10), low)).toBe(true);
      expect(isSame(await last.read(other, bytes - 100, 200), Buffer.concat([end, high]))).toBe(true);
      const checked = await last.check({ repair: false });
      expect(checked).toMatchObject({ checkedBytes: 2 * bytes + 10, clean: true, corrupt: [] });
    });
});
