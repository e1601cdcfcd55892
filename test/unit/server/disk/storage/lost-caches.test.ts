// Copies that lose with their cache what others have brought to their media: if one of these fails, a flush
// was answered and a server that comes later takes the copy without those bytes for a valid one.

import { describe, expect, it } from "vitest";
import { BLOCK_BYTES } from "../../../../../control/server/disk/disk.js";
import type { StorageFacts } from "../../../../../control/server/disk/member/record.js";
import { goodLink } from "../fake-link.js";
import { type FakeServer, FakeWorld } from "../fake-storage.js";

/** So many that some are lost with a cache of which each block is kept or not. */
const count = 16;
const blocksOf = (value: number): Uint8Array => new Uint8Array(count * BLOCK_BYTES).fill(value);

/** The first byte of each of the blocks. */
async function valuesFrom(world: FakeWorld, { storage }: FakeServer): Promise<number[]> {
  const buffer = new Uint8Array(count * BLOCK_BYTES);
  await world.time.during(storage.read(0, buffer));
  return Array.from({ length: count }, (_, at) => buffer[at * BLOCK_BYTES] ?? 0);
}

/**
 * The first member falls with everything in its cache, after the others have brought theirs to their media
 * and have taken their activity bits back; the server falls with it.
 */
async function fallen(facts: Partial<StorageFacts>, members: number, witnesses: number): Promise<FakeWorld> {
  const world = new FakeWorld({ members, witnesses, facts, seed: 11 });
  const { time } = world;
  const { storage } = await world.served();
  await time.during(storage.write(0, blocksOf(1), { durable: true }));
  await time.during(storage.write(0, blocksOf(2), { durable: false }));
  const others = world.members.slice(1);
  for (const other of others) await time.during(other.port(goodLink()).flush(other.record?.epoch ?? 0));
  const isCool = () => others.every(({ record }) => record?.activity.every((byte) => byte === 0) === true);
  await time.until(isCool, 10_000);
  storage.stop();
  world.members[0]?.crash();
  await time.run(3000);
  return world;
}

async function next(world: FakeWorld): Promise<FakeServer> {
  const server = world.serve();
  await world.time.during(server.storage.ready());
  return server;
}

describe("a copy that has lost its cache while nobody served", () => {
  it("is none of the valid ones once a server has gone on without it", async () => {
    const world = await fallen({}, 3, 0);
    const second = await next(world);
    expect(await valuesFrom(world, second)).toEqual(new Array(count).fill(2));
    await world.time.during(second.storage.flush());
    second.storage.stop();
    await world.time.run(3000);
    world.members[0]?.start();
    expect(await valuesFrom(world, await next(world))).toEqual(new Array(count).fill(2));
  });

  it("is none where any copy may serve, once a flush was answered without it", async () => {
    const world = await fallen({ serve: "any" }, 2, 0);
    const second = await next(world);
    await world.time.during(second.storage.flush());
    second.storage.stop();
    await world.time.run(3000);
    world.members[0]?.start();
    expect(await valuesFrom(world, await next(world))).toEqual(new Array(count).fill(2));
  });

  it("leaves no two histories where any copy may serve, when servers have only looked", async () => {
    const world = new FakeWorld({ members: 2, facts: { serve: "any" }, seed: 12 });
    const first = await world.served();
    first.storage.stop();
    for (const away of [0, 1]) {
      await world.time.run(3000);
      const links = world.members.map((_, place) => ({ ...goodLink(), isCut: place === away }));
      const server = world.serve(links);
      await world.time.during(server.storage.ready());
      await world.time.during(server.storage.read(0, new Uint8Array(BLOCK_BYTES)));
      server.storage.stop();
    }
    await world.time.run(3000);
    const { storage, log } = await next(world);
    await world.time.until(() => storage.status().state === "ok", 30_000);
    expect(log.filter((line) => /histor|branch/.test(line))).toEqual([]);
  });
});
