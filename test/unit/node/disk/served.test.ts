// What a person does to a storage that a machine serves: if one of these fails, a disk lies on itself, a
// copy that is behind is made to count, or a refusal does not say why.

import { describe, expect, it } from "vitest";
import { capabilityHex } from "../../../../control/capability/capability.js";
import type { Described } from "../../../../control/interface/storage.js";
import { Served, type ServedOptions } from "../../../../control/node/disk/served.js";
import { DiskError } from "../../../../control/server/disk/errors.js";
import type { MemberEntry } from "../../../../control/server/disk/member/record.js";
import { STD_EXISTS, STD_NOTFOUND } from "../../../../core-wasm/status.js";
import { FakeWorld } from "../../server/disk/fake-storage.js";

interface Told {
  readonly detached: string[];
  readonly moved: string[];
  readonly reopened: number[];
  used: number;
}

/** A storage of three members that this machine, n1, serves. */
async function served(options: Partial<ServedOptions> = {}) {
  const world = new FakeWorld();
  const { storage } = await world.served();
  const told: Told = { detached: [], moved: [], reopened: [], used: 0 };
  const all = new Served(storage, {
    after: world.time.after,
    node: "n1",
    random: world.randomBytes,
    used: () => {
      told.used++;
    },
    agesOf: async () => [],
    detachMedium: async ({ node, path }) => void told.detached.push(`${node}:${path}`),
    extendMedium: async () => undefined,
    isReady: () => true,
    reopen: async ([id = 0]) => void told.reopened.push(id),
    moveTo: async ({ node }) => void told.moved.push(node),
    ...options,
  });
  /** The result of a change, which the storage's clients read in its description. */
  const result = async (change: Parameters<Served["change"]>[0]) => {
    await world.time.during(all.change(change)).catch((error: unknown) => {
      if (!(error instanceof DiskError)) throw error;
    });
    const { jobs }: Described = await world.time.during(all.describe());
    return jobs.at(-1);
  };
  return { world, storage, served: all, told, result };
}

const medium = (world: FakeWorld, node: string, path: string) => ({
  ...{ node, path },
  capability: capabilityHex((world.record.members[0] as MemberEntry).capability),
});

describe("a storage as it is served", () => {
  it("describes itself: who serves it, its members, the ages below, and no remarks while all is well", async () => {
    const { world, served: all } = await served();
    const told = await world.time.during(all.describe());
    expect(told).toMatchObject({ node: "n1", algorithm: "mirror", witnesses: [], remarks: [], dirtyMap: "" });
    expect(told.ages).toEqual([Buffer.alloc(16, 7).toString("hex")]);
    expect(told.storage.members.map(({ node, state }) => `${node} ${state}`)).toEqual([
      "n1 in-sync",
      "n2 in-sync",
      "n3 in-sync",
    ]);
  });

  it("shows where a member lacks something", async () => {
    const { world, served: all, storage } = await served();
    world.members[2]?.crash();
    await world.time.until(() => storage.status().members[2]?.state === "down");
    await world.time.during(all.write(0, new Uint8Array(4096), { durable: true }));
    const { dirtyMap } = await world.time.during(all.describe());
    expect(dirtyMap).toHaveLength(256);
    expect(dirtyMap).toMatch(/^[1-9]+\.+$/); // what is marked is a whole extent
  });

  it("counts reads, writes and flushes as uses", async () => {
    const { world, served: all, told } = await served();
    await world.time.during(all.write(3, new Uint8Array(4096).fill(3), { durable: false }));
    await world.time.during(all.read(3, new Uint8Array(4096)));
    await world.time.during(all.flush());
    expect(told.used).toBe(3);
  });

  it("is gone when it has ended", async () => {
    const { served: all, storage, world } = await served();
    storage.stop();
    await world.time.run(10);
    await expect(all.describe()).rejects.toMatchObject({ code: "DISK_GONE" });
  });
});

describe("a change", () => {
  it("refuses a medium that lies on the storage itself, and names both", async () => {
    const { world, result } = await served({ agesOf: async () => [new Uint8Array(16).fill(7)] });
    const member = medium(world, "n4", "disk:d");
    expect(await result({ operation: "attach", member })).toMatchObject({
      state: "failed",
      result: { code: "DISK_LOOP", why: "n4:disk:d lies on d itself" },
    });
    expect(await result({ operation: "replace", member: "n3:/m3", by: member })).toMatchObject({
      result: { code: "DISK_LOOP" },
    });
  });

  it("refuses a member that is one already, and one that is none", async () => {
    const { world, served: all } = await served();
    const twice = all.change({ operation: "attach", member: medium(world, "n2", "/m2") });
    await expect(world.time.during(twice)).rejects.toMatchObject({ status: STD_EXISTS });
    const unknown = all.change({ operation: "detach", member: "n9:/m9" });
    await expect(world.time.during(unknown)).rejects.toMatchObject({ status: STD_NOTFOUND });
  });

  it("detaches a whole member as a backup, and has its machine let go of the medium", async () => {
    const { result, told } = await served();
    expect(await result({ operation: "detach", member: "n3:/m3" })).toMatchObject({
      state: "done",
      result: { backup: true },
    });
    expect(told.detached).toEqual(["n3:/m3"]);
  });

  it("detaches one that is not whole as no backup", async () => {
    const { world, result, storage } = await served();
    world.members[2]?.crash();
    await world.time.until(() => storage.status().members[2]?.state === "down");
    await world.time.during(storage.write(0, new Uint8Array(4096), { durable: true }));
    expect(await result({ operation: "detach", member: "n3:/m3" })).toMatchObject({
      result: { backup: false },
    });
  });

  it("does not make a copy count that may be behind, while nobody could tell", async () => {
    const { result } = await served({ isReady: () => false });
    expect(await result({ operation: "mark", member: "n2:/m2", as: "clean" })).toMatchObject({
      state: "failed",
      result: { code: "DISK_NO_COPY" },
    });
  });

  it("moves to the machine of a member, stays where it is, and does not move while it is not served", async () => {
    const { result, told } = await served();
    expect(await result({ operation: "move", node: "n1" })).toMatchObject({ result: { node: "n1" } });
    expect(told.moved).toEqual([]);
    expect(await result({ operation: "move", node: "n2" })).toMatchObject({ result: { node: "n2" } });
    expect(told.moved).toEqual(["n2"]);
    const waiting = await served({ isReady: () => false });
    expect(await waiting.result({ operation: "move", node: "n2" })).toMatchObject({
      result: { code: "DISK_NO_QUORUM" },
    });
    expect(waiting.told.moved).toEqual([]);
  });

  it("heals nothing where nothing is apart; opened anew with one member's history, it says whose", async () => {
    const whole = await served();
    expect(await whole.result({ operation: "heal" })).toMatchObject({
      state: "done",
      result: { healed: [] },
    });
    const waiting = await served({ isReady: () => false });
    expect(await waiting.result({ operation: "heal" })).toMatchObject({ result: { code: "DISK_NO_QUORUM" } });
    expect(await waiting.result({ operation: "heal", keep: "n2:/m2" })).toMatchObject({
      result: { keeps: "n2:/m2" },
    });
    expect(waiting.told.reopened).toEqual([2]);
  });

  it("does not grow while a member is not whole, nor makes room on the next one", async () => {
    const extended: string[] = [];
    const {
      world,
      result,
      served: all,
      storage,
    } = await served({
      extendMedium: async ({ node }) => void extended.push(node),
    });
    const { blocks } = all;
    world.members[2]?.crash();
    await world.time.until(() => storage.status().members[2]?.state === "down");
    await world.time.during(storage.write(0, new Uint8Array(4096), { durable: true }));
    expect(await result({ operation: "grow", size: (blocks + 1024) * 4096 })).toMatchObject({
      state: "running",
    });
    await world.time.run(40_000);
    const { jobs } = await world.time.during(all.describe());
    expect(jobs.at(-1)).toMatchObject({ state: "failed", result: { code: "DISK_NO_QUORUM" } });
    expect(extended).toEqual(["n1"]);
    expect(storage.blocks).toBe(blocks);
  });
});
