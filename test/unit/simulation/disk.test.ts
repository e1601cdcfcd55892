// A virtual disk that is kinder than a real one hides bugs that cost data later.

import { beforeEach, describe, expect, it } from "vitest";
import { BlockError } from "../../../drivers/block.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { VirtualDisk } from "../../../simulation/disk/disk.js";
import { noDiskFaults } from "../../../simulation/disk/faults.js";
import { TestClock } from "../drivers/clock.js";

const blockBytes = 4096;
const blocks = 64;
const filled = (value: number, length = blockBytes): Uint8Array => new Uint8Array(length).fill(value);

let clock: TestClock;
let disk: VirtualDisk;

function make(seed = 1): VirtualDisk {
  clock = new TestClock();
  const after = (microseconds: number, action: () => void): void => clock.schedule(microseconds, action);
  disk = new VirtualDisk({ blocks, blockBytes, random: new SeededRandom(seed), clock: { after } });
  return disk;
}

/** Lets time pass until an operation has ended; what it came to. */
async function ended(operation: Promise<void>): Promise<"done" | BlockError | "never"> {
  let end: "done" | BlockError | "never" = "never";
  operation.then(
    () => {
      end = "done";
    },
    (error: unknown) => {
      if (!(error instanceof BlockError)) throw error;
      end = error;
    },
  );
  clock.advance(100_000);
  await Promise.resolve();
  await Promise.resolve();
  return end;
}

async function readBack(block: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(blockBytes);
  expect(await ended(disk.read(block, buffer))).toBe("done");
  return buffer;
}

beforeEach(() => {
  make();
});

describe("a virtual disk", () => {
  it("reads what was written, also before it is flushed, and zeros elsewhere", async () => {
    expect(await ended(disk.write(3, filled(7, 2 * blockBytes)))).toBe("done");
    expect(await readBack(4)).toEqual(filled(7));
    expect(await readBack(5)).toEqual(filled(0));
    expect(disk.onMedium(4)).toEqual(filled(0));
    await ended(disk.flush());
    expect(disk.onMedium(4)).toEqual(filled(7));
  });

  it("keeps its own bytes, also of a Buffer, whose slices share theirs", async () => {
    const sent = Buffer.from(filled(7));
    await ended(disk.write(3, sent));
    await ended(disk.flush());
    const judged = disk.onMedium(3);
    judged.fill(8);
    expect(Buffer.compare(sent, filled(7))).toBe(0);
    sent.fill(9);
    expect(Buffer.compare(disk.onMedium(3), filled(7))).toBe(0);
  });

  it("keeps what was flushed through any number of power cuts", async () => {
    for (let seed = 1; seed <= 50; seed++) {
      make(seed);
      await ended(disk.write(1, filled(9)));
      await ended(disk.flush());
      await ended(disk.write(2, filled(8)));
      disk.cut();
      disk.restore();
      expect(await readBack(1)).toEqual(filled(9));
    }
  });

  it("keeps, drops, reorders or tears what was not flushed", async () => {
    const seen = { dropped: 0, reordered: 0, torn: 0, kept: 0 };
    for (let seed = 1; seed <= 200; seed++) {
      make(seed);
      for (let block = 0; block < 8; block++) await ended(disk.write(block, filled(block + 1)));
      disk.cut();
      for (let block = 0; block < 8; block++) {
        const bytes = new Set(disk.onMedium(block));
        if (bytes.size === 1 && bytes.has(block + 1)) seen.kept++;
        expect([...bytes].every((byte) => byte === 0 || byte === block + 1)).toBe(true);
      }
      for (const kind of ["dropped", "reordered", "torn"] as const) seen[kind] += disk.counts[kind];
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(20);
    expect(seen.kept + seen.torn + seen.dropped).toBe(200 * 8);
  });

  it("never ends what was under way when the power went, and refuses until it is back", async () => {
    const under = disk.write(0, filled(1));
    disk.cut();
    expect(await ended(under)).toBe("never");
    expect(await ended(disk.flush())).toMatchObject({ code: "BLOCK_GONE" });
    disk.restore();
    expect(await ended(disk.flush())).toBe("done");
  });

  it.each([
    ["before a write", 1, false, 0],
    ["after a flush", 2, true, 5],
    ["before a flush", 2, false, null],
  ] as const)("cuts the power %s when it was armed for that", async (_, operation, after, onMedium) => {
    let hit = 0;
    disk.armCut(operation, after, () => hit++);
    await ended(disk.flush()); // operation 0
    await ended(disk.write(0, filled(5)));
    await ended(disk.flush());
    expect(hit).toBe(1);
    expect(disk.counts.powerCut).toBe(1);
    if (onMedium !== null) expect(disk.onMedium(0)).toEqual(filled(onMedium));
  });

  it("loses writes that it reported as done", async () => {
    disk.faults = { ...noDiskFaults, lostWrite: 1 };
    expect(await ended(disk.write(0, filled(1)))).toBe("done");
    expect(await readBack(0)).toEqual(filled(0));
    expect(disk.counts.lostWrite).toBe(1);
  });

  it("writes to the wrong block", async () => {
    disk.faults = { ...noDiskFaults, misdirectedWrite: 1 };
    await ended(disk.write(10, filled(6)));
    await ended(disk.flush());
    const hit = Array.from({ length: blocks }, (_, block) => block).filter(
      (block) => disk.onMedium(block)[0] === 6,
    );
    expect(hit).toHaveLength(1);
    expect(hit).not.toContain(10);
  });

  it("rots: one bit, for good", async () => {
    await ended(disk.write(0, filled(0xff)));
    await ended(disk.flush());
    disk.faults = { ...noDiskFaults, bitRot: 1 };
    await readBack(0);
    disk.faults = noDiskFaults;
    const ones = (await readBack(0)).reduce(
      (sum, byte) => sum + byte.toString(2).replaceAll("0", "").length,
      0,
    );
    expect(ones).toBe(blockBytes * 8 - 1);
  });

  it("fails a read once, or until the block is written again", async () => {
    const buffer = new Uint8Array(blockBytes);
    disk.faults = { ...noDiskFaults, readError: 1 };
    expect(await ended(disk.read(0, buffer))).toMatchObject({ code: "BLOCK_UNREADABLE", block: 0 });
    disk.faults = { ...noDiskFaults, badBlock: 1 };
    expect(await ended(disk.read(0, buffer))).toMatchObject({ code: "BLOCK_UNREADABLE" });
    disk.faults = noDiskFaults;
    expect(await ended(disk.read(0, buffer))).toMatchObject({ code: "BLOCK_UNREADABLE" });
    await ended(disk.write(0, filled(2)));
    await ended(disk.flush());
    expect(await readBack(0)).toEqual(filled(2));
  });

  it("is blank after it was replaced", async () => {
    await ended(disk.write(0, filled(1)));
    await ended(disk.flush());
    disk.replace();
    expect(await readBack(0)).toEqual(filled(0));
  });

  it("refuses what is not whole blocks of it", async () => {
    expect(await ended(disk.write(blocks, filled(1)))).toMatchObject({ code: "BLOCK_RANGE" });
    expect(await ended(disk.read(0, new Uint8Array(100)))).toMatchObject({ code: "BLOCK_RANGE" });
    expect(await ended(disk.read(0.5, filled(0)))).toMatchObject({ code: "BLOCK_RANGE" });
  });
});
