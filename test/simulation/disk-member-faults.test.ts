// If this fails, a member serves bytes that nobody wrote because its medium lied: bits that flip,
// writes that are lost or land elsewhere, blocks that cannot be read.
//
// - Every read is either what was written or DISK_ROT; and a block that was written again, after the
//   medium came to its senses, is well again.
// - The one thing that a member alone cannot see is a write whose blocks and digests were both lost:
//   then it is whole as it was before. Other copies know (a resync by digests).

import { afterAll, describe, expect, it } from "vitest";
import { DiskError } from "../../control/server/disk/errors.js";
import { digestSeed, type Member } from "../../control/server/disk/member/member.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { VirtualDisk } from "../../simulation/disk/disk.js";
import { type DiskFaults, noDiskFaults } from "../../simulation/disk/faults.js";
import { digests } from "../unit/server/disk/kernel.js";
import { mediaFaults, met } from "./disk-counts.js";
import { contentOf, openOn, outRecord, VirtualTime } from "./disk-member.js";
import { forEachSeed, perTier } from "./seeds.js";

const file = "test/simulation/disk-member-faults.test.ts";
const blocks = 600;
const faults: readonly Partial<DiskFaults>[] = [
  { bitRot: 0.02 },
  { lostWrite: 0.05 },
  { misdirectedWrite: 0.05 },
  { readError: 0.05, badBlock: 0.02 },
  { bitRot: 0.01, lostWrite: 0.02, misdirectedWrite: 0.02, readError: 0.02, badBlock: 0.01 },
];

interface Tally {
  rotten: number;
  good: number;
}

class Judged {
  /** Every value that a block was given, the last one last. */
  readonly #values = new Map<number, number[]>();
  readonly #seed = digestSeed(outRecord(blocks).storage);
  #sequence = 1;

  constructor(
    public member: Member,
    readonly random: SeededRandom,
    readonly tally: Tally,
  ) {}

  async write(block: number, epoch: number): Promise<void> {
    const value = this.random.below(200);
    this.#values.set(block, [...(this.#values.get(block) ?? [0]), value]);
    const data = contentOf(value);
    const sequence = this.#sequence++;
    const given = digests.of(data, this.#seed);
    await this.member.write({ epoch, sequence, done: sequence, block, data, digests: given, durable: true });
  }

  /** Whether a block was read; what is read is what was written last, or before that when that was lost. */
  async read(block: number, epoch: number): Promise<boolean> {
    const buffer = new Uint8Array(4096);
    const values = this.#values.get(block) ?? [0];
    try {
      await this.member.read(epoch, block, buffer);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      expect(error).toMatchObject({ code: "DISK_ROT", blocks: [block] });
      this.tally.rotten++;
      return false;
    }
    const found = values.findLastIndex((each) => Buffer.compare(contentOf(each), buffer) === 0);
    expect(found, `block ${block} is one of ${values}`).toBeGreaterThanOrEqual(0);
    this.tally.good++;
    return true;
  }

  get blocks(): Iterable<number> {
    return this.#values.keys();
  }
}

describe("a medium that lies", () => {
  let media = 0;
  afterAll(() => met("media that lie", { media }));

  it.each(faults)("by %o is never believed", async (kinds) => {
    const tally = { rotten: 0, good: 0 };
    await forEachSeed(file, 1, perTier({ quick: 2, long: 70, nightly: 1000 }), async (seed) => {
      const random = new SeededRandom(seed);
      const time = new VirtualTime();
      const disk = new VirtualDisk({ blocks: 640, random: new SeededRandom(seed + 1), clock: time.disk });
      const made = await openOn(disk, time, true);
      await made.adopt(outRecord(blocks));
      const judged = new Judged(made, random, tally);
      for (let step = 0; step < 40; step++) await judged.write(random.below(40) * 15, 1);
      disk.faults = { ...noDiskFaults, ...kinds };
      for (let step = 0; step < 120; step++) {
        const block = random.below(40) * 15;
        if (random.chance(0.5)) await judged.write(block, 1);
        else if (!(await judged.read(block, 1))) await judged.write(block, 1);
      }
      disk.faults = noDiskFaults;
      media += mediaFaults(disk.counts);
      await made.close();
      const again = await openOn(disk, time);
      if ((await again.look()).kind === "blank") {
        // Both copies of the record were written over: another member's bytes are needed anyway.
        expect(kinds.misdirectedWrite).toBeGreaterThan(0);
        return;
      }
      await again.fence({ epoch: 2, server: 11n, age: outRecord(blocks).storage.age });
      judged.member = again;
      for (const block of judged.blocks)
        if (!(await judged.read(block, 2))) {
          await judged.write(block, 2);
          expect(await judged.read(block, 2)).toBe(true);
        }
      await again.close();
    });
    expect(tally.rotten).toBeGreaterThan(0);
    expect(tally.good).toBeGreaterThan(50);
  });

  it("in its record has the other copy", async () => {
    for (const copy of [0, 1]) {
      const time = new VirtualTime();
      const disk = new VirtualDisk({ blocks: 640, random: new SeededRandom(5), clock: time.disk });
      const member = await openOn(disk, time);
      await member.adopt(outRecord(blocks));
      await member.update(outRecord(blocks, { generation: 6n }));
      await member.close();
      const at = 632 + 4 * copy;
      const spoilt = new Uint8Array(4096);
      await disk.read(at, spoilt);
      spoilt[100] = (spoilt[100] ?? 0) ^ 4;
      await disk.write(at, spoilt);
      const found = await (await openOn(disk, time)).look();
      expect(found).toMatchObject({ kind: "member", record: { generation: copy === 0 ? 6n : 5n } });
    }
  });
});
