// The volume of files: what a person stores is there, whole, once, and after it was opened again.

import { describe, expect, it } from "vitest";
import { FileVolume } from "../../../../control/server/bullet/volume/volume.js";
import { MemoryBlockDevice } from "../../../../drivers/memory/block.js";
import { contentOf, create, isSame, MiB, made, open, randomBytes, whole } from "./volumes.js";

const inBlock = 4096;

describe("a file", () => {
  it.each([0, 1, 4095, 4096, 4097, 11 * inBlock, 11 * inBlock + 1, 200_000, 3 * MiB])(
    "of %i bytes is what was written, also when the volume is opened again",
    async (bytes) => {
      const device = new MemoryBlockDevice(4096);
      const volume = await made(device);
      const content = contentOf(bytes, 3);
      const number = await create(volume, content);
      expect(isSame(await whole(volume, number), content)).toBe(true);
      const entry = volume.entry(number);
      await volume.close();
      const again = await open(device);
      expect(again.report).toMatchObject({ files: 1, clean: true, brokenCopies: 0 });
      expect(again.entry(number)).toEqual(entry);
      expect(isSame(await whole(again, number), content)).toBe(true);
      expect(await again.check({ repair: false })).toMatchObject({
        files: 1,
        checkedBytes: bytes,
        clean: true,
      });
    },
  );

  it("is read from any position, and ends where it ends", async () => {
    for (const bytes of [10_000, 2 * MiB]) {
      const volume = await made(new MemoryBlockDevice(4096));
      const content = contentOf(bytes, 1);
      const number = await create(volume, content);
      for (const [position, length] of [
        [0, 1],
        [4095, 2],
        [bytes - 1, 5],
        [bytes, 5],
        [5000, 0],
        [1, bytes],
      ] as const)
        expect(
          isSame(await volume.read(number, position, length), content.subarray(position, position + length)),
        ).toBe(true);
      for (const position of [-1, bytes + 1, 0.5])
        await expect(volume.read(number, position, 1)).rejects.toThrow(RangeError);
    }
  });

  it("that was removed is unknown, and its number does not come back soon", async () => {
    const device = new MemoryBlockDevice(64);
    const volume = await made(device, 5);
    const before = volume.usage().freeBytes;
    const number = await create(volume, contentOf(5000, 1));
    const reading = volume.read(number, 0, 5000);
    await volume.remove(number);
    expect(isSame(await reading, contentOf(5000, 1))).toBe(true);
    expect(volume.entry(number)).toBeUndefined();
    for (const call of [volume.read(number, 0, 1), volume.remove(number), volume.draft(number)])
      await expect(call).rejects.toMatchObject({ code: "VOLUME_UNKNOWN" });
    expect(volume.usage()).toMatchObject({ files: 0, freeBytes: before, freeInodes: 5 });
    expect(await create(volume, contentOf(5000, 1))).not.toBe(number);
    expect((await open(device)).usage().files).toBe(1);
  });

  it("has a generation that is renewed, and an age that the memory keeps", async () => {
    const device = new MemoryBlockDevice(64);
    const volume = await made(device);
    const number = await create(volume, contentOf(10, 1));
    const first = volume.entry(number)?.generation;
    const second = await volume.renew(number);
    expect(second).not.toEqual(first);
    const own = await volume.renew(0);
    volume.setAge(number, 7);
    expect(volume.entry(number)).toMatchObject({ generation: second, age: 7 });
    const again = await open(device);
    expect(again.entry(number)).toMatchObject({ generation: second, age: 0 });
    expect(again.generation).toEqual(own);
  });
});

describe("the same content", () => {
  it("is stored once, and stays until the last of its files is removed", async () => {
    const device = new MemoryBlockDevice(4096);
    const volume = await made(device);
    const content = contentOf(MiB, 1);
    const free = volume.usage().freeBytes;
    const numbers = [await create(volume, content), await create(volume, content)];
    numbers.push(...(await Promise.all([1, 2, 3].map(() => create(volume, content, false)))));
    expect(new Set(numbers).size).toBe(5);
    expect(volume.usage()).toMatchObject({ files: 5, bytes: 5 * MiB, freeBytes: free - 257 * inBlock });
    expect(volume.usage().sharedBytes).toBe(4 * 257 * inBlock);
    for (const number of numbers.slice(1)) await volume.remove(number);
    await volume.close();
    const again = await open(device);
    const [left = 0] = numbers;
    expect(isSame(await whole(again, left), content)).toBe(true);
    await again.remove(left);
    expect(again.usage()).toMatchObject({ files: 0, freeBytes: free, largestFreeBytes: free });
  });

  it("written at the same time by many is stored once", async () => {
    const volume = await made(new MemoryBlockDevice(4096));
    const content = contentOf(MiB, 1);
    const free = volume.usage().freeBytes;
    await Promise.all(Array.from({ length: 8 }, () => create(volume, content)));
    expect(volume.usage()).toMatchObject({ files: 8, freeBytes: free - 257 * inBlock });
  });
});

describe("a draft", () => {
  it.each([10_000, 600_000])("of about %i bytes is written, inserted into and cut", async (bytes) => {
    const volume = await made(new MemoryBlockDevice(4096));
    const draft = await volume.draft();
    const model = [...contentOf(bytes, 1)];
    await draft.write(0, contentOf(bytes, 1));
    const more = contentOf(5000, 2);
    await draft.insert(3000, more);
    model.splice(3000, 0, ...more);
    await draft.cut(100, 2000);
    model.splice(100, 2000);
    await draft.write(draft.bytes - 10, more);
    model.splice(model.length - 10, 10, ...more);
    await draft.cut(draft.bytes - 4000, 4000);
    model.length -= 4000;
    expect(draft.bytes).toBe(model.length);
    const { number, generation } = await draft.commit({ durable: true });
    expect([number, generation]).toEqual([draft.number, draft.generation]);
    expect(isSame(await whole(volume, number), Uint8Array.from(model))).toBe(true);
  });

  it.each([10_000, 600_000])("of a file of %i bytes leaves the file as it is", async (bytes) => {
    const volume = await made(new MemoryBlockDevice(4096));
    const content = contentOf(bytes, 1);
    const number = await create(volume, content);
    const draft = await volume.draft(number);
    await draft.write(5, Uint8Array.of(1, 2, 3));
    const changed = (await draft.commit({ durable: true })).number;
    expect(isSame(await whole(volume, number), content)).toBe(true);
    content.set([1, 2, 3], 5);
    expect(isSame(await whole(volume, changed), content)).toBe(true);
  });

  it("refuses positions outside of it, and everything after its end", async () => {
    const volume = await made(new MemoryBlockDevice(64));
    const draft = await volume.draft();
    await draft.write(0, contentOf(10, 1));
    const one = Uint8Array.of(1);
    for (const call of [draft.write(11, one), draft.write(-1, one), draft.insert(11, one), draft.cut(5, 6)])
      await expect(call).rejects.toThrow(RangeError);
    await draft.commit({ durable: false });
    draft.discard();
    await expect(draft.write(0, one)).rejects.toMatchObject({ code: "VOLUME_UNKNOWN" });
    expect(volume.usage()).toMatchObject({ files: 1, drafts: 0 });
  });

  it("that is discarded leaves nothing", async () => {
    const volume = await made(new MemoryBlockDevice(2000));
    const before = volume.usage();
    for (const bytes of [100, 2 * MiB]) {
      const draft = await volume.draft();
      await draft.write(0, contentOf(bytes, 1));
      draft.discard();
      await expect(draft.commit({ durable: true })).rejects.toMatchObject({ code: "VOLUME_UNKNOWN" });
    }
    expect(volume.usage()).toEqual(before);
  });
});

describe("a medium", () => {
  it("that was never a volume, or is too small, is refused", async () => {
    const device = new MemoryBlockDevice(64);
    expect(await FileVolume.isBlank(device)).toBe(true);
    await expect(open(device)).rejects.toMatchObject({ code: "VOLUME_FORMAT", why: "it is blank" });
    await device.write(0, new Uint8Array(4096).fill(1));
    await expect(open(device)).rejects.toMatchObject({ code: "VOLUME_FORMAT", why: "it is not a volume" });
    await expect(
      FileVolume.format(new MemoryBlockDevice(9), { inodes: 100, random: randomBytes(1) }),
    ).rejects.toMatchObject({
      code: "VOLUME_FORMAT",
    });
    await made(device);
    expect(await FileVolume.isBlank(device)).toBe(false);
  });

  it("that is pulled out makes everything fail until it is opened again", async () => {
    const device = new MemoryBlockDevice(600);
    const volume = await made(device);
    const content = contentOf(5000, 1);
    const number = await create(volume, content);
    device.pullOut();
    await expect(create(volume, contentOf(5000, 2))).rejects.toMatchObject({ code: "VOLUME_GONE" });
    await expect(volume.remove(number)).rejects.toMatchObject({ code: "VOLUME_GONE" });
    await expect(open(device)).rejects.toMatchObject({ code: "VOLUME_GONE" });
    device.putBack();
    await expect(volume.renew(0)).rejects.toMatchObject({ code: "VOLUME_GONE" });
    expect(isSame(await whole(await open(device), number), content)).toBe(true);
  });

  it("is closed once, and refuses everything then", async () => {
    const volume = await made(new MemoryBlockDevice(64));
    const number = await create(volume, contentOf(10, 1), false);
    await volume.close();
    await volume.close();
    for (const call of [volume.draft(), volume.read(number, 0, 1), volume.sync(), volume.compact()])
      await expect(call).rejects.toMatchObject({ code: "VOLUME_GONE" });
  });
});
