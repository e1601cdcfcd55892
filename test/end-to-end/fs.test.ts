// The caching file system on a lab: vice on one machine, the same volume mounted on two others, ordinary
// programs on both. If one of these fails, what one writes the other does not read, or work is lost.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Running } from "./lab-runner.js";
import { firstLine, isRoot, Programs, until, within } from "./programs.js";

/** Linux hands files of a FUSE mount to the kernel since 6.9. */
const [major = 0, minor = 0] = release().split(".").map(Number);
const hasPassthrough = major > 6 || (major === 6 && minor >= 9);

const folder = mkdtempSync(join(tmpdir(), "fs-"));
const at = (name: string): string => join(folder, name);

describe.runIf(isRoot)("a volume that two machines mount", () => {
  const pool = new Programs();
  const running: Running[] = [];
  const copies: ChildProcess[] = [];
  const vice = `@${at("vice")}/vice.capability`;
  /** Programs by what they are: they run in the machines' namespaces, not as children of this one. */
  const pids = new Map<string, number>();
  const kill = async (what: string): Promise<void> => {
    const pid = pids.get(what) ?? 0;
    expect(pid).toBeGreaterThan(1);
    process.kill(pid, "SIGKILL");
    await until("its end", () => (existsSync(`/proc/${pid}/maps`) ? undefined : true));
  };

  // Never in this process: a mount that hangs would hang the test.
  const sh = (command: string): string => {
    const { status, stdout, stderr } = spawnSync("sh", ["-ec", command], {
      ...{ encoding: "utf8", timeout: 30_000, cwd: "/" },
      env: { ...process.env, A: at("a"), B: at("b"), LC_ALL: "C" },
    });
    expect({ command, status, stderr: status === 0 ? "" : stderr }).toEqual({
      command,
      status: 0,
      stderr: "",
    });
    return stdout;
  };
  const serve = async (): Promise<void> => {
    const program = pool.start("n1", "serve", "vice", "--state", at("vice"), "--json");
    running.push(program);
    const ready = JSON.parse(await firstLine("vice", program)) as { capability: string; pid: number };
    expect(ready.capability).toBe(`${at("vice")}/vice.capability`);
    pids.set("vice", ready.pid);
  };
  const mount = async (node: string, name: string, ...more: string[]): Promise<Running> => {
    const words = ["fs", "mount", vice, at(name), "--volume", "home", "--cache", at(`cache-${name}`)];
    const program = pool.start(node, ...words, ...more, "--machine", node, "--json");
    running.push(program);
    const ready = JSON.parse(await firstLine(`the mount on ${node}`, program)) as {
      readonly pid: number;
    };
    expect(ready).toMatchObject({ volume: "home", passthrough: hasPassthrough });
    pids.set(name, ready.pid);
    return program;
  };
  const json = async (node: string, ...words: string[]): Promise<Record<string, unknown>> => {
    const { status, stdout, stderr } = await pool.run(node, ...words, "--json");
    expect({ words, status, stderr: status === 0 ? "" : stderr }).toEqual({ words, status: 0, stderr: "" });
    return JSON.parse(stdout) as Record<string, unknown>;
  };
  const status = async (name: string): Promise<Record<string, unknown>> => {
    const { mounts } = (await json("n2", "fs", "status", at(name))) as { mounts: Record<string, unknown>[] };
    return mounts[0] ?? {};
  };

  beforeAll(async () => {
    for (const name of ["a", "b"]) mkdirSync(at(name));
    await pool.up("--nodes", "3");
    await serve();
    await json("n2", "fs", "volume", "create", vice, "home", "--conflicts", "client");
    await mount("n2", "a");
    await mount("n3", "b");
  });
  afterAll(async () => {
    for (const name of ["a", "b"]) spawnSync("umount", ["-l", at(name)], { timeout: 10_000 });
    for (const copy of copies) copy.kill("SIGKILL");
    for (const { child } of running) child.kill("SIGTERM");
    await Promise.allSettled(running.map(({ outcome }) => within("the end", outcome, 5000)));
    for (const { child } of running) child.kill("SIGKILL");
    await pool.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it("is known by name, on every machine", async () => {
    const { volumes } = (await json("n3", "fs", "volume", "list", vice)) as { volumes: object[] };
    expect(volumes).toMatchObject([
      { name: "home", semantics: "session", policy: "client", venuses: 2, sessions: 2 },
    ]);
    const shown = await json("n3", "fs", "volume", "show", vice, "home");
    expect(shown).toMatchObject({
      volume: { name: "home", capability: expect.stringMatching(/^[0-9a-f]{32}$/) },
    });
    const merging = await pool.run(
      "n3",
      "fs",
      "volume",
      "create",
      vice,
      "x",
      "--conflicts",
      "program",
      "--json",
    );
    expect(JSON.parse(merging.stderr)).toMatchObject({ error: { code: "STD_NOTNOW" } }); // it has no --merge
    const missing = await pool.run("n3", "fs", "volume", "show", vice, "other", "--json");
    expect(missing.status).toBe(3);
    expect(JSON.parse(missing.stderr)).toMatchObject({ error: { code: "FS_VOLUME_UNKNOWN" } });
  });

  it("shows on one machine what was closed on the other", () => {
    expect(sh("echo hello > $A/f; cat $B/f; echo there > $B/f; cat $A/f; cat $B/f")).toBe(
      "hello\nthere\nthere\n",
    );
    expect(sh('for i in $(seq 30); do echo $i > $A/n; test "$(cat $B/n)" = $i; done; cat $A/n')).toBe("30\n");
    sh("head -c 1500000 /dev/urandom > $A/large; cmp $A/large $B/large");
    sh("mkdir -p $A/d/e; mv $A/f $A/d/e/g; ln -s e/g $A/d/link; ln $A/d/e/g $A/hard");
    expect(sh("cat $B/d/link; stat -c '%h %a' $B/hard; ls $B")).toBe("there\n2 644\nd\nhard\nlarge\nn\n");
    expect(sh("rm $B/hard; rmdir $A/d/e 2>/dev/null || echo kept; ls $A")).toBe("kept\nd\nlarge\nn\n");
    expect(
      sh("chmod 600 $B/n; touch -d '2001-02-03 04:05:06.123456789 UTC' $B/n; TZ=UTC stat -c '%a %y' $A/n"),
    ).toBe("600 2001-02-03 04:05:06.123456789 +0000\n");
  });

  const hasPython = spawnSync("python3", ["--version"]).status === 0;
  it.runIf(hasPython)("can be mapped, appended to and written in the middle, as a local disk", () => {
    const map =
      "import mmap,sys;f=open(sys.argv[1],'r+b');m=mmap.mmap(f.fileno(),0);m[5:10]=b'there';m.flush();f.close()";
    sh("printf 'hello world\\n' > $A/m; cat $B/m > /dev/null");
    sh(`python3 -c "${map}" $A/m`);
    sh("echo more >> $A/m; printf HE | dd of=$A/m conv=notrunc status=none");
    expect(sh("cat $A/m; cat $B/m")).toBe("HEllothered\nmore\nHEllothered\nmore\n");
    sh("truncate -s 5 $B/m; cat $A/m > /dev/null");
    expect(sh("cat $A/m; stat -c %s $A/m $B/m")).toBe("HEllo5\n5\n");
  });

  it("is a place for trees, and lists them alike", () => {
    sh("mkdir $A/t; tar -C /usr/include -cf - linux/netfilter | tar -C $A/t -xf -");
    sh("diff -r /usr/include/linux/netfilter $B/t/linux/netfilter");
    sh("rm -r $B/t; test ! -e $A/t");
  });

  it("is changed without waiting by who is alone there, until somebody else looks", async () => {
    type Permit = { readonly state: string; readonly fence: number; readonly mode: string };
    const permit = async (name: string): Promise<Permit> => (await status(name)).permit as Permit;
    sh("mkdir $A/p; cat $A/p/* 2> /dev/null || true");
    const held = await until(
      "a permit",
      async () => {
        sh("for i in 1 2 3 4 5 6 7 8 9; do echo $i > $A/p/n; done");
        const now = await permit("a");
        return now.state === "held" ? now : undefined;
      },
      60_000,
    );
    expect(held).toMatchObject({ fence: expect.any(Number), mode: "auto" });
    const shown = await pool.run("n2", "fs", "status", at("a"));
    expect(shown.stdout).toContain(`permit ${held.fence}, held for`);
    sh("cd $A/p; for i in $(seq 200); do echo $i > t; mv t f$i; done; rm f1; mkdir d");
    expect(sh("ls $B/p | wc -l; cat $B/p/f200; cat $B/p/f2 $B/p/n")).toBe("201\n200\n2\n9\n");
    expect((await permit("a")).state).toBe("none");
    for (let round = 0; round < 20; round++) {
      sh(`for i in 1 2 3; do echo ${round} > $A/p/x; mv $A/p/x $A/p/y; done`);
      expect(sh("cat $B/p/y")).toBe(`${round}\n`);
    }
    // One that is killed with a permit costs others a lease, and loses nothing.
    await until(
      "a permit",
      async () => {
        sh("for i in 1 2 3 4 5 6 7 8 9; do echo $i > $A/p/n; done");
        return (await permit("a")).state === "held" ? true : undefined;
      },
      60_000,
    );
    sh("for i in $(seq 50); do echo $i > $A/p/k$i; done");
    await kill("a");
    expect(sh("ls $B/p/y")).toContain("/p/y\n");
    await mount("n2", "a");
    await until("what was not shipped", () =>
      sh("cat $B/p/k* 2> /dev/null | wc -l") === "50\n" ? true : undefined,
    );
    sh("rm -r $B/p; test ! -e $A/p");
  });

  it("shows what was there before, and an earlier version is copied back", async () => {
    expect(await json("n2", "fs", "volume", "history", vice, "home", "2h")).toMatchObject({ history: 7200 });
    sh("mkdir $A/h; echo one > $A/h/f; echo two > $B/h/f; rm $A/h/f");
    expect(sh("ls -A $A $B")).not.toContain(".history");
    type Version = { readonly time: string; readonly file: string };
    const { versions } = (await json("n3", "fs", "history", at("b/h/f"))) as { versions: Version[] };
    const texts = versions.map(({ file }) => sh(`cat '${file}'`));
    const [one, two] = ["one\n", "two\n"].map((text) => versions[texts.indexOf(text)]);
    expect(texts.filter((text) => text !== "")).toEqual(["one\n", "two\n"]);
    sh(`cp -p '${one?.file}' $A/h/f; cmp '${one?.file}' $B/h/f`);
    expect(sh(`cat $A/.history/${two?.time}/h/f; cd $B/.history/${one?.time}; find h; cat h/f`)).toBe(
      "two\nh\nh/f\none\n",
    );
    const tries = ["touch $A/.history/x", `rm -f $A/.history/${two?.time}/h/f`, "mkdir $B/.history"];
    expect(sh(tries.map((each) => `if ${each} 2> /dev/null; then echo '${each}'; fi`).join("\n"))).toBe("");
    const { names } = (await json("n2", "fs", "history", at("a/h"))) as { names: object[] };
    expect(names).toMatchObject([{ name: "f", there: true, versions: expect.any(Number) }]);
    const never = await pool.run("n2", "fs", "history", at("a/never"), "--json");
    expect(never.status).toBe(3);
    expect(JSON.parse(never.stderr)).toMatchObject({ error: { code: "FS_HISTORY_UNKNOWN" } });
    sh("rm -r $A/h");
  });

  it("has contents that an administrator can read", () => {
    const contents = at("vice/volumes/1/content");
    sh("echo in plain sight > $A/plain");
    const files = readdirSync(contents).flatMap((part) =>
      readdirSync(join(contents, part)).map((name) => join(contents, part, name)),
    );
    expect(
      files.some((file) => statSync(file).size === 15 && readFileSync(file, "utf8") === "in plain sight\n"),
    ).toBe(true);
  });

  it("goes on without the network, and brings both sides' work together", async () => {
    sh("echo base > $A/both; cat $B/both");
    expect(await json("n2", "fs", "disconnect", at("a"))).toMatchObject({ state: "disconnected" });
    sh("echo from a > $A/both; mkdir $A/new; echo a > $A/new/a; cat $A/d/link; df $A");
    sh("echo from b > $B/both; echo b > $B/only-b");
    const { records } = (await json("n2", "fs", "log", at("a"))) as {
      records: { op: string; name: string }[];
    };
    expect(records.map(({ op, name }) => `${op} ${name}`)).toEqual([
      ...["store both", "make new", "make a", "store a"],
    ]);
    expect((await status("a")).records).toBe(4);
    await json("n2", "fs", "connect", at("a"));
    await until("reintegration", async () => ((await status("a")).records === 0 ? true : undefined));
    expect(sh("cat $A/both $A/both.conflict-n3-*; cat $A/new/a $A/only-b")).toBe("from a\nfrom b\na\nb\n");
    await until("the same tree on both sides", () =>
      sh("cd $A; find . | sort") === sh("cd $B; find . | sort") ? true : undefined,
    );
  });

  it("lists what did not fit together, until somebody has looked at it", async () => {
    const listed = async () =>
      ((await json("n2", "fs", "conflicts", vice, "home")) as { conflicts: { number: number }[] }).conflicts;
    const kept = expect.stringMatching(/^\/both\.conflict-n3-\d+$/);
    const [first, ...more] = await listed();
    expect(first).toMatchObject({ machine: "n2", op: "store", path: "/both", kept });
    expect(more).toEqual([]);
    const wrong = await pool.run("n2", "fs", "resolve", vice, "home", "99", "--json");
    expect(JSON.parse(wrong.stderr)).toMatchObject({ error: { code: "FS_CONFLICT_UNKNOWN" } });
    const number = first?.number ?? 0;
    expect(await json("n2", "fs", "resolve", vice, "home", `${number}`)).toMatchObject({
      resolved: [number],
    });
    expect(await listed()).toEqual([]);
    expect(sh("cat $A/both $A/both.conflict-n3-*")).toBe("from a\nfrom b\n");
  });

  it("loses nothing when vice is killed, and nothing hangs meanwhile", async () => {
    sh("echo before > $A/k");
    await kill("vice");
    sh("echo while it was away > $A/k; cat $A/k; ls $A");
    await serve();
    await until("reintegration", async () => ((await status("a")).records === 0 ? true : undefined));
    await until("the other side", () => {
      const { stdout } = spawnSync("cat", [at("b/k")], { encoding: "utf8", timeout: 10_000 });
      return stdout === "while it was away\n" ? true : undefined;
    });
  });

  it("starts warm after it was killed, with what was not shipped", async () => {
    sh("echo kept > $A/warm; cat $A/large > /dev/null");
    await json("n2", "fs", "disconnect", at("a"));
    sh("echo not shipped > $A/unshipped");
    const { mounts } = (await json("n2", "fs", "status")) as { mounts: { target: string }[] };
    expect(mounts.map(({ target }) => target).sort()).toEqual([at("a"), at("b")]);
    await kill("a");
    await mount("n2", "a");
    expect(sh("cat $A/warm $A/unshipped")).toBe("kept\nnot shipped\n");
    await until("the other side", () => (existsSync(at("b/unshipped")) ? true : undefined));
    expect(sh("cat $B/unshipped")).toBe("not shipped\n");
  });

  it("keeps what is pinned, and as a replica all of it, without the network", async () => {
    const isWhole = (name: string, objects: number) => async () => {
      const hoard = (await status(name)).hoard as { state: string; objects: number };
      return hoard.state === "whole" && hoard.objects >= objects ? true : undefined;
    };
    sh("mkdir -p $A/pin/deep; echo one > $A/pin/one; head -c 700000 /dev/urandom > $A/pin/deep/two");
    expect(await json("n3", "fs", "hoard", "add", at("b/pin"))).toMatchObject({ became: "done" });
    const missing = await pool.run("n3", "fs", "hoard", "add", at("b/nothing"), "--json");
    expect(JSON.parse(missing.stderr)).toMatchObject({ error: { code: "FS_PATH_MISSING" } });
    sh("echo three > $A/pin/three");
    await until("what is pinned", isWhole("b", 5));
    const { pins } = (await json("n3", "fs", "hoard", "list", at("b"))) as { pins: object[] };
    expect(pins).toMatchObject([{ path: at("b/pin"), kind: "tree", objects: 5, here: 5 }]);
    await json("n3", "fs", "disconnect", at("b"));
    expect(sh("cat $B/pin/one $B/pin/three; cmp $A/pin/deep/two $B/pin/deep/two")).toBe("one\nthree\n");
    await kill("b");
    await mount("n3", "b", "--mode", "replica");
    await until("all of it", isWhole("b", 6));
    await json("n3", "fs", "disconnect", at("b"));
    sh("test $(cd $B; find . -type f -print0 | xargs -0 cat | wc -c) -gt 2000000; diff -r $A/pin $B/pin");
    await json("n3", "fs", "connect", at("b"));
  });

  it("finds damage in a cache and at the server, and mends what is elsewhere", async () => {
    await until("a connection", async () => ((await status("b")).state === "connected" ? true : undefined));
    const good = await json("n3", "fs", "verify", at("b"));
    expect(good).toMatchObject({ clean: true, isCompared: true });
    const bad = sh("stat -c %i $B/pin/one").trim();
    const damage = (root: string, name: string): void => {
      const folders = readdirSync(root).map((part) => join(root, part));
      const found = folders.flatMap((part) => readdirSync(part).map((each) => join(part, each)));
      const path = found.find((each) => each.endsWith(`/${name}`) || each.includes(`/${name}.`)) ?? "";
      writeFileSync(path, "ONE\n");
    };
    damage(at("cache-b/content"), bad);
    const found = await pool.run("n3", "fs", "verify", at("b"), "--json");
    expect(found.status).toBe(6);
    expect(JSON.parse(found.stdout)).toMatchObject({ problems: [{ name: "one", repair: "possible" }] });
    expect(await json("n3", "fs", "verify", at("b"), "--repair")).toMatchObject({ found: 1, clean: true });
    expect(sh("cat $B/pin/one")).toBe("one\n");
    expect(await json("n2", "fs", "volume", "verify", vice, "home")).toMatchObject({ clean: true });
    damage(at("vice/volumes/1/content"), bad);
    const lost = await pool.run("n2", "fs", "volume", "verify", vice, "home", "--json");
    expect(lost.status).toBe(6);
    expect(JSON.parse(lost.stdout)).toMatchObject({ problems: [{ name: "one", repair: "none" }] });
  });

  it("has a quota, and one that nobody needs is deleted", async () => {
    expect(await json("n2", "fs", "volume", "quota", vice, "home", "1K")).toMatchObject({ quota: 1024 });
    expect(sh("if head -c 2000000 /dev/zero > $A/most; then echo taken; else echo no; fi; rm $A/most")).toBe(
      "no\n",
    );
    await json("n2", "fs", "volume", "quota", vice, "home", "0");
    await json("n2", "fs", "volume", "create", vice, "spare");
    expect(await json("n2", "fs", "volume", "delete", vice, "spare")).toMatchObject({ name: "spare" });
    expect(readdirSync(at("vice/volumes"))).toEqual(["1"]);
    const kept = await pool.run("n2", "fs", "volume", "delete", vice, "home", "--json");
    expect(JSON.parse(kept.stderr)).toMatchObject({ error: { code: "FS_VOLUME_NOT_EMPTY" } });
  });

  it("is taken off with a command, and its program ends, also when another namespace has a copy", async () => {
    const copy = spawn("unshare", ["-m", "--propagation", "private", "sleep", "60"], {
      stdio: "ignore",
      cwd: "/",
    });
    copies.push(copy);
    await until("the copy", () => {
      const mounts = readFileSync(`/proc/${copy.pid}/mountinfo`, "utf8");
      return readlinkSync(`/proc/${copy.pid}/ns/mnt`) !== readlinkSync("/proc/self/ns/mnt") &&
        mounts.includes(at("b"))
        ? true
        : undefined;
    });
    const program = running.findLast(({ child }) => child.spawnargs.includes(at("b")));
    expect(await json("n3", "fs", "umount", at("b"))).toMatchObject({ volume: "home" });
    if (program !== undefined) expect((await within("its end", program.outcome)).status).toBe(0);
    writeFileSync(at("b/beside"), "the folder itself");
    const gone = await pool.run("n3", "fs", "umount", at("b"), "--json");
    expect(JSON.parse(gone.stderr)).toMatchObject({ error: { code: "FS_NOT_MOUNTED" } });
  });
});
