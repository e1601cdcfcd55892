// If one of these fails, a power cut costs a member a write that it acknowledged, shows a block that
// nobody wrote, or leaves one half-written without a word about where.

import { describe, expect, it } from "vitest";
import type { Member } from "../../control/server/disk/member/member.js";
import { LEASE_MS } from "../../control/server/disk/member/port.js";
import type { MemberRecord } from "../../control/server/disk/member/record.js";
import { mediaFaults, met } from "./disk-counts.js";
import { type Life, openOn, outRecord } from "./disk-member.js";
import {
  lifeBlocks,
  liveUnderPowerCuts,
  liveUntilFlushFails,
  untilCut,
  type World,
  world,
} from "./disk-member-lives.js";
import { forEachSeed, perTier } from "./seeds.js";

const file = "test/simulation/disk-member.test.ts";
const zeros = new Uint8Array(256 * 4096);

describe("a power cut", () => {
  it("in many lives loses nothing that was acknowledged, and says where something may be half-done", async () => {
    let rotten = 0;
    let done = 0;
    let cuts = 0;
    let media = 0;
    await forEachSeed(file, 1, perTier({ quick: 4, long: 80, nightly: 5000 }), async (seed) => {
      const { life, disk } = await liveUnderPowerCuts(seed);
      cuts += disk.counts.powerCut;
      media += mediaFaults(disk.counts);
      done += life.done;
      rotten += life.rotten;
    });
    expect(done).toBeGreaterThan(100);
    expect(rotten).toBeGreaterThan(0);
    met("lives of members", { cuts, media });
  });

  it("after a flush that failed takes nothing that was said to be on the medium", async () => {
    let done = 0;
    await forEachSeed(file, 7001, perTier({ quick: 3, long: 40, nightly: 2000 }), async (seed) => {
      done += (await liveUntilFlushFails(seed)).life.done;
    });
    expect(done).toBeGreaterThan(50);
  });

  it("at each write and flush of making a storage larger and of updates leaves the old record or the new", async () => {
    const stride = perTier({ quick: 5, long: 1, nightly: 1 });
    let cuts = 0;
    for (const after of [false, true]) {
      let wasCut = true;
      for (let cutAt = 0; wasCut; cutAt += stride) {
        const here = await world(1000 + cutAt, 900);
        const { life, disk } = here;
        wasCut = await untilCut(here, cutAt, after, async (device) => {
          const member = await life.judge(device);
          for (const size of [900, 1100, 2500]) {
            for (let step = 0; step < 6; step++) await life.step(member, 0, 1);
            await life.grow(member, size);
          }
        });
        if (wasCut) cuts++;
        const member = await life.judge(disk);
        await life.judgeNew(member);
        await member.close();
      }
    }
    expect(cuts).toBeGreaterThan(10);
    met("growth of members", { cuts });
  });

  it.each([
    [
      "updates of the record",
      "updates of records",
      perTier({ quick: 2, long: 360, nightly: 2000 }),
      async (life: Life, member: Member) => life.update(member, {}),
    ],
    [
      "writes that are left alone until their extents cool",
      "cooling of extents",
      perTier({ quick: 1, long: 10, nightly: 200 }),
      async (life: Life, member: Member) => {
        await life.write(member, 0, 1, false);
        await life.time.pause(8000);
      },
    ],
  ] as const)("at each write and flush of %s does so", async (_, share, seeds, step) => {
    let cuts = 0;
    for (let seed = 1; seed <= seeds; seed++)
      for (let cutAt = 0, wasCut = true; wasCut; cutAt++) {
        const here = await world(3000 * seed + cutAt);
        const { life, disk } = here;
        wasCut = await untilCut(here, cutAt, life.random.chance(0.5), async (device) => {
          const member = await life.judge(device);
          for (let steps = 0; steps < 8; steps++) await step(life, member);
        });
        if (wasCut) cuts++;
        await (await life.judge(disk)).close();
      }
    expect(cuts).toBeGreaterThan(20);
    met(share, { cuts });
  });

  it("at each write and flush of an adoption leaves the member that there was, or a blank medium", async () => {
    const other = outRecord(lifeBlocks, {
      storage: { ...outRecord(lifeBlocks).storage, age: new Uint8Array(16).fill(9) },
    });
    let blanks = 0;
    for (const after of [false, true]) {
      let wasCut = true;
      for (let cutAt = 0; wasCut; cutAt += perTier({ quick: 3, long: 1, nightly: 1 })) {
        const here = await world(2000 + cutAt);
        const { life, time } = here;
        await untilCut(here, 60, false, async (device) => {
          const member = await life.judge(device);
          for (let step = 0; step < 40; step++) await life.step(member, 0, 1);
        });
        wasCut = await untilCut(here, cutAt, after, async (device) => {
          const member = await openOn(device, time);
          await time.pause(LEASE_MS);
          await member.adopt(other);
        });
        blanks += await afterAdoption(here, other, wasCut);
      }
    }
    expect(blanks).toBeGreaterThan(1);
  });
});

/** What is found is the old member, as it was, or a blank medium, or the new one; 1: it was blank. */
async function afterAdoption(
  { life, disk, time }: World,
  other: MemberRecord,
  wasCut: boolean,
): Promise<number> {
  const member = await openOn(disk, time);
  const found = await member.look();
  if (found.kind === "member" && found.record.storage.age[0] !== 9) {
    await member.close();
    await (await life.judge(disk)).close();
    return 0;
  }
  if (found.kind === "blank") await member.adopt(other);
  else if (wasCut) await member.fence({ epoch: 1, server: other.server, age: other.storage.age });
  else await member.fence({ epoch: 2, server: other.server, age: other.storage.age });
  const held = new Uint8Array(zeros.length);
  for (let block = 0; block + 256 <= lifeBlocks; block += 256) {
    await member.read(found.kind === "member" && !wasCut ? 2 : 1, block, held);
    expect(Buffer.compare(held, zeros)).toBe(0);
  }
  await member.close();
  return found.kind === "blank" ? 1 : 0;
}
