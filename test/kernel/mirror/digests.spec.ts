// Digests and maps of bits in the kernel's own words: a block whose digest is wrong is copied for
// nothing, or never. Against models: test/unit/kernel/digests.test.ts and dirty-map.test.ts.

import { bitsCount, bitsFill, bitsFind, bitsUnite } from "../../../core-wasm/mirror/bits";
import { digest, digests, digestsDiffer } from "../../../core-wasm/mirror/digests";
import { xxh3 } from "../../../core-wasm/mirror/xxh3";

const ALL: u64 = 0xffffffffffffffff;
const blocks = heap.alloc(4 * 4096);
const table = heap.alloc(64);
const map = heap.alloc(256);
const other = heap.alloc(256);

describe("the digest of a block", () => {
  it("is 0 for zeros of any length, and the hash for all else", () => {
    memory.fill(blocks, 0, 4096);
    for (let length: u32 = 16; length <= 4096; length += 16)
      if (digest(blocks, length, 7) != 0) expect(length).toBe(0);
    for (let at: usize = 0; at < 4096; at += 61) {
      store<u8>(blocks + at, 1);
      if (digest(blocks, 4096, 7) != xxh3(blocks, 4096, 7)) expect(at).toBe(4096);
      store<u8>(blocks + at, 0);
    }
    expect(digest(blocks, 4096, 7)).toBe(0);
  });

  it("is compared block by block", () => {
    memory.fill(blocks, 0, 4 * 4096);
    for (let i: usize = 1; i < 4; i++) store<u8>(blocks + i * 4096 + i, 9);
    digests(blocks, 4, 4096, 5, table);
    expect(load<u64>(table)).toBe(0);
    store<u8>(map, 0xff);
    expect(digestsDiffer(blocks, 4, 4096, 5, table, map)).toBe(0);
    expect(load<u8>(map)).toBe(0);
    store<u8>(blocks, 1);
    store<u8>(blocks + 3 * 4096, 1);
    expect(digestsDiffer(blocks, 4, 4096, 5, table, map)).toBe(2);
    expect(load<u8>(map)).toBe(9);
  });
});

describe("a map of bits", () => {
  it("is filled, counted and searched from any bit to any other", () => {
    for (let from: u32 = 0; from <= 200; from += 7) {
      for (let to = from; to <= 200; to += 9) {
        memory.fill(map, 0, 256);
        bitsFill(map, from, to, ALL);
        let right = bitsCount(map, 0, 256) == to - from && bitsCount(map, from, to) == to - from;
        right = right && bitsFind(map, 0, 256, 0) == (from < to ? from : 256);
        right = right && bitsFind(map, from, 256, ALL) == to;
        bitsFill(map, from, to, 0);
        right = right && bitsCount(map, 0, 256) == 0;
        if (!right) expect(from).toBe(to + 1);
      }
    }
  });

  it("takes what another has", () => {
    memory.fill(map, 0, 256);
    memory.fill(other, 0, 256);
    bitsFill(map, 3, 10, ALL);
    bitsFill(other, 8, 130, ALL);
    bitsUnite(map, other, 4);
    expect(bitsCount(map, 0, 256)).toBe(127);
    expect(bitsFind(map, 3, 256, ALL)).toBe(130);
  });
});
