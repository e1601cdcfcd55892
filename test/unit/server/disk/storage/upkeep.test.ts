// How patient a storage is, and its scrubs. If one of these fails, rot is never looked for, a scrub begins
// anew with every server and never ends, or what an administrator has set is forgotten.

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BLOCK_BYTES } from "../../../../../control/server/disk/disk.js";
import { begun, changed, ended, newUpkeep } from "../../../../../control/server/disk/storage/upkeep.js";
import { FakeWorld } from "../fake-storage.js";

const durable = { durable: true };
const blocksOf = (value: number, blocks = 1): Uint8Array => new Uint8Array(blocks * BLOCK_BYTES).fill(value);
const MiB = 1024 * 1024;
const beginsAt = 1_800_000_000_000;

describe("the settings of a storage", () => {
  it("are kept on its members, for whoever serves it next", async () => {
    const world = new FakeWorld();
    const { storage } = await world.served();
    await world.time.during(storage.settings({ memberTimeoutMs: 9000, resyncRest: 7 }));
    expect(world.members[1]?.record?.upkeep).toMatchObject({ memberTimeoutMs: 9000, resyncRest: 7 });
    await world.time.during(storage.close());
    const next = world.serve();
    await world.time.during(next.storage.ready());
    expect(next.storage.upkeep()).toMatchObject({
      memberTimeoutMs: 9000,
      resyncRest: 7,
      scrubEveryMs: 604_800_000,
    });
  });

  it("say from then on when a silent member is down", async () => {
    const world = new FakeWorld();
    const { storage, links } = await world.served();
    const downAfter = async (): Promise<number> => {
      const cutAt = world.time.now;
      if (links[2] !== undefined) links[2].isCut = true;
      await world.time.until(() => storage.status().members[2]?.state === "down");
      const taken = world.time.now - cutAt;
      if (links[2] !== undefined) links[2].isCut = false;
      await world.time.until(() => storage.status().state === "ok");
      return taken;
    };
    expect(await downAfter()).toBeLessThan(3000);
    await world.time.during(storage.settings({ memberTimeoutMs: 8000 }));
    expect(await downAfter()).toBeGreaterThan(7000);
  });

  it("limit what resync does in a second", async () => {
    const world = new FakeWorld({ blocks: 1024 });
    const { storage } = await world.served();
    for (let block = 0; block < 1024; block += 256)
      await world.time.during(storage.write(block, blocksOf(1, 256), durable));
    await world.time.during(storage.settings({ resyncBytesPerSecond: MiB }));
    world.members[1]?.blank();
    await world.time.until(() => storage.status().state === "resyncing");
    const began = world.time.now;
    await world.time.until(() => storage.status().state === "ok");
    expect(world.time.now - began).toBeGreaterThan(3500); // 4 MiB
  });
});

describe("a scrub", () => {
  it("begins by itself when it is due, mends what has rotted, and says so", async () => {
    const world = new FakeWorld({ beginsAt });
    const { storage } = await world.served();
    await world.time.during(storage.write(700, blocksOf(5, 4), durable));
    await world.time.during(storage.settings({ scrubEveryMs: 120_000 }));
    world.members[2]?.rot(702);
    await world.time.until(() => storage.upkeep().scrub.endedAt > 0, 240_000);
    const { scrub } = storage.upkeep();
    expect(scrub).toMatchObject({ beganAt: 0, block: 0, lastMended: 1, dueAt: scrub.endedAt + 120_000 });
    expect(scrub.endedAt).toBeGreaterThan(beginsAt + 110_000);
    await world.time.run(2000);
    expect(world.members[2]?.stored(702).data[17]).toBe(5);
  });

  it("never begins by itself when that is what was set", async () => {
    const world = new FakeWorld({ beginsAt });
    const { storage } = await world.served();
    await world.time.during(storage.settings({ scrubEveryMs: 60_000 }));
    await world.time.during(storage.settings({ scrubEveryMs: 0 }));
    await world.time.run(200_000);
    expect(storage.upkeep().scrub).toMatchObject({ endedAt: 0, beganAt: 0, dueAt: 0 });
  });

  it("is gone on with by the next server, from where it was, at its own rate", async () => {
    const world = new FakeWorld({ policy: { scrubSavedMs: 500 } });
    const first = await world.served();
    world.members[1]?.rot(100);
    const scrubbing = first.storage.scrub({ bytesPerSecond: MiB });
    scrubbing.catch(() => undefined);
    await world.time.until(() => first.storage.upkeep().scrub.block >= 2048);
    first.storage.stop();
    await expect(world.time.during(scrubbing)).rejects.toMatchObject({ code: "DISK_GONE" });
    await world.time.run(2000);
    const next = world.serve();
    await world.time.during(next.storage.ready());
    const { scrub } = next.storage.upkeep();
    expect(scrub).toMatchObject({ beganAt: 1, bytesPerSecond: MiB, mended: 1 });
    expect(scrub.block).toBeGreaterThan(1000);
    const report = await world.time.during(next.storage.scrub());
    expect(report).toMatchObject({ blocks: 4096, mended: 1 });
    expect(next.storage.upkeep().scrub).toMatchObject({ beganAt: 0, lastMended: 1 });
  });

  it("that is asked for twice is one, at the rate that was said last", async () => {
    const world = new FakeWorld();
    const { storage } = await world.served();
    const told: number[] = [];
    const slow = storage.scrub({ bytesPerSecond: MiB / 16, progress: (blocks) => told.push(blocks) });
    await world.time.run(500);
    const began = world.time.now;
    const fast = storage.scrub({ bytesPerSecond: 64 * MiB });
    const both = await world.time.during(Promise.all([slow, fast]));
    expect(both[0]).toEqual(both[1]);
    expect(world.time.now - began).toBeLessThan(60_000);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.at(-1)).toBe(4096);
  });
});

describe("when the next scrub is due", () => {
  it("follows from the last one and what is set, whatever was set before", () => {
    const times = fc.integer({ min: 1, max: 2 ** 45 });
    fc.assert(
      fc.property(times, times, times, fc.integer({ min: 1, max: 2 ** 40 }), (start, took, later, every) => {
        const first = changed(newUpkeep(), { scrubEveryMs: every }, start);
        expect(first.scrub.dueAt).toBe(start + every);
        const over = ended(begun(first, start, 0), start + took);
        expect(over.scrub).toMatchObject({ endedAt: start + took, dueAt: start + took + every, beganAt: 0 });
        const never = changed(over, { scrubEveryMs: 0 }, start + took + later);
        expect(never.scrub.dueAt).toBe(0);
        const again = changed(never, { scrubEveryMs: 2 * every }, start + took + later);
        expect(again.scrub.dueAt).toBe(start + took + 2 * every);
      }),
    );
  });
});
