// Media that are changed while their machine is off, and media that rot. If one of these fails, a disk
// serves what somebody else has written, or an administrator has to tell it which copy is good.

import { closeSync, copyFileSync, ftruncateSync, openSync, rmSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { diskBytes, MiB } from "./disk-clients.js";
import { others, scenario, three } from "./disk-play.js";

/** Overwrites bytes of a file in place, as a medium that rots. */
function rot(path: string, from: number, bytes: number): void {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(bytes, 0xa5), 0, bytes, from);
  closeSync(file);
}

describe("a medium is changed while its machine is off", () => {
  const changed = (name: string, change: (path: string) => void) =>
    scenario(`for one that is ${name}`, {}, async (disk) => {
      const [node = ""] = others(three, await disk.server());
      await disk.load();
      await disk.kill(node);
      await disk.isDown(node);
      change(disk.fileOf(node));
      await disk.loaded();
      await disk.start(node);
      await disk.whole(three);
    });
  changed("missing", (path) => rmSync(path));
  changed("empty", (path) => truncateSync(path, 0));
  changed("short", (path) => truncateSync(path, diskBytes / 2));
  changed("blank, and larger", (path) => {
    rmSync(path);
    const file = openSync(path, "w");
    ftruncateSync(file, 2 * diskBytes);
    closeSync(file);
  });
  changed("full of somebody else's bytes", (path) => rot(path, 0, 2 * diskBytes));

  scenario("for one of the machine that served", {}, async (disk) => {
    const server = await disk.server();
    await disk.load();
    await disk.kill(server);
    rmSync(disk.fileOf(server));
    await disk.start(server);
    await disk.whole(three);
  });

  scenario("for an older copy of itself: stale, and made whole", {}, async (disk) => {
    const [node = ""] = others(three, await disk.server());
    const old = join(disk.folder, "old");
    await disk.kill(node);
    await disk.isDown(node);
    copyFileSync(disk.fileOf(node), old);
    await disk.load();
    await disk.loaded();
    await disk.start(node);
    await disk.settled();
    await disk.kill(node);
    await disk.isDown(node);
    await disk.load();
    await disk.loaded();
    copyFileSync(old, disk.fileOf(node));
    await disk.start(node);
    await disk.whole(three);
  });

  scenario("for a blank one on two of three: nobody serves until a valid copy is back", {}, async (disk) => {
    await disk.load();
    await disk.loaded();
    await disk.kill(...three);
    const kept = join(disk.folder, "kept");
    copyFileSync(disk.fileOf("n2"), kept);
    for (const node of ["n1", "n2"]) rmSync(disk.fileOf(node));
    await disk.start(...three);
    await disk.shown(({ state }) => state === "failed");
    await disk.kill("n2");
    copyFileSync(kept, disk.fileOf("n2"));
    await disk.start("n2");
    await disk.whole(three);
  });

  scenario("for a blank one while the disk is used and its machine is on", {}, async (disk) => {
    const [node = ""] = others(three, await disk.server());
    await disk.load();
    rmSync(disk.fileOf(node));
    await disk.shown(({ state }) => state !== "ok");
    await disk.loaded();
    await disk.whole(three);
  });
});

describe("rot", () => {
  scenario("is read around and mended", {}, async (disk) => {
    await disk.load();
    await disk.loaded();
    for (const [index, node] of three.entries()) rot(disk.fileOf(node), (1 + 5 * index) * MiB, 64 * 1024);
    await disk.whole([]);
    await disk.disk("scrub");
    await disk.disk("verify", "--timeout", "60s");
    await disk.whole(three);
  });

  scenario("of everything that a member has is found by a scrub", {}, async (disk) => {
    await disk.load();
    rot(disk.fileOf("n2"), 0, diskBytes);
    await disk.disk("scrub");
    await disk.disk("verify", "--timeout", "60s");
    await disk.whole(three);
  });
});
