// A volume as of each moment is what it was then: after random work of two clients, kills and the power's
// end; and what was there goes after its time. If one fails, somebody brings back what never was.

import { describe, expect, it } from "vitest";
import { EVER, momentName, parseMoment } from "../../../../control/interface/file-history.js";
import { ROOT_ID } from "../../../../control/interface/file-status.js";
import { VolumeState } from "../../../../control/server/vice/state.js";
import { Refused } from "../../../../control/stub/refused.js";
import { STD_ARGBAD, STD_NOTFOUND } from "../../../../core-wasm/status.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { MemoryFolder } from "../../../../drivers/memory/folder.js";
import { perTier } from "../../../simulation/seeds.js";
import { Client, mustBeCut, ViceWorld } from "./world.js";

const seeds = perTier({ quick: 15, long: 150, nightly: 5000 });

type Tree = Record<string, string>;

/** The volume as of a moment, as `ViceWorld.tree` shows it now. */
function treeAt({ volume }: Pick<ViceWorld, "volume">, at: number, directory = ROOT_ID, before = ""): Tree {
  const found: Tree = {};
  let after = "";
  for (let more = true; more; ) {
    const page = volume.past(at, directory, after);
    for (const [name, { id, mode, target, size, version }] of page.names) {
      const path = `${before}${name}`;
      if ((mode & 0o170000) === 0o040000)
        Object.assign(found, { [`${path}/`]: "" }, treeAt({ volume }, at, id, `${path}/`));
      else if (target !== undefined) found[path] = `-> ${target}`;
      else if (size === 0) found[path] = "";
      else found[path] = Buffer.from(volume.fetch(id, version, 0, 1000)).toString("latin1");
      after = name;
    }
    more = page.more;
  }
  return found;
}

const refusalOf = (work: () => unknown): number => {
  try {
    work();
  } catch (error) {
    if (error instanceof Refused) return error.status;
    throw error;
  }
  return 0;
};

/** The moment of the last step. */
const moment = ({ volume }: ViceWorld): number => volume.state.past.last;

/** Some records of one client, about what there is. */
function work(world: ViceWorld, client: Client, random: SeededRandom, round: number): void {
  const { objects, names } = world.volume.state;
  const folders = [...objects].filter(([, row]) => row.entries !== undefined && row.gone === undefined);
  const [directory = ROOT_ID] = folders[random.below(folders.length)] ?? [];
  const name = ["a", "b", "c", "d"][random.below(4)] ?? "a";
  const id = names.get(directory)?.get(name) ?? 0;
  const text = `${round} `.repeat(random.below(3));
  const isFile = objects.get(id)?.entries === undefined;
  switch (id === 0 ? random.below(3) : 3 + random.below(5)) {
    case 0:
      client.mkdir(name, directory);
      break;
    case 1:
    case 2:
      client.store(client.make(name, directory), text);
      break;
    case 3:
      client.remove(name, id, client.version(id), directory);
      break;
    case 4:
      client.chmod(id, 0o600 + random.below(64), objects.get(id)?.changed ?? 0);
      break;
    case 5: {
      const [to = ROOT_ID] = folders[random.below(folders.length)] ?? [];
      const newName = ["a", "b", "e"][random.below(3)] ?? "e";
      const over = names.get(to)?.get(newName) ?? 0;
      if (over !== id)
        client.rename(name, id, newName, { directory, to, over, overBase: client.version(over) });
      break;
    }
    case 6:
      if (isFile) client.record({ op: "link", id, directory, name: `${name}2` });
      break;
    default:
      if (isFile) client.store(id, text, { base: random.below(3) === 0 ? 0 : client.version(id) });
  }
}

describe("a volume as of a moment", () => {
  it.each(Array.from({ length: seeds }, (_, seed) => seed + 1))(
    "is what it was then, seed %i",
    async (seed) => {
      const random = new SeededRandom(seed);
      const world = new ViceWorld();
      const clients = [await new Client(world, "a").begin(), await new Client(world, "b").begin()];
      const trees = new Map<number, Tree>([[1_000_000, {}]]);
      for (let round = 0; round < 40; round++) {
        const client = clients[random.below(2)] as Client;
        for (let count = random.below(4); count >= 0; count--) work(world, client, random, round);
        world.milliseconds += random.below(3) * 500;
        if (client.batch.length > 0) await client.ship();
        trees.set(Math.max(1_000_000, moment(world)), world.tree());
        if (random.below(10) !== 0) continue;
        world.volume.close();
        world.folder.kill();
        world.folder.restart();
        world.volume = world.open();
        for (const each of clients) await each.begin();
      }
      for (const [at, tree] of trees) expect(treeAt(world, at), `seed ${seed}, ${at}`).toEqual(tree);
      expect(treeAt(world, Math.max(moment(world), 1_000_000 + world.milliseconds))).toEqual(world.tree());
      // A snapshot has all of it too.
      const copy = new VolumeState();
      for (const [table, key, row] of world.volume.state.all()) copy.apply(table, key, row);
      expect([...copy.past.rows]).toEqual([...world.volume.state.past.rows]);
      expect([...copy.past.all()][0]).toEqual(["past", 0, { at: 1_000_000 }]);
    },
  );

  it("is refused when it is yet to come, or before all that is known", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    world.milliseconds = 5000;
    one.make("f");
    await one.ship();
    const { volume } = world;
    expect(refusalOf(() => volume.past(1_005_001, ROOT_ID, ""))).toBe(STD_ARGBAD);
    expect(refusalOf(() => volume.past(999_999, ROOT_ID, ""))).toBe(STD_NOTFOUND);
    expect(treeAt(world, 1_005_000)).toEqual({ f: "" });
    expect(treeAt(world, 1_004_999)).toEqual({});
    // What was answered stays so, also when the clock does not move.
    one.make("g");
    await one.ship();
    expect(treeAt(world, 1_005_000)).toEqual({ f: "" });
  });
});

describe("versions of a name", () => {
  it("are what could be found there, one after the other, whatever object had it", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    const step = async (): Promise<void> => {
      world.milliseconds += 1000;
      await one.ship();
    };
    const f = one.make("f");
    one.store(f, "first");
    await step();
    one.chmod(f, 0o600);
    await step();
    one.store(f, "second", { base: one.version(f) });
    await step();
    const g = one.make("g");
    one.store(g, "third, saved by renaming");
    await step();
    one.rename("g", g, "f", { over: f, overBase: one.version(f) });
    await step();
    one.remove("f", g, one.version(g));
    await step();
    const { versions, more } = world.volume.versions(ROOT_ID, "f", 0);
    const shown = versions.map(({ from, until, id, status, machine }) => [
      ...[from - 1_000_000, until - 1_000_000, machine],
      Buffer.from(world.volume.fetch(id, status.version, 0, 100)).toString(),
    ]);
    expect({ shown, more }).toEqual({
      shown: [
        [1000, 3000, "a", "first"],
        [3000, 5000, "a", "second"],
        [5000, 6000, "a", "third, saved by renaming"],
      ],
      more: false,
    });
    expect(world.volume.versions(ROOT_ID, "f", 1_003_000).versions).toHaveLength(1);
    const ever = world.volume.past(EVER, ROOT_ID, "").names.map(([name, { size }]) => [name, size]);
    expect(ever).toEqual([
      ["f", 24],
      ["g", 24],
    ]);
  });

  it("have moments for names, and nothing else means one", () => {
    const at = Date.UTC(2026, 10, 28, 8, 10, 29, 123);
    const same = ["2026-11-28T08:10:29.123Z", "2026-11-28_08:10:29.123", "2026-11-28T08:10:29.123"];
    for (const name of same) expect(parseMoment(name)).toBe(at);
    for (let day = 0; day < 200_000; day += 13) {
      const other = day * 86_400_000 + ((day * 7919) % 86_400_000) + 1;
      expect(momentName(other)).toBe(new Date(other).toISOString());
      expect(parseMoment(momentName(other))).toBe(other);
    }
    expect(parseMoment("2026-11-28T08:10")).toBe(at - 29_123);
    for (const name of [
      "",
      "now",
      "2026-11-28",
      "2026-13-28T08:10",
      "2026-02-29T08:10",
      "2026-11-28T25:10",
      "1e9",
      "versions",
    ])
      expect(parseMoment(name), name).toBeNull();
  });
});

describe("what a volume was", () => {
  it("goes after its time, also when that is made shorter, and with nobody writing", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    const f = one.make("f");
    one.store(f, "one");
    await one.ship();
    one.store(f, "three", { base: one.version(f) });
    one.remove("g", one.make("g"));
    await one.ship();
    expect(world.volume.describe()).toMatchObject({ history: 3600, historyBytes: 3, bytes: 5 });
    world.milliseconds = 600_000;
    expect(world.volume.sweep()).toBe(false);
    expect(world.volume.versions(ROOT_ID, "f", 0).versions).toHaveLength(2);
    await world.volume.remember(300);
    expect(world.volume.sweep()).toBe(true);
    expect(world.volume.describe()).toMatchObject({ history: 300, historyBytes: 0 });
    expect(world.volume.versions(ROOT_ID, "f", 0).versions).toHaveLength(1);
    expect(world.volume.state.past.rows.size).toBe(0);
    expect(world.volume.state.objects.size).toBe(3); // g: who was away may store to it yet
    expect(refusalOf(() => world.volume.past(1_200_000, ROOT_ID, ""))).toBe(STD_NOTFOUND);
    await world.volume.remember(86_400);
    expect(refusalOf(() => world.volume.past(1_000_000, ROOT_ID, ""))).toBe(STD_NOTFOUND); // it is gone
    world.milliseconds = 3_700_000;
    await world.volume.remember(300);
    expect(world.volume.sweep()).toBe(true);
    expect(world.volume.state.objects.size).toBe(2);
    expect(world.tree()).toEqual({ f: "three" });
    expect(refusalOf(() => world.volume.fetch(f, 2, 0, 10))).toBe(STD_NOTFOUND);
  });

  it("is there after the power's end for each step that was answered, wherever that was", async () => {
    const steps = async (world: ViceWorld, answered: Map<number, Tree>): Promise<void> => {
      const random = new SeededRandom(9);
      const client = await new Client(world, "a").begin();
      for (let round = 0; round < 7; round++) {
        world.milliseconds += 1000;
        for (let count = 0; count < 3; count++) work(world, client, random, round);
        await client.ship();
        answered.set(moment(world), world.tree());
      }
    };
    const whole = new MemoryFolder({ random: new SeededRandom(1) });
    await steps(new ViceWorld(whole), new Map());
    let cuts = 0;
    for (let cutAt = 0; cutAt < whole.operations; cutAt++) {
      const folder = new MemoryFolder({ random: new SeededRandom(100 + cutAt) });
      folder.cutAt = cutAt;
      const answered = new Map<number, Tree>();
      try {
        await steps(new ViceWorld(folder), answered);
      } catch (error) {
        mustBeCut(error);
        cuts++;
      }
      folder.restart();
      const world = new ViceWorld(folder);
      world.milliseconds = 60_000;
      for (const [at, tree] of answered) expect(treeAt(world, at), `cut at ${cutAt}, ${at}`).toEqual(tree);
      expect(treeAt(world, Math.max(moment(world), 1_000_000)), `cut at ${cutAt}`).toEqual(world.tree());
    }
    expect(cuts).toBeGreaterThan(30);
  });
});
