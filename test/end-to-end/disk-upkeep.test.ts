// What an administrator does to a disk of three machines while it is used: another machine serves it, it
// grows, it is scrubbed, its settings change. If one of these fails, that costs a byte, or an evening.

import { closeSync, openSync, writeSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DiskLab, diskBytes, MiB, must } from "./disks.js";

const longMs = 300_000;

interface SettingsShown {
  readonly memberTimeoutMs: number;
  readonly resyncRest: number;
  readonly scrubEveryMs: number;
  readonly scrub: {
    readonly underWay: { readonly percent: number } | null;
    readonly last: { readonly endedAt: string; readonly mended: number } | null;
    readonly dueAt: string | null;
  };
}

describe("a disk of three machines that is used", { timeout: longMs }, () => {
  const disks = new DiskLab();
  const settings = async (...words: readonly string[]): Promise<SettingsShown> =>
    JSON.parse(await disks.disk("settings", "d", ...words, "--json")) as SettingsShown;

  beforeAll(() => disks.make({ create: ["--member-timeout", "3s", "--scrub-every", "30d"] }), longMs);
  afterAll(() => disks.close(), longMs);

  it("has the settings that it was made with, until others are set; wrong ones change nothing", async () => {
    expect(await settings()).toMatchObject({
      memberTimeoutMs: 3000,
      resyncRest: 3,
      scrubEveryMs: 2_592_000_000,
    });
    const set = await settings("--resync-rest", "5", "--member-timeout", "2s");
    expect(set).toMatchObject({ memberTimeoutMs: 2000, resyncRest: 5 });
    expect((await disks.lab.run(["disk", "settings", "d", "--member-timeout", "1ms"])).status).toBe(2);
    expect(await settings()).toMatchObject({ memberTimeoutMs: 2000, resyncRest: 5 });
  });

  it("is moved to another machine, and back, without an error for who writes", async () => {
    const [first, ...rest] = [await disks.server(), "n1", "n2", "n3"];
    const other = rest.find((node) => node !== first) ?? "";
    disks.load(12);
    await disks.disk("move", "d", other);
    expect(await disks.server()).toBe(other);
    await disks.disk("move", "d", first);
    expect(await disks.server()).toBe(first);
    await disks.whole({ members: ["n1", "n2", "n3"] });
    expect(await settings()).toMatchObject({ memberTimeoutMs: 2000, resyncRest: 5 });
    const { status, stderr } = await disks.lab.run(["disk", "move", "d", "n9"]);
    expect([status, stderr]).toEqual([3, expect.stringContaining("n9 has no member of d")]);
  });

  it("is scrubbed at a rate: what has rotted on one machine is mended, and show says so", async () => {
    const file = openSync(disks.fileOf("n3"), "r+");
    writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, 2 * MiB);
    closeSync(file);
    await disks.disk("scrub", "d", "--rate", "20M");
    for (let tries = 0; (await settings()).scrub.last === null && tries < 200; tries++);
    expect((await settings()).scrub).toMatchObject({ underWay: null, last: { mended: 1 } });
    expect(await disks.disk("show", "d")).toMatch(/^scrub: last ended .* 1 bad block mended; every 30d/m);
    await disks.whole({ members: ["n1", "n2", "n3"] });
  });

  it("grows under load, and its new end holds what is written there", async () => {
    disks.load(15);
    await disks.disk("grow", "d", "--size", `${diskBytes + 32 * MiB}`, "--timeout", "120s");
    await disks.whole({ members: ["n1", "n2", "n3"] });
    expect((await disks.show())?.size).toBe(diskBytes + 32 * MiB);
    await disks.disk("unexport", "d");
    await disks.export();
    const at = diskBytes + 31 * MiB;
    await must(
      "qemu-io",
      "-f",
      "raw",
      disks.uri,
      "-c",
      `write -P 0x5a ${at} 64k`,
      "-c",
      `read -P 0x5a ${at} 64k`,
    );
  });

  it("does not grow beyond a member that cannot: it is said which, and all stays as it was", async () => {
    await disks.create("inner", 16 * MiB, [disks.memberOf("n1", "inner")]);
    await disks.create("outer", 8 * MiB, [
      "n1:disk:inner",
      disks.memberOf("n2", "outer"),
      disks.memberOf("n3", "outer"),
    ]);
    const grown = await disks.lab.run(["disk", "grow", "outer", "--size", "64M", "--timeout", "60s"]);
    expect(grown.status).toBe(1);
    expect(grown.stderr).toContain("n1:disk:inner is too small; make it larger");
    await disks.shown(disks.isWhole, "outer");
    expect((await disks.show("outer"))?.size).toBe(8 * MiB);
  });
});
