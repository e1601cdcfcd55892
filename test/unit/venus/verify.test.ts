// A cache and a volume that are compared with what they should be: damage is found and, where the bytes are
// elsewhere, mended; what was not shipped stays as it is.

import { describe, expect, it } from "vitest";
import type { Check } from "../../../control/interface/file-check.js";
import type { MemoryFolder } from "../../../drivers/memory/folder.js";
import { FilesWorld, type Mount } from "./world.js";

async function two(mode?: "replica") {
  const world = new FilesWorld();
  const [a, b] = [world.mount(), world.mount(undefined, mode)];
  await world.settle();
  return { world, a, b };
}

async function verify(world: FilesWorld, mount: Mount, isRepair = false): Promise<Check> {
  mount.venus.verify({ isBegin: true, isRepair });
  await world.pass(20_000);
  const check = mount.venus.verify({ isBegin: false, isRepair });
  expect(check).toMatchObject({ state: "done", failed: "" });
  return check;
}

async function verifyVolume(world: FilesWorld, isRepair = false): Promise<Check> {
  world.volume.verify(true, isRepair);
  for (let turn = 0; turn < 20; turn++) await world.settle();
  const check = world.volume.verify(false, isRepair);
  expect(check).toMatchObject({ state: "done", failed: "" });
  return check;
}

const contentsOf = (folder: MemoryFolder): string[] =>
  folder.paths().filter((path) => path.startsWith("content/"));

/** Another byte in a file. */
function damage(folder: MemoryFolder, path: string): void {
  const file = folder.open(path, "read");
  if (file === null) throw new Error(`there is no ${path}`);
  file.write(1, new Uint8Array([0xff]));
}

const pathOf = async (mount: Mount, path: string): Promise<string> => {
  const id = await mount.walk(path);
  return contentsOf(mount.folder).find((each) => each.endsWith(`/${id}`)) ?? "";
};

describe("a cache", () => {
  it("that is as it should be has no problems, connected or not", async () => {
    const { world, a, b } = await two("replica");
    await a.mkdir("d");
    for (const name of ["d/f", "g"]) await a.write(name, name.repeat(1000));
    await a.write("g", "again");
    await world.pass(3000);
    expect(await verify(world, b)).toMatchObject({
      files: 2,
      bytes: 3005,
      found: 0,
      left: 0,
      isCompared: true,
    });
    expect(await verify(world, a)).toMatchObject({ found: 0, isCompared: true });
    b.isCut = true;
    await world.pass(4000);
    await b.write("d/f", "not shipped");
    expect(await verify(world, b)).toMatchObject({ files: 2, found: 0, isCompared: false });
    expect(world.failures).toEqual([]);
  });

  it("has a bad copy dropped and fetched again, only when it is to be repaired, and vice is there", async () => {
    const { world, a, b } = await two();
    await a.write("f", "content");
    await a.write("g", "longer content");
    await b.tree();
    damage(b.folder, await pathOf(b, "f"));
    b.folder.open(await pathOf(b, "g"), "write").truncate(3);
    const problems = [
      { what: "content", name: "f", repair: "possible" },
      { what: "content", name: "g", repair: "possible", why: "it has 3 bytes instead of 14" },
    ];
    expect(await verify(world, b)).toMatchObject({ found: 2, left: 2, problems });
    expect(await b.read("f")).not.toBe("content"); // nothing was changed
    b.isCut = true;
    await world.pass(4000);
    expect(await verify(world, b, true)).toMatchObject({ left: 2, problems: [{ repair: "none" }, {}] });
    b.isCut = false;
    await world.pass(4000);
    expect(await verify(world, b, true)).toMatchObject({
      found: 2,
      left: 0,
      problems: [{ repair: "done" }, {}],
    });
    expect(b.invalidated.some(({ kind }) => kind === "node")).toBe(true);
    expect(await b.tree()).toEqual({ f: "content", g: "longer content" });
    expect(await verify(world, b)).toMatchObject({ found: 0 });
    expect(world.failures).toEqual([]);
  });

  it("keeps work that was not shipped, also when it is damaged, and says so", async () => {
    const { world, b } = await two();
    await b.tree();
    b.isCut = true;
    await world.pass(4000);
    await b.write("f", "base");
    expect(await b.write("f", "own work")).toBe(0);
    damage(b.folder, await pathOf(b, "f"));
    const before = await b.read("f");
    const check = await verify(world, b, true);
    expect(check).toMatchObject({ left: 1, problems: [{ what: "unshipped", name: "f", repair: "none" }] });
    expect(await b.read("f")).toBe(before);
    expect(b.venus.status().records).toBeGreaterThan(0);
  });

  it("loses files that are of nothing", async () => {
    const { world, a, b } = await two();
    await a.write("f", "content");
    await b.read("f");
    b.folder.open("content/07/4711", "write").write(0, new Uint8Array(9));
    b.folder.open("content/08/4712.new", "write").write(0, new Uint8Array(9));
    expect(await verify(world, b)).toMatchObject({ left: 2, problems: [{ what: "leftover" }, {}] });
    expect(await verify(world, b, true)).toMatchObject({ left: 0 });
    expect(contentsOf(b.folder).length).toBe(1);
    expect(await b.read("f")).toBe("content");
  });

  it("finds a promise that was not kept", async () => {
    const { world, a, b } = await two();
    await a.write("f", "old");
    expect(await b.read("f")).toBe("old");
    const { promises } = b.venus.status();
    b.venus.link.break = () => undefined; // a break that venus loses
    await a.write("f", "new");
    await a.write("g", "more");
    expect(b.venus.status().promises).toBe(promises);
    const found = await verify(world, b);
    expect(found.problems.map(({ what }) => what).sort()).toEqual(["name", "status", "status"]);
    expect(await b.tree()).toEqual({ f: "old" });
    expect(await verify(world, b, true)).toMatchObject({ left: 0 });
    expect(await b.tree()).toEqual({ f: "new", g: "more" });
  });
});

describe("a volume", () => {
  it("that is as it should be has no problems", async () => {
    const { world, a } = await two();
    await a.mkdir("d");
    await a.mkdir("d/e");
    await a.write("d/f", "f".repeat(3_000_000));
    await a.write("d/e/g", "g");
    await a.write("d/e/g", "other");
    await a.rename("d/e", "e");
    await a.remove("d/f");
    await a.write("empty", "");
    await a.must("entry", { kind: "link", node: 1, of: await a.walk("e/g"), name: "hard" });
    const all = { objects: 5, files: 2, bytes: 3_000_005 }; // what was removed is kept for its time
    expect(await verifyVolume(world)).toMatchObject({ ...all, found: 0, left: 0 });
    expect(world.failures).toEqual([]);
  });

  it("has a bad content mended from the same one elsewhere, and says what is lost", async () => {
    const { world, a } = await two();
    for (const name of ["f", "g"]) await a.write(name, "the same content");
    await a.write("h", "nobody else has this");
    const [f, h] = [await a.walk("f"), await a.walk("h")];
    const path = (id: number) => contentsOf(world.viceFolder).find((each) => each.includes(`/${id}.`)) ?? "";
    damage(world.viceFolder, path(f));
    damage(world.viceFolder, path(h));
    world.viceFolder.make("content/07");
    world.viceFolder.open("content/07/7.7", "write").write(0, new Uint8Array(9));
    const before = await verifyVolume(world);
    expect(before.problems.map(({ what, id, repair }) => [what, id, repair])).toEqual([
      ...[["content", f, "possible"] as const, ["content", h, "none"] as const],
      ["leftover", 7, "possible"],
    ]);
    expect(await verifyVolume(world, true)).toMatchObject({ found: 3, left: 1 });
    const after = await verifyVolume(world);
    expect(after).toMatchObject({ found: 1, problems: [{ id: h, name: "h", repair: "none" }] });
    world.restartVice();
    expect(await verifyVolume(world)).toMatchObject({ found: 1 });
  });

  it("whose rows do not fit together says so, and keeps them", async () => {
    const { world, a } = await two();
    await a.mkdir("d");
    await a.write("d/f", "content");
    const id = await a.walk("d/f");
    const row = world.volume.state.objects.get(id);
    if (row === undefined) throw new Error("no row");
    world.volume.state.objects.set(id, { ...row, links: 7 });
    expect(await verifyVolume(world, true)).toMatchObject({
      problems: [{ what: "links", id, why: "it counts 7 names and has 1", repair: "none" }],
    });
  });
});
