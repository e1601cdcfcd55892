// The media of a machine. If one of these fails, a member is not there after a restart, or somebody else's
// file is taken for one.

import {
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { Media } from "../../../../control/node/disk/media.js";
import { mediaFile, readMedia, writeMedia } from "../../../../control/node/disk/media-file.js";
import { openFile } from "../../../../control/node/disk/medium.js";
import { after } from "../../../../control/node/timer.js";
import { Member } from "../../../../control/server/disk/member/member.js";
import { SeededRandom } from "../../../../drivers/fault/random.js";
import { digests } from "../../server/disk/kernel.js";
import { recordOf } from "../../server/disk/member/parts.js";

const bytes = 4096 * 200;
const bits = new SeededRandom(3);
const random = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => bits.next() >>> 24);
const folder = mkdtempSync(join(tmpdir(), "media-"));
const opened: Media[] = [];

afterEach(async () => {
  for (const media of opened.splice(0)) await media.close();
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function open(state: string): Promise<Media> {
  const media = await Media.open({
    ...{
      file: mediaFile(state),
      random,
      failed: () => undefined,
      changed: () => undefined,
      used: () => undefined,
    },
    own: { generation: new Uint8Array(8).fill(1), renew: () => new Uint8Array(8) },
    openDevice: (path, least) => openFile(path, least),
    openMember: ({ device, isEmpty }, name) =>
      Member.open({ device, isEmpty, name, digests, after, now: () => 0 }),
    agesOf: async () => [],
  });
  opened.push(media);
  return media;
}

describe("the list of a machine's media", () => {
  it("is its owner's alone, and whole after it was replaced", () => {
    const path = mediaFile(join(folder, "list"));
    expect(readMedia(path)).toEqual({ schema: 1, next: 1, media: [] });
    const entry = { object: 4, path: "/a", bytes: 7, generation: "0011223344556677" };
    writeMedia(path, { schema: 1, next: 5, media: [entry] });
    expect(readMedia(path)).toEqual({ schema: 1, next: 5, media: [entry] });
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it("is never replaced when it cannot be read", async () => {
    const state = join(folder, "broken");
    writeMedia(mediaFile(state), { schema: 1, next: 1, media: [] });
    writeFileSync(mediaFile(state), "{ half of");
    await expect(open(state)).rejects.toMatchObject({ code: "DISK_MEDIA_FILE" });
    expect(readFileSync(mediaFile(state), "utf8")).toBe("{ half of");
  });
});

describe("the media of a machine", () => {
  it("are there again, under the same numbers and generations, with what is on them", async () => {
    const state = join(folder, "again");
    const path = join(folder, "again.medium");
    const before = await open(state);
    const object = await before.attach(path, bytes, undefined);
    expect(statSync(path).size).toBe(bytes);
    await before.get(object)?.member().adopt(recordOf(64));
    expect(before.records()).toMatchObject([{ object }]);
    const generation = before.generation(object);
    await before.close();
    const media = await open(state);
    expect(media.generation(object)).toEqual(generation);
    expect(media.records()).toMatchObject([{ object, record: { storage: recordOf(64).storage } }]);
    await media.detach(object);
    expect(await media.attach(join(folder, "other.medium"), bytes, undefined)).toBeGreaterThan(object);
  });

  it("are blank when the file is missing or short, and are made as long as they were", async () => {
    const state = join(folder, "blank");
    const paths = ["missing", "short"].map((name) => join(folder, `${name}.medium`));
    const before = await open(state);
    for (const path of paths) {
      const object = await before.attach(path, bytes, undefined);
      await before.get(object)?.member().adopt(recordOf(64));
    }
    await before.close();
    const [missing = "", short = ""] = paths;
    rmSync(missing);
    truncateSync(short, 4096 * 3);
    const media = await open(state);
    expect(media.records()).toEqual([]);
    for (const path of paths) expect(statSync(path).size).toBe(bytes);
    expect(media.list().map(({ state: each }) => each)).toEqual(["open", "open"]);
  });

  it("are taken once, and not while another program has the file", async () => {
    const media = await open(join(folder, "once"));
    const path = join(folder, "once.medium");
    await media.attach(path, bytes, undefined);
    await expect(media.attach(path, bytes, undefined)).rejects.toMatchObject({ status: -1007 });
    const other = await open(join(folder, "twice"));
    await expect(other.attach(path, bytes, undefined)).rejects.toMatchObject({ code: "BLOCK_IN_USE" });
    expect(other.list()).toEqual([]);
  });

  it("are opened anew when another file is at the place while the machine is on", async () => {
    const media = await open(join(folder, "swapped"));
    const path = join(folder, "swapped.medium");
    const object = await media.attach(path, bytes, undefined);
    await media.get(object)?.member().adopt(recordOf(64));
    writeFileSync(`${path}.new`, Buffer.alloc(bytes));
    renameSync(`${path}.new`, path);
    await expect.poll(() => media.records().length, { timeout: 10_000 }).toBe(0);
    await expect
      .poll(
        async () =>
          (
            await media
              .get(object)
              ?.member()
              .look()
              .catch(() => null)
          )?.kind,
        { timeout: 10_000 },
      )
      .toBe("blank");
  });
});
