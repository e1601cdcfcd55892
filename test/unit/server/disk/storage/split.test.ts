// Two sides of a storage that have both written. If one of these fails, what the loser's users were told is
// written is gone, or nobody is told that there are two histories, or a person's word does not count.

import { describe, expect, it } from "vitest";
import { BLOCK_BYTES } from "../../../../../control/server/disk/disk.js";
import { fakeDigests } from "../fake-member.js";
import { type FakeOptions, type FakeServer, FakeWorld } from "../fake-storage.js";
import { keptIn, MemoryBranches } from "../memory-branches.js";

const durable = { durable: true };
const blocksOf = (value: number, blocks = 1): Uint8Array => new Uint8Array(blocks * BLOCK_BYTES).fill(value);
const isOk =
  ({ storage }: FakeServer) =>
  () =>
    storage.status().state === "ok";
const idOf = (place: number): Uint8Array => new Uint8Array(16).fill(place + 1);
const both: FakeOptions = { members: 2, facts: { serve: "any" } };

async function valueAt(world: FakeWorld, { storage }: FakeServer, block: number): Promise<number> {
  const buffer = new Uint8Array(BLOCK_BYTES);
  await world.time.during(storage.read(block, buffer));
  return buffer[100] ?? 0;
}

/** Both sides of a partition serve: each is given writes of its own, and then both servers end. */
async function apart(world: FakeWorld, isWriting = true): Promise<void> {
  const first = await world.served();
  for (const block of [1, 7, 3000])
    await world.time.during(first.storage.write(block, blocksOf(block), durable));
  await world.time.run(5000); // nothing is under way any more
  if (first.links[1] !== undefined) first.links[1].isCut = true;
  await world.time.during(first.storage.write(2, blocksOf(2), durable));
  await world.time.during(first.storage.write(5, blocksOf(55), durable));
  const other = world.serve();
  if (other.links[0] !== undefined) other.links[0].isCut = true;
  await world.time.during(other.storage.ready());
  if (isWriting) {
    await world.time.during(other.storage.write(3, blocksOf(3), durable));
    await world.time.during(other.storage.write(5, blocksOf(56), durable));
    await world.time.during(other.storage.zero(7, 1, { durable: true, punch: true }));
  }
  other.storage.stop();
  first.storage.stop();
  await world.time.run(2000);
}

/** What a branch keeps, as values; null: it held nothing. */
async function keptOf(branches: MemoryBranches, place = 0): Promise<Map<number, number | null>> {
  const branch = (await branches.all())[place];
  if (branch === undefined) throw new Error("there is no branch");
  expect(branch.isKept).toBe(true);
  const kept = await keptIn(branch, fakeDigests);
  return new Map([...kept].map(([block, data]) => [block, data?.[100] ?? null]));
}

describe("a split brain", () => {
  it("ends by itself when the policy is to keep: one side goes on, what the other has is in a branch", async () => {
    const branches = new MemoryBranches();
    const world = new FakeWorld({ ...both, branches });
    await apart(world);
    const server = world.serve();
    await world.time.until(isOk(server));
    const kept = await keptOf(branches);
    if ((await valueAt(world, server, 2)) === 2) {
      expect(await valueAt(world, server, 3)).toBe(0);
      expect([3, 5, 7].map((block) => kept.get(block))).toEqual([3, 56, null]);
    } else {
      expect(await valueAt(world, server, 3)).toBe(3);
      expect([2, 5, 7].map((block) => kept.get(block))).toEqual([2, 55, 7]);
    }
    // What neither has written, in an extent where neither was, is nobody's own.
    expect(kept.has(3000)).toBe(false);
    for (const member of world.members) expect(member.stored(5).data[100]).not.toBe(undefined);
  });

  it("is none when one side has written nothing", async () => {
    const branches = new MemoryBranches();
    const world = new FakeWorld({ ...both, branches });
    await apart(world, false);
    const server = world.serve();
    await world.time.until(isOk(server));
    expect(await valueAt(world, server, 2)).toBe(2);
    expect(branches.devices).toHaveLength(0);
  });

  it("waits for a person when the policy is to ask, and heals from the side that is named", async () => {
    const branches = new MemoryBranches();
    const world = new FakeWorld({ members: 2, facts: { serve: "any", onSplit: "ask" }, branches });
    await apart(world);
    const server = world.serve();
    await world.time.run(5000);
    expect(server.storage.status().state).toBe("split-brain");
    expect(server.storage.split().sides.map((side) => side.map(({ node }) => node))).toContainEqual(["n2"]);
    await expect(
      world.time.during(server.storage.read(1, new Uint8Array(BLOCK_BYTES))),
    ).rejects.toMatchObject({ code: "DISK_SPLIT" });
    expect(branches.devices).toHaveLength(0);
    server.storage.stop();
    const named = world.serve(undefined, idOf(1));
    await world.time.until(isOk(named));
    expect(await valueAt(world, named, 3)).toBe(3);
    const kept = await keptOf(branches);
    expect([2, 5, 7].map((block) => kept.get(block))).toEqual([2, 55, 7]);
    expect(world.members[0]?.stored(3).data[0]).toBe(3);
  });

  it("that is met while one side serves waits for a person too, and that side goes on", async () => {
    const branches = new MemoryBranches();
    const world = new FakeWorld({ members: 2, facts: { serve: "any", onSplit: "ask" }, branches });
    await apart(world);
    const alone = world.serve();
    if (alone.links[0] !== undefined) alone.links[0].isCut = true;
    await world.time.during(alone.storage.ready());
    if (alone.links[0] !== undefined) alone.links[0].isCut = false;
    await world.time.until(() => alone.storage.status().state === "split-brain");
    expect(alone.storage.split().apart.map(({ entry }) => entry.node)).toEqual(["n1"]);
    expect(await valueAt(world, alone, 3)).toBe(3);
    await world.time.during(alone.storage.heal(idOf(0)));
    await world.time.until(isOk(alone));
    const kept = await keptOf(branches);
    expect([2, 5, 7].map((block) => kept.get(block))).toEqual([2, 55, 7]);
  });

  it("stays one, with nothing overwritten, while there is no room for the branch", async () => {
    const branches = new MemoryBranches();
    branches.isFull = true;
    const world = new FakeWorld({ ...both, branches });
    await apart(world);
    const before = world.members.map((member) => [2, 3, 5, 7].map((block) => member.stored(block).data[100]));
    const server = world.serve();
    await world.time.during(server.storage.ready());
    await world.time.run(20_000);
    expect(server.storage.status().state).toBe("split-brain");
    expect(server.storage.split().apart[0]?.why).toContain("make room");
    const after = world.members.map((member) => [2, 3, 5, 7].map((block) => member.stored(block).data[100]));
    expect(after).toEqual(before);
    branches.isFull = false;
    await world.time.until(isOk(server));
    expect((await keptOf(branches)).size).toBeGreaterThan(0);
  });

  it("whose loser writes again before it is overwritten is kept anew", async () => {
    const branches = new MemoryBranches();
    const world = new FakeWorld({ ...both, branches });
    await apart(world);
    const [first, second] = [world.serve(), world.serve()];
    first.storage.stop();
    second.storage.stop();
    await world.time.run(2000);
    // A branch is closed, and the loser is cut off before its medium says that it has given up.
    const server = world.serve();
    await world.time.until(() => branches.devices.length > 0);
    const winner = server.storage.status().members.findIndex(({ state }) => state === "in-sync");
    const loser = 1 - winner;
    server.storage.stop();
    branches.forget();
    await world.time.run(3000);
    const alone = world.serve();
    const link = alone.links[winner];
    if (link !== undefined) link.isCut = true;
    await world.time.during(alone.storage.ready());
    await world.time.during(alone.storage.write(9, blocksOf(99), durable));
    alone.storage.stop();
    await world.time.run(2000);
    const last = world.serve(undefined, idOf(winner));
    await world.time.until(isOk(last));
    expect(await valueAt(world, last, 9)).toBe(0);
    const all = await Promise.all(branches.devices.map((_, place) => keptOf(branches, place)));
    expect(all.some((kept) => kept.get(9) === 99)).toBe(true);
    expect(loser).toBeGreaterThanOrEqual(0);
  });
});
