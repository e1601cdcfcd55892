// Fragments that came before their first one: mixed up, they would put one client's bytes
// into another's request.

import { arenaOpen, arenaSeal } from "../../../core-wasm/memory/arena";
import {
  recordData,
  recordLength,
  recordOffset,
  recordTotal,
  stashForget,
  stashKeep,
  stashLowest,
  stashNext,
  stashOpen,
} from "../../../core-wasm/rpc/stash";

const bytes = heap.alloc(16384);
const data = heap.alloc(2048);

function open(size: u32): void {
  arenaOpen(bytes, bytes + 16384);
  stashOpen(size);
  arenaSeal();
}

function keep(source: u64, id: u32, offset: u32, length: u32): bool {
  for (let i: u32 = 0; i < length; i++) store<u8>(data + i, (offset + i) as u8);
  return stashKeep(source, id, offset, 10000, data, length);
}

function countOf(source: u64, id: u32): i32 {
  let count = 0;
  let record = stashNext(source, id, 0);
  for (; record != 0; record = stashNext(source, id, record)) {
    for (let i: u32 = 0; i < recordLength(record); i++) {
      if (load<u8>(recordData(record) + i) != ((recordOffset(record) + i) as u8)) return -1;
    }
    if (recordTotal(record) != 10000) return -1;
    count++;
  }
  return count;
}

describe("the stash", () => {
  it("gives each message its own fragments, byte for byte", () => {
    open(8192);
    for (let i: u32 = 1; i <= 5; i++) {
      expect(keep(1, 1, i * 100, 100)).toBe(true);
      expect(keep(1, 2, i * 50, i)).toBe(true);
      expect(keep(2, 1, i * 10, 7)).toBe(true);
    }
    expect(countOf(1, 1)).toBe(5);
    expect(countOf(1, 2)).toBe(5);
    expect(countOf(2, 1)).toBe(5);
    expect(countOf(2, 2)).toBe(0);
    expect(stashLowest(1, 1)).toBe(100);
    expect(stashLowest(2, 2)).toBe(0);
  });

  it("never hands out a fragment twice", () => {
    open(8192);
    keep(1, 1, 100, 100);
    keep(1, 1, 200, 100);
    stashForget(stashNext(1, 1, 0));
    expect(countOf(1, 1)).toBe(1);
  });

  it("gives up what is old when it is full, and refuses what can never fit", () => {
    open(2048);
    expect(keep(1, 1, 4, 2040)).toBe(false);
    for (let i: u32 = 1; i <= 500; i++) {
      expect(keep(1, i, i, i % 300)).toBe(true);
      expect(countOf(1, i)).toBe(1);
    }
  });
});
