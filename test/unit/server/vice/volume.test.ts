// A volume and its clients: exactly once, durable before it is answered, promises and leases, and
// clients that lie.

import { describe, expect, it } from "vitest";
import { idOf, ROOT_ID } from "../../../../control/interface/file-status.js";
import { Refused } from "../../../../control/stub/refused.js";
import { STD_ARGBAD, STD_NOSPACE, STD_NOTFOUND, STD_NOTNOW } from "../../../../core-wasm/status.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { MemoryFolder } from "../../../../drivers/memory/folder.js";
import { Client, mustBeCut, ViceWorld } from "./world.js";

const statusOf = async (work: () => unknown): Promise<number> => {
  try {
    await work();
  } catch (error) {
    if (error instanceof Refused) return error.status;
    throw error;
  }
  return 0;
};

describe("a volume", () => {
  it("does as a local file system does for who waits for the answer", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    const f = one.make("f");
    one.store(f, "hello");
    const d = one.mkdir("d");
    one.make("g", d);
    one.rename("f", f, "g", { to: d, over: idOf(1, 3) });
    await one.ship();
    expect(world.tree()).toEqual({ "d/": "", "d/g": "hello" });
    one.make("d");
    one.remove("d", d);
    one.remove("nothing", f);
    one.rename("d", d, "below", { to: d });
    const refusals = (await one.ship()).map(({ became, errno }) => [became, errno]);
    expect(refusals).toEqual([
      ["refused", 17],
      ["refused", 39],
      ["refused", 116],
      ["refused", 22],
    ]);
    expect(world.volume.state.objects.get(ROOT_ID)).toMatchObject({ links: 3, entries: 1 });
  });

  it("takes a batch that comes again for what it is", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    one.make("f");
    one.make("g");
    const batch = one.batch;
    const first = await world.volume.reintegrate(one.session, batch);
    const again = await world.volume.reintegrate(one.session, batch);
    expect(again.outcomes).toEqual(first.outcomes);
    expect(again.last).toBe(2);
    expect(Object.keys(world.tree())).toEqual(["f", "g"]);
    one.forget();
    one.make("h");
    const [late] = one.batch;
    if (late === undefined) throw new Error("nothing");
    expect(await statusOf(() => world.volume.reintegrate(one.session, [{ ...late, n: 9 }]))).toBe(STD_ARGBAD);
  });

  it("takes nothing of a session that its client has ended while a batch was got ready", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a").begin();
    const f = one.make("f");
    await one.ship();
    const text = "what the old session was about to bring";
    const n = one.store(f, text);
    world.volume.send(one.session, n, 0, new Uint8Array(Buffer.from(text)));
    const late = world.volume.reintegrate(one.session, one.batch);
    one.forget();
    await one.begin(); // from here on its numbers follow what it was told
    expect(await statusOf(() => late)).toBe(STD_NOTNOW);
    expect(one.hello?.last).toBe(1);
    one.make("g");
    expect((await one.ship()).map(({ became }) => became)).toEqual(["done"]);
    expect(world.tree()).toEqual({ f: "", g: "" });
  });

  it("ends a batch before a content that has not come, or is not what it should be", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    const f = one.make("f");
    const n = one.store(f, "content");
    one.make("g");
    const batch = one.batch;
    expect((await world.volume.reintegrate(one.session, batch)).last).toBe(1);
    world.volume.send(one.session, n, 0, new Uint8Array(Buffer.from("forged!")));
    expect((await world.volume.reintegrate(one.session, batch.slice(1))).last).toBe(1);
    // From where it is, or anew; a piece at another place changes nothing.
    expect(world.volume.send(one.session, n, 0, new Uint8Array(Buffer.from("con")))).toBe(3);
    expect(world.volume.send(one.session, n, 5, new Uint8Array(Buffer.from("xx")))).toBe(3);
    expect(world.volume.send(one.session, n, 3, new Uint8Array(Buffer.from("tent")))).toBe(7);
    expect((await world.volume.reintegrate(one.session, batch.slice(1))).last).toBe(3);
    expect(world.tree()).toEqual({ f: "content", g: "" });
  });

  it("gives a client that lies nothing", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    const two = await new Client(world, "b", true).begin();
    const f = one.make("f");
    await one.ship();
    const make = { op: "make", directory: ROOT_ID, name: "x", mode: 0o100644, uid: 0, gid: 0 } as const;
    for (const id of [idOf(1, 99), idOf(0, 5), f, 0]) {
      two.record({ ...make, id });
      expect(await statusOf(() => two.ship())).toBe(STD_ARGBAD);
      two.forget();
    }
    two.record({ ...make, id: two.id(), directory: f }); // a file is no directory
    expect(await statusOf(() => two.ship())).toBe(STD_ARGBAD);
    two.forget();
    two.record({ op: "link", id: ROOT_ID, directory: ROOT_ID, name: "loop" });
    expect(await statusOf(() => two.ship())).toBe(STD_ARGBAD);
    expect(await statusOf(() => world.volume.session(new Uint8Array(8)))).toBe(STD_NOTNOW);
    expect(await statusOf(() => world.volume.fetch(f, 999, 0, 10))).toBe(STD_NOTFOUND);
    expect(Object.keys(world.tree())).toEqual(["f"]);
  });

  it("tells the others before it answers, and only those who were promised something", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    const two = await new Client(world, "b", true).begin();
    const f = one.make("f");
    await one.ship();
    world.told.length = 0;
    expect(world.volume.entries(two.session, ROOT_ID, "").names.map(([name]) => name)).toEqual(["f"]);
    one.store(f, "1");
    await one.ship();
    expect(world.told).toEqual([["626262626262", [f]]]);
    one.store(f, "2");
    await one.ship();
    expect(world.told).toHaveLength(1); // nobody has asked since
    world.volume.statuses(two.session, [f]);
    world.volume.giveUp(two.session, [f]);
    one.store(f, "3");
    await one.ship();
    expect(world.told).toHaveLength(1);
  });

  it("strikes a client off that does not hear, and its session is over", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    const two = await new Client(world, "b", true).begin();
    const f = one.make("f");
    await one.ship();
    world.volume.statuses(two.session, [f]);
    world.hears = false;
    one.store(f, "1");
    await one.ship();
    expect(await statusOf(() => two.session)).toBe(STD_NOTNOW);
    await two.begin();
    expect(world.volume.statuses(two.session, [f]).statuses[0]?.size).toBe(1);
  });

  it("forgets a client whose lease is over", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    world.milliseconds = 10_900;
    expect(await statusOf(() => one.session)).toBe(0);
    world.milliseconds += 11_100;
    expect(await statusOf(() => one.session)).toBe(STD_NOTNOW);
  });

  it("says that there is no room, and goes on when there is", async () => {
    const folder = new MemoryFolder({ random: new SeededRandom(1), bytesMax: 1500 });
    const world = new ViceWorld(folder);
    const one = await new Client(world, "a", true).begin();
    one.make("x".repeat(200));
    one.make("y".repeat(200));
    one.make("z".repeat(200));
    expect(await statusOf(() => one.ship())).toBe(STD_NOSPACE);
    expect(world.tree()).toEqual({});
    folder.bytesMax = 100_000;
    await one.ship();
    expect(Object.keys(world.tree())).toHaveLength(3);
  });

  it("lets contents go that were replaced or removed, after their time", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    const [f, g] = [one.make("f"), one.make("g")];
    one.store(f, "f1");
    one.store(g, "g1");
    await one.ship();
    one.store(f, "f2");
    one.remove("g", g);
    await one.ship();
    const contents = () => world.folder.paths().filter((path) => path.startsWith("content/")).length;
    expect(contents()).toBe(3);
    const later = await new Client(world, "b").begin();
    world.milliseconds = 3_000_000;
    await later.begin();
    later.store(g, "back", { base: later.version(g) }); // what came back meanwhile stays
    await later.ship();
    world.milliseconds = 4_000_000;
    await one.begin();
    one.make("h");
    await one.ship();
    expect(world.tree()).toEqual({ f: "f2", g: "back", h: "" });
    expect(contents()).toBe(3); // what g had before it came back was replaced later
    world.milliseconds = 9_000_000;
    await one.begin();
    one.remove("g", g);
    await one.ship();
    world.milliseconds = 14_000_000;
    await one.begin();
    one.make("i");
    await one.ship();
    expect(contents()).toBe(1);
    expect(world.volume.state.objects.has(g)).toBe(false);
    expect(world.volume.state.old.size).toBe(0);
  });

  it("takes no more than its quota: who waits hears of it, what was done without asking waits", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    const f = one.make("f");
    one.store(f, "12345");
    await one.ship();
    await world.volume.limit(8);
    one.store(f, "123456789", { base: one.version(f) });
    const g = one.make("g");
    one.store(g, "1234");
    one.store(g, "123");
    const told = (await one.ship()).map(({ became, errno = 0 }) => `${became} ${errno}`);
    expect(told).toEqual(["refused 122", "done 0", "refused 122", "done 0"]);
    expect(world.tree()).toEqual({ f: "12345", g: "123" });
    const away = await new Client(world, "b").begin();
    away.chmod(f, 0o600);
    away.store(f, "1234567", { base: one.version(f) });
    away.chmod(g, 0o600);
    expect((await away.ship()).map(({ became }) => became)).toEqual(["done"]);
    const last = away.hello?.last ?? 0;
    const later = await new Client(world, "b").begin();
    expect(later.hello?.last).toBe(last + 1); // the store is the next one, as often as it is tried
    const store = (): void => void later.store(f, "1234567", { base: one.version(f) });
    store();
    expect(await statusOf(() => later.ship())).toBe(STD_NOSPACE);
    later.forget();
    store();
    await world.volume.limit(10);
    expect((await later.ship()).map(({ became }) => became)).toEqual(["done"]);
    await world.volume.limit(4); // what is there stays; less is always taken
    one.store(f, "1234", { base: one.version(f) });
    expect((await one.ship()).map(({ became }) => became)).toEqual(["done"]);
    expect(world.tree()).toEqual({ f: "1234", g: "123" });
    world.volume.close();
    world.folder.kill();
    world.folder.restart();
    world.volume = world.open();
    expect(world.volume.describe()).toMatchObject({ quota: 4, bytes: 7 });
    await world.volume.limit(0);
    expect(world.volume.describe().quota).toBe(0);
  });

  it("lists large directories in pages", async () => {
    const world = new ViceWorld();
    const one = await new Client(world, "a", true).begin();
    const names = Array.from({ length: 1300 }, (_, index) => `f${String(index).padStart(5, "0")}`);
    for (let at = 0; at < names.length; at += 200) {
      for (const name of names.slice(at, at + 200)) one.make(name);
      await one.ship();
    }
    const found: string[] = [];
    for (let more = true; more; ) {
      const page = world.volume.entries(one.session, ROOT_ID, found.at(-1) ?? "");
      found.push(...page.names.map(([name]) => name));
      more = page.more;
    }
    expect(found).toEqual(names);
  });
});

describe("a volume whose power ends", () => {
  const steps = async (world: ViceWorld, answered: Record<string, string | null>): Promise<void> => {
    const one = await new Client(world, "a", true).begin();
    const files: number[] = [];
    for (let round = 0; round < 4; round++) {
      const f = one.make(`f${round}`);
      files.push(f);
      one.store(f, `content ${round}`);
      await one.ship();
      answered[`f${round}`] = `content ${round}`;
      const before = files[round - 1];
      if (before === undefined) continue;
      one.store(before, `again ${round}`);
      await one.ship();
      answered[`f${round - 1}`] = `again ${round}`;
      if (round !== 3) continue;
      one.remove("f0", files[0] ?? 0);
      await one.ship();
      answered.f0 = null;
    }
  };

  it("has everything that it answered, and every content that it names, wherever that was", async () => {
    const whole = new MemoryFolder({ random: new SeededRandom(1) });
    await steps(new ViceWorld(whole), {});
    let cuts = 0;
    for (let cutAt = 0; cutAt < whole.operations; cutAt++) {
      for (const seed of [1, 2]) {
        const folder = new MemoryFolder({ random: new SeededRandom(100 * cutAt + seed) });
        folder.cutAt = cutAt;
        const answered: Record<string, string | null> = {};
        try {
          await steps(new ViceWorld(folder), answered);
        } catch (error) {
          mustBeCut(error);
          cuts++;
        }
        folder.restart();
        const world = new ViceWorld(folder);
        const tree = world.tree();
        for (const [name, text] of Object.entries(answered)) {
          // What was asked last may have been done although nobody said so.
          const at = `cut at ${cutAt}, seed ${seed}: ${name}`;
          if (text === null) expect(tree[name], at).toBeUndefined();
          else if (tree[name] !== undefined)
            expect([text, /^again/.test(tree[name]) ? tree[name] : text], at).toContain(tree[name]);
          else expect(name, at).toBe("f0");
        }
        // The client that comes back goes on where it was.
        const one = await new Client(world, "a", true).begin();
        one.store(one.make("after"), "after");
        expect((await one.ship()).map(({ became }) => became)).toEqual(["done", "done"]);
      }
    }
    expect(cuts).toBeGreaterThan(50);
  });
});
