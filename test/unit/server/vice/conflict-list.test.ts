// The list of conflicts as people see it: where each is, whose it was, where the loser is, and that an
// entry goes when it was looked at, for good.

import { describe, expect, it } from "vitest";
import { conflictsSchema } from "../../../../control/interface/vice.js";
import { conflictsOf } from "../../../../control/server/vice/conflicts.js";
import { STD_NOTFOUND } from "../../../../core-wasm/status.js";
import { Client, ViceWorld } from "./world.js";

/** Two machines that have changed d/f apart, the second one's came later; and a mode of a file that is gone. */
async function apart(): Promise<{ world: ViceWorld; one: Client; two: Client; copy: string }> {
  const world = new ViceWorld();
  const one = await new Client(world, "a").begin();
  const d = one.mkdir("d");
  const f = one.make("f", d);
  const g = one.make("g");
  await one.ship();
  const two = await new Client(world, "b").begin();
  one.store(f, "from a", { base: one.version(f) });
  two.store(f, "from b", { base: two.version(f) });
  one.remove("g", g, one.version(g));
  two.chmod(g, 0o600, two.version(g));
  await one.ship();
  await two.ship();
  const copy = Object.keys(world.tree()).find((path) => path.includes(".conflict-"));
  if (copy === undefined) throw new Error("no copy");
  return { world, one, two, copy };
}

describe("the list of conflicts", () => {
  it("says where, whose and why, and where the loser is", async () => {
    const { world, copy } = await apart();
    const list = conflictsOf(world.volume.state, 0);
    expect(conflictsSchema.parse(list)).toEqual(list);
    expect(list).toMatchObject({
      more: false,
      conflicts: [
        { number: 1, machine: "b", op: "store", path: "/d/f", kept: `/${copy}` },
        { number: 2, machine: "b", op: "setattr", path: "" },
      ],
    });
    expect(conflictsOf(world.volume.state, 1).conflicts.map(({ number }) => number)).toEqual([2]);
  });

  it("has an entry no more once it is settled, also after a restart; no file changes", async () => {
    const { world } = await apart();
    const before = world.tree();
    await world.volume.settle(1);
    await expect(world.volume.settle(1)).rejects.toMatchObject({ status: STD_NOTFOUND });
    world.volume = world.open();
    expect(conflictsOf(world.volume.state, 0).conflicts.map(({ number }) => number)).toEqual([2]);
    expect(world.tree()).toEqual(before);
  });

  it("has no entry whose copy was renamed, and says of others where they are now", async () => {
    const { world, one, copy } = await apart();
    const { directory, id } = (() => {
      const [, name = ""] = copy.split("/");
      const found = [...world.volume.state.names].find(([, names]) => names.has(name));
      return { directory: found?.[0] ?? 0, id: found?.[1].get(name) ?? 0 };
    })();
    one.rename("d", directory, "e");
    await one.ship();
    expect(conflictsOf(world.volume.state, 0).conflicts[0]).toMatchObject({ path: "/e/f" });
    one.rename(copy.split("/")[1] ?? "", id, "mine", { directory, to: directory });
    await one.ship();
    expect(conflictsOf(world.volume.state, 0).conflicts.map(({ number }) => number)).toEqual([2]);
  });
});
