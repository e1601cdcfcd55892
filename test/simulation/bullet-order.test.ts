// If one of these fails, a volume writes or acknowledges something too early: a power cut at the
// wrong moment would show a file half-made, or with another's content, or lose one of which
// somebody was told; or nobody would notice such a bug.

import { describe, expect, it } from "vitest";
import { FileVolume } from "../../control/server/bullet/volume/volume.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { formatted, openOn } from "./bullet-disk.js";
import { mutantsFoundBy, planted } from "./bullet-mutants.js";
import { forEachSeed, perTier } from "./seeds.js";
import { WriteOrder } from "./write-order.js";

const file = "test/simulation/bullet-order.test.ts";

interface Made {
  readonly bytes: number;
  readonly fill: number;
}

/** Clients of a tight volume, who make, remove, renew, move and mend files; what came too early. */
async function tooEarly(seed: number, Kind: Pick<typeof FileVolume, "open">): Promise<WriteOrder> {
  const random = new SeededRandom(seed);
  const disk = await formatted(seed, 55 + random.below(40), random.chance(0.5) ? 512 : 2048);
  const order = await WriteOrder.of(disk);
  const volume = await openOn(order, seed, Kind);
  const there = new Map<number, Made>();
  const make = async (made: Made, durable: boolean): Promise<void> => {
    const draft = await volume.draft();
    await draft.write(0, new Uint8Array(made.bytes).fill(made.fill));
    try {
      const { number } = await draft.commit({ durable });
      if (durable) order.acknowledged(number);
      there.set(number, made);
    } catch {
      draft.discard(); // full
    }
  };
  const step = async (): Promise<void> => {
    const kind = random.below(13);
    const [[chosen, made] = []] = [...there].slice(random.below(Math.max(1, there.size)));
    if (kind < 6 || chosen === undefined || made === undefined) {
      const bytes = random.below(20) * disk.blockBytes + random.below(300);
      await make({ bytes, fill: random.below(200) }, random.chance(0.7));
    } else if (kind < 7) {
      // The medium rots, somebody finds it, and the same content comes again: it gets other blocks.
      const start = order.startOf(chosen);
      if (start !== undefined) await disk.write(start, new Uint8Array(disk.blockBytes).fill(255));
      await volume.verify(chosen, { read: true }).catch(() => null); // removed meanwhile
      await make(made, true);
    } else if (kind < 11) {
      there.delete(chosen);
      await volume.remove(chosen);
    } else if (kind < 12) await volume.renew(chosen).catch(() => undefined);
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
    let [slots, unsettled, blocks] = [0, 0, 0];
    await forEachSeed(file, 1, perTier({ quick: 2, long: 70, nightly: 3000 }), async (seed) => {
      const { wrong, seen } = await tooEarly(seed, FileVolume);
      expect(wrong).toEqual([]);
      slots += seen.slots;
      unsettled += seen.unsettled;
      blocks += seen.blocks;
    });
    expect(slots).toBeGreaterThan(100);
    expect(unsettled).toBeGreaterThan(20);
    expect(blocks).toBeGreaterThan(100);
  });

  it.each(mutantsFoundBy("order"))("do so with a bug planted, which is found: $name", async (mutant) => {
    const Kind = await planted(mutant);
    for (let seed = 1; seed <= 10; seed++) if ((await tooEarly(seed, Kind)).wrong.length > 0) return;
    throw new Error("nobody noticed");
  });
});
