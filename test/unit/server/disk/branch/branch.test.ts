// A branch on a disk that loses power. If one of these fails, a branch that says that it is whole is not, or
// what was kept before the power went has to be fetched again from a medium that is being overwritten.

import { describe, expect, it } from "vitest";
import { headerFor, StoredBranch } from "../../../../../control/server/disk/branch/branch.js";
import {
  branchBlock,
  branchBlocks,
  decodeHeader,
  decodePage,
  emptyPage,
  encodeHeader,
  encodePage,
  PAGE_BLOCKS,
} from "../../../../../control/server/disk/branch/layout.js";
import { BLOCK_BYTES } from "../../../../../control/server/disk/disk.js";
import { DIGEST_BYTES } from "../../../../../control/server/disk/member/port.js";
import { SeededRandom } from "../../../../../drivers/fault/random.js";
import { VirtualDisk } from "../../../../../simulation/disk/disk.js";
import { fakeDigests } from "../fake-member.js";
import { keptIn } from "../memory-branches.js";
import { VirtualTime } from "../virtual-time.js";

const pages = 8;
/** The power goes between two flushes, and behind some. */
const flushEvery = 2;
const facts = {
  ...{
    age: new Uint8Array(16).fill(7),
    name: "d",
    member: new Uint8Array(16).fill(2),
    node: "n2",
    path: "/m",
  },
  ...{ generation: 0x2_0000_0005n, other: 0x3_0000_0007n, blocks: pages * PAGE_BLOCKS - 100 },
};
/** Blocks that the member has of its own, and its values there; null: a hole that is kept as one. */
const own = new Map<number, number | null>([
  ...[0, 1, 300, 700, 767, 768, 1100, 1500, 1900].map((block): [number, number] => [
    block,
    1 + (block % 250),
  ]),
  ...[5, 1101].map((block): [number, null] => [block, null]),
]);

/** What the member answers for a piece. */
function pieceAt(block: number, values = own) {
  const blocks = Math.min(PAGE_BLOCKS, facts.blocks - block);
  const data = new Uint8Array(blocks * BLOCK_BYTES);
  const states = new Uint8Array(blocks);
  const digests = new Uint8Array(blocks * DIGEST_BYTES);
  for (let at = 0; at < blocks; at++) {
    const value = values.get(block + at);
    if (value === undefined) continue;
    states[at] = value === null ? branchBlock.hole : branchBlock.kept;
    if (value === null) continue;
    const bytes = data.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES).fill(value);
    digests.set(fakeDigests(bytes), at * DIGEST_BYTES);
  }
  return { block, states, digests, data };
}

interface Life {
  readonly time: VirtualTime;
  disk: VirtualDisk;
  puts: number;
}

/** The quick tier takes some of the moments, another one's takes all. */
const step = (process.env.PROTEUS_TIER ?? "quick") === "quick" ? 4 : 1;
const random = new SeededRandom(5);
const diskOf = (time: VirtualTime): VirtualDisk =>
  new VirtualDisk({
    blocks: branchBlocks(facts.blocks),
    random,
    clock: { after: (microseconds, action) => void time.after(microseconds / 1000, action) },
  });

/** As split.ts does it: what is there already is not fetched again. */
async function save(life: Life, values = own): Promise<StoredBranch> {
  const found = await StoredBranch.open(life.disk, "b", flushEvery);
  if (found === null && life.disk.operations > 0) life.disk = diskOf(life.time); // its file got no name
  const branch = found ?? (await StoredBranch.make(life.disk, "b", headerFor(facts, 1), flushEvery));
  if (branch.isKept) return branch;
  for (let block = 0; block < facts.blocks; block += PAGE_BLOCKS) {
    const piece = pieceAt(block, values);
    if (!(await branch.has(block, piece.digests, piece.states))) {
      life.puts++;
      await branch.put(piece);
    }
    await branch.passed(block);
  }
  await branch.close();
  return branch;
}

async function valuesOf(life: Life): Promise<Map<number, number | null>> {
  const branch = await life.time.during(StoredBranch.open(life.disk, "b", flushEvery));
  if (branch === null) throw new Error("there is no branch");
  expect(branch.isKept).toBe(true);
  const kept = await life.time.during(keptIn(branch, fakeDigests));
  return new Map([...kept].map(([block, data]) => [block, data?.[100] ?? null]));
}

const sorted = (values: ReadonlyMap<number, unknown>) => [...values].sort(([a], [b]) => a - b);

describe("a branch", () => {
  it("keeps what it was given, wherever the power goes, and goes on from there", async () => {
    const whole: Life = { time: new VirtualTime(), disk: diskOf(new VirtualTime()), puts: 0 };
    whole.disk = diskOf(whole.time);
    await whole.time.during(save(whole));
    expect(sorted(await valuesOf(whole))).toEqual(sorted(own));
    const { operations } = whole.disk;
    expect(operations).toBeGreaterThan(20);
    let [fewest, most] = [whole.puts, 0];
    for (let cut = 0; cut < operations; cut += step)
      for (const isAfter of [false, true]) {
        const time = new VirtualTime();
        const life: Life = { time, disk: diskOf(time), puts: 0 };
        const off = new Promise<void>((resolve) => life.disk.armCut(cut, isAfter, resolve));
        const saving = save(life);
        saving.catch(() => undefined);
        await time.during(Promise.race([off, saving]));
        life.disk.restore();
        life.puts = 0;
        await time.during(save(life));
        expect(sorted(await valuesOf(life)), `cut at ${cut}`).toEqual(sorted(own));
        fewest = Math.min(fewest, life.puts);
        most = Math.max(most, life.puts);
      }
    expect(most).toBe(whole.puts);
    expect(fewest).toBeLessThan(whole.puts / 2);
  });

  it("is written anew where the member has changed since, also when the power goes again", async () => {
    const later = new Map(own).set(1, 77).set(1100, 78);
    const whole = { time: new VirtualTime(), puts: 0 };
    const measured: Life = { ...whole, disk: diskOf(whole.time) };
    await whole.time.during(save(measured));
    for (let cut = 0; cut < 12; cut += step) {
      const time = new VirtualTime();
      const life: Life = { time, disk: diskOf(time), puts: 0 };
      const before = save(life);
      const off = new Promise<void>((resolve) =>
        life.disk.armCut(measured.disk.operations - 4, false, resolve),
      );
      before.catch(() => undefined);
      await time.during(Promise.race([off, before]));
      life.disk.restore();
      const offAgain = new Promise<void>((resolve) =>
        life.disk.armCut(life.disk.operations + cut, true, resolve),
      );
      const again = save(life, later);
      again.catch(() => undefined);
      await time.during(Promise.race([offAgain, again]));
      life.disk.restore();
      await time.during(save(life, later));
      expect(sorted(await valuesOf(life))).toEqual(sorted(later));
    }
  });

  it("that has rotted says so", async () => {
    const time = new VirtualTime();
    const life: Life = { time, disk: diskOf(time), puts: 0 };
    const branch = await time.during(save(life));
    const at = branchBlocks(facts.blocks) - facts.blocks + 300;
    await time.during(life.disk.write(at, new Uint8Array(BLOCK_BYTES).fill(9)));
    await expect(time.during(branch.read(256, fakeDigests))).rejects.toMatchObject({ code: "DISK_ROT" });
  });
});

describe("its header and pages", () => {
  it("are told from anything else", () => {
    const header = headerFor(facts, 1_700_000_000_000);
    const bytes = encodeHeader({ header, sequence: 3 });
    expect(decodeHeader(bytes)).toEqual({ header, sequence: 3 });
    const page = { ...emptyPage() };
    page.states[3] = branchBlock.kept;
    page.digests.fill(5, 24, 32);
    const written = encodePage(9, page);
    expect(decodePage(9, written)).toEqual(page);
    expect(decodePage(8, written)).toBe(null);
    for (let turn = 0; turn < 200; turn++) {
      const [a, b] = [bytes.slice(), written.slice()];
      const at = random.below(BLOCK_BYTES);
      a[at] = (a[at] ?? 0) ^ (1 + random.below(255));
      b[at] = (b[at] ?? 0) ^ (1 + random.below(255));
      expect(decodeHeader(a)).toBe(null);
      expect(decodePage(9, b)).toBe(null);
    }
    expect(decodeHeader(new Uint8Array(BLOCK_BYTES))).toBe(null);
    expect(decodePage(4, new Uint8Array(BLOCK_BYTES))).toEqual(emptyPage());
  });
});
