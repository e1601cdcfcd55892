// Rows that outlive the program: whatever ends at whatever operation, steps are whole, those that were
// synced are there, and none comes back that was not made.

import { describe, expect, it } from "vitest";
import { readFrames } from "../../../control/recoverable/frames.js";
import { type Change, RecoverableTables, type Rows } from "../../../control/recoverable/tables.js";
import { SeededRandom } from "../../../drivers/fault/random.js";
import { type Folder, readWhole } from "../../../drivers/folder.js";
import { MemoryFolder, PowerCut } from "../../../drivers/memory/folder.js";

class Map2 implements Rows {
  readonly rows = new Map<string, object>();

  apply(table: string, key: string | number, row: object | null): void {
    if (row === null) this.rows.delete(`${table}/${key}`);
    else this.rows.set(`${table}/${key}`, row);
  }

  *all(): Generator<Change> {
    for (const [name, row] of this.rows) {
      const [table = "", key = ""] = name.split("/");
      yield [table, key, row];
    }
  }
}

const small = { journalBytesMax: 600 };
const open = (folder: Folder) => {
  const rows = new Map2();
  return { rows, tables: RecoverableTables.open(folder, rows, small) };
};
/** A step of two rows, and every other time one that goes. */
const step = (number: number): Change[] => [
  ["a", number % 7, { number }],
  ["b", number % 5, number % 2 === 0 ? null : { number, text: "é\u0000x".repeat(number % 9) }],
];

/** What the rows are after so many steps. */
function model(steps: number): object {
  const rows = new Map2();
  for (let number = 0; number < steps; number++)
    for (const [table, key, row] of step(number)) rows.apply(table, key, row);
  return Object.fromEntries([...rows.rows].sort());
}

const shown = ({ rows }: Map2): object => Object.fromEntries([...rows].sort());

/** Makes steps until the end, syncing every third; answers how many were made and how many were synced. */
async function work(folder: Folder, steps: number): Promise<{ made: number; synced: number }> {
  let [made, synced] = [0, 0];
  try {
    const { tables } = open(folder);
    for (let number = 0; number < steps; number++) {
      tables.commit(step(number));
      made = number + 1;
      if (number % 3 !== 2) continue;
      await tables.sync();
      synced = made;
    }
  } catch (error) {
    if (!(error instanceof PowerCut) && (error as Error).message !== new PowerCut().message) throw error;
  }
  return { made, synced };
}

describe("recoverable tables", () => {
  it("are as they were after they were opened again, snapshots in between", async () => {
    const folder = new MemoryFolder({ random: new SeededRandom(1) });
    await work(folder, 100);
    folder.kill();
    folder.restart();
    const { rows } = open(folder);
    expect(shown(rows)).toEqual(model(100));
    expect(folder.paths().some((path) => path.startsWith("snapshot."))).toBe(true);
    expect(folder.paths()).toHaveLength(2);
  });

  it("lose nothing that was synced and have no half a step, wherever the power ends", async () => {
    const whole = new MemoryFolder({ random: new SeededRandom(1) });
    await work(whole, 40);
    for (let cutAt = 0; cutAt <= whole.operations; cutAt++) {
      for (const seed of [1, 2, 3]) {
        const folder = new MemoryFolder({ random: new SeededRandom(1000 * cutAt + seed) });
        folder.cutAt = cutAt;
        const { made, synced } = await work(folder, 40);
        if (cutAt === whole.operations) folder.cut();
        folder.restart();
        const { rows, tables } = open(folder);
        const found = JSON.stringify(shown(rows));
        const possible = Array.from({ length: made - synced + 2 }, (_, more) => synced + more);
        const states = possible.map((count) => JSON.stringify(model(count)));
        expect(states, `seed ${seed}, cut at ${cutAt}: synced ${synced}, made ${made}`).toContain(found);
        // It goes on, and a second opening finds the same.
        tables.commit([["c", 1, { after: true }]]);
        tables.syncNow();
        folder.cut();
        folder.restart();
        expect(open(folder).rows.rows.get("c/1")).toEqual({ after: true });
      }
    }
  });

  it("refuse a step that finds no room, and go on with those that do", () => {
    const folder = new MemoryFolder({ random: new SeededRandom(1), bytesMax: 200 });
    const { rows, tables } = open(folder);
    tables.commit([["a", 1, { text: "x" }]]);
    expect(() => tables.commit([["a", 2, { text: "x".repeat(300) }]])).toThrow(
      expect.objectContaining({ code: "RECOVERABLE_FULL" }),
    );
    tables.commit([["a", 3, { text: "y" }]]);
    expect([...rows.rows.keys()]).toEqual(["a/1", "a/3"]);
    expect([...open(folder).rows.rows.keys()]).toEqual(["a/1", "a/3"]);
  });

  it("are refused when a frame is broken that had been synced, and not when a later one is", () => {
    const folder = new MemoryFolder({ random: new SeededRandom(1) });
    const { tables } = open(folder);
    tables.commit([["a", 1, { n: 1 }]]);
    tables.syncNow();
    tables.commit([["a", 2, { n: 2 }]]);
    tables.commit([["a", 3, { n: 3 }]]);
    const file = folder.open("journal.0", "write");
    const size = file.facts().size;
    file.write(size - 1, new Uint8Array([0]));
    expect([...open(folder).rows.rows.keys()]).toEqual(["a/1", "a/2"]);
    file.write(20, new Uint8Array([0]));
    expect(() => open(folder)).toThrow(expect.objectContaining({ code: "RECOVERABLE_DAMAGED" }));
  });

  it("share a sync among those who wait", async () => {
    const folder = new MemoryFolder({ random: new SeededRandom(1) });
    const { tables } = open(folder);
    const before = folder.operations;
    for (let number = 0; number < 5; number++) tables.commit([["a", number, { number }]]);
    await Promise.all([tables.sync(), tables.sync(), tables.sync()]);
    expect(folder.operations - before).toBe(5 + 1);
    await tables.sync();
    expect(folder.operations - before).toBe(5 + 1);
  });
});

describe("frames", () => {
  it("are none in what is none", () => {
    expect(readFrames(new Uint8Array(100).fill(0xff))).toEqual({ bodies: [], end: 0, damagedAt: null });
    const folder = new MemoryFolder({ random: new SeededRandom(1) });
    open(folder).tables.commit([["a", 1, { n: 1 }]]);
    expect(readFrames(readWhole(folder, "journal.0") ?? new Uint8Array(0)).bodies).toEqual([
      [["a", 1, { n: 1 }]],
    ]);
  });
});
