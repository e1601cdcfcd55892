// Venuses on one volume: what one closes the others read, work goes on without vice and comes back once,
// nothing is lost by a kill, and what is warm asks nobody.

import { describe, expect, it } from "vitest";
import { FilesWorld } from "./world.js";

async function two(semantics: "session" | "strict" = "session") {
  const world = new FilesWorld(semantics);
  const [a, b] = [world.mount(), world.mount()];
  await world.settle();
  return { world, a, b };
}

const EDQUOT = 122;
const EEXIST = 17;
const ENOTEMPTY = 39;
const ETIMEDOUT = 110;

describe("two mounts of a volume", () => {
  it("show each other what was closed", async () => {
    const { world, a, b } = await two();
    expect(await b.list()).toEqual([]);
    expect(await a.write("f", "hello")).toBe(0);
    expect(await b.read("f")).toBe("hello");
    expect(await b.write("f", "there")).toBe(0);
    expect(await a.read("f")).toBe("there");
    await a.mkdir("d");
    await a.rename("f", "d/g");
    expect(await b.tree()).toEqual({ "d/": "", "d/g": "there" });
    expect(await b.remove("d", "rmdir")).toBe(ENOTEMPTY);
    expect(await b.remove("d/g")).toBe(0);
    expect(await b.remove("d", "rmdir")).toBe(0);
    expect(await a.tree()).toEqual({});
    expect(world.failures).toEqual([]);
  });

  it("show nothing before it is closed, and keep what is open", async () => {
    const { world, a, b } = await two();
    await a.write("f", "one");
    expect(await b.read("f")).toBe("one");
    const { node, handle } = await a.openNew("f");
    await a.ask({ kind: "write", node, handle, position: 0, data: new Uint8Array(Buffer.from("two!")) });
    expect(await b.read("f")).toBe("one");
    const size = async () => (await a.must("attributes", { kind: "getattr", node })).attributes.size;
    expect(await size()).toBe(4);
    await a.ask({ kind: "flush", node, handle });
    expect(await b.read("f")).toBe("two!");
    await a.ask({ kind: "release", node, handle });
    expect(world.failures).toEqual([]);
  });

  it("have one winner when both make the same name", async () => {
    const { a, b } = await two();
    await Promise.all([a.list(), b.list()]);
    const made = await Promise.all([a.mkdir("lock"), b.mkdir("lock")]);
    expect(made.sort()).toEqual([0, EEXIST]);
  });

  it("ask nobody for what is warm, and once for what is not", async () => {
    const { world, a, b } = await two();
    for (const name of ["f", "g", "h"]) await a.write(name, `content ${name}`);
    await b.tree();
    world.calls.length = 0;
    expect(await b.tree()).toEqual({ f: "content f", g: "content g", h: "content h" });
    expect(world.calls).toEqual([]);
    await a.write("f", "new");
    world.calls.length = 0;
    await b.tree();
    expect(world.calls).toEqual(["getstatus", "fetch"]);
  });

  it("send a small content with its record, and a large one before it", async () => {
    const { world, a } = await two();
    await a.list();
    await a.write("f", "old");
    world.calls.length = 0;
    await a.write("f", "small");
    expect(world.calls).toEqual(["reintegrate"]);
    await a.write("f", "large ".repeat(100_000));
    expect(world.calls.slice(1)).toEqual(["send", "send", "send", "reintegrate"]);
  });

  it("have the kernel forget before the other's close has returned", async () => {
    const { a, b } = await two();
    await a.write("f", "1");
    const node = await b.walk("f");
    b.invalidated.length = 0;
    await a.write("f", "2");
    expect(b.invalidated).toContainEqual({ kind: "node", node, data: true });
    await a.remove("f");
    expect(b.invalidated).toContainEqual({ kind: "name", directory: 1, name: "f" });
  });

  it("keep owners, modes, times, links and symbolic links", async () => {
    const { a, b } = await two();
    await a.write("f", "x");
    const node = await a.walk("f");
    const mtime = { seconds: 12345, nanoseconds: 678_901_234 };
    await a.must("attributes", { kind: "setattr", node, changes: { mode: 0o600, uid: 5, gid: 6, mtime } });
    await a.must("entry", { kind: "link", node: 1, of: node, name: "g" });
    await a.must("entry", { kind: "symlink", name: "s", target: "d/f" });
    const other = await b.walk("g");
    const { attributes } = await b.must("attributes", { kind: "getattr", node: other });
    expect(attributes).toMatchObject({ node, mode: 0o100600, uid: 5, gid: 6, links: 2, mtime, size: 1 });
    const { data } = await b.must("data", { kind: "readlink", node: await b.walk("s") });
    expect(Buffer.from(data).toString()).toBe("d/f");
    await b.must("attributes", { kind: "setattr", node: other, changes: { size: 0 } });
    expect(await a.read("f")).toBe("");
  });
});

describe("a mount without vice", () => {
  it("goes on with what it has, and brings its work back once", async () => {
    const { world, a, b } = await two();
    await a.mkdir("d");
    await a.write("d/f", "before");
    await a.tree();
    await b.tree();
    a.isCut = true;
    expect(await a.read("d/f")).toBe("before");
    expect(await a.write("d/f", "first")).toBe(0); // offered when the network was believed to be there
    expect(await a.write("d/f", "second")).toBe(0);
    expect(await a.write("d/f", "offline")).toBe(0);
    expect(await a.mkdir("e")).toBe(0);
    expect(await a.write("e/new", "made")).toBe(0);
    expect(await a.rename("e/new", "d/moved")).toBe(0);
    expect(await a.tree()).toEqual({ "d/": "", "d/f": "offline", "d/moved": "made", "e/": "" });
    expect(await b.tree()).toEqual({ "d/": "", "d/f": "before" });
    expect(a.venus.status()).toMatchObject({ state: "disconnected", reason: "RPC_NOTFOUND" });
    await world.pass(5000);
    expect(a.venus.status().records).toBe(6); // the third store has taken the second one's place
    a.isCut = false;
    await world.pass(3000);
    expect(a.venus.status()).toMatchObject({ state: "connected", records: 0 });
    const tree = { "d/": "", "d/f": "offline", "d/moved": "made", "e/": "" };
    expect(await b.tree()).toEqual(tree);
    expect(await a.tree()).toEqual(tree);
    expect(world.failures).toEqual([]);
  });

  it("says ETIMEDOUT of what it never had, and does not hang", async () => {
    const { world, a, b } = await two();
    await a.mkdir("d");
    await a.write("d/f", "content");
    expect(await b.list()).toEqual(["d"]);
    b.isCut = true;
    const node = await b.walk("d");
    expect(await b.ask({ kind: "lookup", node, name: "f" })).toEqual({ kind: "error", errno: ETIMEDOUT });
    expect((await b.ask({ kind: "statfs" })).kind).toBe("usage");
    b.isCut = false;
    await world.pass(2000);
    expect(await b.read("d/f")).toBe("content");
    expect(world.failures).toEqual([]);
  });

  it("keeps both sides' work", async () => {
    const { world, a, b } = await two();
    await a.write("f", "base");
    expect(await b.read("f")).toBe("base");
    a.isCut = true;
    expect(await a.write("f", "from a")).toBe(0);
    expect(await a.write("only-a", "a")).toBe(0);
    expect(await b.write("f", "from b")).toBe(0);
    expect(await b.write("only-b", "b")).toBe(0);
    a.isCut = false;
    await world.pass(3000);
    const tree = await a.tree();
    expect(await b.tree()).toEqual(tree);
    expect(Object.keys(tree).map((name) => name.replace(/-\d+$/, "-N"))).toEqual([
      "f",
      "f.conflict-m1-N",
      "only-a",
      "only-b",
    ]);
    expect(Object.values(tree)).toEqual(["from b", "from a", "a", "b"]);
    expect(a.venus.status().notes.join()).toContain("kept");
    expect(world.failures).toEqual([]);
  });

  it("finishes what was under way when the connection broke, exactly once", async () => {
    for (const operation of ["reintegrate", "send", "hello"]) {
      const { world, a, b } = await two();
      await a.list();
      a.loseAnswer = operation;
      const text = operation === "send" ? "content ".repeat(4000) : "content"; // small ones need no send
      expect(await a.write("f", text)).toBe(0);
      expect(await a.mkdir("d")).toBe(0);
      await world.pass(4000);
      expect(a.venus.status()).toMatchObject({ state: "connected", records: 0 });
      expect(await b.tree(), operation).toEqual({ "d/": "", f: text });
      expect(await a.tree()).toEqual({ "d/": "", f: text });
      expect(a.loseAnswer).toBe(operation === "hello" ? "hello" : "");
      expect(world.volume.state.conflicts.size, operation).toBe(0);
      expect(world.failures).toEqual([]);
    }
  });
});

describe("a mount that ends", () => {
  it("starts warm, with the work that it had not shipped", async () => {
    const { world, a, b } = await two();
    await a.write("f", "shipped");
    a.isCut = true;
    await a.write("g", "not shipped");
    a.restart("kill");
    await world.settle();
    expect(await a.tree()).toEqual({ f: "shipped", g: "not shipped" });
    a.isCut = false;
    await world.pass(2000);
    expect(await b.tree()).toEqual({ f: "shipped", g: "not shipped" });
    expect(world.failures).toEqual([]);
  });

  it("ships what a program had written when both were killed", async () => {
    const { world, a, b } = await two();
    await a.write("f", "whole");
    const { node, handle } = await a.openNew("f");
    await a.ask({ kind: "write", node, handle, position: 0, data: new Uint8Array(Buffer.from("half")) });
    world.milliseconds += 1000;
    a.restart("kill");
    await world.pass(2000);
    expect(await b.read("f")).toBe("half");
    expect(await a.read("f")).toBe("half");
    expect(world.failures).toEqual([]);
  });

  it("has at vice everything that a close returned for, wherever the power ended", async () => {
    const measure = await two();
    await measure.a.write("f", "1");
    await measure.a.write("f", "2");
    const operations = measure.a.folder.operations;
    for (let cutAt = 300; cutAt <= operations; cutAt++) {
      const { world, a, b } = await two();
      a.folder.cutAt = cutAt;
      let closed = "";
      for (const text of ["1", "2"]) {
        const outcome = await a.write("f", text).catch(() => -1);
        if (outcome === 0) closed = text;
      }
      a.restart("cut");
      await world.pass(3000);
      const tree = await b.tree();
      expect(Number(tree.f ?? "0"), `cut at ${cutAt}`).toBeGreaterThanOrEqual(Number(closed));
      expect(await a.tree(), `cut at ${cutAt}`).toEqual(tree);
      expect(await a.write("after", "goes on")).toBe(0);
      expect(await b.read("after")).toBe("goes on");
    }
  });
});

describe("a cache with a bound", () => {
  const contents = (mount: { folder: { paths(): readonly string[] } }) =>
    mount.folder.paths().filter((path) => path.startsWith("content/")).length;

  it("lets go what was not used for the longest time, and never what is open or not shipped", async () => {
    const world = new FilesWorld();
    const [a, b] = [world.mount(), world.mount(2500)];
    await world.settle();
    for (const name of ["f", "g", "h"]) await a.write(name, name.repeat(1000));
    await b.read("f");
    await b.read("g");
    await b.read("f");
    await b.read("h");
    expect(contents(b)).toBe(2);
    world.calls.length = 0;
    await b.read("f");
    expect(world.calls).toEqual([]);
    await b.read("g"); // h is the oldest now
    expect(world.calls).toEqual(["fetch"]);
    const node = await b.walk("g");
    const { handle } = await b.must("opened", { kind: "open", node, flags: 0 });
    await b.read("f");
    await b.read("h");
    const { data } = await b.must("data", { kind: "read", node, handle, position: 0, bytes: 10 });
    expect(Buffer.from(data).toString()).toBe("gggggggggg");
    await b.ask({ kind: "release", node, handle });
    b.isCut = true;
    for (const name of ["x", "y", "z"]) expect(await b.write(name, name.repeat(1000))).toBe(0);
    expect(await b.read("x")).toBe("x".repeat(1000));
    b.isCut = false;
    await world.pass(3000);
    expect(await a.read("x")).toBe("x".repeat(1000));
    expect(await b.read("f")).toBe("f".repeat(1000));
    expect(contents(b)).toBeLessThanOrEqual(2);
    expect(b.venus.status().bytes).toBeLessThanOrEqual(2500);
    expect(world.failures).toEqual([]);
  });
});

describe("a quota", () => {
  it("ends a close that waits, and has what was done without vice wait in the log", async () => {
    const { world, a, b } = await two();
    await world.volume.limit(10);
    expect(await a.write("f", "12345")).toBe(0);
    expect(await a.write("g", "123456")).toBe(EDQUOT);
    expect(await b.read("f")).toBe("12345");
    b.isCut = true;
    await world.pass(4000);
    expect(await b.write("f", "12345678901")).toBe(0);
    b.isCut = false;
    await world.pass(4000);
    const { records, notes } = b.venus.status();
    expect(records).toBe(1);
    expect(notes).toContain("the volume's quota or its server is full: the log waits");
    await world.volume.limit(20);
    await world.pass(4000);
    expect(b.venus.status().records).toBe(0);
    expect(await a.read("f")).toBe("12345678901");
    expect(world.failures).toEqual([]);
  });
});

describe("a vice that ends", () => {
  it("is found again, and nobody shows anything old", async () => {
    const { world, a, b } = await two();
    await a.write("f", "1");
    await b.read("f");
    world.restartVice();
    expect(await a.write("f", "2")).toBe(0);
    expect(await a.write("g", "3")).toBe(0);
    await world.pass(4000);
    expect(await b.tree()).toEqual({ f: "2", g: "3" });
    expect(await a.tree()).toEqual({ f: "2", g: "3" });
    expect(world.failures).toEqual([]);
  });

  it("strikes off who does not hear, who asks again then", async () => {
    const { world, a, b } = await two("strict");
    await a.write("f", "1");
    await b.read("f");
    b.isDeaf = true;
    expect(await a.write("f", "2")).toBe(0);
    b.isDeaf = false;
    await world.pass(4000);
    expect(await b.read("f")).toBe("2");
    expect(world.failures).toEqual([]);
  });
});
