// A network that fails between the machines of a disk, and two machines that both try to serve it. If one
// of these fails, a pulled cable costs acknowledged bytes, or two write without knowing of each other.

import { describe, expect } from "vitest";
import { others, scenario, three } from "./disk-play.js";

describe("a network, under load", () => {
  scenario("cuts off a machine that does not serve", {}, async (disk) => {
    const [node = ""] = others(three, await disk.server());
    await disk.load();
    await disk.impair(node, "--cut");
    await disk.isDown(node);
    await disk.loaded();
    await disk.impair(node, "--no-cut");
    await disk.whole(three);
  });

  scenario("lets a machine come and go", {}, async (disk) => {
    const [node = ""] = others(three, await disk.server());
    await disk.load();
    for (let turn = 0; turn < 5; turn++) {
      await disk.impair(node, "--cut");
      await disk.impair(node, "--no-cut");
    }
    await disk.whole(three);
  });

  scenario("lets the machine that serves come and go", {}, async (disk) => {
    const server = await disk.server();
    await disk.load();
    for (let turn = 0; turn < 5; turn++) {
      await disk.impair(server, "--cut");
      await disk.impair(server, "--no-cut");
    }
    await disk.whole(three);
  });

  scenario("loses two frames in a hundred, each way, everywhere", {}, async (disk) => {
    for (const node of three) await disk.impair(node, "--loss", "2%");
    await disk.load();
    await disk.loaded();
    for (const node of three) await disk.impair(node, "--reset");
    await disk.whole(three);
  });

  scenario("loses every fifth frame of a machine, each way", {}, async (disk) => {
    const [node = ""] = others(three, await disk.server());
    await disk.load();
    await disk.impair(node, "--loss", "20%");
    await disk.loaded();
    await disk.load();
    await disk.loaded();
    await disk.impair(node, "--reset");
    await disk.whole(three);
  });

  scenario("is slow, and delivers some frames twice and some late", {}, async (disk) => {
    for (const node of three)
      await disk.impair(node, "--delay", "2ms", "--duplicate", "5%", "--reorder", "5%");
    await disk.load();
    await disk.loaded();
    for (const node of three) await disk.impair(node, "--reset");
    await disk.whole(three);
  });
});

describe("two machines that both try to serve", () => {
  scenario("one is cut off and joined again: its late writes count for nothing", {}, async (disk) => {
    const server = await disk.server();
    await disk.load();
    await disk.impair(server, "--cut");
    const next = await disk.server(server);
    await disk.impair(server, "--no-cut");
    await disk.loaded();
    await disk.settled();
    expect(await disk.server()).toBe(next);
    await disk.whole(three);
  });

  scenario("one stands still twice, and so does its successor", {}, async (disk) => {
    await disk.load();
    for (let turn = 0; turn < 2; turn++) {
      const server = await disk.server();
      await disk.pause(server);
      await disk.server(server);
      disk.goOn(server);
    }
    await disk.loaded();
    await disk.whole(three);
  });

  scenario("a member stands still, and does late what it was told long ago", {}, async (disk) => {
    const [node = ""] = others(three, await disk.server());
    await disk.load();
    await disk.pause(node);
    await disk.isDown(node);
    disk.goOn(node);
    await disk.whole(three);
  });

  scenario("all begin at the same moment", {}, async (disk) => {
    await disk.load();
    await disk.loaded();
    await disk.kill(...three);
    await disk.start(...three);
    await disk.load();
    await disk.whole(three);
  });
});
