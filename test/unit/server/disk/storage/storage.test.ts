// A storage on members in memory: if one of these fails, a user loses what was acknowledged, reads
// something else, or has to help where the storage should have healed itself.

import { describe, expect, it } from "vitest";
import { BLOCK_BYTES } from "../../../../../control/server/disk/disk.js";
import { type FakeServer, FakeWorld } from "../fake-storage.js";

const durable = { durable: true };
const volatile = { durable: false };

const blocksOf = (value: number, blocks = 1): Uint8Array => new Uint8Array(blocks * BLOCK_BYTES).fill(value);

async function readFrom({ storage }: FakeServer, block: number, blocks = 1): Promise<Uint8Array> {
  const buffer = new Uint8Array(blocks * BLOCK_BYTES);
  await storage.read(block, buffer);
  return buffer;
}

const isSame = (one: Uint8Array | undefined, other: Uint8Array): boolean =>
  one !== undefined && Buffer.compare(one, other) === 0;

const states = ({ storage }: FakeServer): string[] => storage.status().members.map(({ state }) => state);

describe("a mirror", () => {
  it("reads what was written, and zeros where nothing was", async () => {
    const world = new FakeWorld();
    const server = await world.served();
    await world.time.during(server.storage.write(10, blocksOf(3, 2), durable));
    await world.time.during(server.storage.flush());
    expect(isSame(await world.time.during(readFrom(server, 11)), blocksOf(3))).toBe(true);
    expect(isSame(await world.time.during(readFrom(server, 12)), blocksOf(0))).toBe(true);
    for (const member of world.members) expect(member.stored(10).data[5]).toBe(3);
    expect(server.storage.status()).toMatchObject({ name: "d", size: 4096 * 4096, state: "ok" });
    const runs = await world.time.during(server.storage.extents(8, 6));
    expect(runs.map(({ blocks, isHole }) => [blocks, isHole])).toEqual([
      [2, true],
      [2, false],
      [2, true],
    ]);
  });

  it("goes on without a member that is silent, and brings it back by itself", async () => {
    const world = new FakeWorld();
    const server = await world.served();
    await world.time.during(server.storage.write(1, blocksOf(1), durable));
    const link = server.links[1];
    if (link === undefined) throw new Error("no link");
    link.isCut = true;
    await world.time.during(server.storage.write(2, blocksOf(2), durable));
    expect(states(server)).toEqual(["in-sync", "down", "in-sync"]);
    expect(server.storage.status().state).toBe("degraded");
    await world.time.during(server.storage.write(3000, blocksOf(3), volatile));
    link.isCut = false;
    await world.time.until(() => server.storage.status().state === "ok");
    for (const [block, value] of [
      [1, 1],
      [2, 2],
      [3000, 3],
    ] as const)
      expect(world.members[1]?.stored(block).data[0], `block ${block}`).toBe(value);
    expect(server.storage.status().members[1]).toMatchObject({ dirtyBytes: 0, percent: 100 });
  });

  it("hides a short outage from its user", async () => {
    const world = new FakeWorld();
    const server = await world.served();
    for (const link of server.links) link.isCut = true;
    const write = server.storage.write(5, blocksOf(5), durable);
    await world.time.run(1000);
    for (const link of server.links) link.isCut = false;
    await world.time.during(write);
    await world.time.until(() => server.storage.status().state === "ok");
    expect(isSame(await world.time.during(readFrom(server, 5)), blocksOf(5))).toBe(true);
  });

  it("is given what it lacks at full speed while somebody only looks how it is", async () => {
    const took: number[] = [];
    for (const looks of [false, true]) {
      const world = new FakeWorld();
      const server = await world.served();
      world.members[2]?.crash();
      await world.time.until(() => states(server)[2] === "down");
      world.members[2]?.blank();
      const begun = world.time.now;
      world.members[2]?.start();
      const look = async (): Promise<void> => {
        while (looks && server.storage.status().state !== "ok") {
          await server.storage.extents(0, 4096);
          await world.time.pause(10);
        }
      };
      const looking = look();
      await world.time.until(() => server.storage.status().state === "ok");
      await world.time.during(looking);
      took.push(world.time.now - begun);
    }
    const [alone = 0, watched = 0] = took;
    expect(watched).toBeLessThan(1.5 * alone);
  });

  it("takes a blank medium and gives it everything", async () => {
    const world = new FakeWorld();
    const server = await world.served();
    for (let block = 0; block < 4096; block += 512)
      await world.time.during(server.storage.write(block, blocksOf(block / 512 + 1, 3), volatile));
    const member = world.members[2];
    member?.crash();
    await world.time.run(4000);
    member?.blank();
    member?.start();
    await world.time.until(() => server.storage.status().state === "ok");
    for (let block = 0; block < 4096; block += 512)
      expect(member?.stored(block + 2).data[9]).toBe(block / 512 + 1);
  });

  it("gives a blank medium the place that it is in, also where it has just taken over", async () => {
    const world = new FakeWorld();
    const first = await world.served();
    await world.time.during(first.storage.write(7, blocksOf(7), durable));
    const member = world.members[2];
    member?.crash();
    member?.blank();
    first.storage.stop();
    member?.start();
    const second = world.serve();
    await world.time.during(second.storage.ready());
    await world.time.until(() => second.storage.status().state === "ok");
    expect(member?.record?.member).toEqual(world.record.members[2]?.id);
    expect(member?.stored(7).data[0]).toBe(7);
  });

  it("takes over from a server that was killed, within five seconds", async () => {
    const world = new FakeWorld();
    const first = await world.served();
    await world.time.during(first.storage.write(7, blocksOf(7), durable));
    for (const link of first.links) link.isCut = true;
    const second = world.serve();
    const before = world.time.now;
    expect(isSame(await world.time.during(readFrom(second, 7)), blocksOf(7))).toBe(true);
    expect(world.time.now - before).toBeLessThan(5000);
    for (const link of first.links) link.isCut = false;
    await expect(world.time.during(first.storage.write(7, blocksOf(8), durable))).rejects.toMatchObject({
      code: "DISK_FENCED",
    });
    expect(await world.time.during(first.storage.ended)).toMatchObject({ code: "DISK_FENCED" });
    expect(isSame(await world.time.during(readFrom(second, 7)), blocksOf(7))).toBe(true);
    await world.time.until(() => second.storage.status().state === "ok");
  });

  it("reads elsewhere when a copy is rotten, and repairs it", async () => {
    const world = new FakeWorld();
    const server = await world.served();
    await world.time.during(server.storage.write(20, blocksOf(4, 8), durable));
    for (const member of world.members.slice(0, 2)) member.rot(22);
    world.members[2]?.rot(23);
    expect(isSame(await world.time.during(readFrom(server, 20, 8)), blocksOf(4, 8))).toBe(true);
    expect(isSame(await world.time.during(readFrom(server, 20, 8)), blocksOf(4, 8))).toBe(true);
    await world.time.run(1000);
    for (const member of world.members.slice(0, 2))
      expect(isSame(member.stored(22).data, blocksOf(4))).toBe(true);
  });

  it("serves nothing without a majority, and says so in time", async () => {
    const world = new FakeWorld();
    const server = await world.served();
    for (const link of server.links.slice(1)) link.isCut = true;
    await expect(world.time.during(server.storage.write(1, blocksOf(1), durable))).rejects.toMatchObject({
      code: "DISK_NO_QUORUM",
    });
    expect(server.storage.status().state).toBe("failed");
    for (const link of server.links) link.isCut = false;
    await world.time.until(() => server.storage.status().state === "ok");
  });

  it("takes a failed flush for a failed member", async () => {
    const world = new FakeWorld();
    const server = await world.served();
    await world.time.during(server.storage.write(9, blocksOf(9), volatile));
    const member = world.members[0];
    if (member === undefined) throw new Error("no member");
    member.flushFails = true;
    await world.time.during(server.storage.flush());
    expect(states(server)[0]).toBe("failed");
    member.flushFails = false;
    await world.time.until(() => server.storage.status().state === "ok");
    expect(isSame(member.stored(9).data, blocksOf(9))).toBe(true);
  });

  it("never lets a stale member win when the members died one by one", async () => {
    const world = new FakeWorld();
    const server = await world.served();
    await world.time.during(server.storage.write(1, blocksOf(1), durable));
    world.members[0]?.crash();
    await world.time.run(3000);
    await world.time.during(server.storage.write(1, blocksOf(2), durable));
    world.members[1]?.crash();
    world.members[2]?.crash();
    server.storage.stop();
    await world.time.run(3000);
    world.members[0]?.start();
    const next = world.serve();
    await world.time.run(20_000);
    expect(next.storage.status().state).toBe("failed");
    world.members[2]?.start();
    expect(isSame(await world.time.during(readFrom(next, 1)), blocksOf(2))).toBe(true);
    world.members[1]?.start();
    await world.time.until(() => next.storage.status().state === "ok");
    for (const member of world.members) expect(member.stored(1).data[0]).toBe(2);
  });
});

describe("a linear storage", () => {
  it("puts its members one behind the other, and waits for one that is down", async () => {
    const world = new FakeWorld({ facts: { algorithm: "linear" }, members: 2 });
    const server = await world.served();
    await world.time.during(server.storage.write(2046, blocksOf(6, 4), durable));
    expect(world.members[0]?.stored(2047).data[0]).toBe(6);
    expect(world.members[1]?.stored(1).data[0]).toBe(6);
    world.members[1]?.crash();
    const read = readFrom(server, 2046, 4);
    await world.time.run(5000);
    world.members[1]?.start();
    expect(await world.time.during(read)).toEqual(blocksOf(6, 4));
  });
});
