// The table of records behind routes, ports and neighbours, against a plain list: a record
// lost or found under another key would send calls to the wrong machine.

import { arenaOpen, arenaSeal } from "../../../core-wasm/memory/arena";
import {
  Entry,
  Table,
  tableAdd,
  tableAt,
  tableFind,
  tableIndex,
  tableNew,
  tableRemove,
} from "../../../core-wasm/memory/table";

const CAPACITY: u32 = 37;
const RECORD: u32 = 36; // not a multiple of 8 on purpose
const bytes = heap.alloc(65536);

let seed: u32 = 1;
function random(limit: u32): u32 {
  seed = seed * 1664525 + 1013904223;
  return ((((seed >> 8) as u64) * (limit as u64)) >> 24) as u32;
}

let keys: StaticArray<u64> = new StaticArray<u64>(CAPACITY as i32);
let records: StaticArray<usize> = new StaticArray<usize>(CAPACITY as i32);
let listed: i32 = 0;

/** The index in the list of the newest record with this key, or -1. */
function newest(key: u64): i32 {
  for (let i = listed - 1; i >= 0; i--) if (keys[i] == key) return i;
  return -1;
}

function fresh(): Table {
  arenaOpen(bytes, bytes + 65536);
  const table = tableNew(CAPACITY, RECORD);
  arenaSeal();
  listed = 0;
  return table;
}

/** False when the record is not what it should be: none when full, else clean. */
function add(table: Table, key: u64): bool {
  const record = tableAdd(table, key, key ^ 5);
  if ((listed as u32) == CAPACITY) return record == 0;
  if (record == 0) return false;
  for (let at: u32 = 24; at < RECORD; at++) if (load<u8>(record + at) != 0) return false;
  memory.fill(record + 24, 0xee, RECORD - 24);
  keys[listed] = key;
  records[listed++] = record;
  return true;
}

/** True when the table has a record of this key where the list has one. */
function same(table: Table, key: u64): bool {
  const found = tableFind(table, key, key ^ 5);
  if (table.count != (listed as u32)) return false;
  return newest(key) < 0 ? found == 0 : found != 0 && changetype<Entry>(found).key == key;
}

function drop(table: Table, index: i32): void {
  tableRemove(table, records[index]);
  listed--;
  for (let i = index; i < listed; i++) {
    keys[i] = keys[i + 1];
    records[i] = records[i + 1];
  }
}

describe("a table", () => {
  it("finds what a plain list finds, over thousands of random additions and removals", () => {
    const table = fresh();
    let wrong = 0;
    for (let step = 0; step < 20000; step++) {
      const key: u64 = random(60);
      const what = random(3);
      if (what == 0 && !add(table, key)) wrong++;
      else if (what == 1 && listed > 0) drop(table, random(listed as u32) as i32);
      if (!same(table, key)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it("tells two keys apart that differ in the second only, so that networks are not mixed up", () => {
    const table = fresh();
    const a = tableAdd(table, 7, 0);
    const b = tableAdd(table, 7, 1);
    expect(tableFind(table, 7, 0)).toBe(a);
    expect(tableFind(table, 7, 1)).toBe(b);
    expect(tableFind(table, 7, 2)).toBe(0);
    tableRemove(table, a);
    expect(tableFind(table, 7, 0)).toBe(0);
    expect(tableFind(table, 7, 1)).toBe(b);
  });

  it("is full at its capacity and has room again after a removal, without ever growing", () => {
    const table = fresh();
    for (let i: u32 = 0; i < CAPACITY; i++) expect(tableAdd(table, i, 0)).not.toBe(0);
    expect(tableAdd(table, 1000, 0)).toBe(0);
    tableRemove(table, tableFind(table, 12, 0));
    expect(tableAdd(table, 1000, 0)).not.toBe(0);
    expect(tableAdd(table, 1001, 0)).toBe(0);
  });

  it("has every record at its index, so that timers find the neighbour that they are for", () => {
    const table = fresh();
    for (let i: u32 = 0; i < CAPACITY; i++) {
      const record = tableAdd(table, i, 0);
      expect(tableAt(table, tableIndex(table, record))).toBe(record);
      expect(tableIndex(table, record)).toBeLessThan(CAPACITY);
    }
  });
});
