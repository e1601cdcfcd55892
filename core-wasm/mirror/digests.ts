// Digests of blocks: eight bytes that say what a block of a disk holds.
//
// - XXH3-64 with the disk's seed. A block of zeros has the digest 0 and is not hashed, so what
//   was never written and what was written with zeros are the same; a hash that is 0 is stored as 1.
// - So a table of zeros is the table of an empty disk.
// - Bytes of a block: a multiple of 16, the caller's to check.

import { xxh3 } from "./xxh3";

/** Whether `length` bytes, a multiple of 16, are all zeros. */
function isZeros(pointer: usize, length: u32): bool {
  const end = pointer + length;
  let at = pointer;
  for (const whole = pointer + (length & ~63); at < whole; at += 64) {
    const first = v128.or(v128.load(at), v128.load(at, 16));
    const second = v128.or(v128.load(at, 32), v128.load(at, 48));
    if (v128.any_true(v128.or(first, second))) return false;
  }
  for (; at < end; at += 16) if (v128.any_true(v128.load(at))) return false;
  return true;
}

/** The digest of one block. */
export function digest(pointer: usize, blockBytes: u32, seed: u64): u64 {
  if (isZeros(pointer, blockBytes)) return 0;
  const hash = xxh3(pointer, blockBytes, seed);
  return hash == 0 ? 1 : hash;
}

/** The digests of blocks in a row, at `out`. */
export function digests(pointer: usize, blocks: u32, blockBytes: u32, seed: u64, out: usize): void {
  for (let i: u32 = 0; i < blocks; i++)
    store<u64>(out + ((i as usize) << 3), digest(pointer + (i as usize) * blockBytes, blockBytes, seed));
}

/** How many blocks in a row have another digest than `given` says; their bits are set at `out`. */
export function digestsDiffer(
  pointer: usize,
  blocks: u32,
  blockBytes: u32,
  seed: u64,
  given: usize,
  out: usize,
): u32 {
  memory.fill(out, 0, (blocks + 7) >> 3);
  let count: u32 = 0;
  for (let i: u32 = 0; i < blocks; i++) {
    const is = digest(pointer + (i as usize) * blockBytes, blockBytes, seed);
    if (is == load<u64>(given + ((i as usize) << 3))) continue;
    const byte = out + (i >> 3);
    store<u8>(byte, load<u8>(byte) | ((1 as u8) << ((i & 7) as u8)));
    count++;
  }
  return count;
}
