// Single files and names of a pool. If one of these fails, a file is lost under its name, half
// of one is seen, or an error does not say which component of a path failed.

import { beforeEach, describe, expect, it } from "vitest";
import { Failures } from "../../../control/files/failures.js";
import { Files, openedOf } from "../../../control/files/files.js";
import { exitCodes, type ProteusError } from "../../../control/kernel/errors.js";
import { nameError } from "../../../control/stub/names.js";
import { MemoryPool, status } from "./memory.js";

let pool: MemoryPool;
let files: Files;
const bytes = (text: string) => openedOf(Buffer.from(text));
const write = (path: string, text: string, options = {}) => files.write(path, bytes(text), options);

async function textOf(path: string, range = {}): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of files.read(path, range)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

async function errorOf(work: Promise<unknown>): Promise<ProteusError> {
  return work.then(
    () => expect.fail("it was done"),
    (error: ProteusError) => error,
  );
}
const codeOf = async (work: Promise<unknown>) => (await errorOf(work)).code;

beforeEach(async () => {
  pool = new MemoryPool();
  files = new Files(pool.names, pool.contents);
  await files.makeDirectory("/a/b", { parents: true });
  await write("/a/one", "first words");
});

describe("a file", () => {
  it("is read as it was written, whole or in part", async () => {
    expect(await textOf("/a/one")).toBe("first words");
    expect(await textOf("a/../a/./one", { position: 6, length: 3 })).toBe("wor");
    expect(await files.stat("/a/one")).toMatchObject({
      kind: "file",
      bytes: 11,
      name: "one",
      path: "/a/one",
    });
  });

  it("takes another's place in one step, and only when that is wanted", async () => {
    expect((await write("/a/one", "second")).replaced).toBe(true);
    expect(await textOf("/a/one")).toBe("second");
    const before = pool.stored.size;
    expect(await codeOf(write("/a/one", "third", { replace: false }))).toBe("NAME_EXISTS");
    expect(await textOf("/a/one")).toBe("second");
    expect(pool.stored.size).toBe(before); // what has no name was destroyed again
  });

  it("never takes the place of a directory", async () => {
    expect(await codeOf(write("/a/b", "x"))).toBe("FILES_IS_DIRECTORY");
    expect(await codeOf(write("/", "x"))).toBe("NAME_REFUSED");
  });

  it("gets its name though somebody else changes it at the same time", async () => {
    let times = 0;
    pool.meanwhile = (call) => {
      if (call === "replace" && times++ < 3) pool.rows("/a").set("one", pool.row(pool.object()));
    };
    expect((await write("/a/one", "mine")).replaced).toBe(true);
    expect(await textOf("/a/one")).toBe("mine");
    expect(times).toBe(4);
  });

  it("gives up when somebody changes it again and again", async () => {
    pool.meanwhile = (call) => {
      if (call === "replace") pool.rows("/a").set("one", pool.row(pool.object()));
    };
    expect(await codeOf(write("/a/one", "mine"))).toBe("NAME_CHANGED");
  });

  it("is there when the answer that it has its name was lost, and stays when nobody knows", async () => {
    const lost = nameError("uncertain", ["a", "new"], 1);
    pool.faults.set("append", [{ after: lost }, { before: lost }]);
    expect((await write("/a/new", "text")).replaced).toBe(false);
    const before = pool.stored.size;
    expect(await codeOf(write("/a/newer", "text"))).toBe("NAME_UNCERTAIN");
    expect(pool.stored.size).toBe(before + 1); // the name may come yet
  });

  it("cannot be read where there is none: the error says why", async () => {
    await files.link(pool.object(), "/a/thing");
    expect(await codeOf(textOf("/a/thing"))).toBe("FILES_NOT_FILE");
    expect(await codeOf(textOf("/a"))).toBe("FILES_IS_DIRECTORY");
    const none = await errorOf(textOf("/a/no/one"));
    expect(none).toMatchObject({ code: "NAME_NOT_FOUND", exit: exitCodes.notFound });
    expect(none.message + none.why).toContain("/a/no/one");
    expect(none.why).toContain("no in /a");
    expect(await codeOf(textOf("/a/one/two"))).toBe("NAME_NOT_DIRECTORY");
    pool.faults.set("read", [{ before: status("STD_CAPBAD", exitCodes.denied) }]);
    expect((await errorOf(textOf("/a/one"))).message).toContain("/a/one");
  });
});

describe("names", () => {
  it("are made with those on the way only when that is wanted", async () => {
    expect(await codeOf(files.makeDirectory("/x/y/z"))).toBe("NAME_NOT_FOUND");
    expect(await files.makeDirectory("/x/y/z", { parents: true })).toBe(true);
    expect(await files.makeDirectory("/x/y/z", { parents: true })).toBe(false);
    expect(await codeOf(files.makeDirectory("/a/b"))).toBe("NAME_EXISTS");
    expect(await codeOf(files.makeDirectory("/a/one", { parents: true }))).toBe("NAME_EXISTS");
    expect(await codeOf(files.makeDirectory("/a/one/c", { parents: true }))).toBe("NAME_NOT_DIRECTORY");
  });

  it("move in one step, into directories too", async () => {
    expect(await files.move("/a/one", "/a/two")).toBe("/a/two");
    expect(await files.move("/a/two", "/a/b")).toBe("/a/b/two");
    expect(await files.move("/a/b", "/")).toBe("/b");
    expect(pool.all()).toEqual({ "/a/": "", "/b/": "", "/b/two": "first words" });
    expect(await codeOf(files.move("/b", "/b"))).toBe("NAME_REFUSED");
    expect(await codeOf(files.move("/b/two", "/b/two"))).toBe("FILES_SAME");
    expect(await codeOf(files.move("/b/none", "/b/two"))).toBe("NAME_NOT_FOUND");
    expect(await codeOf(files.move("/b/two", "/b/none/"))).toBe("FILES_NOT_DIRECTORY");
    expect(pool.calls.filter((call) => call === "append").length).toBe(1); // only the file's first name
  });

  it("move over a file so that it has one of both names all the time", async () => {
    await write("/a/two", "second");
    const seen: Record<string, string>[] = [];
    pool.meanwhile = () => void seen.push(pool.all("/a"));
    await files.move("/a/one", "/a/two");
    expect(pool.all("/a")).toEqual({ "/a/b/": "", "/a/two": "first words" });
    for (const all of seen) {
      expect(Object.keys(all)).toContain("/a/two");
      expect(Object.values(all)).toContain("first words");
    }
    await write("/a/one", "third");
    expect(await codeOf(files.move("/a/one", "/a/two", { replace: false }))).toBe("NAME_EXISTS");
    expect(pool.all("/a")["/a/two"]).toBe("first words");
  });

  it("move to other servers by a new name first", async () => {
    pool.faults.set("rename", [{ before: nameError("gone", ["a"], 0) }]);
    expect(await files.move("/a/one", "/a/b/one")).toBe("/a/b/one");
    expect(pool.all("/a")).toEqual({ "/a/b/": "", "/a/b/one": "first words" });
    expect(pool.calls.indexOf("append", 3)).toBeLessThan(pool.calls.indexOf("remove"));
  });

  it("can be several for one thing", async () => {
    const { set } = await files.stat("/a/one");
    if (set === undefined) throw new Error("it has no set");
    await files.link(set, "/b");
    expect(await textOf("/b")).toBe("first words");
    expect(await codeOf(files.link(set, "/b"))).toBe("NAME_EXISTS");
    expect(await files.link(set, "/b", { replace: true })).toBe(true);
  });
});

describe("a walk", () => {
  it("shows all below a path, a directory before its entries, in order", async () => {
    await write("/a/b/x", "");
    const paths: string[] = [];
    for await (const { path } of files.walk("/")) paths.push(path);
    expect(paths).toEqual(["/", "/a", "/a/b", "/a/b/x", "/a/one"]);
  });

  it("ends though a directory stands in itself", async () => {
    await files.link(pool.root, "/a/b/up");
    const failures = new Failures();
    const paths: string[] = [];
    for await (const { path } of files.walk("/", { failures })) paths.push(path);
    expect(paths).toEqual(["/", "/a", "/a/b", "/a/b/up", "/a/one"]);
    expect(failures.report.skipped).toMatchObject([{ path: "/a/b/up" }]);
  });

  it.each(["..", ".", "x/y", "", "\ud800", "n\0n", "n".repeat(256)])(
    "leaves the name %j out and says so",
    async (name) => {
      pool.rows("/a").set(name, pool.row(pool.object()));
      const failures = new Failures();
      const paths: string[] = [];
      for await (const { path } of files.walk("/a", { failures })) paths.push(path);
      expect(paths).toEqual(["/a", "/a/b", "/a/one"]);
      expect(failures.report.failures).toMatchObject([{ code: "FILES_NAME_UNSAFE" }]);
    },
  );

  it("goes on when a directory cannot be listed", async () => {
    pool.faults.set("entries", [{}, {}, { before: nameError("denied", ["a", "b"], 1) }]);
    const failures = new Failures();
    const paths: string[] = [];
    for await (const { path } of files.walk("/", { failures })) paths.push(path);
    expect(paths).toContain("/a/one");
    expect(failures.report.failures).toMatchObject([{ path: "/a/b", code: "NAME_DENIED" }]);
  });
});
