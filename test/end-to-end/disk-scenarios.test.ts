// What may happen to a disk of several machines while clients work on it: one of each kind, with real
// processes and clients that verify every byte, and nobody who helps. If one of these fails, an
// administrator loses data, or has to get up at night. More of each kind: disk-power, disk-media,
// disk-network and disk-changes.

import { rmSync } from "node:fs";
import { describe, expect } from "vitest";
import { diskBytes, MiB } from "./disk-clients.js";
import { others, scenario, three } from "./disk-play.js";

describe("a disk under load", () => {
  scenario("of which the serving machine loses its power", {}, async (disk) => {
    await disk.load();
    const server = await disk.server();
    await disk.kill(server);
    expect(await disk.server(server)).not.toBe(server);
    await disk.loaded();
    await disk.start(server);
    await disk.whole(three);
  });

  scenario("of which a medium is changed for a blank one", {}, async (disk) => {
    await disk.load();
    const [node = ""] = others(three, await disk.server());
    await disk.kill(node);
    await disk.isDown(node);
    rmSync(disk.fileOf(node));
    await disk.start(node);
    await disk.settled();
    await disk.whole(three);
  });

  scenario(
    "that two machines serve, as one stood still meanwhile: its late writes count for nothing",
    {},
    async (disk) => {
      await disk.load();
      const server = await disk.server();
      await disk.pause(server);
      const next = await disk.server(server);
      disk.goOn(server);
      await disk.settled();
      expect(await disk.server()).toBe(next);
      await disk.whole(three);
    },
  );

  scenario("that grows", {}, async (disk) => {
    await disk.load();
    await disk.disk("grow", "--size", `${diskBytes + 32 * MiB}`, "--timeout", "60s");
    expect((await disk.settled()).size).toBe(diskBytes + 32 * MiB);
    await disk.whole(three);
  });

  scenario("of which a member is replaced by one on another machine", {}, async (disk) => {
    await disk.load();
    const words = ["--wait", "--timeout", "60s"];
    await disk.disk("replace", disk.placeOf("n2"), disk.placeOf("n4"), ...words);
    await disk.whole(["n1", "n3", "n4"]);
    const { members } = await disk.settled();
    expect(members.map(({ node }) => node).sort()).toEqual(["n1", "n3", "n4"]);
  });

  scenario("that lies on another, which lies on a third: a member of that is lost", null, async (disk) => {
    await disk.tree();
    await disk.load();
    await disk.kill("n2");
    rmSync(disk.fileOf("n2", "inner"));
    await disk.isDown("n2", "inner");
    await disk.start("n2");
    await disk.settled("inner");
    await disk.settled("middle");
    await disk.whole(["n4"]);
  });
});
