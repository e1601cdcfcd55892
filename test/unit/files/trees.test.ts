// Whole trees in, out and away. If one of these fails, a tree comes out other than it went in,
// one bad file ends the rest, or an error goes by unseen.

import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { Failures } from "../../../control/files/failures.js";
import { Files, openedOf } from "../../../control/files/files.js";
import { removeTree } from "../../../control/files/remove.js";
import { findBelow, usageOf } from "../../../control/files/survey.js";
import { getTree, measureSource, putTree } from "../../../control/files/trees.js";
import { exitCodes } from "../../../control/kernel/errors.js";
import { nameError } from "../../../control/stub/names.js";
import { MemoryPool, MemorySource, MemoryTarget, status, type Tree } from "./memory.js";

let pool: MemoryPool;
let files: Files;
const tree = { a: { empty: {}, x: "first", y: "second" }, link: null, z: "" };
const put = (source: Tree | string, path: string, options = {}) =>
  putTree(files, new MemorySource(source), path, options);

beforeEach(() => {
  pool = new MemoryPool();
  files = new Files(pool.names, pool.contents, { concurrency: 3 });
});

describe("a tree that goes in", () => {
  it("is there with what can be kept; the report counts it", async () => {
    let moved = 0;
    const add = (bytes: number) => {
      moved += bytes;
    };
    const report = await put(tree, "/t", { watch: { moved: add } });
    expect(pool.all()).toEqual({
      ...{ "/t/": "", "/t/a/": "", "/t/a/empty/": "", "/t/a/x": "first", "/t/a/y": "second", "/t/z": "" },
    });
    expect(report).toMatchObject({
      files: 3,
      directories: 3,
      bytes: 11,
      failed: 0,
      replaced: 0,
      givenUp: false,
    });
    expect(report.skipped).toEqual([{ path: "top/link", why: "it is a symbolic link" }]);
    expect(moved).toBe(11);
    expect(await measureSource(new MemorySource(tree))).toEqual({ files: 3, bytes: 11 });
  });

  it("takes the place of what is there, and leaves the rest", async () => {
    await put(tree, "/t");
    await files.write("/t/a/own", openedOf(Buffer.from("own")));
    const report = await put({ a: { x: "third" } }, "/t");
    expect(report).toMatchObject({ files: 1, directories: 0, replaced: 1 });
    expect(pool.all("/t/a")).toMatchObject({ "/t/a/own": "own", "/t/a/x": "third", "/t/a/y": "second" });
  });

  it("keeps files that are there when it is told to, and says so", async () => {
    await put(tree, "/t");
    const report = await put({ z: "new", zz: "new" }, "/t", { replace: false });
    expect(report).toMatchObject({ files: 1, failed: 1, failures: [{ path: "top/z", code: "NAME_EXISTS" }] });
    expect(pool.all("/t")).toMatchObject({ "/t/z": "", "/t/zz": "new" });
  });

  it("goes in except for what fails", async () => {
    await files.write("/t", openedOf(new Uint8Array(0)));
    expect(await put(tree, "/t")).toMatchObject({ files: 0, failures: [{ code: "FILES_NOT_DIRECTORY" }] });
    pool.faults.set("create", [{}, { before: status("STD_NOSPACE") }]);
    const report = await put(tree, "/u");
    expect(report).toMatchObject({ files: 2, failed: 1, givenUp: false });
    expect(report.failures).toMatchObject([{ code: "STD_NOSPACE", message: expect.any(String) }]);
  });

  it("is given up when no server answers", async () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`f${at}`, "x"]));
    const away = { before: nameError("unreachable", ["t"], 0) };
    pool.faults.set("append", Array(200).fill(away));
    const report = await put(many, "/t");
    expect(report.givenUp).toBe(true);
    expect(report.failed).toBeLessThanOrEqual(3);
    expect(pool.calls.filter((call) => call === "create").length).toBeLessThan(10);
  });

  it("ends with the error of a bug", async () => {
    pool.meanwhile = (call) => {
      if (call === "append") throw new TypeError("a bug");
    };
    await expect(put(tree, "/t")).rejects.toThrow("a bug");
  });

  it("has several directories under way at a time, and says what failed in the order of the tree", async () => {
    const wide = Object.fromEntries(
      ["a", "b", "c", "d"].map((name) => [name, { "1": "x", "2": "y", "2 b": null, sub: { "3": "z" } }]),
    );
    const busy: number[] = [];
    pool.meanwhile = (call) => {
      if (call === "makeDirectory") busy.push(pool.busy);
    };
    const first = await put(wide, "/t");
    expect(first).toMatchObject({ files: 12, directories: 9, failed: 0 });
    expect(Math.max(...busy)).toBe(3);
    expect(pool.busiest).toBe(3);
    expect(first.skipped.map(({ path }) => path)).toEqual(["a", "b", "c", "d"].map((at) => `top/${at}/2 b`));
    // The first that are asked take longest.
    let calls = 0;
    pool.faults.set("create", Array(12).fill({ before: status("STD_NOSPACE") }));
    const slow = { open: pool.contents.create };
    pool.contents.create = async (content, watch) => {
      for (let turns = 200 - 15 * calls++; turns > 0; turns--) await Promise.resolve();
      return slow.open(content, watch);
    };
    const { failures } = await put(wide, "/u");
    expect(failures.map(({ path }) => path)).toEqual(
      ["a", "b", "c", "d"].flatMap((at) => ["1", "2", "sub/3"].map((name) => `top/${at}/${name}`)),
    );
  });

  it("has no more files under way than it may", async () => {
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`f${at}`, "x"]));
    await put(many, "/t");
    expect(pool.busiest).toBeLessThanOrEqual(4); // and one who makes directories
    expect(pool.busiest).toBeGreaterThan(1);
  });
});

describe("a tree that comes out", () => {
  it("is what went in", async () => {
    await put(tree, "/t");
    const target = new MemoryTarget();
    expect(await getTree(files, "/t", target)).toMatchObject({
      files: 3,
      directories: 3,
      bytes: 11,
      failed: 0,
    });
    expect(target.all).toEqual({ "/": "", "a/": "", "a/empty/": "", "a/x": "first", "a/y": "second", z: "" });
  });

  it("lacks what is no file, and what fails", async () => {
    await put(tree, "/t");
    await files.link(pool.object(), "/t/segment");
    pool.rows("/t").set("../out", pool.row(pool.object()));
    pool.rows("/t").set("..", pool.row(pool.root));
    pool.faults.set("read", [{ before: status("STD_SYSERR") }]);
    const target = new MemoryTarget();
    const report = await getTree(files, "/t", target);
    expect(report).toMatchObject({ files: 2, failed: 3, skipped: [{ path: "/t/segment" }] });
    expect(report.failures.map(({ code }) => code).sort()).toEqual([
      ...["FILES_NAME_UNSAFE", "FILES_NAME_UNSAFE", "STD_SYSERR"],
    ]);
    expect(Object.keys(target.all).filter((path) => path.includes(".."))).toEqual([]);
  });

  it("leaves what is below a directory that could not be made", async () => {
    await put(tree, "/t");
    class Full extends MemoryTarget {
      override makeDirectory(place: readonly string[]): Promise<void> {
        if (place.at(-1) !== "a") return super.makeDirectory(place);
        return Promise.reject(status("STD_NOSPACE"));
      }
    }
    const target = new Full();
    expect(await getTree(files, "/t", target)).toMatchObject({
      files: 1,
      failed: 1,
      failures: [{ path: "/t/a" }],
    });
    expect(Object.keys(target.all)).toEqual(["/", "z"]);
  });

  it("is the same, whatever tree it is; then it can go", async () => {
    const name = fc.string({ minLength: 1, maxLength: 8 }).filter((text) => !/[/\0]|^\.{1,2}$/.test(text));
    const { any } = fc.letrec<{ any: Tree; entry: Tree | string }>((tie) => ({
      any: fc.dictionary(name, tie("entry"), { maxKeys: 6, noNullPrototype: true }),
      entry: fc.oneof({ maxDepth: 4 }, fc.string({ unit: "binary-ascii", maxLength: 20 }), tie("any")),
    }));
    const flat = (at: Tree, before = ""): Record<string, string> =>
      Object.assign(
        {},
        ...Object.entries(at).map(([each, value]) =>
          typeof value === "string" || value === null
            ? { [before + each]: value }
            : { [`${before + each}/`]: "", ...flat(value, `${before + each}/`) },
        ),
      );
    await fc.assert(
      fc.asyncProperty(any, async (random) => {
        await put(random, "/some");
        const target = new MemoryTarget();
        await getTree(files, "/some", target);
        expect(target.all).toEqual({ "/": "", ...flat(random) });
        expect(await removeTree(files, "/some", { recursive: true })).toMatchObject({ failed: 0 });
        expect(pool.all()).toEqual({});
      }),
      { numRuns: 60 },
    );
  });
});

describe("a tree that goes away", () => {
  it("goes with everything below it, and keeps the files of other names", async () => {
    await put(tree, "/t");
    const { set } = await files.stat("/t/a/x");
    if (set === undefined) throw new Error("it has no set");
    await files.link(set, "/kept");
    expect(await removeTree(files, "/t", { recursive: true })).toMatchObject({
      files: 3,
      directories: 3,
      failed: 0,
    });
    expect(pool.all()).toEqual({ "/kept": "first" });
    expect(await removeTree(files, "/kept", { destroy: true })).toMatchObject({ files: 1 });
    expect([...pool.stored.values()].map(String)).not.toContain("first");
  });

  it("goes only when it is empty, or all of it may go", async () => {
    await put(tree, "/t");
    expect(await removeTree(files, "/t")).toMatchObject({ failures: [{ code: "NAME_NOT_EMPTY" }] });
    expect(await removeTree(files, "/t/a/empty")).toMatchObject({ directories: 1, failed: 0 });
    await expect(removeTree(files, "/none")).rejects.toMatchObject({ code: "NAME_NOT_FOUND" });
  });

  it("is only told of in a dry run", async () => {
    await put(tree, "/t");
    const before = pool.all();
    const told: string[] = [];
    const removed = ({ path }: { path: string }) => void told.push(path);
    const report = await removeTree(files, "/t", { recursive: true, dryRun: true, removed });
    expect(report).toMatchObject({ files: 3, directories: 3 });
    expect(told.sort()).toEqual(["/t", "/t/a", "/t/a/empty", "/t/a/x", "/t/a/y", "/t/z"]);
    expect(pool.all()).toEqual(before);
    expect(await removeTree(files, "/t", { dryRun: true })).toMatchObject({ failed: 1 });
  });

  it("keeps the directories of what could not go", async () => {
    await put(tree, "/t");
    pool.meanwhile = (call, path) => {
      if (call === "remove" && path === "/t/a/x") throw nameError("denied", ["t", "a", "x"], 2);
    };
    const report = await removeTree(files, "/t", { recursive: true });
    expect(report).toMatchObject({ failures: [{ path: "/t/a/x", code: "NAME_DENIED" }], failed: 1 });
    expect(pool.all()).toEqual({ "/t/": "", "/t/a/": "", "/t/a/x": "first" });
  });

  it("ends though a directory stands in itself; the root itself stays", async () => {
    await put(tree, "/t");
    await files.link(pool.root, "/t/a/up");
    expect(await removeTree(files, "/", { recursive: true })).toMatchObject({ failed: 0 });
    expect(pool.all()).toEqual({});
  });
});

describe("what is below a path", () => {
  beforeEach(() => put({ a: { x: "first", y: "second" }, b: { x: "third" }, z: "" }, "/t"));

  it("is counted once, at all directories above", async () => {
    const { set } = await files.stat("/t/a/x");
    if (set === undefined) throw new Error("it has no set");
    await files.link(set, "/t/same");
    const failures = new Failures();
    expect(await usageOf(files, "/t", failures)).toEqual([
      { path: "/t/b", bytes: 5, files: 1 },
      { path: "/t/a", bytes: 11, files: 2 },
      { path: "/t", bytes: 16, files: 4 },
    ]);
    expect(await usageOf(files, "/t/a/y", failures)).toEqual([{ path: "/t/a/y", bytes: 6, files: 1 }]);
    expect((await usageOf(files, "/", failures)).at(-1)).toEqual({ path: "/", bytes: 16, files: 4 });
    pool.faults.set("bytes", [{ before: status("RPC_NOTFOUND", exitCodes.unreachable) }]);
    await usageOf(files, "/t/z", failures);
    expect(failures.report.skipped).toMatchObject([{ path: "/t/z" }]);
  });

  it("is found by its name and its kind", async () => {
    await files.link(pool.object(), "/t/xx");
    const found = async (wanted: Parameters<typeof findBelow>[2]) => {
      const paths: string[] = [];
      for await (const { path } of findBelow(files, "/t", wanted, new Failures())) paths.push(path);
      return paths;
    };
    expect(await found({ name: "x*" })).toEqual(["/t/a/x", "/t/b/x", "/t/xx"]);
    expect(await found({ name: "x*", kind: "file" })).toEqual(["/t/a/x", "/t/b/x"]);
    expect(await found({ kind: "directory" })).toEqual(["/t", "/t/a", "/t/b"]);
    expect(await found({ kind: "object" })).toEqual(["/t/xx"]);
  });
});
