// The store on a virtual disk: it is what it was when it is opened again, and a medium that lies
// is noticed rather than believed. Power cuts: test/simulation/store-crash.test.ts.

import { describe, expect, it } from "vitest";
import { crc32c } from "../../../control/store/disk/crc32c.js";
import { DiskStore } from "../../../control/store/disk/store.js";
import type { Store } from "../../../control/store/store.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { VirtualDisk } from "../../../simulation/disk/disk.js";
import { noDiskFaults } from "../../../simulation/disk/faults.js";
import { describeStore, key, take, value } from "./conformance.js";

/** Every operation ends in the order in which it was begun, as soon as the code waits. */
const clock = { after: (_: number, action: () => void): void => queueMicrotask(action) };

function diskOf(blocks: number, seed = 1): VirtualDisk {
  return new VirtualDisk({ blocks, random: new SeededRandom(seed), clock });
}

describeStore("a store on a virtual disk", {
  open: () => DiskStore.open(diskOf(8192)),
  modelRuns: 60,
  modelSteps: 60,
});

/** All that a store holds, as text. */
async function contents(store: Store): Promise<string[]> {
  const { entries } = await store.range({}, { limit: 1000 });
  return entries.map((entry) => `${Buffer.from(entry.key)}=${Buffer.from(entry.value)}`);
}

describe("a store on a virtual disk, opened again", () => {
  it("has its entries, its history and what was compacted", async () => {
    const disk = diskOf(64);
    const before = await DiskStore.open(disk);
    const first = await before.put(key("a"), value("1"));
    const second = await before.put(key("a"), value("2"));
    await before.compact(first);
    await before.close();
    const after = await DiskStore.open(disk);
    expect(await contents(after)).toEqual(["a=2"]);
    expect((await take(await after.watch({}, first), 1))[0]?.revision).toBe(second);
    await expect((await after.watch({}, 0)).next()).rejects.toMatchObject({ code: "STORE_COMPACTED" });
  });

  it("has begun many logs on a small disk, and lost nothing", async () => {
    const disk = diskOf(40);
    let store = await DiskStore.open(disk);
    for (let round = 0; round < 200; round++) {
      await store.put(key(`k${round % 7}`), value(String(round)));
      if (round % 10 === 0) {
        await store.close();
        store = await DiskStore.open(disk);
      }
    }
    expect(await contents(store)).toEqual([196, 197, 198, 199, 193, 194, 195].map((n) => `k${n % 7}=${n}`));
  });

  it("is full before it is damaged, and takes a delete when it is told to forget", async () => {
    const disk = diskOf(40);
    const store = await DiskStore.open(disk);
    let puts = 0;
    const large = new Uint8Array(6000);
    for (; puts < 100; puts++) {
      const done = await store.put(key(`k${puts}`), large).catch((error: unknown) => error);
      if (typeof done === "number") continue;
      expect(done).toMatchObject({ code: "STORE_FULL" });
      break;
    }
    expect(puts).toBeGreaterThan(5);
    expect(puts).toBeLessThan(20);
    expect((await store.range({})).entries).toHaveLength(puts);
    await store.delete(key("k0"));
    await store.put(key("k0"), large);
    const again = await DiskStore.open(disk);
    expect((await again.range({})).entries).toHaveLength(puts);
  });

  it("is refused where there is something else, or hardly any room", async () => {
    const disk = diskOf(40);
    for (const block of [0, 1]) await disk.write(block, new Uint8Array(4096).fill(7));
    await expect(DiskStore.open(disk)).rejects.toMatchObject({ code: "STORE_FORMAT" });
    await expect(DiskStore.open(diskOf(4))).rejects.toMatchObject({ code: "STORE_FULL" });
  });
});

describe("a medium that lies", () => {
  /** A disk with a store of so many entries of three blocks each, all acknowledged. */
  async function written(entries: number, seed = 1): Promise<VirtualDisk> {
    const disk = diskOf(200, seed);
    const store = await DiskStore.open(disk);
    for (let i = 0; i < entries; i++) await store.put(key(`k${i}`), new Uint8Array(9000).fill(i + 1));
    await store.close();
    return disk;
  }

  it("is noticed when a block in use rots or cannot be read, wherever, or it is the last", async () => {
    const opened = { damaged: 0, whole: 0, last: 0 };
    for (let block = 0; block < 200; block++) {
      const disk = await written(8);
      const bytes = disk.onMedium(block);
      if (bytes.every((byte) => byte === 0)) continue;
      bytes[10] = (bytes[10] ?? 0) ^ 1;
      await disk.write(block, bytes);
      try {
        const { entries } = await (await DiskStore.open(disk)).range({});
        if (entries.length === 8) opened.whole++;
        else {
          expect(entries).toHaveLength(7);
          opened.last++;
        }
      } catch (error) {
        expect(error).toMatchObject({ code: "STORE_DAMAGED" });
        opened.damaged++;
      }
    }
    // A snapshot and seven entries of three blocks; the last entry could be a write that was cut
    // off; of two superblocks one is enough.
    expect(opened).toEqual({ damaged: 1 + 7 * 3, last: 3, whole: 2 });
  });

  it("is read again when a read fails once, and believed when it fails for good", async () => {
    const disk = await written(3);
    disk.faults = { ...noDiskFaults, readError: 0.01 };
    expect((await (await DiskStore.open(disk)).range({})).entries).toHaveLength(3);
    disk.faults = { ...noDiskFaults, badBlock: 1 };
    await expect(DiskStore.open(disk)).rejects.toMatchObject({ code: "STORE_DAMAGED" });
  });

  it("makes the store refuse everything once a write has failed", async () => {
    const disk = await written(1);
    const store = await DiskStore.open(disk);
    const coming = (await store.watch({})).next();
    disk.cut();
    await expect(store.put(key("a"), value("1"))).rejects.toMatchObject({ code: "STORE_OUTCOME_UNKNOWN" });
    await expect(coming).rejects.toMatchObject({ code: "STORE_FAILED" });
    await expect(store.get(key("k0"))).rejects.toMatchObject({ code: "STORE_FAILED" });
    disk.restore();
    await (await DiskStore.open(disk)).put(key("a"), value("1"));
  });
});

it("computes the checksum of the standard's examples", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
  expect(crc32c(Buffer.from("6789"), crc32c(Buffer.from("12345")))).toBe(0xe3069283);
});
