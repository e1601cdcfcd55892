// A process that writes files to a volume and is killed at any of its system calls; another one
// opens what it left: what was acknowledged is there, nothing else is, and the check is clean.
//
// - strace kills it at the Nth call that writes, syncs or reserves, for every N until a run
//   comes to its end; the quick tier takes a sample of them.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FileVolume } from "../../control/server/bullet/volume/volume.js";
import { FileBlockDevice } from "../../drivers/file-block/file-block.js";
import { perTier } from "../simulation/seeds.js";
import { isWanted, killAtEach } from "./killed.js";

const volumeBytes = 2 * 1024 * 1024;
const writer = fileURLToPath(new URL("bullet-crash-writer.mjs", import.meta.url));
const dist = fileURLToPath(new URL("../../dist", import.meta.url));
/** So many that a sample kills more than twice, whichever of the two threads makes the calls. */
const rounds = perTier({ quick: "4", long: "2", nightly: "2" });
const calls = "pwrite64,pwritev,fdatasync,fsync,fallocate,ftruncate";
interface Said {
  readonly kind: number;
  readonly length: number;
  state: "making" | "there" | "removing" | "gone";
}

/** What the process was told of each file. */
function heard(said: string): Map<number, Said> {
  const files = new Map<number, Said>();
  for (const line of said.split("\n")) {
    const [verb, number = 0, kind = 0, length = 0] = line
      .split(" ")
      .map((word, at) => (at === 0 ? word : Number(word)));
    const known = files.get(Number(number));
    if (verb === "making")
      files.set(Number(number), { kind: Number(kind), length: Number(length), state: "making" });
    else if (known !== undefined && verb === "made") known.state = "there";
    else if (known !== undefined && verb === "removing") known.state = "removing";
    else if (known !== undefined && verb === "removed") known.state = "gone";
  }
  return files;
}

async function judge(path: string, said: string): Promise<void> {
  const device = await FileBlockDevice.open(path);
  try {
    // It has no volume only if it was killed while the volume was made.
    if (!said.includes("open\n")) return;
    const random = (bytes: number) => new Uint8Array(bytes).fill(5);
    const volume = await FileVolume.open({ device, name: path, cacheBytes: 2 ** 20, random });
    expect(volume.report).toMatchObject({ clean: true, lostInodes: [], misplaced: [] });
    expect(await volume.check({ repair: false })).toMatchObject({
      clean: true,
      corrupt: [],
      brokenCopies: 0,
    });
    const files = heard(said);
    for (const [number, { kind, length, state }] of files) {
      const entry = volume.entry(number);
      if (state === "there") expect(entry, `file ${number}`).toBeDefined();
      if (state === "gone") expect(entry, `file ${number}`).toBeUndefined();
      if (entry === undefined) continue;
      const content = Buffer.alloc(length);
      for (let at = 0; at < length; at++) content[at] = at * 7 + kind;
      expect(Buffer.compare(await volume.read(number, 0, length + 1), content), `file ${number}`).toBe(0);
    }
    for (const { number } of volume.files()) expect(files.has(number)).toBe(true);
    await volume.close();
  } finally {
    await device.close();
  }
}

describe.skipIf(!isWanted)("a volume whose process is killed", () => {
  let parent: string;
  beforeAll(() => {
    parent = mkdtempSync(join(tmpdir(), "proteus-bullet-"));
  });
  afterAll(() => rmSync(parent, { recursive: true, force: true }));

  it("has all that it acknowledged, and nothing half-made", async () => {
    const pathOf = (step: number) => join(parent, `volume-${step}`);
    const kills = await killAtEach({
      calls,
      stride: perTier({ quick: 17, long: 1, nightly: 1 }),
      program: (step) => {
        writeFileSync(pathOf(step), Buffer.alloc(volumeBytes));
        return [process.execPath, writer, dist, pathOf(step), rounds];
      },
      judge: async (step, said) => {
        if (existsSync(pathOf(step)) && said !== "") await judge(pathOf(step), said);
        rmSync(pathOf(step), { force: true });
      },
    });
    expect(kills).toBeGreaterThan(2);
  });
});
