// Lives of one member on a disk: clients at work until the power goes, or until a flush fails, and a
// judge (disk-member.ts) who opens what is left.
//
// - `Kind`: the class of members, or of those that have a bug planted (disk-mutants.test.ts).
// - Each throws what the judge finds; the same seed is the same life.

import { DiskError } from "../../control/server/disk/errors.js";
import { Member } from "../../control/server/disk/member/member.js";
import { type BlockDevice, BlockError } from "../../drivers/block.js";
import { SeededRandom } from "../../drivers/fault/random.js";
import { VirtualDisk } from "../../simulation/disk/disk.js";
import { wayTo } from "./bullet-disk.js";
import type { MemberKind } from "./disk-medium.js";
import { Life, openOn, outRecord, VirtualTime } from "./disk-member.js";

/** Three extents, and room for the rest. */
const mediumBlocks = 2600;
export const lifeBlocks = 2500;

export interface World {
  readonly disk: VirtualDisk;
  readonly time: VirtualTime;
  readonly life: Life;
}

/** A member that was just adopted. */
export async function world(seed: number, size = lifeBlocks, kind: MemberKind = Member): Promise<World> {
  const random = new SeededRandom(seed);
  const time = new VirtualTime();
  const disk = new VirtualDisk({
    blocks: mediumBlocks,
    random: new SeededRandom(seed + 1),
    clock: time.disk,
  });
  const member = await openOn(disk, time, true, kind);
  await member.adopt(outRecord(size));
  await member.close();
  return { disk, time, life: new Life(random, time, size, kind) };
}

/** Lives until the power goes at that operation from now on, or after all of it; answers whether it did go. */
export async function untilCut(
  { disk }: World,
  operation: number,
  after: boolean,
  live: (device: BlockDevice) => Promise<void>,
): Promise<boolean> {
  const { state, device } = wayTo(disk);
  const gone = new Promise<true>((resolve) => {
    disk.armCut(disk.operations + operation, after, () => {
      state.isOff = true;
      resolve(true);
    });
  });
  const living = live(device).then(() => false);
  const wasCut = await Promise.race([gone, living]);
  disk.armCut(Number.POSITIVE_INFINITY, false);
  state.isOff = true;
  disk.cut();
  disk.restore();
  return wasCut;
}

/** Clients of a member, so many steps each. */
async function serveClients({ life }: World, device: BlockDevice, clients: number): Promise<void> {
  const member = await life.judge(device);
  const client = async (number: number) => {
    for (let step = 0; step < 40; step++) await life.step(member, number, clients);
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
}

/** Four times at work until the power goes. */
export async function liveUnderPowerCuts(seed: number, kind?: MemberKind): Promise<World> {
  const here = await world(seed, lifeBlocks, kind);
  const { life, disk } = here;
  for (let lives = 0; lives < 4; lives++) {
    const clients = 1 + life.random.below(6);
    const cutAt = life.random.below(150);
    const isAfter = life.random.chance(0.5);
    await untilCut(here, cutAt, isAfter, (device) => serveClients(here, device, clients));
    await (await life.judge(disk)).close();
  }
  return here;
}

/** Three times at work until a flush fails, which leaves its blocks in the cache; then the power goes. */
export async function liveUntilFlushFails(seed: number, kind?: MemberKind): Promise<World> {
  const here = await world(seed, lifeBlocks, kind);
  const { life, disk } = here;
  for (let lives = 0; lives < 3; lives++) {
    const clients = 1 + life.random.below(4);
    let left = 4 + life.random.below(40);
    await untilCut(here, Number.POSITIVE_INFINITY, false, (device) => {
      const flush = async (): Promise<void> => {
        if (left-- === 0) throw new BlockError("BLOCK_GONE", "the flush failed", 0);
        if (left >= 0) await device.flush();
      };
      return serveClients(here, { ...device, flush }, clients).catch((error: unknown) => {
        if (!(error instanceof DiskError) || error.code !== "DISK_MEDIUM") throw error;
      });
    });
    await (await life.judge(disk)).close();
  }
  return here;
}
