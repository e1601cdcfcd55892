// The memory of groups, against a plain list: two messages in one place would change what a
// group has agreed on, a block that never comes back would end all groups one day.

import { arenaOpen, arenaSeal } from "../../../core-wasm/memory/arena";
import {
  segmentBytes,
  segmentRetire,
  segmentTake,
  segmentsOpen,
  segmentsReclaim,
  segmentsTaken,
} from "../../../core-wasm/memory/segments";

const ARENA: usize = 1 << 20;
const MOST: i32 = 4096;
const bytes = heap.alloc(ARENA);
const starts = new StaticArray<usize>(MOST);
const sizes = new StaticArray<u32>(MOST);
const marks = new StaticArray<u8>(MOST);
let listed: i32 = 0;

let seed: u32 = 3;
function random(limit: u32): u32 {
  seed = seed * 1664525 + 1013904223;
  return ((((seed >> 8) as u64) * (limit as u64)) >> 24) as u32;
}

function open(region: u32): void {
  arenaOpen(bytes, bytes + ARENA);
  segmentsOpen(region);
  arenaSeal();
  listed = 0;
}

/** Takes a block and fills it with a mark of its own; false when there was none. */
function take(size: u32): bool {
  const at = segmentTake(size);
  if (at == 0) return false;
  expect(at & 15).toBe(0);
  const mark = (1 + random(255)) as u8;
  memory.fill(at, mark, size);
  starts[listed] = at;
  sizes[listed] = size;
  marks[listed++] = mark;
  return true;
}

/** True when nobody else has written into the block. */
function whole(index: i32): bool {
  for (let i: u32 = 0; i < sizes[index]; i++) if (load<u8>(starts[index] + i) != marks[index]) return false;
  return true;
}

function retire(index: i32): void {
  segmentRetire(starts[index]);
  listed--;
  starts[index] = starts[listed];
  sizes[index] = sizes[listed];
  marks[index] = marks[listed];
}

/** How many blocks of this size fit at once; they are given back. */
function fits(size: u32): i32 {
  while (listed < MOST && take(size)) {}
  const count = listed;
  while (listed > 0) retire(listed - 1);
  segmentsReclaim();
  return count;
}

describe("segments", () => {
  it("never overlap, whatever was taken and retired before, and are all back at the end", () => {
    open(200000);
    let wrong = 0;
    let refused = 0;
    for (let step = 0; step < 6000; step++) {
      if (random(5) < 3) {
        const size = random(4) == 0 ? random(20000) : random(600);
        if (!take(size)) refused++;
      } else if (listed > 0) {
        const index = random(listed as u32) as i32;
        if (!whole(index)) wrong++;
        retire(index);
      }
      if (random(3) == 0) segmentsReclaim();
    }
    expect(refused).toBeGreaterThan(0); // the region was full at times
    while (listed > 0) {
      if (!whole(0)) wrong++;
      retire(0);
    }
    expect(wrong).toBe(0);
    segmentsReclaim();
    expect(segmentsTaken()).toBe(0);
    expect(fits(128)).toBe(200000 >> 7); // nothing is left in pieces that do not join
    expect(fits(1 << 17)).toBe(1);
  });

  it("answer 0 when the region is full, and again when something came back", () => {
    open(4096);
    for (let i = 0; i < 32; i++) expect(take(100)).toBe(true);
    expect(segmentTake(1)).toBe(0);
    expect(segmentsTaken()).toBe(4096);
    retire(7);
    segmentsReclaim();
    expect(take(128)).toBe(true);
    expect(segmentTake(1)).toBe(0);
  });

  it("refuse what can never fit, so that a length from a wire does no harm", () => {
    open(4096);
    expect(segmentTake(4097)).toBe(0);
    expect(segmentTake((1 << 30) + 1)).toBe(0);
    expect(segmentTake(0xffffffff)).toBe(0);
    expect(segmentsTaken()).toBe(0);
    expect(segmentTake(4096)).not.toBe(0);
  });

  it("keep what was retired until the host has flushed", () => {
    open(4096);
    const first = segmentTake(4096);
    memory.fill(first, 0x5a, 4096);
    segmentRetire(first);
    expect(segmentTake(1)).toBe(0);
    expect(segmentsTaken()).toBe(4096);
    for (let i = 0; i < 4096; i++) if (load<u8>(first + i) != 0x5a) expect(i).toBe(-1);
    segmentsReclaim();
    expect(segmentTake(4096)).toBe(first);
  });

  it("count what a block takes and not what was asked for, as histories do", () => {
    open(65536);
    for (let size: u32 = 1; size < 3000; size += 61) {
      expect(segmentBytes(size)).toBeGreaterThanOrEqual(size);
      expect(segmentBytes(size)).toBeLessThan(max<u32>(2 * size, 129));
      const before = segmentsTaken();
      take(size);
      expect(segmentsTaken() - before).toBe(segmentBytes(size));
      retire(0);
      segmentsReclaim();
    }
  });
});
