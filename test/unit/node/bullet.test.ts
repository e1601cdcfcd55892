// The medium of a machine's Bullet server. If one of these fails, files are gone after a restart,
// somebody's data is taken for a blank medium, or two servers write to one.

import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type OpenBullet, openBullet } from "../../../control/node/bullet.js";

const MiB = 1024 * 1024;
let folder: string;
let path: string;
let opened: OpenBullet[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bullet-"));
  path = join(folder, "deep/er/files.volume");
  opened = [];
});

afterEach(async () => {
  for (const each of opened) await each.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(at = path): Promise<OpenBullet> {
  const made = await openBullet({ path: at, bytes: 8 * MiB, cacheBytes: MiB, random: randomBytes });
  opened.push(made);
  return made;
}

async function close(): Promise<void> {
  await opened.pop()?.close();
}

describe("the medium of a Bullet server", () => {
  it("is made when it is missing, and keeps its files when it is opened again", async () => {
    const { volume } = await open();
    const draft = await volume.draft();
    await draft.write(0, new TextEncoder().encode("still here"));
    const { number, generation } = await draft.commit({ durable: true });
    const own = volume.generation;
    await close();
    writeFileSync(`${path}.new`, "half made"); // by a machine that ended while it made one
    const again = (await open()).volume;
    expect(again.report.clean).toBe(true);
    expect(Buffer.compare(again.generation, own)).toBe(0);
    expect(Buffer.compare(again.entry(number)?.generation ?? own, generation)).toBe(0);
    expect(Buffer.from(await again.read(number, 0, 100)).toString()).toBe("still here");
  });

  it("is one server's at a time", async () => {
    await open();
    await expect(open()).rejects.toMatchObject({ code: "BULLET_IN_USE" });
  });

  it("is formatted when it is blank, and left alone when it is anything else", async () => {
    const blank = join(folder, "blank");
    writeFileSync(blank, new Uint8Array(8 * MiB));
    expect((await open(blank)).volume.usage().files).toBe(0);
    const photo = join(folder, "photo");
    const bytes = randomBytes(8 * MiB);
    writeFileSync(photo, bytes);
    await expect(open(photo)).rejects.toMatchObject({ code: "VOLUME_FORMAT" });
    expect(Buffer.compare(readFileSync(photo), bytes)).toBe(0);
  });

  it("that cannot be had is an error that says so, and leaves nothing behind", async () => {
    await expect(open("/proc/files")).rejects.toMatchObject({ code: "BULLET_MEDIUM" });
    await expect(open(folder)).rejects.toMatchObject({ code: "BULLET_MEDIUM" });
    expect(existsSync(path)).toBe(false);
  });
});
