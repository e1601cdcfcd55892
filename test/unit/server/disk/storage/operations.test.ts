// What a person changes of a storage in use: if one of these fails, an operation loses data, serves a
// stale copy, or leaves a storage that does not become whole by itself.

import { describe, expect, it } from "vitest";
import { BLOCK_BYTES } from "../../../../../control/server/disk/disk.js";
import { type FakeServer, FakeWorld } from "../fake-storage.js";

const durable = { durable: true };
const blocksOf = (value: number, blocks = 1): Uint8Array => new Uint8Array(blocks * BLOCK_BYTES).fill(value);
const isOk =
  ({ storage }: FakeServer) =>
  () =>
    storage.status().state === "ok";

async function valueAt(world: FakeWorld, { storage }: FakeServer, block: number): Promise<number> {
  const buffer = new Uint8Array(BLOCK_BYTES);
  await world.time.during(storage.read(block, buffer));
  return buffer[100] ?? 0;
}

/** A medium for one member more, and its entry. */
function another(world: FakeWorld) {
  const place = world.members.length;
  world.members.push(world.medium());
  const [sample] = world.record.members;
  if (sample === undefined) throw new Error("no member");
  return { ...sample, id: new Uint8Array(16).fill(place + 1), node: `n${place + 1}`, path: `/m${place + 1}` };
}

const idOf = (place: number): Uint8Array => new Uint8Array(16).fill(place + 1);

describe("a member", () => {
  it("is added while the disk is used, and has everything afterwards", async () => {
    const world = new FakeWorld();
    const server = await world.served();
    await world.time.during(server.storage.write(5, blocksOf(5), durable));
    const adding = server.storage.add(another(world));
    await world.time.during(server.storage.write(6, blocksOf(6), durable));
    await world.time.during(adding);
    await world.time.until(() => isOk(server)() && server.storage.status().members.length === 4);
    expect([5, 6].map((block) => world.members[3]?.stored(block).data[0])).toEqual([5, 6]);
  });

  it("is replaced, and its old medium never wins again", async () => {
    const world = new FakeWorld();
    const server = await world.served();
    await world.time.during(server.storage.write(5, blocksOf(5), durable));
    await world.time.during(server.storage.replace(idOf(0), another(world)));
    await world.time.during(server.storage.write(5, blocksOf(6), durable));
    await world.time.until(isOk(server));
    expect(server.storage.status().members.map(({ node }) => node)).toEqual(["n2", "n3", "n4"]);
    expect(world.members[3]?.stored(5).data[0]).toBe(6);
    server.storage.stop();
    await world.time.run(2000);
    const next = world.serve(); // it knows the old list only
    expect(await valueAt(world, next, 5)).toBe(6);
    await world.time.until(isOk(next));
    expect(next.storage.status().members.map(({ node }) => node)).toEqual(["n2", "n3", "n4"]);
  });

  it("that is detached is a backup; the last valid copy is not let go", async () => {
    const world = new FakeWorld({ members: 2, witnesses: 1 });
    const server = await world.served();
    await world.time.during(server.storage.write(5, blocksOf(5), { durable: false }));
    await world.time.during(server.storage.detach(idOf(1)));
    world.members[1]?.crash();
    expect(world.members[1]?.stored(5).data[0]).toBe(5);
    await expect(world.time.during(server.storage.remove(idOf(0)))).rejects.toMatchObject({
      code: "DISK_NO_QUORUM",
    });
    expect(await valueAt(world, server, 5)).toBe(5);
  });

  it("that is marked dirty is compared and given what differs", async () => {
    const world = new FakeWorld();
    const server = await world.served();
    await world.time.during(server.storage.write(5, blocksOf(5), durable));
    world.members[1]?.rot(5);
    await world.time.during(server.storage.markDirty(idOf(1)));
    await world.time.until(isOk(server));
    expect(world.members[1]?.stored(5).data[17]).toBe(5);
  });
});

describe("a storage", () => {
  it("grows while it is used", async () => {
    const world = new FakeWorld({ blocks: 1024 });
    for (const [place] of world.members.entries()) world.members[place] = world.medium(4096);
    const server = await world.served();
    await world.time.during(server.storage.write(1000, blocksOf(1), durable));
    await world.time.during(server.storage.grow(4096));
    expect(server.storage.blocks).toBe(4096);
    await world.time.during(server.storage.write(4095, blocksOf(9), durable));
    expect(await valueAt(world, server, 4095)).toBe(9);
    expect(await valueAt(world, server, 1000)).toBe(1);
    await expect(world.time.during(server.storage.grow(8192))).rejects.toMatchObject({ code: "DISK_SHORT" });
  });

  it("is scrubbed: rot is found by verify, and repaired by scrub", async () => {
    const world = new FakeWorld();
    const server = await world.served();
    await world.time.during(server.storage.write(500, blocksOf(5, 4), durable));
    world.members[2]?.rot(502);
    const found = await world.time.during(server.storage.verify({ bytesPerSecond: 1e9 }));
    expect(found.members.map(({ rotten }) => rotten)).toEqual([0, 0, 1]);
    await world.time.during(server.storage.scrub({ bytesPerSecond: 1e9 }));
    await world.time.run(1000);
    const after = await world.time.during(server.storage.verify({ bytesPerSecond: 1e9 }));
    expect(after.members.map(({ rotten, differing }) => rotten + differing)).toEqual([0, 0, 0]);
    expect(after.blocks).toBe(4096);
  });
});
