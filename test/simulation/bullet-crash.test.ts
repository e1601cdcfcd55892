// A volume of files on a disk whose power goes at any write or flush: what was acknowledged is
// there afterwards, nothing half-made is visible, and the check is clean; and a volume with a bug
// planted in what it does after a power cut is found.

import { describe, expect, it } from "vitest";
import { extentBlocks } from "../../control/server/bullet/volume/layout.js";
import type { FileEntry } from "../../control/server/bullet/volume/types.js";
import { FileVolume } from "../../control/server/bullet/volume/volume.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import type { VirtualDisk } from "../../simulation/disk/disk.js";
import { formatted, inodes, openOn, wayTo } from "./bullet-disk.js";
import { mutantsFoundBy, planted } from "./bullet-mutants.js";
import { forEachSeed, perTier } from "./seeds.js";

const file = "test/simulation/bullet-crash.test.ts";

function contentOf(bytes: number, kind: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, at) => (at * 7 + (at >> 8) + kind * 53) & 0xff);
}

/** What is known of a file: sure, or under way when the power went. */
interface Known {
  readonly content: Uint8Array;
  /** Generations that it may have. */
  generations: Uint8Array[];
  state: "making" | "there" | "renewing" | "removing";
}

const clientsMax = 8;

type VolumeKind = Pick<typeof FileVolume, "open">;

class Life {
  readonly files: Map<number, Known>;
  readonly random: SeededRandom;
  readonly #sizes: readonly number[];
  done = 0;

  constructor(
    files: Map<number, Known>,
    random: SeededRandom,
    blockBytes: number,
    readonly Kind: VolumeKind = FileVolume,
    /** Contents of a size: few are often there already. */
    readonly kinds = 4,
  ) {
    this.files = files;
    this.random = random;
    this.#sizes = [0, 100, 3 * blockBytes, 11 * blockBytes, 30 * blockBytes];
  }

  async make(volume: FileVolume, durable: boolean): Promise<void> {
    const size = this.#sizes[this.random.below(this.#sizes.length)] ?? 0;
    const content = contentOf(size, this.random.below(this.kinds));
    const draft = await volume.draft().catch((error) => {
      expect(error).toMatchObject({ code: "VOLUME_INODES" });
      expect(this.files.size).toBeGreaterThan(inodes - clientsMax);
      return null;
    });
    if (draft === null) return;
    await draft.write(0, content);
    const known: Known = { content, generations: [draft.generation], state: "making" };
    this.files.set(draft.number, known);
    try {
      await draft.commit({ durable });
      if (durable && known.state === "making") known.state = "there"; // or removed after another's sync
    } catch (error) {
      draft.discard();
      this.files.delete(draft.number);
      expect(error).toMatchObject({ code: "VOLUME_FULL" });
    }
    this.done++;
  }

  async step(volume: FileVolume): Promise<void> {
    const kind = this.random.below(10);
    const mine = [...this.files].filter(([, { state }]) => state === "there");
    const chosen = mine[this.random.below(Math.max(1, mine.length))];
    if (kind < 4 || chosen === undefined) return this.make(volume, kind !== 0);
    const [number, known] = chosen;
    if (kind < 7) {
      known.state = "removing";
      await volume.remove(number);
      if (this.files.get(number) === known) this.files.delete(number); // or another's already
    } else if (kind < 8) {
      const waiting = [...this.files].filter(
        ([number, { state, generations }]) =>
          state === "making" && generations.length === 1 && volume.entry(number),
      );
      await volume.sync();
      for (const [, each] of waiting) if (each.state === "making") each.state = "there";
    } else if (kind < 9) {
      // Two at a time could end in either order; its turn is the file's.
      known.state = "renewing";
      const renewed = volume.renew(number);
      known.generations.push(volume.entry(number)?.generation ?? new Uint8Array(0));
      const generation = await renewed;
      known.generations = [generation];
      known.state = "there";
    } else await volume.compact().catch((error) => expect(error).toMatchObject({ code: "VOLUME_BUSY" }));
    this.done++;
  }

  /** Opens what is left, compares it with what is known, and knows it for sure then. */
  async judge(disk: VirtualDisk): Promise<void> {
    const volume = await openOn(disk, disk.operations, this.Kind);
    for (const number of volume.report.unfinished)
      expect(this.files.get(number)?.state, `unfinished file ${number}`).toBe("making");
    expect(volume.report).toMatchObject({ clean: true, lostInodes: [], misplaced: [] });
    const found = new Map([...volume.files()].map((entry) => [entry.number, entry]));
    for (const [number, known] of this.files) {
      const entry = found.get(number);
      if (known.generations.length > 1) known.state = "there"; // a renewal never loses a file
      if (entry === undefined) {
        expect(known.state, `file ${number}`).not.toBe("there");
        this.files.delete(number);
        continue;
      }
      await this.#compare(volume, entry, known);
    }
    expect([...found.keys()].filter((number) => !this.files.has(number))).toEqual([]);
    const { corrupt, clean, brokenCopies } = await volume.check({ repair: false });
    expect({ corrupt, clean, brokenCopies }).toEqual({ corrupt: [], clean: true, brokenCopies: 0 });
    const contents = new Map(
      [...found.values()].map(({ hash, bytes }) => [Buffer.from(hash).toString("hex"), bytes]),
    );
    let used = 0;
    for (const bytes of contents.values()) used += extentBlocks(bytes, disk.blockBytes) * disk.blockBytes;
    const { capacityBytes, freeBytes } = volume.usage();
    expect(capacityBytes - freeBytes).toBe(used);
    await volume.close();
  }

  async #compare(volume: FileVolume, entry: FileEntry, known: Known): Promise<void> {
    const content = await volume.read(entry.number, 0, entry.bytes);
    expect(Buffer.compare(content, known.content), `content of file ${entry.number}`).toBe(0);
    const generation = known.generations.find((each) => Buffer.compare(each, entry.generation) === 0);
    expect(generation, `generation of file ${entry.number}`).toBeDefined();
    known.generations = [entry.generation];
    known.state = "there"; // whatever was under way: it is there, and stays
  }
}

/** The power goes just before or after a write or flush, or as a flush begins, that is so many away. */
type Moment = { readonly operation: number; readonly after: boolean } | { readonly flush: number };

/**
 * Lives until the power goes at that moment. False: it did not come to that; then the power
 * goes when all is done, with what nobody waited for under way.
 */
async function untilCut(
  disk: VirtualDisk,
  moment: Moment,
  live: (volume: FileVolume) => Promise<void>,
  Kind?: VolumeKind,
): Promise<boolean> {
  const { state, device } = wayTo(disk);
  let cut: () => void = () => undefined;
  const gone = new Promise<true>((resolve) => {
    cut = () => {
      state.isOff = true;
      resolve(true);
    };
  });
  if ("operation" in moment) disk.armCut(disk.operations + moment.operation, moment.after, cut);
  let flushes = 0;
  const flush = (): Promise<void> => {
    if ("flush" in moment && flushes++ === moment.flush) cut();
    return device.flush();
  };
  const living = openOn({ ...device, flush }, disk.operations, Kind).then(async (volume) => {
    await live(volume);
    return false;
  });
  const wasCut = await Promise.race([gone, living]);
  disk.armCut(Number.POSITIVE_INFINITY, false);
  // Two machines on one disk is what no volume is for: the first one is off before another opens it.
  state.isOff = true;
  disk.cut();
  disk.restore();
  return wasCut;
}

/** Each kind of change at least once; ends with commits under way that nobody waits for. */
async function everything(volume: FileVolume, life: Life): Promise<void> {
  for (let step = 0; step < 3; step++)
    await Promise.all([true, true, false].map((durable) => life.make(volume, durable)));
  await volume.sync();
  for (const known of life.files.values()) known.state = "there";
  for (const [number, known] of [...life.files].filter((_, index) => index % 2 === 0)) {
    known.state = "removing";
    await volume.remove(number);
    life.files.delete(number);
  }
  await volume.compact();
  for (let step = 0; step < 8; step++) await life.step(volume);
  await volume.compact();
}

/** Lives of a volume one after the other, each ended by a power cut and judged; how much was done. */
async function manyLives(seed: number, Kind?: VolumeKind): Promise<number> {
  const random = new SeededRandom(seed);
  // Those who only make new contents have a file at the end of nearly every flush.
  const onlyMakes = Kind !== undefined || random.chance(0.3);
  const kinds = onlyMakes || random.chance(0.5) ? 200 : 4;
  const blockBytes = random.chance(0.5) ? 512 : 2048;
  // Tight for some: then blocks that were given back are used at once.
  const disk = await formatted(seed, 50 + random.below(110), blockBytes);
  const life = new Life(new Map(), random, blockBytes, Kind, kinds);
  for (let lives = 0; lives < 5; lives++) {
    const clients = 1 + random.below(clientsMax);
    const live = async (volume: FileVolume) => {
      const client = async () => {
        for (let step = 0; step < 60; step++) await (onlyMakes ? life.make(volume, true) : life.step(volume));
      };
      await Promise.all(Array.from({ length: clients }, client));
    };
    const moment = random.chance(0.5)
      ? { operation: random.below(120), after: random.chance(0.5) }
      : { flush: random.below(onlyMakes ? 4 : 40) };
    await untilCut(disk, moment, live, Kind);
    // Those whose drafts were not committed are no files.
    await life.judge(disk);
  }
  return life.done;
}

describe("a power cut", () => {
  it("in many lives of several clients loses nothing acknowledged and shows nothing half-made", async () => {
    let done = 0;
    await forEachSeed(file, 1, perTier({ quick: 8, long: 150, nightly: 10_000 }), async (seed) => {
      done += await manyLives(seed);
    });
    expect(done).toBeGreaterThan(50);
  });

  it.each(mutantsFoundBy("cuts"))("shows a bug that is planted: $name", async (mutant) => {
    const Kind = await planted(mutant);
    for (let seed = 1; seed <= 20; seed++) {
      const isFound = await manyLives(seed, Kind).then(
        () => false,
        () => true,
      );
      if (isFound) return;
    }
    throw new Error("nobody noticed");
  });

  it("at each write and flush of making, committing, removing, renewing and compacting does so", async () => {
    const stride = perTier({ quick: 9, long: 1, nightly: 1 });
    const seeds = perTier({ quick: 1, long: 4, nightly: 60 });
    let cuts = 0;
    for (let seed = 1; seed <= seeds; seed++)
      for (const after of [false, true]) {
        let wasCut = true;
        for (let cutAt = 0; wasCut; cutAt += stride) {
          const disk = await formatted(seed * 1000 + cutAt, 160, 512);
          const life = new Life(new Map(), new SeededRandom(seed), 512);
          wasCut = await untilCut(disk, { operation: cutAt, after }, (volume) => everything(volume, life));
          if (wasCut) cuts++;
          try {
            await life.judge(disk);
          } catch (cause) {
            throw new Error(`seed ${seed}, cut ${after ? "after" : "before"} ${cutAt}`, { cause });
          }
        }
      }
    expect(cuts).toBeGreaterThan(10);
  });

  it("when all is done, and some of it not yet on the medium, does so", async () => {
    // Seed 2 was the first where a commit that nobody waited for was still being written.
    for (let seed = 1; seed <= 6; seed++) {
      const disk = await formatted(seed * 1000 + 101, 160, 512);
      const life = new Life(new Map(), new SeededRandom(seed), 512);
      const never = { flush: Number.POSITIVE_INFINITY };
      expect(await untilCut(disk, never, (volume) => everything(volume, life))).toBe(false);
      await life.judge(disk);
    }
  });
});
