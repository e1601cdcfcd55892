// A new file takes one flush: its slot is on the medium before anybody knows that its content is.
// If one of these fails, that costs more flushes than it should, or a file that was finished is
// taken for one that was not, or the other way round.

import { describe, expect, it } from "vitest";
import type { After } from "../../../../control/group/timer.js";
import {
  decodeSlot,
  decodeSuperblock,
  encodeSuperblock,
  FORMAT,
  SLOT_BYTES,
  slotSeed,
  tableStarts,
} from "../../../../control/server/bullet/volume/layout.js";
import { FileVolume } from "../../../../control/server/bullet/volume/volume.js";
import { type BlockDevice, BlockError } from "../../../../drivers/block.js";
import { MemoryBlockDevice } from "../../../../drivers/memory/block.js";
import { contentOf, create, isSame, MiB, made, open, randomBytes, whole } from "./volumes.js";

const blockBytes = 4096;
const perBlock = blockBytes / SLOT_BYTES;

/** Counts writes that have ended and flushes, which end when `gate` does; blocks in `bad` cannot be read. */
class Watched implements BlockDevice {
  readonly blockBytes = blockBytes;
  writes = 0;
  flushes = 0;
  gate = Promise.resolve();
  readonly bad = new Set<number>();

  constructor(
    readonly blocks: number,
    readonly memory = new MemoryBlockDevice(blocks),
  ) {}

  async read(block: number, buffer: Uint8Array): Promise<void> {
    for (let at = block; at < block + buffer.length / blockBytes; at++)
      if (this.bad.has(at)) throw new BlockError("BLOCK_UNREADABLE", `block ${at}`, at);
    await this.memory.read(block, buffer);
  }

  async write(block: number, data: Uint8Array): Promise<void> {
    await this.memory.write(block, data);
    this.writes++;
  }

  async flush(): Promise<void> {
    this.flushes++;
    await this.gate;
  }

  /** Flushes do not end until the answer is called. */
  shut(): () => void {
    let open = (): void => undefined;
    this.gate = new Promise((resolve) => {
      open = resolve;
    });
    return open;
  }

  async block(at: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(blockBytes);
    await this.memory.read(at, bytes);
    return bytes;
  }
}

/** The slots of a number on the medium, both copies. */
async function slotsOf(device: Watched, number: number) {
  const superblock = decodeSuperblock(await device.block(0));
  if (superblock.kind !== "good") throw new Error("no volume");
  const { geometry } = superblock;
  const of = async (start: number) => {
    const bytes = await device.block(start + Math.floor(number / perBlock));
    const at = (number % perBlock) * SLOT_BYTES;
    const slot = decodeSlot(bytes.subarray(at, at + SLOT_BYTES), number, geometry, slotSeed(geometry.id));
    if (slot === null) throw new Error(`slot ${number} is broken`);
    return slot;
  };
  return Promise.all(tableStarts(geometry).map(of));
}

const kindsOf = async (device: Watched, number: number): Promise<string[]> =>
  (await slotsOf(device, number)).map(({ kind }) => kind);

async function startOf(device: Watched, number: number): Promise<number> {
  const [slot] = await slotsOf(device, number);
  return slot?.start ?? 0;
}

describe("a new file", () => {
  it.each([0, 100, 20_000, 200_000])("of %i bytes takes one flush", async (bytes) => {
    const device = new Watched(600);
    const volume = await made(device);
    const before = device.flushes;
    await create(volume, contentOf(bytes, 1));
    expect(device.flushes - before).toBe(1);
  });

  it("shares its flush with those that come at the same time, or while one is under way", async () => {
    const device = new Watched(600);
    const volume = await made(device);
    const open = device.shut();
    const [writes, flushes] = [device.writes, device.flushes];
    const first = create(volume, contentOf(5000, 0));
    await expect.poll(() => device.flushes).toBe(flushes + 1);
    const others = Array.from({ length: 20 }, (_, index) => create(volume, contentOf(5000, index + 1)));
    // A content and two slots of the first, and a content of each of the others.
    await expect.poll(() => device.writes).toBe(writes + 3 + 20);
    open();
    await Promise.all([first, ...others]);
    expect(device.flushes).toBe(flushes + 2);
  });

  it("that is long has its content flushed first: nobody reads it all to open a volume", async () => {
    const device = new Watched(2000);
    const volume = await made(device, 100, 16 * MiB);
    const before = device.flushes;
    const number = await create(volume, contentOf(2 * MiB, 1));
    expect(device.flushes - before).toBe(2);
    expect(await kindsOf(device, number)).toEqual(["file", "file"]);
  });
});

describe("an unsettled slot", () => {
  it("is settled with the next one in its block, without a flush of its own", async () => {
    const device = new Watched(600);
    const volume = await made(device);
    const first = await create(volume, contentOf(5000, 1));
    expect(await kindsOf(device, first)).toEqual(["unsettled", "unsettled"]);
    const before = device.flushes;
    const second = await create(volume, contentOf(5000, 2));
    expect(device.flushes - before).toBe(1);
    expect(await kindsOf(device, first)).toEqual(["file", "file"]);
    expect(await kindsOf(device, second)).toEqual(["unsettled", "unsettled"]);
  });

  it("is settled by the clock, and when the volume is closed", async () => {
    const device = new Watched(600);
    await (await made(device)).close();
    const due: (() => void)[] = [];
    const after: After = (_, action) => {
      due.push(action);
      return () => void due.splice(due.indexOf(action), 1);
    };
    const volume = await FileVolume.open({
      device,
      name: "v",
      cacheBytes: MiB,
      random: randomBytes(1),
      after,
    });
    const first = await create(volume, contentOf(5000, 1));
    expect(due).toHaveLength(1);
    due.pop()?.();
    await expect.poll(() => kindsOf(device, first)).toEqual(["file", "file"]);
    const second = await create(volume, contentOf(5000, 2));
    await volume.close();
    expect(await kindsOf(device, second)).toEqual(["file", "file"]);
    expect(due).toHaveLength(0);
  });

  it("is settled when many wait for others in their blocks", async () => {
    const device = new Watched(6000);
    const volume = await made(device, 1000, 64 * MiB);
    const [count, bytes] = [19, 900_000]; // 16 MiB and more
    for (let number = 1; number < perBlock - 1 - count; number++) await create(volume, contentOf(10, number));
    const open = device.shut();
    const { writes, flushes } = device;
    const first = create(volume, contentOf(10, 0));
    // Its round has begun without the others: those that came along would be settled in the next one.
    await expect.poll(() => device.flushes).toBe(flushes + 1);
    const large = Array.from({ length: count }, (_, index) =>
      create(volume, new Uint8Array(bytes).fill(index)),
    );
    // Contents, those longer than a slot has checksums for in two writes; and the first one's slots.
    await expect.poll(() => device.writes).toBe(writes + 1 + 2 + 2 * count);
    // All of them have asked for their slots: else some come in a round of their own, which settles the others.
    await expect.poll(() => volume.usage().files).toBe(perBlock - 2 - count + 1 + count);
    open();
    await first;
    const numbers = await Promise.all(large);
    const kinds = async () =>
      new Set((await Promise.all(numbers.map((each) => kindsOf(device, each)))).flat());
    expect(await kinds()).toEqual(new Set(["unsettled"]));
    // The first in the next block of the table.
    expect(await create(volume, contentOf(10, 50))).toBe(perBlock);
    expect(await kinds()).toEqual(new Set(["file"]));
  });

  it("whose content is there is a file, and settled, when the volume is opened", async () => {
    const device = new Watched(600);
    const number = await create(await made(device), contentOf(100_000, 1));
    expect(await kindsOf(device, number)).toEqual(["unsettled", "unsettled"]);
    const again = await open(device);
    expect(again.report).toMatchObject({ files: 1, unfinished: [], checkedBytes: 100_000, clean: true });
    expect(isSame(await whole(again, number), contentOf(100_000, 1))).toBe(true);
    expect(await kindsOf(device, number)).toEqual(["file", "file"]);
  });

  it.each([100, 20_000, 200_000])(
    "of %i bytes whose content is another is no file, and says so",
    async (bytes) => {
      const device = new Watched(600);
      const volume = await made(device);
      const kept = await create(volume, contentOf(bytes, 3));
      const number = await create(volume, contentOf(bytes, 1));
      const { freeBytes } = volume.usage();
      const start = await startOf(device, number);
      const block = await device.block(start);
      block[50] = (block[50] ?? 0) ^ 1;
      await device.write(start, block);
      const again = await open(device);
      expect(again.report).toMatchObject({ files: 1, unfinished: [number], corrupt: [], clean: true });
      expect(again.entry(number)).toBeUndefined();
      expect(again.entry(kept)).toBeDefined();
      expect(again.usage().freeBytes).toBeGreaterThan(freeBytes);
      expect(await again.check({ repair: false })).toMatchObject({ unfinished: [number], clean: true });
      expect((await open(device)).report.unfinished).toEqual([]);
    },
  );

  it("is not taken for finished by an older content that agrees with checksums of its own", async () => {
    const device = new Watched(600);
    const volume = await made(device);
    const bytes = 30 * blockBytes;
    const old = await create(volume, contentOf(bytes, 1));
    const start = await startOf(device, old);
    const held = new Uint8Array(31 * blockBytes);
    await device.read(start, held);
    await volume.remove(old);
    const number = await create(volume, contentOf(bytes, 2));
    expect(await startOf(device, number)).toBe(start);
    await device.write(start, held); // as if nothing of the new content had come to the medium
    const again = await open(device);
    expect(again.report).toMatchObject({ files: 0, unfinished: [number] });
  });

  it("whose content cannot be read stays, as a corrupt file", async () => {
    const device = new Watched(600);
    const number = await create(await made(device), contentOf(20_000, 1));
    const start = await startOf(device, number);
    device.bad.add(start + 2);
    const row = { number, bytes: 20_000, block: 2, deviceBlock: start + 2 };
    const again = await open(device);
    expect(again.report).toMatchObject({ files: 1, unfinished: [], corrupt: [row], clean: false });
    await expect(whole(again, number)).rejects.toMatchObject({ code: "VOLUME_CORRUPT", file: number });
  });
});

describe("a settled slot", () => {
  it("whose content is another has rotted, and is not taken for unfinished", async () => {
    const device = new Watched(600);
    const volume = await made(device);
    const number = await create(volume, contentOf(20_000, 1));
    await volume.close();
    const start = await startOf(device, number);
    await device.write(start, new Uint8Array(blockBytes));
    const again = await open(device);
    expect(again.report).toMatchObject({ files: 1, unfinished: [] });
    expect(await again.check({ repair: false })).toMatchObject({
      clean: false,
      corrupt: [{ number, block: 0 }],
    });
  });
});

describe("a volume of another format", () => {
  async function reformatted(format: number, blocks: readonly number[]): Promise<[Watched, number]> {
    const device = new Watched(600);
    const volume = await made(device);
    const number = await create(volume, contentOf(20_000, 1));
    await volume.close();
    const superblock = decodeSuperblock(await device.block(0));
    if (superblock.kind !== "good") throw new Error("no volume");
    for (const block of blocks) await device.write(block, encodeSuperblock(superblock.geometry, format));
    return [device, number];
  }

  // The last: the power went between the two superblocks.
  it.each([[[0, 599]], [[599]]])("1, in blocks %j, becomes one of the present format", async (blocks) => {
    const [device, number] = await reformatted(1, blocks);
    const again = await open(device);
    expect(again.report).toMatchObject({ files: 1, clean: true, brokenCopies: 0 });
    expect(isSame(await whole(again, number), contentOf(20_000, 1))).toBe(true);
    for (const block of [0, 599])
      expect(decodeSuperblock(await device.block(block))).toMatchObject({ kind: "good", format: FORMAT });
  });

  it("that is newer is refused and left alone", async () => {
    const [device] = await reformatted(FORMAT + 1, [0]);
    const before = await device.block(0);
    await expect(open(device)).rejects.toMatchObject({
      code: "VOLUME_FORMAT",
      why: `it has format ${FORMAT + 1}`,
    });
    expect(await device.block(0)).toEqual(before);
  });
});
