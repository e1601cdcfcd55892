// What is pinned is here: fetched by itself, also what comes later, kept when room is short, there after a
// kill, and readable without the network; a replica is all of that for a whole volume.

import { describe, expect, it } from "vitest";
import type { Pinned } from "../../../control/venus/pins.js";
import { FilesWorld, type Mount } from "./world.js";

async function two(bytesMax?: number, mode?: "replica" | "on-demand") {
  const world = new FilesWorld();
  world.permit = "never"; // what is under way is counted here
  const [a, b] = [world.mount(), world.mount(bytesMax, mode)];
  await world.settle();
  return { world, a, b };
}

async function pin(
  world: FilesWorld,
  mount: Mount,
  path: string,
  isWanted = true,
): Promise<Pinned["became"]> {
  let became: Pinned["became"] | undefined;
  mount.venus.pin(path, isWanted, (pinned) => {
    became = pinned.became;
  });
  await world.settle();
  if (became === undefined) throw new Error("no answer");
  return became;
}

/** What a mount shows without the network. */
async function cutOff(world: FilesWorld, mount: Mount): Promise<Record<string, string>> {
  mount.isCut = true;
  await world.pass(4000);
  const tree = await mount.tree();
  mount.isCut = false;
  await world.pass(3000);
  return tree;
}

describe("what is pinned", () => {
  it("is fetched with all that is below it, and with what comes later", async () => {
    const { world, a, b } = await two();
    await a.mkdir("d");
    await a.mkdir("d/e");
    await a.write("d/f", "f");
    await a.write("d/e/g", "large ".repeat(100_000));
    await a.write("beside", "not pinned");
    expect(await pin(world, b, "d/nothing")).toBe("missing");
    expect(await pin(world, b, "/d/")).toBe("done");
    expect(await pin(world, b, "d")).toBe("same");
    await world.pass(1000);
    expect(b.venus.status().hoard).toMatchObject({ pins: 1, objects: 4, lacking: 0, state: "whole" });
    await a.write("d/new", "new");
    await a.write("d/f", "newer");
    await a.mkdir("x");
    await a.write("x/y", "moved in");
    await a.rename("x", "d/x");
    await world.pass(3000);
    expect(b.venus.pins()).toEqual([
      { path: "/d", kind: "tree", objects: 7, here: 7, bytes: 600_016, bytesHere: 600_016 },
    ]);
    b.isCut = true;
    await world.pass(4000);
    expect(await b.read("d/f")).toBe("newer");
    expect(await b.read("d/new")).toBe("new");
    expect(await b.read("d/x/y")).toBe("moved in");
    expect(await b.read("d/e/g")).toBe("large ".repeat(100_000));
    await expect(b.read("beside")).rejects.toThrow();
    expect(world.failures).toEqual([]);
  });

  it("is a name: what is renamed over a pinned file is pinned", async () => {
    const { world, a, b } = await two();
    await a.write("f", "one");
    expect(await pin(world, b, "f")).toBe("done");
    await world.pass(1000);
    await a.write("f.new", "two");
    await a.rename("f.new", "f");
    await world.pass(3000);
    expect(await cutOff(world, b)).toEqual({ f: "two" });
    expect(await pin(world, b, "f", false)).toBe("done");
    expect(await pin(world, b, "f", false)).toBe("missing");
    expect(b.venus.status().hoard).toMatchObject({ pins: 0, objects: 0, state: "none" });
    expect(world.failures).toEqual([]);
  });

  it("is not thrown out for room, and takes no more than there is", async () => {
    const { world, a, b } = await two(2500);
    for (const name of ["f", "g", "h", "i"]) await a.write(name, name.repeat(1000));
    await pin(world, b, "f");
    await world.pass(1000);
    for (const name of ["g", "h", "i", "g"]) await b.read(name);
    expect(b.venus.status().bytes).toBeLessThanOrEqual(2500);
    world.calls.length = 0;
    expect(await b.read("f")).toBe("f".repeat(1000));
    expect(world.calls).toEqual([]);
    for (const name of ["g", "h"]) await pin(world, b, name);
    await world.pass(1000);
    const full = { state: "full", lacking: 1, lackingBytes: 1000, bytes: 2000 };
    expect(b.venus.status().hoard).toMatchObject(full);
    await pin(world, b, "f", false);
    await world.pass(20_000);
    expect(b.venus.status().hoard).toMatchObject({ state: "whole", lacking: 0, bytes: 2000 });
    expect(b.venus.status().bytes).toBeLessThanOrEqual(2500);
    expect(world.failures).toEqual([]);
  });

  it("is still pinned after a kill and after the power's end, and fetching goes on", async () => {
    for (const how of ["kill", "cut"] as const) {
      const { world, a, b } = await two();
      await a.mkdir("d");
      for (let number = 0; number < 20; number++) await a.write(`d/${number}`, `${number}`.repeat(50_000));
      expect(await pin(world, b, "d")).toBe("done");
      b.venus.tick();
      for (let turn = 0; turn < 3; turn++) await Promise.resolve();
      expect(b.venus.status().hoard.state).toBe("fetching");
      b.restart(how);
      await world.pass(4000);
      if (how === "cut") {
        b.venus.verify({ isBegin: true, isRepair: true }); // cached bytes were not on the medium
        await world.pass(20_000);
      }
      expect(b.venus.status().hoard, how).toMatchObject({ pins: 1, objects: 21, lacking: 0, state: "whole" });
      b.isCut = true;
      await world.pass(4000);
      expect(await b.read("d/19")).toBe("19".repeat(50_000));
      expect(world.failures).toEqual([]);
    }
  });

  it("is fetched few at a time", async () => {
    const { world, a, b } = await two();
    await a.mkdir("d");
    for (let number = 0; number < 30; number++) await a.write(`d/${number}`, "content");
    b.mostUnderWay = 0;
    await pin(world, b, "d");
    await world.pass(2000);
    expect(b.venus.status().hoard.state).toBe("whole");
    expect(b.mostUnderWay).toBeGreaterThan(1);
    expect(b.mostUnderWay).toBeLessThanOrEqual(5); // one of them keeps the lease
  });

  it("waits for room on the disk, and hangs nobody meanwhile", async () => {
    const { world, a, b } = await two();
    await a.mkdir("d");
    for (const name of ["d/f", "d/g"]) await a.write(name, "content ".repeat(50_000));
    b.folder.bytesMax = 100_000;
    await pin(world, b, "d");
    await world.pass(3000);
    expect(b.venus.status().hoard).toMatchObject({ state: "full", lacking: 2 });
    expect(await b.list("d")).toEqual(["f", "g"]);
    const node = await b.walk("d/f");
    expect(await b.ask({ kind: "open", node, flags: 0 })).toEqual({ kind: "error", errno: 28 });
    b.folder.bytesMax = 10_000_000;
    await world.pass(70_000);
    expect(b.venus.status().hoard).toMatchObject({ state: "whole", lacking: 0 });
    expect(world.failures).toEqual([]);
  });

  it("is not fetched over what somebody writes", async () => {
    const { world, a, b } = await two();
    await a.write("f", "base");
    await pin(world, b, "f");
    await world.pass(1000);
    const { node, handle } = await b.openNew("f");
    const write = (text: string, position: number) =>
      b.must("written", { kind: "write", node, handle, position, data: new Uint8Array(Buffer.from(text)) });
    await write("mine, ", 0);
    await a.write("f", "theirs");
    await world.pass(4000);
    await write("whole", 6);
    await b.ask({ kind: "flush", node, handle });
    await b.ask({ kind: "release", node, handle });
    await world.pass(3000);
    expect(await a.read("f")).toBe("mine, whole");
    expect(await cutOff(world, b)).toEqual({ f: "mine, whole" });
    expect(world.failures).toEqual([]);
  });
});

describe("a replica", () => {
  it("has everything, follows what others do, and what it missed while it was away", async () => {
    const { world, a, b } = await two(undefined, "replica");
    await a.mkdir("d");
    await a.write("d/f", "f");
    await a.write("gone", "content");
    await world.pass(3000);
    expect(b.venus.status().hoard).toMatchObject({ isReplica: true, objects: 4, state: "whole" });
    expect(await cutOff(world, b)).toEqual({ "d/": "", "d/f": "f", gone: "content" });
    b.isCut = true;
    await world.pass(4000);
    await a.remove("gone");
    await a.write("d/f", "changed");
    await a.write("new", "new");
    await b.write("own", "written without the network");
    b.restart("kill");
    b.isCut = false;
    await world.pass(4000);
    const all = { "d/": "", "d/f": "changed", new: "new", own: "written without the network" };
    expect(await cutOff(world, b)).toEqual(all);
    expect(await a.tree()).toEqual(all);
    const contents = b.folder.paths().filter((path) => path.startsWith("content/"));
    expect(contents.length).toBe(3); // what was removed takes no room
    b.mode = "on-demand";
    b.restart("kill");
    await world.pass(1000);
    expect(b.venus.status().hoard).toMatchObject({ isReplica: false, pins: 0 });
    expect(world.failures).toEqual([]);
  });

  it("comes up again as one, also when vice does not answer", async () => {
    const { world, a, b } = await two(undefined, "replica");
    await a.write("f", "content");
    await world.pass(3000);
    delete b.mode;
    b.isCut = true;
    b.restart("kill");
    await world.pass(3000);
    expect(await b.tree()).toEqual({ f: "content" });
    expect(b.venus.status().hoard).toMatchObject({ isReplica: true, state: "whole" });
    b.isCut = false;
    await world.pass(3000);
    await a.write("f", "more");
    await world.pass(3000);
    expect(await cutOff(world, b)).toEqual({ f: "more" });
  });
});
