// The hidden folder of a mount: the volume as of each moment as the mount showed it then, versions of a
// path, and that nothing of it can be changed. If one fails, an earlier version cannot be brought back.

import { describe, expect, it } from "vitest";
import { momentName } from "../../../control/interface/file-history.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { perTier } from "../../simulation/seeds.js";
import { FilesWorld, type Mount } from "./world.js";

const seeds = perTier({ quick: 10, long: 100, nightly: 2000 });
const [ENOENT, EROFS, ETIMEDOUT] = [2, 30, 110];

/** Now, as a name: steps of one millisecond have later moments each. */
const named = ({ volume, milliseconds }: FilesWorld): string =>
  momentName(Math.max(volume.state.past.last, 1_000_000 + milliseconds));

async function two() {
  const world = new FilesWorld();
  const [a, b] = [world.mount(), world.mount()] as [Mount, Mount];
  await world.settle();
  return { world, a, b };
}

/** What a request came to: 0, or an errno. */
const errnoOf = async (mount: Mount, request: Parameters<Mount["ask"]>[0]): Promise<number> => {
  const answer = await mount.ask(request);
  return answer.kind === "error" ? answer.errno : 0;
};

describe("the folder .history", () => {
  it("has the volume as of a moment, and is not listed", async () => {
    const { world, a, b } = await two();
    await a.mkdir("d");
    await a.write("d/f", "one");
    await a.must("entry", { kind: "symlink", name: "link", target: "d/f" });
    const then = named(world);
    world.milliseconds += 5000;
    await b.write("d/f", "two");
    await b.rename("d/f", "g");
    await b.remove("d", "rmdir");
    await b.remove("link");
    expect(await a.tree()).toEqual({ g: "two" });
    expect(await a.list(".history")).toEqual(["versions"]);
    for (const mount of [a, b]) {
      expect(await mount.list(`.history/${then}/d`)).toEqual(["f"]);
      expect(await mount.read(`.history/${then}/d/f`)).toBe("one");
    }
    const link = await a.walk(`.history/${then}/link`);
    const { data } = await a.must("data", { kind: "readlink", node: link });
    expect(Buffer.from(data).toString()).toBe("d/f");
    world.calls.length = 0;
    expect(await a.list(`.history/${then}/d`)).toEqual(["f"]); // it is as it was
    expect(world.calls).toEqual([]);
    expect(a.folder.names("history")).toEqual([]); // nothing is open
    expect(world.failures).toEqual([]);
  });

  it("has what could be found under a path, also when it was removed", async () => {
    const { world, a, b } = await two();
    await a.mkdir("d");
    const moments: string[] = [];
    for (const text of ["one", "two", "saved by renaming"]) {
      world.milliseconds += 1000;
      if (text.startsWith("saved")) {
        await a.write("d/.f.new", text);
        world.milliseconds += 1000;
        await a.rename("d/.f.new", "d/f");
      } else await b.write("d/f", text);
      moments.push(named(world));
    }
    const at = ".history/versions/d/f";
    // Making it and closing it are two steps.
    const [made = "", ...rest] = await a.list(at);
    expect(await a.read(`${at}/${made}`)).toBe("");
    expect(rest).toHaveLength(3);
    expect(rest.at(-1)).toBe(moments[2]);
    const texts = await Promise.all(rest.map((name) => a.read(`${at}/${name}`)));
    expect(texts).toEqual(["one", "two", "saved by renaming"]);
    await a.remove("d/f");
    await a.remove("d", "rmdir");
    expect(await b.list(".history/versions/d")).toEqual([".f.new", "f"]);
    expect(await b.read(`${at}/${rest[1]}`)).toBe("two");
    await b.write("back", await b.read(`${at}/${rest[1]}`));
    expect(await a.tree()).toEqual({ back: "two" });
    expect(world.failures).toEqual([]);
  });

  it("is not changed by anybody, nor made where it is", async () => {
    const { world, a } = await two();
    await a.write("f", "one");
    const then = named(world);
    const node = await a.walk(`.history/${then}`);
    const f = await a.walk(`.history/${then}/f`);
    expect(await errnoOf(a, { kind: "open", node: f, flags: 1 })).toBe(EROFS);
    expect(await errnoOf(a, { kind: "create", node, name: "x", flags: 1, mode: 0o644 })).toBe(EROFS);
    expect(await errnoOf(a, { kind: "unlink", node, name: "f" })).toBe(EROFS);
    expect(await errnoOf(a, { kind: "setattr", node: f, changes: { size: 0 } })).toBe(EROFS);
    expect(await errnoOf(a, { kind: "link", of: f, name: "x" })).toBe(EROFS);
    expect(await a.rename("f", `.history/${then}/g`)).toBe(EROFS);
    for (const kind of ["mkdir", "unlink", "rmdir"] as const)
      expect(await errnoOf(a, { kind, name: ".history", mode: 0o755 } as never)).toBe(EROFS);
    expect(await a.rename("f", ".history")).toBe(EROFS);
    for (const name of ["tomorrow", momentName(2e12), momentName(999_999)])
      expect(await errnoOf(a, { kind: "lookup", node: await a.walk(".history"), name }), name).toBe(ENOENT);
    expect(await a.tree()).toEqual({ f: "one" });
    expect(world.failures).toEqual([]);
  });

  it("needs vice, and says so without hanging; without room a version is not opened", async () => {
    const { world, a } = await two();
    await a.write("f", "one");
    const then = named(world);
    const f = await a.walk(`.history/${then}/f`);
    a.folder.bytesMax = 0;
    expect(await errnoOf(a, { kind: "open", node: f, flags: 0 })).toBe(28);
    a.folder.bytesMax = Number.POSITIVE_INFINITY;
    a.isCut = true;
    expect(await errnoOf(a, { kind: "open", node: f, flags: 0 })).toBe(ETIMEDOUT);
    expect(await errnoOf(a, { kind: "lookup", node: 2 ** 31, name: "versions" })).toBe(ETIMEDOUT);
    a.isCut = false;
    await world.pass(4000);
    expect(await a.read(`.history/${then}/f`)).toBe("one");
    a.restart("kill");
    expect(await a.read(`.history/${then}/f`)).toBe("one");
    expect(a.folder.names("history")).toEqual([]);
    expect(world.failures).toEqual([]);
  });

  it("has as many nodes as the kernel knows", async () => {
    const { world, a } = await two();
    await a.write("f", "one");
    const node = await a.walk(`.history/${named(world)}`);
    const { attributes } = await a.must("attributes", { kind: "getattr", node });
    expect(attributes.mode).toBe(0o040755);
    a.venus.handle({ kind: "forget", node: 0, uid: 0, gid: 0, pid: 0, nodes: [[node, 1]] }, () => undefined);
    expect(await errnoOf(a, { kind: "getattr", node })).toBe(116);
  });

  it.each(Array.from({ length: seeds }, (_, seed) => seed + 1))(
    "shows each moment as the mount did, seed %i",
    async (seed) => {
      const random = new SeededRandom(seed);
      const { world, a, b } = await two();
      const trees: [string, Record<string, string>][] = [];
      const path = () => ["a", "b", "d", "d/a", "d/b", "d/d"][random.below(6)] ?? "a";
      for (let round = 0; round < 25; round++) {
        const on = random.below(2) === 0 ? a : b;
        world.milliseconds += 100;
        const [one, other] = [path(), path()];
        const work = [
          () => on.write(one, `${seed} ${round}`),
          () => on.mkdir(one),
          () => on.remove(one),
          () => on.remove(one, "rmdir"),
          () => on.rename(one, other, random.below(4) === 0 ? 2 : 0),
        ][random.below(5)];
        await work?.().catch(() => undefined); // a path that is not there
        if (random.below(12) === 0) {
          world.restartVice();
          await world.pass(4000);
        }
        trees.push([named(world), await on.tree()]);
      }
      for (const [at, tree] of trees) {
        const folder = await a.tree(`.history/${at}`);
        const before = `.history/${at}/`;
        const shown = Object.entries(folder).map(([name, text]) => [name.slice(before.length), text]);
        expect(Object.fromEntries(shown), `seed ${seed} at ${at}`).toEqual(tree);
      }
      expect(world.failures, `seed ${seed}`).toEqual([]);
    },
  );
});
