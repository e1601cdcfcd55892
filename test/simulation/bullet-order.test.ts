// If one of these fails, a volume writes something too early: a power cut at the wrong moment
// would show a file half-made, or with another's content; or nobody would notice such a bug.
//
// - A planted bug: the volume's sources with one line changed (test/mutants/volume.json), below
//   build/mutants.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { FileVolume } from "../../control/server/bullet/volume/volume.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { formatted, openOn } from "./bullet-disk.js";
import { forEachSeed, perTier } from "./seeds.js";
import { WriteOrder } from "./write-order.js";

const file = "test/simulation/bullet-order.test.ts";
const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const sources = at("control/server/bullet/volume");

interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly why: string;
}

const mutants: readonly Mutant[] = JSON.parse(readFileSync(at("test/mutants/volume.json"), "utf8"));

/** The class of a volume with a bug planted. */
async function planted({ name, file, find, replace }: Mutant): Promise<Pick<typeof FileVolume, "open">> {
  const folder = at(`build/mutants/volume/${process.pid}-${name}`);
  mkdirSync(folder, { recursive: true });
  try {
    for (const source of readdirSync(sources)) {
      const text = readFileSync(join(sources, source), "utf8");
      if (source === file && text.split(find).length !== 2)
        throw new Error(`${name}: ${file} does not have what it replaces once`);
      const changed = source === file ? text.replace(find, () => replace) : text;
      // What lies outside of the folder stays the original's.
      const outside = changed.replaceAll(
        /from "(\.\.\/[^"]+)"/g,
        (_, path) => `from "${join(sources, path)}"`,
      );
      writeFileSync(join(folder, source), outside);
    }
    return (await import(join(folder, "volume.ts"))).FileVolume;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Clients of a tight volume, who make, remove, renew and move files; what came too early. */
async function tooEarly(seed: number, Kind: Pick<typeof FileVolume, "open">): Promise<WriteOrder> {
  const random = new SeededRandom(seed);
  const disk = await formatted(seed, 55 + random.below(40), random.chance(0.5) ? 512 : 2048);
  const order = await WriteOrder.of(disk);
  const volume = await openOn(order, seed, Kind);
  const there = new Set<number>();
  const step = async (): Promise<void> => {
    const kind = random.below(12);
    const [chosen] = [...there].slice(random.below(Math.max(1, there.size)));
    if (kind < 6 || chosen === undefined) {
      const draft = await volume.draft();
      const bytes = random.below(20) * disk.blockBytes + random.below(300);
      await draft.write(0, new Uint8Array(bytes).fill(random.below(200)));
      await draft.commit({ durable: random.chance(0.7) }).then(
        ({ number }) => there.add(number),
        () => draft.discard(), // full
      );
    } else if (kind < 10) {
      there.delete(chosen);
      await volume.remove(chosen);
    } else if (kind < 11) await volume.renew(chosen);
    else await volume.compact().catch((error) => expect(error).toMatchObject({ code: "VOLUME_BUSY" }));
  };
  const client = async () => {
    for (let steps = 0; steps < 25 && order.wrong.length === 0; steps++) await step();
  };
  await Promise.all(Array.from({ length: 4 }, client));
  await volume.close();
  return order;
}

describe("a volume's writes", () => {
  it("never come too early for the power to go", async () => {
    let [slots, blocks] = [0, 0];
    await forEachSeed(file, 1, perTier({ quick: 2, long: 100, nightly: 3000 }), async (seed) => {
      const { wrong, seen } = await tooEarly(seed, FileVolume);
      expect(wrong).toEqual([]);
      slots += seen.slots;
      blocks += seen.blocks;
    });
    expect(slots).toBeGreaterThan(100);
    expect(blocks).toBeGreaterThan(100);
  });

  it.each(mutants)("do so with a bug planted, which is found: $name", async (mutant) => {
    const Kind = await planted(mutant);
    for (let seed = 1; seed <= 10; seed++) if ((await tooEarly(seed, Kind)).wrong.length > 0) return;
    throw new Error("nobody noticed");
  });
});
