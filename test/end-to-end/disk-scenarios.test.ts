// What may happen to a disk of several machines while somebody works on it, with real processes, a
// real client that verifies every byte, and nobody who helps. If one of these fails, an
// administrator loses data, or has to get up at night.

import { closeSync, copyFileSync, ftruncateSync, openSync, rmSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { DiskLab, type DiskLabOptions, diskBytes, MiB, must } from "./disks.js";

const tier = process.env.PROTEUS_TIER ?? "quick";
/** How often each scenario is played. */
const times = tier === "nightly" ? 20 : 1;

let disks = new DiskLab();
afterEach(() => disks.close());

/** A scenario on a disk that is made for it. */
function scenario(name: string, options: DiskLabOptions, play: () => Promise<void>): void {
  it.each(Array.from({ length: times }, (_, index) => index + 1))(`${name} (%i)`, async () => {
    disks = new DiskLab();
    await disks.make(options);
    await play();
  });
}

const others = (nodes: readonly string[], node: string): string[] => nodes.filter((each) => each !== node);
const three = ["n1", "n2", "n3"] as const;
const isDown = (node: string) =>
  disks.shown(({ members }) => members.some((each) => each.node === node && each.state === "down"));
const isOk = () => disks.shown(disks.isWhole);

/** Overwrites bytes of a file in place, as a medium that rots. */
function rot(path: string, from: number, bytes: number): void {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(bytes, 0xa5), 0, bytes, from);
  closeSync(file);
}

describe("power cuts under load", { timeout: 600_000 }, () => {
  scenario("the machine that serves", {}, async () => {
    disks.load();
    const server = await disks.server();
    await disks.kill(server);
    await disks.loaded();
    expect(await disks.server()).not.toBe(server);
    await disks.start(server);
    await disks.whole({ members: three });
  });

  scenario("a machine that does not serve", {}, async () => {
    disks.load();
    const [other = ""] = others(three, await disks.server());
    await disks.kill(other);
    await isDown(other);
    await disks.loaded();
    await disks.start(other);
    await disks.whole({ members: three });
  });

  scenario("each machine in turn", {}, async () => {
    disks.load(40);
    for (const node of three) {
      await disks.kill(node);
      await isDown(node);
      await disks.start(node);
      await isOk();
    }
    await disks.whole({ members: three });
  });

  scenario("two of three: requests wait, and go on when one is back", {}, async () => {
    const [first = "", second = ""] = others(three, await disks.server());
    disks.load();
    await disks.kill(first);
    await isDown(first);
    await disks.kill(second);
    await disks.start(second);
    await disks.loaded();
    await disks.start(first);
    await disks.whole({ members: three });
  });

  scenario("all at once", {}, async () => {
    for (const node of three) await disks.kill(node);
    for (const node of three) await disks.start(node);
    await disks.whole({ members: three });
  });

  scenario("one after another: the first to die knows the least, and does not win", {}, async () => {
    await disks.kill("n1");
    await isDown("n1");
    disks.load(4);
    await disks.loaded();
    await disks.kill("n2");
    await disks.kill("n3");
    await disks.start("n1");
    await disks.start("n2");
    await disks.shown(({ members }) =>
      members.some(({ node, state }) => node === "n2" && state === "in-sync"),
    );
    await disks.start("n3");
    await disks.whole({ members: three });
  });

  scenario("the machine that serves, and again while its successor resynchronises it", {}, async () => {
    const first = await disks.server();
    disks.load(20);
    await disks.kill(first);
    const second = await until2(
      () => disks.server(),
      (server) => server !== first,
    );
    await disks.start(first);
    await disks.kill(second);
    await disks.start(second);
    await disks.whole({ members: three });
  });
});

async function until2<Value>(look: () => Promise<Value>, good: (value: Value) => boolean): Promise<Value> {
  for (let turn = 0; turn < 100; turn++) {
    const value = await look();
    if (good(value)) return value;
  }
  throw new Error("it stays as it is");
}

describe("a medium that is changed while its machine is off", { timeout: 600_000 }, () => {
  const changed = (name: string, change: (path: string) => void) =>
    scenario(`for one that is ${name}`, {}, async () => {
      const [node = ""] = others(three, await disks.server());
      disks.load();
      await disks.kill(node);
      await isDown(node);
      change(disks.fileOf(node));
      await disks.start(node);
      await disks.whole({ members: three });
    });
  changed("missing", (path) => rmSync(path));
  changed("empty", (path) => truncateSync(path, 0));
  changed("short", (path) => truncateSync(path, diskBytes / 2));
  changed("blank", (path) => {
    rmSync(path);
    const file = openSync(path, "w");
    ftruncateSync(file, 2 * diskBytes);
    closeSync(file);
  });
  changed("full of somebody else's bytes", (path) => rot(path, 0, 2 * diskBytes));

  scenario("for one of the machine that served", {}, async () => {
    const server = await disks.server();
    disks.load();
    await disks.kill(server);
    rmSync(disks.fileOf(server));
    await disks.start(server);
    await disks.whole({ members: three });
  });

  scenario("for an older copy of itself: stale, and made whole", {}, async () => {
    const [node = ""] = others(three, await disks.server());
    await disks.kill(node);
    await isDown(node);
    copyFileSync(disks.fileOf(node), join(disks.lab.folder, "old"));
    disks.load(3);
    await disks.loaded();
    await disks.start(node);
    await isOk();
    await disks.kill(node);
    await isDown(node);
    disks.load(3);
    await disks.loaded();
    copyFileSync(join(disks.lab.folder, "old"), disks.fileOf(node));
    await disks.start(node);
    await disks.whole({ members: three });
  });

  scenario("for all but one: it is refused until a valid copy is back", {}, async () => {
    for (const node of three) await disks.kill(node);
    copyFileSync(disks.fileOf("n3"), join(disks.lab.folder, "kept"));
    for (const node of three) rmSync(disks.fileOf(node));
    await disks.start("n1");
    await disks.start("n2");
    await disks.shown(({ state }) => state === "failed");
    copyFileSync(join(disks.lab.folder, "kept"), disks.fileOf("n3"));
    await disks.start("n3");
    await disks.whole({ members: three });
  });
});

describe("rot", { timeout: 600_000 }, () => {
  scenario("is read around and mended", {}, async () => {
    for (const [index, node] of three.entries()) rot(disks.fileOf(node), (2 + 8 * index) * MiB, 64 * 1024);
    await disks.whole();
    await disks.disk("scrub", "d");
    await disks.whole({ members: three });
  });

  scenario("of everything that a member has is found by a scrub", {}, async () => {
    rot(disks.fileOf("n2"), 0, diskBytes);
    await disks.disk("scrub", "d");
    await disks.whole({ members: three });
  });
});

describe("a network that fails", { timeout: 600_000 }, () => {
  const cut = (node: string) => disks.lab.must(["lab", "impair", node, "--cut"]);
  const join2 = (node: string) => disks.lab.must(["lab", "impair", node, "--no-cut"]);

  scenario("cuts off a machine that does not serve", {}, async () => {
    const [node = ""] = others(three, await disks.server());
    disks.load();
    await cut(node);
    await isDown(node);
    await disks.loaded();
    await join2(node);
    await disks.whole({ members: three });
  });

  scenario(
    "cuts off the machine that serves: another does, and its late writes count for nothing",
    {},
    async () => {
      const server = await disks.server();
      disks.load(15);
      await cut(server);
      await until2(
        () => disks.server(),
        (now) => now !== server,
      );
      await join2(server);
      await disks.whole({ members: three });
    },
  );

  scenario("lets a machine come and go", {}, async () => {
    const [node = ""] = others(three, await disks.server());
    disks.load(20);
    for (let turn = 0; turn < 5; turn++) {
      await cut(node);
      await join2(node);
    }
    await disks.whole({ members: three });
  });

  scenario("loses two frames in a hundred, each way", {}, async () => {
    for (const node of three) await disks.lab.must(["lab", "impair", node, "--loss", "2%"]);
    disks.load();
    await disks.loaded();
    for (const node of three) await disks.lab.must(["lab", "impair", node, "--reset"]);
    await disks.whole({ members: three });
  });
});

describe("what an administrator does, under load", { timeout: 600_000 }, () => {
  scenario("detaches a member, which can be used alone, and attaches it again", {}, async () => {
    await disks.disk("detach", "d", "--member", disks.memberOf("n3"));
    await must("cmp", `--bytes=${32 * MiB}`, join(disks.lab.folder, "image"), disks.fileOf("n3"));
    disks.load();
    await disks.disk("attach", "d", "--member", disks.memberOf("n3"));
    await disks.whole({ members: three });
  });

  scenario("replaces a member by one on another machine", { nodes: 4, members: three }, async () => {
    disks.load();
    await disks.disk("replace", "d", "--member", disks.memberOf("n2"), "--by", disks.memberOf("n4"));
    await disks.whole({ members: ["n1", "n3", "n4"] });
  });

  scenario("adds a member, and takes one away", { nodes: 4, members: three }, async () => {
    disks.load();
    await disks.disk("attach", "d", "--member", disks.memberOf("n4"));
    await isOk();
    await disks.disk("detach", "d", "--member", disks.memberOf("n1"));
    await disks.whole({ members: ["n2", "n3", "n4"] });
  });

  scenario("grows it", {}, async () => {
    disks.load();
    await disks.disk("grow", "d", "--size", `${diskBytes + 64 * MiB}`);
    await disks.whole();
    expect((await isOk()).size).toBe(diskBytes + 64 * MiB);
  });

  scenario("ends its export and begins another", {}, async () => {
    await disks.disk("unexport", "d");
    await disks.export();
    await disks.whole({ members: three });
  });
});

describe("two members", { timeout: 600_000 }, () => {
  const two = ["n1", "n2"] as const;

  scenario("and a witness: one may die", { members: two, create: ["--witness", "n3"] }, async () => {
    disks.load();
    await disks.kill("n1");
    await disks.loaded();
    await disks.start("n1");
    await disks.whole({ members: two });
  });

  scenario(
    "that may serve alone, both did: both histories are kept",
    { members: two, create: ["--serve", "any"] },
    async () => {
      await disks.kill("n2");
      await isDown("n2");
      disks.load(2);
      await disks.loaded();
      await disks.kill("n1");
      await disks.start("n2");
      await disks.shown(({ members }) =>
        members.some(({ node, state }) => node === "n2" && state === "in-sync"),
      );
      disks.load(2);
      await disks.loaded();
      await disks.start("n1");
      await disks.whole({ members: two });
    },
  );
});

describe("trees", { timeout: 600_000 }, () => {
  it("of depth three resynchronise from the inside to the outside", async () => {
    disks = new DiskLab();
    await disks.up(4);
    await disks.create(
      "inner",
      256 * MiB,
      [disks.memberOf("n1", "inner"), disks.memberOf("n2", "inner")],
      "--serve",
      "any",
    );
    await disks.create(
      "middle",
      128 * MiB,
      ["n1:disk:inner", disks.memberOf("n3", "middle")],
      "--serve",
      "any",
    );
    await disks.create("d", diskBytes, ["n1:disk:middle", disks.memberOf("n4")], "--serve", "any");
    await disks.export();
    await disks.fill();
    disks.load(20);
    await disks.kill("n2");
    rmSync(disks.fileOf("n2", "inner"));
    await disks.start("n2");
    await disks.shown(disks.isWhole, "inner");
    await disks.whole();
  });

  it("that would contain themselves are refused, with the loop", async () => {
    disks = new DiskLab();
    await disks.up(1);
    await disks.create("a", 64 * MiB, [disks.memberOf("n1", "a")]);
    await disks.create("b", 32 * MiB, ["n1:disk:a"]);
    const { status, stderr } = await disks.lab.run(["disk", "attach", "a", "--member", "n1:disk:b"]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/a → b → a|b → a → b/);
  });
});
