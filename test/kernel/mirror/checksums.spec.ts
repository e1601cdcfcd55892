// The checksums in the kernel's own words: what everybody else's program would write on a disk
// for the same bytes. All lengths and another implementation: test/unit/kernel/mirror.test.ts.

import { arenaOpen, arenaSeal } from "../../../core-wasm/memory/arena";
import { crc32c, crc32cOpen } from "../../../core-wasm/mirror/crc32c";
import { xxh3 } from "../../../core-wasm/mirror/xxh3";

const arena = heap.alloc(32768);
const bytes = heap.alloc(8192);

function open(): void {
  arenaOpen(arena, arena + 32768);
  crc32cOpen();
  arenaSeal();
}

describe("CRC-32C", () => {
  it("is that of RFC 3720, appendix B.4", () => {
    open();
    memory.fill(bytes, 0, 32);
    expect(crc32c(bytes, 32, 0)).toBe(0x8a9136aa);
    memory.fill(bytes, 0xff, 32);
    expect(crc32c(bytes, 32, 0)).toBe(0x62a8ab43);
    for (let i: u8 = 0; i < 32; i++) store<u8>(bytes + i, i);
    expect(crc32c(bytes, 32, 0)).toBe(0x46dd794e);
    for (let i: u8 = 0; i < 32; i++) store<u8>(bytes + i, 31 - i);
    expect(crc32c(bytes, 32, 0)).toBe(0x113fdb5c);
  });

  it("goes on where another part ended, wherever the cut is", () => {
    open();
    for (let i: usize = 0; i < 100; i++) store<u8>(bytes + i, (i * 37) as u8);
    const whole = crc32c(bytes, 100, 0);
    for (let cut: u32 = 0; cut <= 100; cut++)
      expect(crc32c(bytes + cut, 100 - cut, crc32c(bytes, cut, 0))).toBe(whole);
    expect(crc32c(bytes, 0, 0)).toBe(0);
  });
});

describe("XXH3-64", () => {
  it("depends on every byte, at every length and in every way of the algorithm", () => {
    for (let i: usize = 0; i < 2400; i++) store<u8>(bytes + i, (i * 101 + 7) as u8);
    for (let length: u32 = 1; length < 2400; length += length < 300 ? 1 : 97) {
      const whole = xxh3(bytes, length, 0);
      const step: u32 = length < 300 ? 1 : 13;
      for (let at: u32 = 0; at < length; at += step) {
        store<u8>(bytes + at, load<u8>(bytes + at) ^ 0x10);
        if (xxh3(bytes, length, 0) == whole) expect(at).toBe(0xffffffff);
        store<u8>(bytes + at, load<u8>(bytes + at) ^ 0x10);
      }
      if (xxh3(bytes, length, 1) == whole) expect(length).toBe(0);
      if (xxh3(bytes, length, 0) != whole) expect(length).toBe(0);
    }
  });

  it("is the published one of nothing at all", () => {
    expect(xxh3(bytes, 0, 0)).toBe(0x2d06800538d394c2);
  });
});
