// Machines, clients and exports that end without a word while a disk is used. If one of these fails, a
// power cut or a kill -9 costs acknowledged bytes, or somebody has to get up at night.

import { describe, expect } from "vitest";
import { others, scenario, three } from "./disk-play.js";

describe("power cuts of machines, under load", () => {
  scenario("one that does not serve", {}, async (disk) => {
    await disk.load();
    const [other = ""] = others(three, await disk.server());
    await disk.kill(other);
    await disk.isDown(other);
    await disk.loaded();
    await disk.start(other);
    await disk.whole(three);
  });

  scenario("each in turn", {}, async (disk) => {
    await disk.load();
    for (const node of three) {
      await disk.kill(node);
      await disk.isDown(node);
      await disk.start(node);
      await disk.settled();
    }
    await disk.whole(three);
  });

  scenario("two of three: requests wait, and go on when one is back", {}, async (disk) => {
    const [first = "", second = ""] = others(three, await disk.server());
    await disk.load();
    await disk.kill(first);
    await disk.isDown(first);
    await disk.kill(second);
    await disk.start(second);
    await disk.loaded();
    await disk.start(first);
    await disk.whole(three);
  });

  scenario("the serving one and another at the same moment", {}, async (disk) => {
    const server = await disk.server();
    const [other = ""] = others(three, server);
    await disk.load();
    await disk.kill(server, other);
    await disk.start(server, other);
    await disk.whole(three);
  });

  scenario("all at the same moment: requests wait until they are back", {}, async (disk) => {
    await disk.load();
    await disk.kill(...three);
    await disk.start(...three);
    await disk.whole(three);
  });

  scenario("one after another: the first to die knows the least, and does not win", {}, async (disk) => {
    await disk.load();
    await disk.loaded();
    await disk.kill("n1");
    await disk.isDown("n1");
    await disk.load();
    await disk.loaded();
    await disk.kill("n2");
    await disk.kill("n3");
    await disk.start("n1");
    await disk.start("n2");
    await disk.shown(({ members }) => members.find(({ node }) => node === "n2")?.state === "in-sync");
    await disk.start("n3");
    await disk.whole(three);
  });

  scenario("the serving one, then its successor, which was about to bring it back", {}, async (disk) => {
    const first = await disk.server();
    await disk.load();
    await disk.kill(first);
    const second = await disk.server(first);
    await disk.start(first);
    await disk.kill(second);
    await disk.start(second);
    await disk.whole(three);
  });

  scenario("one that is brought back, in the midst of it", {}, async (disk) => {
    await disk.load();
    const [node = ""] = others(three, await disk.server());
    await disk.kill(node);
    await disk.isDown(node);
    await disk.start(node);
    await disk.shown(({ members }) => members.find((each) => each.node === node)?.state === "resyncing");
    await disk.kill(node);
    await disk.isDown(node);
    await disk.start(node);
    await disk.whole(three);
  });
});

describe("kill -9 of who uses the disk", () => {
  scenario("the clients: what was acknowledged is there, and others go on", {}, async (disk) => {
    await disk.load(false);
    disk.killClients();
    await disk.whole(three);
    await disk.load();
    await disk.whole(three);
  });

  scenario(
    "the program that exports it: another export goes on with what was acknowledged",
    {},
    async (disk) => {
      await disk.load(false);
      disk.killExport();
      disk.killClients();
      await disk.export();
      await disk.whole(three);
      await disk.load();
      await disk.whole(three);
    },
  );

  scenario("the program that exports it and the machine that serves it", {}, async (disk) => {
    await disk.load(false);
    const server = await disk.server();
    disk.killExport();
    await disk.kill(server);
    disk.killClients();
    await disk.export();
    expect(await disk.server(server)).not.toBe(server);
    await disk.load();
    await disk.loaded();
    await disk.start(server);
    await disk.whole(three);
  });

  scenario("nobody: an export ends and begins anew", {}, async (disk) => {
    await disk.load();
    await disk.loaded();
    await disk.unexport();
    await disk.export();
    await disk.whole(three);
  });
});
