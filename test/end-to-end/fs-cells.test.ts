// Cells under one root on a lab: two vice servers of two cells, and a machine that mounts all of them. If one
// of these fails, a cell is not found, one that is away takes the others with it, or mounts are left behind.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "./lab-runner.js";
import { firstLine, isRoot, Programs, until, within } from "./programs.js";

const folder = mkdtempSync(join(tmpdir(), "cells-"));
const at = (name: string): string => join(folder, name);

interface Shown {
  readonly cells: readonly {
    readonly name: string;
    readonly joined: boolean;
    readonly answers: boolean;
    readonly servers: readonly object[];
    readonly volumes: readonly { readonly name: string; readonly rights?: string; readonly state?: string }[];
  }[];
}

interface Status {
  readonly mounts: readonly { readonly volume: string; readonly cache: string }[];
  readonly roots: readonly object[];
}

describe.runIf(isRoot)("cells under one root", () => {
  const pool = new Programs();
  const running: Running[] = [];
  const pids = new Map<string, number>();
  const config = process.env.XDG_CONFIG_HOME;

  // Never in this process: a mount that hangs would hang the test.
  const tried = (command: string) =>
    spawnSync("sh", ["-ec", command], {
      ...{ encoding: "utf8", timeout: 30_000, cwd: "/" },
      env: { ...process.env, M: at("m"), ONE: at("one"), LC_ALL: "C" },
    });
  const sh = (command: string): string => {
    const { status, stdout, stderr } = tried(command);
    expect({ command, status, stderr: status === 0 ? "" : stderr }).toEqual({
      command,
      status: 0,
      stderr: "",
    });
    return stdout;
  };
  const json = async <Document>(node: string, ...words: string[]): Promise<Document> => {
    const { status, stdout, stderr } = await pool.run(node, ...words, "--json");
    expect({ words, status, stderr: status === 0 ? "" : stderr }).toEqual({ words, status: 0, stderr: "" });
    return JSON.parse(stdout) as Document;
  };
  const refused = async (node: string, ...words: string[]): Promise<readonly [number | null, string]> => {
    const { status, stderr } = await pool.run(node, ...words, "--json");
    const { error } = JSON.parse(stderr.trim().split("\n").at(-1) ?? "") as { error: { code: string } };
    return [status, error.code];
  };
  const serve = async (node: string, name: string, cell: string): Promise<string> => {
    const program = pool.start(node, "serve", "vice", "--state", at(name), "--cell", cell, "--json");
    running.push(program);
    const ready = JSON.parse(await firstLine(name, program)) as { pid: number; cell: string };
    expect(ready.cell).toBe(cell);
    pids.set(name, ready.pid);
    return `@${at(name)}/vice.capability`;
  };
  const mount = async (...words: string[]): Promise<Shown & { readonly pid: number }> => {
    const program = pool.start("n3", "fs", "mount", ...words, "--cache", at("caches"), "--json");
    running.push(program);
    return JSON.parse(await firstLine(`the mount of ${words.join(" ")}`, program)) as Shown & { pid: number };
  };
  const killed = async (pid = 0): Promise<void> => {
    expect(pid).toBeGreaterThan(1);
    process.kill(pid, "SIGKILL");
    await until("its end", () => (existsSync(`/proc/${pid}/maps`) ? undefined : true));
  };
  const mountsBelow = (name: string): string[] =>
    readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .flatMap((line) => (line.split(" ")[1]?.startsWith(at(name)) ? [line.split(" ")[1] ?? ""] : []));
  /** The program that mounts at a place. */
  const programOf = (target: string): number =>
    Number(
      readdirSync("/proc").find((pid) => {
        try {
          return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`\0${target}\0`);
        } catch {
          return false;
        }
      }),
    );

  beforeAll(async () => {
    process.env.XDG_CONFIG_HOME = at("config");
    for (const name of ["m", "one"]) mkdirSync(at(name));
    await pool.up("--nodes", "3");
    const math = await serve("n1", "vice-math", "math");
    const art = await serve("n2", "vice-art", "art");
    for (const [vice, name] of [
      [math, "home"],
      [math, "notes"],
      [math, "private"],
      [art, "images"],
    ] as const)
      await json("n3", "fs", "volume", "create", vice, name);
    await json("n3", "fs", "volume", "share", math, "home", "--rights", "read,write");
    await json("n3", "fs", "volume", "share", math, "notes");
    await json("n3", "fs", "volume", "share", art, "images", "--rights", "read,write");
  });
  afterAll(async () => {
    for (const name of ["m", "one"]) spawnSync("umount", ["-l", at(name)], { timeout: 10_000 });
    for (const { child } of running) child.kill("SIGTERM");
    await Promise.allSettled(running.map(({ outcome }) => within("the end", outcome, 8000)));
    for (const { child } of running) child.kill("SIGKILL");
    await pool.close();
    rmSync(folder, { recursive: true, force: true });
    if (config === undefined) delete process.env.XDG_CONFIG_HOME;
    else process.env.XDG_CONFIG_HOME = config;
  });

  it("are listed, with what is shared and nothing else", async () => {
    const { cells } = await json<Shown>("n3", "fs", "cells");
    expect(cells).toMatchObject([
      { name: "art", joined: false, answers: true, volumes: [{ name: "images", rights: "read,write" }] },
      {
        ...{ name: "math", joined: false, answers: true, servers: [{ answers: true }] },
        volumes: [
          { name: "home", rights: "read,write" },
          { name: "notes", rights: "read" },
        ],
      },
    ]);
    const { volume } = await json<{ volume: object }>(
      ...(["n3", "fs", "volume", "show", `@${at("vice-math")}/vice.capability`, "notes"] as const),
    );
    expect(volume).toMatchObject({ shared: "read" });
    expect(await refused("n3", "fs", "join", "chemistry", "--timeout", "500ms")).toEqual([
      3,
      "FS_CELL_UNKNOWN",
    ]);
    expect(await refused("n3", "fs", "leave", "chemistry")).toEqual([3, "FS_CELL_NOT_JOINED"]);
    expect(await refused("n3", "fs", "mount", "chemistry", at("one"), "--timeout", "500ms")).toEqual([
      ...[3, "FS_CELL_UNKNOWN"],
    ]);
    expect((await refused("n3", "fs", "mount", "math"))[0]).toBe(2);
    expect((await refused("n3", "fs", "join", "../x"))[0]).toBe(2);
  });

  it("are mounted all at one place; links lead from one to the other", async () => {
    await json("n3", "fs", "join", "math");
    const ready = await mount("--all", at("m"));
    pids.set("root", ready.pid);
    expect(
      ready.cells.map(({ name, joined, volumes }) => [name, joined, volumes.map((v) => [v.name, v.state])]),
    ).toEqual([
      [
        "math",
        true,
        [
          ["home", "mounted"],
          ["notes", "mounted"],
        ],
      ],
      ["art", false, [["images", "mounted"]]],
    ]);
    expect(
      sh("ls $M $M/math; echo one > $M/math/home/f; echo two > $M/art/images/g; cat $M/art/images/g"),
    ).toBe(`${at("m")}:\nart\nmath\n\n${at("m")}/math:\nhome\nnotes\ntwo\n`);
    expect(sh("ln -s ../../art/images/g $M/math/home/link; ln -s ../../../math/home $M/art/images/up")).toBe(
      "",
    );
    expect(
      sh("mkdir $M/art/images/d; ln -s ../../../math/home/f $M/art/images/d/f; cat $M/art/images/d/f"),
    ).toBe("one\n");
    expect(sh("cat $M/math/home/link; echo three >> $M/math/home/link; cat $M/art/images/g")).toBe(
      "two\ntwo\nthree\n",
    );
    expect(sh("ln -s /etc/passwd $M/math/home/local; cmp $M/math/home/local /etc/passwd && echo here")).toBe(
      "here\n",
    );
    expect(tried("echo x > $M/math/notes/x").stderr).toMatch(/Read-only file system/);
    expect(tried("mkdir $M/chemistry").status).not.toBe(0);
    expect(await refused("n3", "fs", "log", at("m"))).toEqual([3, "FS_NOT_MOUNTED"]);
    const status = await json<Status>("n3", "fs", "status", at("m"));
    expect(status.mounts).toHaveLength(3);
    const cache = status.mounts.find(({ volume }) => volume === "home")?.cache ?? "";
    const inode = Number(sh("stat -c %i $M/math/home/f"));
    const hex = (inode % 256).toString(16).padStart(2, "0");
    expect(readFileSync(join(cache, "content", hex, String(inode)), "utf8")).toBe("one\n");
    expect(status.roots).toMatchObject([{ target: at("m"), state: "mounted", cells: [{}, {}] }]);
  });

  it("come later too, with volumes that are shared later", async () => {
    await serve("n2", "vice-law", "law");
    await json("n3", "fs", "volume", "create", `@${at("vice-law")}/vice.capability`, "cases");
    await json("n3", "fs", "volume", "share", `@${at("vice-law")}/vice.capability`, "cases");
    await json("n3", "fs", "volume", "share", `@${at("vice-math")}/vice.capability`, "private");
    await until("a new cell", () => (tried("ls $M/law/cases").status === 0 ? true : undefined), 30_000);
    await until("a new volume", () => (tried("ls $M/math/private").status === 0 ? true : undefined), 30_000);
  });

  it("go on when a server or a mount's program is killed", async () => {
    sh("cat $M/math/home/f > /dev/null");
    await killed(pids.get("vice-math"));
    expect(sh("cat $M/math/home/f; echo four > $M/art/images/h; cat $M/art/images/h")).toBe("one\nfour\n");
    const target = at("m/art/images");
    await killed(programOf(target));
    const seen = await until(
      "the volume again",
      () => {
        const { status, stdout } = tried("cat $M/art/images/h");
        return status === 0 ? stdout : undefined;
      },
      30_000,
    );
    expect(seen).toBe("four\n");
    expect(sh("cat $M/math/home/f")).toBe("one\n");
    const { cells } = await json<Shown>("n3", "fs", "cells");
    expect(cells.find(({ name }) => name === "math")).toMatchObject({ joined: true, answers: false });
  });

  it("are taken off all at once", async () => {
    await json("n3", "fs", "umount", at("m"));
    expect(mountsBelow("m")).toEqual([]);
    expect(readdirSync(at("m"))).toEqual([]);
    expect(programOf(at("m/math/home"))).toBeNaN();
    const { mounts } = await json<{ mounts: { target: string }[] }>("n3", "fs", "status");
    expect(mounts.filter(({ target }) => target.startsWith(at("m")))).toEqual([]);
  });

  it("that were joined are mounted without their servers, and what a killed root leaves is taken off", async () => {
    const ready = await mount("math", at("one"));
    expect(ready.cells).toMatchObject([{ name: "math", joined: true, answers: false }]);
    expect(sh("cat $ONE/home/f; readlink $ONE/home/link")).toBe("one\n../../art/images/g\n");
    await serve("n1", "vice-math", "math");
    await until("writing", () =>
      tried("echo five > $ONE/home/f5 && cat $ONE/home/f5").status === 0 ? true : undefined,
    );
    await killed(ready.pid);
    expect(tried("ls $ONE").status).not.toBe(0);
    const again = await mount("math", at("one")); // what the killed one has left is not in its way
    expect(again.cells[0]?.volumes.map(({ state }) => state)).toEqual(["mounted", "mounted", "mounted"]);
    expect(sh("cat $ONE/home/f5")).toBe("five\n");
    await killed(again.pid);
    await json("n3", "fs", "umount", at("one"));
    expect(mountsBelow("one")).toEqual([]);
    expect(programOf(at("one/home"))).toBeNaN();
    await json("n3", "fs", "leave", "math");
    expect((await json<Shown>("n3", "fs", "cells")).cells.every(({ joined }) => !joined)).toBe(true);
  });

  it("can be mounted by the volume, and share it no longer when that is said", async () => {
    const program = pool.start(
      "n3",
      "fs",
      "mount",
      "math",
      at("one"),
      "--volume",
      "home",
      "--cache",
      at("single"),
    );
    running.push(program);
    expect(await firstLine("the volume", program)).toBe(`home is mounted at ${at("one")}`);
    expect(sh("cat $ONE/f5")).toBe("five\n");
    await json("n3", "fs", "umount", at("one"));
    await json("n3", "fs", "volume", "unshare", `@${at("vice-math")}/vice.capability`, "home");
    const words = ["fs", "mount", "math", at("one"), "--volume", "home", "--cache", at("single")];
    expect(await refused("n3", ...words)).toEqual([3, "FS_VOLUME_UNKNOWN"]);
  });
});
