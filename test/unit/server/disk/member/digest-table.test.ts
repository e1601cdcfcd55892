// If one of these fails, a good block counts as rotten, or a rotten one as good.

import { beforeEach, describe, expect, it } from "vitest";
import { DigestTable } from "../../../../../control/server/disk/member/digest-table.js";
import { BlockError } from "../../../../../drivers/block.js";
import { SeededRandom } from "../../../../../drivers/fault/random.js";
import { CountingDevice } from "./parts.js";

const medium = 100_000;
let device: CountingDevice;

beforeEach(() => {
  device = new CountingDevice(medium);
});

/** Digests of blocks that are brought to memory for it. */
async function digestsOf(table: DigestTable, block: number, blocks: number): Promise<Uint8Array> {
  while (!table.has(block, blocks)) await table.load(block, blocks);
  return table.get(block, blocks);
}

describe("a table of digests", () => {
  it("has what was set, with few pages in memory, and on the medium once it was written", async () => {
    const random = new SeededRandom(8);
    const table = new DigestTable(device, 4);
    const model = new Uint8Array(20_000 * 8);
    for (let step = 0; step < 300; step++) {
      const [block, blocks] = [random.below(19_000), 1 + random.below(600)];
      if (random.chance(0.4)) {
        await digestsOf(table, block, blocks);
        const digests = Uint8Array.from({ length: blocks * 8 }, () => random.below(256));
        table.set(block, digests);
        model.set(digests, block * 8);
      } else {
        const found = await digestsOf(table, block, blocks);
        expect(Buffer.compare(found, model.subarray(block * 8, (block + blocks) * 8))).toBe(0);
      }
      if (table.isCrowded || random.chance(0.1)) await table.write();
    }
    await table.write();
    expect(table.isDirty).toBe(false);
    const again = new DigestTable(device, 4);
    for (let block = 0; block < 20_000; block += 1000)
      expect(
        Buffer.compare(await digestsOf(again, block, 1000), model.subarray(block * 8, (block + 1000) * 8)),
      ).toBe(0);
  });

  it("is read once by all who ask at once", async () => {
    let reads = 0;
    device.fails = (what) => {
      if (what === "read") reads++;
      return null;
    };
    const table = new DigestTable(device);
    await Promise.all([table.load(3, 600), table.load(100, 1), table.load(600, 2)]);
    expect(reads).toBe(2);
  });

  it("has digests of nobody where a page cannot be read, until they are set", async () => {
    device.fails = (what) => (what === "read" ? new BlockError("BLOCK_UNREADABLE", "", 0) : null);
    const table = new DigestTable(device);
    expect(await digestsOf(table, 5, 1)).toEqual(new Uint8Array(8).fill(0xff));
    table.set(5, new Uint8Array(8));
    await table.write();
    device.fails = null;
    expect(await digestsOf(new DigestTable(device), 5, 2)).toEqual(
      Uint8Array.from({ length: 16 }, (_, at) => (at < 8 ? 0 : 0xff)),
    );
  });

  it("passes on what else the device says", async () => {
    device.fails = () => new BlockError("BLOCK_GONE", "it is gone", 0);
    const table = new DigestTable(device);
    await expect(table.load(5, 1)).rejects.toMatchObject({ code: "BLOCK_GONE" });
    device.fails = null;
    await table.load(5, 1);
  });
});
