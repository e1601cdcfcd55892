// Block copy against a copy byte by byte: one wrong byte in a mirrored block is a lost file.

import { blockCopy } from "../../../core-wasm/mirror/copy";

const SPACE: i32 = 8192;
const ours = heap.alloc(SPACE);
const plain = heap.alloc(SPACE);
const before = heap.alloc(SPACE);

let seed: u32 = 5;
function random(limit: u32): u32 {
  seed = seed * 1664525 + 1013904223;
  return ((((seed >> 8) as u64) * (limit as u64)) >> 24) as u32;
}

/** True when a copy within a page of random bytes changes what it should and nothing else. */
function right(to: u32, from: u32, length: u32): bool {
  for (let i = 0; i < SPACE; i += 4) {
    const value = random(0x7fffffff);
    store<u32>(ours + i, value);
    store<u32>(plain + i, value);
    store<u32>(before + i, value);
  }
  blockCopy(ours + to, ours + from, length);
  for (let i: u32 = 0; i < length; i++) store<u8>(plain + to + i, load<u8>(before + from + i));
  return memory.compare(ours, plain, SPACE) == 0;
}

describe("a block copy", () => {
  it("is right for every short length, whether the places overlap or not", () => {
    for (let length: u32 = 0; length <= 80; length++) {
      for (let apart = -18; apart <= 18; apart++)
        if (!right((1000 + apart) as u32, 1000, length)) expect(length).toBe(-1);
      if (!right(3001, 1000, length) || !right(1000, 3003, length)) expect(length).toBe(-1);
    }
  });

  it("is right for any length and alignment", () => {
    for (let round = 0; round < 1500; round++) {
      const length = random(round & 1 ? 1000 : 4000);
      const to = random(SPACE - length);
      const near = max<i32>(
        0,
        min<i32>(SPACE - (length as i32), (to as i32) + (random(200) as i32) - 100),
      ) as u32;
      if (!right(to, round & 2 ? near : random(SPACE - length), length)) expect(length).toBe(-1);
    }
  });

  it("is right on both sides of the length from which memory.copy does it", () => {
    for (let length: u32 = 740; length < 800; length++) {
      if (!right(100, 117, length) || !right(117, 100, length) || !right(100, 4000, length))
        expect(length).toBe(-1);
    }
  });
});
