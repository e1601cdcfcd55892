// The store in a folder: what was acknowledged is there when it is opened again, and what is
// not a sound store of ours is refused with words that help.

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { EmbeddedStore } from "../../../../control/node/store/embedded/store.js";
import { describeStore, key, take, value } from "../../store/conformance.js";

let parent: string;
let count = 0;
const fresh = (): string => join(parent, `store-${count++}`);

beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), "proteus-embedded-"));
});

afterAll(async () => {
  await rm(parent, { recursive: true, force: true });
});

describeStore("a store in a folder", {
  open: () => EmbeddedStore.open(fresh()),
  modelRuns: 10,
  modelSteps: 30,
});

describe("a store in a folder, opened again", () => {
  let folder: string;
  beforeEach(() => {
    folder = fresh();
  });

  it("has its entries, its revision and its history", async () => {
    const before = await EmbeddedStore.open(folder);
    const first = await before.put(key("a"), value("1"));
    const second = await before.put(key("a"), value("2"));
    await before.compact(first);
    await before.close();
    const after = await EmbeddedStore.open(folder);
    expect(await after.get(key("a"))).toEqual({ key: key("a"), value: value("2"), revision: second });
    const third = await after.delete(key("a"));
    expect(third).toBeGreaterThan(second);
    const replayed = await take(await after.watch({}, first), 2);
    expect(replayed.map(({ revision }) => revision)).toEqual([second, third]);
    await expect((await after.watch({}, first - 1)).next()).rejects.toMatchObject({
      code: "STORE_COMPACTED",
    });
    await after.close();
  });

  it("keeps no more history than it was told, also of an earlier time", async () => {
    const before = await EmbeddedStore.open(folder);
    for (let round = 0; round < 30; round++) await before.put(key("k"), value("x"));
    await before.close();
    const after = await EmbeddedStore.open(folder, { changes: 10 });
    const last = await after.put(key("k"), value("y"));
    await after.put(key("k"), value("y"));
    await expect((await after.watch({}, last - 12)).next()).rejects.toMatchObject({
      code: "STORE_COMPACTED",
    });
    await after.close();
    const database = new ClassicLevel(folder);
    expect((await database.keys().all()).length).toBeLessThan(14);
    await database.close();
  });

  it("is only its owner's to read", async () => {
    await (await EmbeddedStore.open(folder)).close();
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
  });

  it("is refused while it is open elsewhere", async () => {
    const store = await EmbeddedStore.open(folder);
    await expect(EmbeddedStore.open(folder)).rejects.toMatchObject({ code: "STORE_LOCKED" });
    await store.put(key("a"), value("1"));
    await store.close();
    await (await EmbeddedStore.open(folder)).close();
  });

  it("is refused where there is something else", async () => {
    const database = new ClassicLevel(folder);
    await database.put("somebody", "else's");
    await database.close();
    await expect(EmbeddedStore.open(folder)).rejects.toMatchObject({ code: "STORE_FORMAT" });
    const file = join(parent, "file");
    await writeFile(file, "");
    await expect(EmbeddedStore.open(file)).rejects.toMatchObject({ code: "STORE_FAILED" });
  });

  it("is refused in a format of a later version", async () => {
    await (await EmbeddedStore.open(folder)).close();
    await writeFile(join(folder, "FORMAT"), "2\n");
    await expect(EmbeddedStore.open(folder)).rejects.toMatchObject({ code: "STORE_FORMAT" });
  });

  /** Changes bytes of the one file whose name ends so. */
  async function damage(ending: string, change: (bytes: Buffer) => Buffer): Promise<void> {
    const name = (await readdir(folder)).find((file) => file.endsWith(ending));
    const path = join(folder, name ?? "none");
    await writeFile(path, change(await readFile(path)));
  }

  it.each([
    ["its log is gone", ".log", () => Buffer.alloc(0)],
    ["its log is rubbish", ".log", (bytes: Buffer) => Buffer.alloc(bytes.length, 5)],
    ["a change in the middle is rubbish", ".log", (bytes: Buffer) => bytes.fill(5, 40_000, 40_100)],
    ["its list of files is rubbish", "CURRENT", () => Buffer.from("rubbish")],
  ])("is refused when %s", async (_, ending, change) => {
    const store = await EmbeddedStore.open(folder);
    for (let round = 0; round < 6; round++)
      await store.put(key(`k${round}`), new Uint8Array(20_000).fill(round));
    await store.close();
    await damage(ending, change);
    await expect(EmbeddedStore.open(folder)).rejects.toMatchObject({ code: "STORE_DAMAGED" });
  });

  it("is made anew where it was not finished", async () => {
    await (await EmbeddedStore.open(folder)).close();
    await rm(join(folder, "FORMAT"));
    const store = await EmbeddedStore.open(folder);
    await store.put(key("a"), value("1"));
    await store.close();
    expect(await readFile(join(folder, "FORMAT"), "utf8")).toBe("1\n");
  });
});
