// Bytes on a disk of blocks: if one of these fails, a write of a sector changes its neighbours, or a
// large request loses a piece.

import { describe, expect, it } from "vitest";
import { BLOCK_BYTES, TRANSFER_BYTES } from "../../../../../control/server/disk/disk.js";
import { DiskError } from "../../../../../control/server/disk/errors.js";
import { ByteDisk } from "../../../../../control/server/disk/nbd/byte-disk.js";
import { SeededRandom } from "../../../../../drivers/fault/random.js";
import { perTier } from "../../../../simulation/seeds.js";
import { MemoryDisk } from "../memory-disk.js";

const blocks = 24;
const bytes = blocks * BLOCK_BYTES;

/** A disk whose calls take some turns, by the seed. */
function slowDisk(random: SeededRandom): MemoryDisk {
  const disk = new MemoryDisk(blocks);
  disk.before = async () => {
    for (let turns = random.below(6); turns > 0; turns--) await Promise.resolve();
  };
  return disk;
}

function filled(random: SeededRandom, length: number): Uint8Array {
  return Uint8Array.from({ length }, () => random.below(256));
}

describe("bytes on a disk of blocks", () => {
  it("are those that were written, zeroed or trimmed, whatever the ranges", async () => {
    for (let seed = 1; seed <= perTier({ quick: 10, long: 200, nightly: 2000 }); seed++) {
      const random = new SeededRandom(seed);
      const disk = slowDisk(random);
      const [one, other] = [new ByteDisk(disk), new ByteDisk(disk)];
      const model = new Uint8Array(bytes);
      for (let round = 0; round < 12; round++) {
        // Ranges that lie side by side, so that several touch one block, all at the same time.
        const cuts = Array.from({ length: 2 + random.below(8) }, () => random.below(bytes)).sort(
          (a, b) => a - b,
        );
        const done = cuts.slice(1).map((to, index) => {
          const from = cuts[index] ?? 0;
          const via = random.chance(0.5) ? one : other;
          const durable = random.chance(0.2);
          if (random.chance(0.2)) {
            model.fill(0, from, to);
            return via.zero(from, to - from, { durable, punch: random.chance(0.5) });
          }
          const data = filled(random, to - from);
          model.set(data, from);
          return via.write(from, data, durable);
        });
        await Promise.all(done);
        const [from = 0, to = bytes] = [random.below(bytes), bytes].sort((a, b) => a - b);
        const read = new Uint8Array(to - from);
        await one.read(from, read);
        expect(Buffer.compare(read, model.subarray(from, to)), `seed ${seed}`).toBe(0);
      }
    }
  });

  it("of a trim go only where whole blocks are", async () => {
    const disk = new MemoryDisk(4);
    const view = new ByteDisk(disk);
    await view.write(0, new Uint8Array(4 * BLOCK_BYTES).fill(1), false);
    await view.trim(100, 3 * BLOCK_BYTES, true);
    const left = await disk.extents(0, 4);
    expect(left.map(({ blocks, isHole }) => [blocks, isHole])).toEqual([
      [1, false],
      [2, true],
      [1, false],
    ]);
    await view.trim(1, BLOCK_BYTES, false);
    expect(disk.calls.zero).toBe(1);
  });

  it("are moved in pieces of what one call takes, some at a time", async () => {
    const disk = new MemoryDisk((5 * TRANSFER_BYTES) / BLOCK_BYTES);
    let [running, most] = [0, 0];
    disk.before = async (_call, _block, blocks) => {
      expect(blocks * BLOCK_BYTES).toBeLessThanOrEqual(TRANSFER_BYTES);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    };
    const view = new ByteDisk(disk);
    const data = Buffer.alloc(4 * TRANSFER_BYTES + 1000, 7);
    await view.write(500, data, true);
    const read = Buffer.alloc(data.length);
    await view.read(500, read);
    expect(read.equals(data)).toBe(true);
    expect(most).toBeGreaterThan(1);
    expect(disk.durable).toBe(disk.calls.write);
  });

  it("of a request that fails: no piece begins after the failure, and the blocks are free again", async () => {
    const disk = new MemoryDisk((9 * TRANSFER_BYTES) / BLOCK_BYTES);
    const view = new ByteDisk(disk);
    disk.before = async () => {
      throw new DiskError("DISK_FULL", "full");
    };
    await expect(view.write(1, Buffer.alloc(8 * TRANSFER_BYTES), false)).rejects.toMatchObject({
      code: "DISK_FULL",
    });
    expect(disk.calls.write + disk.calls.read).toBeLessThanOrEqual(4);
    disk.before = null;
    await view.write(1, Buffer.alloc(10, 3), false);
  });
});
