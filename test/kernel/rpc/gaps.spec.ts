// What is missing of a message, against a row of booleans: a byte wrongly taken for there
// would reach a program as rubbish; one wrongly taken for missing would stall a call.

import { GAPS_MAX } from "../../../core-wasm/limits";
import {
  GAPS_BYTES,
  gapEnd,
  gapStart,
  gapsCount,
  gapsFill,
  gapsHave,
  gapsOpen,
} from "../../../core-wasm/rpc/gaps";

const TOTAL: u32 = 200;
const gaps = heap.alloc(GAPS_BYTES as usize);
const there: StaticArray<bool> = new StaticArray<bool>(TOTAL as i32);

let seed: u32 = 3;
function random(limit: u32): u32 {
  seed = seed * 1664525 + 1013904223;
  return ((((seed >> 8) as u64) * (limit as u64)) >> 24) as u32;
}

function open(total: u32): void {
  gapsOpen(gaps, total);
  for (let i = 0; i < (TOTAL as i32); i++) there[i] = (i as u32) >= total;
}

function have(start: u32, end: u32): bool {
  for (let i = start; i < end; i++) if (!there[i as i32]) return false;
  return true;
}

/** The list is in order, apart, and says exactly what the row says. */
function agree(): bool {
  let at: u32 = 0;
  for (let i: u32 = 0; i < gapsCount(gaps); i++) {
    if (gapStart(gaps, i) >= gapEnd(gaps, i)) return false;
    if (i > 0 && gapStart(gaps, i) <= gapEnd(gaps, i - 1)) return false;
    for (; at < gapStart(gaps, i); at++) if (!there[at as i32]) return false;
    for (; at < gapEnd(gaps, i); at++) if (there[at as i32]) return false;
  }
  return have(at, TOTAL);
}

describe("gaps", () => {
  it("agree with a row of booleans under random fragments of any size and order", () => {
    let wrong = 0;
    for (let round = 0; round < 200; round++) {
      open(1 + random(TOTAL));
      for (let step = 0; step < 60; step++) {
        const start = random(TOTAL);
        const end = min<u32>(TOTAL, start + 1 + random(random(4) == 0 ? 100 : 8));
        if (gapsHave(gaps, start, end) != have(start, end)) wrong++;
        const before = gapsCount(gaps);
        if (gapsFill(gaps, start, end)) {
          for (let i = start; i < end; i++) there[i as i32] = true;
        } else if (before != GAPS_MAX) wrong++;
      }
      if (!agree()) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it("refuse a fragment that needs one range too many, and lose nothing by it", () => {
    open(TOTAL);
    for (let i: u32 = 0; i < GAPS_MAX - 1; i++) expect(gapsFill(gaps, i * 4 + 2, i * 4 + 4)).toBe(true);
    expect(gapsCount(gaps)).toBe(GAPS_MAX);
    expect(gapsFill(gaps, 150, 151)).toBe(false);
    expect(gapsHave(gaps, 150, 151)).toBe(false);
    expect(gapsFill(gaps, 0, 2)).toBe(true);
    expect(gapsFill(gaps, 150, 151)).toBe(true);
  });

  it("are empty when all has come, also of a message without bytes", () => {
    open(0);
    expect(gapsCount(gaps)).toBe(0);
    open(TOTAL);
    for (let at: u32 = 0; at < TOTAL; at += 10) expect(gapsFill(gaps, at, at + 10)).toBe(true);
    expect(gapsCount(gaps)).toBe(0);
  });
});
