// What a cache shows after its machine was without power: no content that came to the medium in part,
// also without the network; and what that costs.
//
// - The folder's model keeps, drops and tears writes that were not synced, by a seed.

import { describe, expect, it } from "vitest";
import { FilesWorld } from "./world.js";

async function two() {
  const world = new FilesWorld();
  const [a, b] = [world.mount(), world.mount()];
  await world.settle();
  return { world, a, b };
}

describe("a cache whose machine lost its power", () => {
  const names = ["f", "g", "h"];
  const contentOf = (name: string) => name.repeat(9000);

  /** b reads some files and flushes its rows; its power ends at the folder's operation `cutAt`. */
  async function cutWhileReading(cutAt: number) {
    const { world, a, b } = await two();
    for (const name of names) await a.write(name, contentOf(name));
    await b.tree();
    await b.ask({ kind: "fsyncdir", node: 1, handle: 0 });
    for (const name of names) await a.write(name, contentOf(name).toUpperCase());
    b.folder.cutAt = b.folder.operations + cutAt;
    const before = b.folder.operations;
    for (const name of names) {
      await b.read(name).catch(() => "");
      await b.ask({ kind: "fsyncdir", node: 1, handle: 0 });
    }
    const operations = b.folder.operations - before;
    b.restart("cut");
    world.failures.length = 0; // the power's end, as what was running met it
    return { world, b, operations };
  }

  it("shows no torn content, without the network either, and has them again with it", async () => {
    const { operations } = await cutWhileReading(Number.POSITIVE_INFINITY);
    expect(operations).toBeGreaterThan(10);
    const counts = { whole: 0, missing: 0 };
    for (let cutAt = 1; cutAt <= operations + 1; cutAt++) {
      const { world, b } = await cutWhileReading(cutAt);
      b.isCut = true;
      await world.pass(3000);
      for (const name of names) {
        const found = await b.read(name).catch((error: Error) => error);
        if (found instanceof Error) counts.missing++;
        else {
          counts.whole++;
          expect(new Set([contentOf(name), contentOf(name).toUpperCase()]), `cut at ${cutAt}`).toContain(
            found,
          );
        }
      }
      b.isCut = false;
      await world.pass(3000);
      for (const name of names)
        expect(await b.read(name), `cut at ${cutAt}`).toBe(contentOf(name).toUpperCase());
      expect(world.failures).toEqual([]);
    }
    expect(Math.min(counts.whole, counts.missing), JSON.stringify(counts)).toBeGreaterThan(0);
  });

  it("compares each content once, and none after a kill", async () => {
    const { world, a, b } = await two();
    for (const name of names) await a.write(name, contentOf(name));
    await b.tree();
    for (const path of b.folder.paths()) b.folder.open(path, "write").syncNow();
    b.folder.syncNamesNow();
    b.restart("cut");
    await world.settle();
    const hashed: number[] = [];
    const { contents } = b.venus.cache;
    const hash = contents.hash.bind(contents);
    contents.hash = (id) => {
      hashed.push(id);
      return hash(id);
    };
    await b.tree();
    await b.tree();
    expect(hashed).toHaveLength(names.length);
    b.restart("kill");
    await world.settle();
    b.venus.cache.contents.hash = () => {
      throw new Error("compared after a kill");
    };
    world.calls.length = 0;
    expect(await b.tree()).toEqual(Object.fromEntries(names.map((name) => [name, contentOf(name)])));
    expect(world.calls).not.toContain("fetch");
  });
});
