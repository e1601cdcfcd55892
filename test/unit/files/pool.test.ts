// Files on real servers, of a LAN in memory. If one of these fails, the stubs and the files do
// not fit each other, or a file is not stored though one of several servers could take it.

import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Capability } from "../../../control/capability/capability.js";
import { setOf } from "../../../control/capability/set.js";
import { BulletContents, type BulletOptions } from "../../../control/files/contents.js";
import { Files, openedOf } from "../../../control/files/files.js";
import { removeTree } from "../../../control/files/remove.js";
import { getTree, putTree } from "../../../control/files/trees.js";
import { type Transact, trans } from "../../../control/kernel/calls.js";
import { exitCodes, ProteusError } from "../../../control/kernel/errors.js";
import { BulletServer } from "../../../control/server/bullet/server.js";
import { Directories } from "../../../control/stub/directories.js";
import { isLong } from "../../simulation/seeds.js";
import { MemoryFiles } from "../server/bullet/memory-files.js";
import { Alarms } from "../server/bullet/shelf.js";
import { LoneDirectory } from "../server/directory/alone.js";
import { MemorySource, MemoryTarget } from "./memory.js";

let lone: LoneDirectory;
let bullets: { readonly files: MemoryFiles; readonly server: BulletServer }[];
const call = { locateTimeoutMs: 50, pollMs: 20, deadMs: 60 };

beforeEach(async () => {
  lone = await new LoneDirectory().start();
  const { pool } = lone;
  bullets = [1, 2].map(() => {
    const files = new MemoryFiles({ random: pool.random });
    const server = new BulletServer({
      ...{ kernel: pool.far, engine: files, getPort: pool.random(6), key: pool.random(32), threads: 4 },
      ...{
        after: new Alarms().after,
        failed: pool.failed,
        draining: () => pool.draining,
        locateTimeoutMs: 20,
      },
    });
    return { files, server };
  });
});

const capability = (at: number): Capability =>
  bullets[at]?.server.capability() ?? expect.fail("no such server");
function filesWith(options: Partial<BulletOptions> = {}): Files {
  const servers = () => Promise.resolve([capability(0), capability(1)]);
  const contents = new BulletContents(lone.pool.near, { servers, call, ...options });
  return new Files(lone.names(), contents, { concurrency: 4 });
}
const end = <Value>(work: Promise<Value>): Promise<Value> => lone.pool.end(work);
const stored = (at: number): number => [...(bullets[at]?.files.files() ?? [])].length;

async function textOf(files: Files, path: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of files.read(path)) pieces.push(piece);
  return Buffer.concat(pieces).toString("latin1");
}

describe("files of a pool", () => {
  it("go in whole though the daemon that forwards the calls ends with some of them under way", async () => {
    let calls = 0;
    let lost = 0;
    const via: Transact = async (header, data, options) => {
      const reply = await trans(lone.pool.near, header, data, { ...options, ...call });
      if (++calls % 5 !== 0) return reply;
      lost++;
      throw new ProteusError({ code: "CONTROL_SILENT", exit: exitCodes.unreachable, message: "it ended" });
    };
    const pause = () => Promise.resolve();
    const servers = () => Promise.resolve([capability(0), capability(1)]);
    const names = new Directories(via, setOf(lone.root()), { pause, random: lone.pool.random });
    const files = new Files(names, new BulletContents(via, { servers, call, pause }), { concurrency: 1 });
    const tree = { a: { b: "b".repeat(3000), c: "c" }, d: "d" };
    expect(await end(putTree(files, new MemorySource(tree), "/t"))).toMatchObject({ files: 3, failed: 0 });
    const target = new MemoryTarget();
    await end(getTree(filesWith(), "/t", target));
    expect(target.all).toMatchObject({ "a/b": tree.a.b, "a/c": "c", d: "d" });
    expect(lost).toBeGreaterThan(2);
  });

  it("go in as a tree, come out the same, move, and go away", async () => {
    const tree = { a: { b: { deep: "d".repeat(3000) }, empty: "" }, c: "third" };
    const files = filesWith();
    expect(await end(putTree(files, new MemorySource(tree), "/t"))).toMatchObject({
      files: 3,
      directories: 3,
      failed: 0,
    });
    expect(stored(0) + stored(1)).toBe(3);
    expect(await end(files.move("/t/a/b", "/t"))).toBe("/t/b");
    await end(files.write("/t/c", openedOf(Buffer.from("other"))));
    const target = new MemoryTarget();
    expect(await end(getTree(files, "/t", target))).toMatchObject({ files: 3, failed: 0 });
    expect(target.all).toEqual({
      ...{ "/": "", "a/": "", "a/empty": "", "b/": "", "b/deep": "d".repeat(3000), c: "other" },
    });
    expect(await end(files.stat("/t/b/deep"))).toMatchObject({ kind: "file", bytes: 3000, time: lone.time });
    expect(await end(removeTree(files, "/t", { recursive: true }))).toMatchObject({ files: 3, failed: 0 });
    expect(await end(files.list("/"))).toEqual([]);
    expect(lone.pool.failures).toEqual([]);
  });

  it("say which component of a path failed", async () => {
    const files = filesWith();
    await end(files.makeDirectory("/a/b", { parents: true }));
    await expect(end(files.stat("/a/x/y"))).rejects.toMatchObject({
      code: "NAME_NOT_FOUND",
      why: expect.stringContaining("x in /a"),
    });
    await end(files.write("/a/f", openedOf(Buffer.from("text"))));
    await expect(end(files.stat("/a/f/y"))).rejects.toMatchObject({ code: "NAME_NOT_DIRECTORY" });
    await expect(end(textOf(files, "/a/b"))).rejects.toMatchObject({ code: "FILES_IS_DIRECTORY" });
  });

  it("are stored on the server that answers, and read from the copy that is there", async () => {
    const files = filesWith({ copies: 2 });
    await end(files.write("/two", openedOf(Buffer.from("twice"))));
    expect([stored(0), stored(1)]).toEqual([1, 1]);
    bullets[0]?.server.close();
    expect(await end(textOf(files, "/two"))).toBe("twice");
    await end(files.write("/one", openedOf(Buffer.from("once"))));
    await end(files.write("/other", openedOf(Buffer.from("once more"))));
    expect((await end(files.stat("/one"))).set).toMatchObject({ initial: 2, final: 1 });
    expect(await end(textOf(files, "/other"))).toBe("once more");
  });

  it("are read on, where it stopped, though the only server of a copy does not answer for a while", async () => {
    const text = "s".repeat(1024 * 1024 + 5);
    await end(filesWith().write("/single", openedOf(Buffer.from(text))));
    let left = 0;
    const via: Transact = (header, data, options) =>
      left-- > 0
        ? Promise.reject(
            new ProteusError({ code: "RPC_FAILURE", exit: exitCodes.unreachable, message: "lost" }),
          )
        : trans(lone.pool.near, header, data, { ...options, ...call });
    const pauses: number[] = [];
    const pause = async (milliseconds: number) => void pauses.push(milliseconds);
    const contents = (more: Partial<BulletOptions>) =>
      new BulletContents(via, { servers: () => Promise.resolve([]), call, ...more });
    const { set = expect.fail("no set") } = await end(filesWith().stat("/single"));
    const read = async (from: BulletContents, losing: (piece: number) => number): Promise<string> => {
      left = losing(0);
      const pieces: Uint8Array[] = [];
      for await (const piece of from.read(set)) {
        pieces.push(piece.slice());
        left = losing(pieces.length);
      }
      return Buffer.concat(pieces).toString("latin1");
    };
    // Two calls of the first piece are lost, and three of what follows it.
    const losing = (piece: number) => [2, 3][piece] ?? 0;
    expect(await end(read(contents({ pause }), losing))).toBe(text);
    expect(pauses).toEqual([200, 400, 200, 400, 800]);
    left = 1;
    expect(await end(contents({ pause }).bytes(set))).toBe(text.length);
    await expect(end(read(contents({}), losing))).rejects.toMatchObject({ code: "RPC_FAILURE" });
    pauses.length = 0;
    await expect(end(read(contents({ pause, patienceMs: 1000 }), () => 99))).rejects.toMatchObject({
      code: "RPC_FAILURE",
    });
    expect(pauses).toEqual([200, 400]);
  });

  const long: (name: string, test: () => Promise<void>) => void = isLong ? it : () => undefined;
  long("are read from the nearest copy, and from the others when that one fails or has rotted", async () => {
    const { pool } = lone;
    const near = new MemoryFiles({ random: pool.random });
    const server = new BulletServer({
      ...{ kernel: pool.near, engine: near, getPort: pool.random(6), key: pool.random(32), threads: 4 },
      ...{ after: new Alarms().after, failed: () => undefined, locateTimeoutMs: 20 },
    });
    const damaged: Capability[] = [];
    const servers = () => Promise.resolve([capability(0), server.capability()]);
    const files = filesWith({ copies: 2, servers, damaged: (copy) => void damaged.push(copy) });
    const text = "n".repeat(2 * 1024 * 1024 + 5);
    await end(files.write("/two", openedOf(Buffer.from(text))));
    const [far] = bullets;
    if (far === undefined) throw new Error("there is no server");
    for (const engine of [far.files, near]) vi.spyOn(engine, "cached").mockReturnValue(undefined);
    const [farReads, nearReads] = [vi.spyOn(far.files, "read"), vi.spyOn(near, "read")];
    expect(await end(textOf(files, "/two"))).toBe(text);
    expect([farReads.mock.calls.length, nearReads.mock.calls.length > 0]).toEqual([0, true]);
    nearReads.mockImplementation(async (number, position, length) => {
      if (position > 0) near.fails = "VOLUME_CORRUPT"; // in the middle of it
      return MemoryFiles.prototype.read.call(near, number, position, length);
    });
    expect(await end(textOf(files, "/two"))).toBe(text);
    expect(farReads).toHaveBeenCalled();
    expect(damaged.map(({ port }) => port)).toEqual([server.putPort]);
    server.close();
    expect(await end(textOf(filesWith({ copies: 2 }), "/two"))).toBe(text);
  });

  it("wait for a server, but not for ever", async () => {
    const paused: number[] = [];
    const pause = (milliseconds: number) => {
      paused.push(milliseconds);
      return Promise.resolve();
    };
    const files = filesWith({ pause, patienceMs: 1000 });
    for (const { server } of bullets) server.close();
    await expect(end(files.write("/x", openedOf(Buffer.from("x"))))).rejects.toMatchObject({
      code: "RPC_NOTFOUND",
    });
    expect(paused).toEqual([200, 400]);
    const none = filesWith({ servers: () => Promise.resolve([]) });
    await expect(end(none.write("/x", openedOf(Buffer.from("x"))))).rejects.toMatchObject({
      code: "FILES_NO_SERVER",
    });
  });

  it("are sent only once when they can be read only once", async () => {
    const files = filesWith();
    lone.pool.draining = true;
    let opened = 0;
    const open = () => {
      opened++;
      return Buffer.from("x");
    };
    await expect(end(files.write("/x", { open, again: false }))).rejects.toMatchObject({
      code: "STD_NOTNOW",
    });
    expect(opened).toBe(1);
    await expect(end(files.write("/x", { open, again: true }))).rejects.toMatchObject({ code: "STD_NOTNOW" });
    expect(opened).toBe(3);
  });
});
