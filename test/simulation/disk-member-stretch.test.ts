// If one of these fails, a disk that grows on a longer file loses what it holds.

import { describe, expect, it } from "vitest";
import { capacityOf } from "../../control/server/disk/member/layout.js";
import { stretch, stretchMin } from "../../control/server/disk/member/stretch.js";
import type { BlockDevice } from "../../drivers/block.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { VirtualDisk } from "../../simulation/disk/disk.js";
import { wayTo } from "./bullet-disk.js";
import { Life, openOn, outRecord, VirtualTime } from "./disk-member.js";
import { perTier } from "./seeds.js";

const former = 1600;
const longer = 2600;
const blocks = capacityOf(former);

const frontOf = (device: BlockDevice): BlockDevice => ({
  ...{ blockBytes: 4096, blocks: former },
  read: (block, buffer) => device.read(block, buffer),
  write: (block, data) => device.write(block, data),
  flush: () => device.flush(),
});

/** A disk whose front is a member that has been written to. */
async function written(seed: number) {
  const time = new VirtualTime();
  const disk = new VirtualDisk({ blocks: longer, random: new SeededRandom(seed), clock: time.disk });
  const life = new Life(new SeededRandom(seed + 1), time, blocks);
  const made = await openOn(frontOf(disk), time, true);
  await made.adopt(outRecord(blocks));
  await made.close();
  const member = await life.judge(frontOf(disk));
  for (let step = 0; step < 15; step++) await life.write(member, 0, 1, true);
  await member.close();
  return { time, disk, life };
}

describe("a medium that became longer", () => {
  it("has what it held, whenever the power goes, and zeros where it is new", async () => {
    let cuts = 0;
    for (const after of [false, true])
      for (let cutAt = 0, wasCut = true; wasCut; cutAt += perTier({ quick: 4, long: 1, nightly: 1 })) {
        const { disk, life, time } = await written(cutAt);
        const { state, device } = wayTo(disk);
        const gone = new Promise<boolean>((resolve) => {
          disk.armCut(disk.operations + cutAt, after, () => {
            state.isOff = true;
            resolve(true);
          });
        });
        wasCut = await Promise.race([gone, stretch(device, former).then(() => false)]);
        disk.armCut(Number.POSITIVE_INFINITY, false);
        state.isOff = true;
        disk.cut();
        disk.restore();
        if (wasCut) cuts++;
        expect(await stretch(disk, former)).toBe(true);
        const member = await life.judge(disk);
        await life.grow(member, capacityOf(longer));
        await life.judgeNew(member);
        for (let step = 0; step < 30; step++) await life.write(member, 0, 1, true);
        await member.close();
        // Once more, when there is data where the records were: nothing is lost.
        expect(await stretch(disk, former)).toBe(true);
        await (await life.judge(disk)).close();
        expect(time.now()).toBeGreaterThan(0);
      }
    expect(cuts).toBeGreaterThan(5);
  });

  it("is left alone when there is no member, or too little room is new", async () => {
    const { disk, time } = await written(1);
    const blank = new VirtualDisk({ blocks: longer, random: new SeededRandom(1), clock: time.disk });
    expect(await stretch(blank, former)).toBe(false);
    expect(await stretch(disk, longer)).toBe(false);
    const short: BlockDevice = { ...frontOf(disk), blocks: former + stretchMin(blocks) - 1 };
    await expect(stretch(short, former)).rejects.toThrow(RangeError);
    await stretch({ ...short, blocks: former + stretchMin(blocks) }, former);
  });
});
