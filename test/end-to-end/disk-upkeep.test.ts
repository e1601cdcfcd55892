// What an administrator does to a disk of three machines while it is used: another machine serves it, it
// grows, it is scrubbed, its settings change. If one of these fails, that costs a byte, or an evening.

import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { describe, expect } from "vitest";
import { diskBytes, MiB, must } from "./disk-clients.js";
import { type DiskLab, scenario, three } from "./disk-play.js";
import { until } from "./programs.js";

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

const settings = async (disk: DiskLab, ...words: readonly string[]): Promise<SettingsShown> =>
  JSON.parse(await disk.disk("settings", ...words, "--json")) as SettingsShown;

const made = { create: ["--member-timeout", "3s", "--scrub-every", "30d"] };
const scrubMs = 60_000;

describe("a disk of three machines that is used", () => {
  scenario(
    "has the settings that it was made with, until others are set; wrong ones change nothing",
    made,
    async (disk) => {
      const first = { memberTimeoutMs: 3000, resyncRest: 3, scrubEveryMs: 2_592_000_000 };
      expect(await settings(disk)).toMatchObject(first);
      const second = { memberTimeoutMs: 2000, resyncRest: 5 };
      expect(await settings(disk, "--resync-rest", "5", "--member-timeout", "2s")).toMatchObject(second);
      const wrong = await disk.lab.run(["disk", "settings", disk.name, "--member-timeout", "1ms"]);
      expect(wrong.status).toBe(2);
      expect(await settings(disk)).toMatchObject(second);
    },
  );

  scenario("is moved to another machine, and back, without an error for who writes", made, async (disk) => {
    const first = await disk.server();
    const other = three.find((node) => node !== first) ?? "";
    await disk.load();
    await disk.disk("move", other);
    expect(await disk.server()).toBe(other);
    await disk.disk("move", first);
    expect(await disk.server()).toBe(first);
    await disk.whole(three);
    expect(await settings(disk)).toMatchObject({ memberTimeoutMs: 3000 });
    const { status, stderr } = await disk.lab.run(["disk", "move", disk.name, "n9"]);
    expect([status, stderr]).toEqual([3, expect.stringContaining(`n9 has no member of ${disk.name}`)]);
  });

  scenario(
    "is scrubbed at a rate: what has rotted is mended, and show says so",
    { create: ["--scrub-every", "30d"] },
    async (disk) => {
      const file = openSync(disk.fileOf("n3"), "r+");
      writeSync(file, Buffer.alloc(4096, 0xa5), 0, 4096, 2 * MiB);
      closeSync(file);
      await disk.disk("scrub", "--rate", "20M");
      const ended = async () => ((await settings(disk)).scrub.last === null ? undefined : true);
      await until("the end of the scrub", ended, scrubMs);
      expect((await settings(disk)).scrub).toMatchObject({ underWay: null, last: { mended: 1 } });
      expect(await disk.disk("show")).toMatch(/^scrub: last ended .* 1 bad block mended; every 30d/m);
      await disk.whole(three);
    },
  );

  scenario("grows under load, and its new end holds what is written and not discarded", {}, async (disk) => {
    await disk.load();
    await disk.disk("grow", "--size", `${diskBytes + 32 * MiB}`, "--timeout", "120s");
    await disk.whole(three);
    const { size } = await disk.settled();
    expect(size).toBe(diskBytes + 32 * MiB);
    await disk.unexport();
    await disk.export();
    const at = (...commands: string[]) =>
      must("qemu-io", "-f", "raw", disk.uri, ...commands.flatMap((command) => ["-c", command]));
    const taken = () => three.map((node) => statSync(disk.fileOf(node)).blocks * 512);
    await at(`write -P 0x5a ${diskBytes} 32M`, "flush");
    const before = taken();
    await at(`discard ${diskBytes + 4 * MiB} 16M`, "flush");
    for (const [index, bytes] of taken().entries()) // of each machine
      expect(bytes).toBeLessThan((before[index] ?? 0) - 15 * MiB);
    await at(`read -P 0 ${diskBytes + 4 * MiB} 16M`, `read -P 0x5a ${diskBytes + 20 * MiB} 12M`);
  });

  scenario(
    "does not grow beyond a member that cannot: it is said which, and all stays as it was",
    null,
    async (disk) => {
      const [inner, outer] = [`${disk.name}inner`, `${disk.name}outer`];
      await disk.create(inner, 16 * MiB, [disk.placeOf("n1", inner)]);
      const places = [`n1:disk:${inner}`, disk.placeOf("n2", outer), disk.placeOf("n3", outer)];
      await disk.create(outer, 8 * MiB, places);
      const grown = await disk.lab.run(["disk", "grow", outer, "--size", "64M", "--timeout", "60s"]);
      expect(grown.status).toBe(1);
      expect(grown.stderr).toContain(`n1:disk:${inner} is too small; make it larger`);
      expect((await disk.settled(outer)).size).toBe(8 * MiB);
    },
  );
});
