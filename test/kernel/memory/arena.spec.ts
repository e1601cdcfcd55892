// The arena: if tables overlapped or were not clean, a kernel would corrupt itself at boot.

import { allocate, arenaOpen, arenaSeal } from "../../../core-wasm/memory/arena";

const block = heap.alloc(4096);

describe("the arena", () => {
  it("hands out clean, aligned pieces one behind the other, so that no two tables overlap", () => {
    memory.fill(block, 0xff, 4096);
    arenaOpen(block + 3, block + 4096);
    let end = block;
    for (let bytes: u64 = 1; bytes < 300; bytes += 37) {
      const at = allocate(bytes);
      expect(at & 63).toBe(0);
      expect(at).toBeGreaterThanOrEqual(end);
      for (let i: u64 = 0; i < bytes; i++) expect(load<u8>(at + (i as usize))).toBe(0);
      end = at + (bytes as usize);
    }
    expect(arenaSeal()).toBeGreaterThanOrEqual(end);
  });

  it("answers 0 when something does not fit, and from then on, so that boot fails as a whole", () => {
    arenaOpen(block, block + 1024);
    expect(allocate(512)).not.toBe(0);
    expect(allocate(4096)).toBe(0);
    expect(allocate(1)).toBe(0);
    arenaSeal();
    arenaOpen(block, block + 1024);
    expect(allocate(u64.MAX_VALUE - 100)).toBe(0);
    expect(allocate(0x100000000)).toBe(0);
    arenaSeal();
  });
});
