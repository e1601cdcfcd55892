// What an administrator does to a disk while it is used, disks of two members with and without a witness,
// and disks on disks. If one of these fails, somebody has to stop his work for maintenance.

import { describe, expect } from "vitest";
import { MiB, must } from "./disk-clients.js";
import { others, scenario, three } from "./disk-play.js";

const two = ["n1", "n2"];

describe("what an administrator does, under load", () => {
  scenario("detaches a member, uses its file alone, and attaches it again", {}, async (disk) => {
    await disk.disk("detach", disk.placeOf("n3"));
    await disk.checkFileSystem(disk.fileOf("n3"));
    await disk.load();
    await must("dd", "if=/dev/zero", `of=${disk.fileOf("n3")}`, "bs=1M", "count=4", "conv=notrunc");
    await disk.disk("attach", disk.placeOf("n3"));
    await disk.whole(three);
  });

  scenario("detaches a member as a backup while clients write", {}, async (disk) => {
    await disk.load(false);
    await disk.disk("detach", disk.placeOf("n3"));
    await disk.checkFileSystem(disk.fileOf("n3"));
    await disk.whole(two);
    await disk.checkFileSystem(disk.fileOf("n3"));
  });

  scenario("replaces a member whose machine is off", {}, async (disk) => {
    const [node = ""] = others(three, await disk.server());
    await disk.load();
    await disk.kill(node);
    await disk.isDown(node);
    await disk.disk("replace", disk.placeOf(node), disk.placeOf("n4"));
    await disk.loaded();
    await disk.whole([...others(three, node), "n4"]);
    await disk.start(node);
    await disk.whole([...others(three, node), "n4"]);
  });

  scenario("adds a member, and takes one away", {}, async (disk) => {
    await disk.load();
    await disk.disk("attach", disk.placeOf("n4"), "--wait", "--timeout", "60s");
    await disk.disk("detach", disk.placeOf("n1"));
    await disk.whole(["n2", "n3", "n4"]);
  });

  scenario("moves a disk away from its machines, one after the other", { members: two }, async (disk) => {
    await disk.load();
    const wait = ["--wait", "--timeout", "60s"];
    await disk.disk("replace", disk.placeOf("n1"), disk.placeOf("n3"), ...wait);
    await disk.disk("replace", disk.placeOf("n2"), disk.placeOf("n4"), ...wait);
    await disk.whole(["n3", "n4"]);
  });

  scenario("says that a member is dirty, and compares all of it", {}, async (disk) => {
    const [node = ""] = others(three, await disk.server());
    await disk.load();
    await disk.disk("mark", disk.placeOf(node), "dirty");
    await disk.loaded();
    await disk.whole(three);
    await disk.disk("resync", disk.placeOf(node), "--wait", "--timeout", "60s");
    await disk.whole(three);
  });
});

describe("two members", () => {
  const witnessed = { members: two, create: ["--witness", "n3"] };

  scenario("and a witness: one may die", witnessed, async (disk) => {
    await disk.load();
    await disk.kill("n1");
    await disk.server("n1");
    await disk.loaded();
    await disk.start("n1");
    await disk.whole(two);
  });

  scenario("and a witness: it may die", witnessed, async (disk) => {
    await disk.load();
    await disk.kill("n3");
    await disk.loaded();
    await disk.load();
    await disk.loaded();
    await disk.start("n3");
    await disk.whole(two);
  });

  scenario("and a witness: without it and one member requests wait", witnessed, async (disk) => {
    await disk.load();
    await disk.kill("n3");
    await disk.kill("n2");
    await disk.start("n3");
    await disk.loaded();
    await disk.start("n2");
    await disk.whole(two);
  });

  scenario("that may serve alone: one does", { members: two, create: ["--serve", "any"] }, async (disk) => {
    await disk.load();
    await disk.kill("n1");
    await disk.server("n1");
    await disk.loaded();
    await disk.start("n1");
    await disk.whole(two);
  });
});

describe("trees", () => {
  scenario("of depth three: the machine of all of them is lost", null, async (disk) => {
    await disk.tree();
    await disk.load();
    await disk.kill("n1");
    await disk.loaded();
    await disk.start("n1");
    await disk.settled("inner");
    await disk.settled("middle");
    await disk.whole(["n4"]);
  });

  scenario("that would contain themselves are refused, with the loop", null, async (disk) => {
    await disk.create("a", 64 * MiB, [disk.placeOf("n1", "a")]);
    await disk.create("b", 32 * MiB, ["n1:disk:a"]);
    const { status, stderr } = await disk.lab.run(["disk", "attach", "a", "n1:disk:b"]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/a → b → a|b → a → b/);
  });
});
