// Trees on a real disk. If one of these fails, a file is written outside of the place that was
// named, half of one is left behind, or something comes out other than it was.

import { execFileSync } from "node:child_process";
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Files } from "../../../control/files/files.js";
import { getTree, putTree } from "../../../control/files/trees.js";
import { DiskSource, DiskTarget } from "../../../control/node/disk-tree.js";
import { MemoryPool } from "../files/memory.js";

let folder: string;
let outside: string;
let pool: MemoryPool;
let files: Files;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "disk-tree-"));
  outside = join(folder, "outside");
  await mkdir(outside);
  await writeFile(join(outside, "theirs"), "theirs");
  await mkdir(join(folder, "in/a/b"), { recursive: true });
  await writeFile(join(folder, "in/a/b/deep"), "deep".repeat(200_000));
  await writeFile(join(folder, "in/a/é 1"), "first");
  await writeFile(join(folder, "in/empty"), "");
  pool = new MemoryPool();
  files = new Files(pool.names, pool.contents);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* text(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content);
}
const got = async (path: string) => {
  const target = new DiskTarget(join(folder, "out"));
  try {
    return await getTree(files, path, target);
  } finally {
    await target.close();
  }
};

describe("a tree of the disk", () => {
  it("goes in and comes out identical", async () => {
    pool.contents.read = async function* (set) {
      yield pool.bytesOf(set) ?? new Uint8Array(0);
    };
    expect(await putTree(files, new DiskSource(join(folder, "in")), "/t")).toMatchObject({
      ...{ files: 3, directories: 3, bytes: 800_005, failed: 0, special: 0, skipped: [] },
    });
    expect(await got("/t")).toMatchObject({ files: 3, directories: 3, failed: 0 });
    expect(execFileSync("diff", ["-r", join(folder, "in"), join(folder, "out")]).toString()).toBe("");
  });

  it("lacks what is no file; it is said what, and whose permissions are not kept", async () => {
    await symlink("a", join(folder, "in/link"));
    await symlink("nothing", join(folder, "in/dangling"));
    await chmod(join(folder, "in/empty"), 0o600);
    execFileSync("mkfifo", [join(folder, "in/pipe")]);
    await writeFile(Buffer.concat([Buffer.from(join(folder, "in/bad-")), Buffer.from([0xff])]), "x");
    const report = await putTree(files, new DiskSource(join(folder, "in")), "/t");
    expect(report).toMatchObject({ files: 3, failed: 0, special: 1, skippedCount: 4 });
    expect(Object.fromEntries(report.skipped.map(({ path, why }) => [path.split("/").at(-1), why]))).toEqual({
      "bad-?": "its name is not UTF-8",
      dangling: "it is a symbolic link",
      link: "it is a symbolic link",
      pipe: "it is no file: a pipe, a socket or a device",
    });
  });

  it("ends though links lead back, when they are followed", async () => {
    await symlink("..", join(folder, "in/a/up"));
    await symlink("../../outside", join(folder, "in/a/out"));
    await symlink("nothing", join(folder, "in/dangling"));
    const report = await putTree(files, new DiskSource(join(folder, "in"), { follow: true }), "/t");
    expect(report).toMatchObject({ files: 4, failed: 0, skippedCount: 2 });
    expect(pool.all("/t/a/out")).toEqual({ "/t/a/out/theirs": "theirs" });
  });

  it("goes in without what cannot be read", async () => {
    const source = new DiskSource(join(folder, "in"));
    const { open } = source;
    source.open = async function* (place) {
      if (place.at(-1) === "empty") await rm(join(folder, "in/empty"));
      yield* open.call(source, place);
    };
    const report = await putTree(files, source, "/t");
    expect(report).toMatchObject({ files: 2, failed: 1, failures: [{ code: "ENOENT" }] });
    await expect(putTree(files, new DiskSource(join(folder, "none")), "/u")).rejects.toThrow("ENOENT");
  });
});

describe("a place on the disk", () => {
  const write = async (place: readonly string[]) => {
    const target = new DiskTarget(join(folder, "out"));
    try {
      await target.makeDirectory([]);
      await target.write(place, text("mine"));
    } finally {
      await target.close();
    }
  };

  it("is never left through a link that stands in it", async () => {
    await mkdir(join(folder, "out"));
    await symlink(outside, join(folder, "out/dir"));
    await symlink(join(outside, "theirs"), join(folder, "out/file"));
    await expect(write(["dir", "theirs"])).rejects.toMatchObject({ code: "FILES_IN_THE_WAY" });
    await expect(write(["dir", "new"])).rejects.toMatchObject({ code: "FILES_IN_THE_WAY" });
    await write(["file"]);
    expect(await readFile(join(folder, "out/file"), "utf8")).toBe("mine");
    expect((await lstat(join(folder, "out/file"))).isFile()).toBe(true);
    expect(await readdir(outside)).toEqual(["theirs"]);
    expect(await readFile(join(outside, "theirs"), "utf8")).toBe("theirs");
    expect(await readlink(join(folder, "out/dir"))).toBe(outside);
  });

  it("is never left through a directory that becomes a link meanwhile", async () => {
    const target = new DiskTarget(join(folder, "out"));
    await target.makeDirectory([]);
    await target.makeDirectory(["dir"]);
    const swapped = async function* (): AsyncGenerator<Uint8Array> {
      execFileSync("mv", [join(folder, "out/dir"), join(folder, "out/was")]);
      await symlink(outside, join(folder, "out/dir"));
      yield Buffer.from("mine");
    };
    await target.write(["dir", "theirs"], swapped());
    await target.close();
    expect(await readFile(join(outside, "theirs"), "utf8")).toBe("theirs");
    expect(await readFile(join(folder, "out/was/theirs"), "utf8")).toBe("mine");
  });

  it.each([["..", "x"], ["a/../../x"], ["/x"], [""], ["."], ["n\0"]])(
    "is never left by the name %j",
    async (...place) => {
      await expect(write(place)).rejects.toThrow();
      expect((await readdir(folder)).sort()).toEqual(["in", "out", "outside"]);
    },
  );

  it("gets no half of a file, and loses none for it", async () => {
    await write(["kept"]);
    const target = new DiskTarget(join(folder, "out"));
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from("half");
      throw new Error("the server is gone");
    };
    await expect(target.write(["kept"], broken())).rejects.toThrow("the server is gone");
    await target.makeDirectory(["directory"]);
    await expect(target.write(["directory"], text("x"))).rejects.toMatchObject({ code: "FILES_IN_THE_WAY" });
    await target.close();
    expect((await readdir(join(folder, "out"))).sort()).toEqual(["directory", "kept"]);
    expect(await readFile(join(folder, "out/kept"), "utf8")).toBe("mine");
  });

  it("keeps few directories open", async () => {
    const target = new DiskTarget(join(folder, "out"));
    await target.makeDirectory([]);
    const open = async () => (await readdir("/proc/self/fd")).length;
    const before = await open();
    for (let at = 0; at < 200; at++) await target.makeDirectory([`d${at}`]);
    await Promise.all(Array.from({ length: 200 }, (_, at) => target.write([`d${at}`, "x"], text("x"))));
    expect(await open()).toBeLessThan(before + 80);
    await target.close();
    expect(await open()).toBeLessThan(before + 5);
  });

  it("can be a file, a pipe or a device", async () => {
    const one = new DiskTarget(join(folder, "in/empty"));
    await one.write([], text("one"));
    expect(await readFile(join(folder, "in/empty"), "utf8")).toBe("one");
    await new DiskTarget("/dev/null").write([], text("one"));
    expect((await lstat("/dev/null")).isCharacterDevice()).toBe(true);
    await expect(new DiskTarget(folder).write([], text("x"))).rejects.toMatchObject({
      code: "FILES_IN_THE_WAY",
    });
  });
});
