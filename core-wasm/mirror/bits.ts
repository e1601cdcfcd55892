// Maps of bits: which blocks of a disk, or pieces of it, somebody lacks.
//
// - Bit i is bit i & 7 of byte i >> 3, so a map means the same on a medium and on a wire.
// - Maps lie on 8 bytes and are read 64 bits at a time: their room is whole words, and bits behind
//   the last one stay 0.
// - Bounds are the caller's to check: calls.ts.

const ALL: u64 = 0xffffffffffffffff;

// @ts-ignore: decorator
@inline
function word(map: usize, bit: u32): usize {
  return map + (((bit >> 6) as usize) << 3);
}

/** The bits of a word from `bit` on. */
// @ts-ignore: decorator
@inline
function above(bit: u32): u64 {
  return ALL << ((bit & 63) as u64);
}

/** The bits of a word in front of `bit`, which is not the first of the word. */
// @ts-ignore: decorator
@inline
function below(bit: u32): u64 {
  return ~above(bit);
}

/** Sets (`value` all ones) or clears (0) the bits [from, to). */
export function bitsFill(map: usize, from: u32, to: u32, value: u64): void {
  let at = from;
  while (at < to) {
    const mask = to >> 6 == at >> 6 ? above(at) & below(to) : above(at);
    const place = word(map, at);
    store<u64>(place, (load<u64>(place) & ~mask) | (value & mask));
    at = (at | 63) + 1;
  }
}

/** How many of the bits [from, to) are set. */
export function bitsCount(map: usize, from: u32, to: u32): u32 {
  let count: u64 = 0;
  let at = from;
  while (at < to) {
    const mask = to >> 6 == at >> 6 ? above(at) & below(to) : above(at);
    count += popcnt<u64>(load<u64>(word(map, at)) & mask);
    at = (at | 63) + 1;
  }
  return count as u32;
}

/** The first of the bits [from, to) that is set (`flip` 0) or clear (all ones); `to`: none. */
export function bitsFind(map: usize, from: u32, to: u32, flip: u64): u32 {
  let at = from;
  while (at < to) {
    const found = (load<u64>(word(map, at)) ^ flip) & above(at);
    if (found != 0) return min<u32>((at & ~63) + (ctz<u64>(found) as u32), to);
    at = (at | 63) + 1;
  }
  return to;
}

/** Sets what is set in `from` too; both have `words` words. */
export function bitsUnite(map: usize, from: usize, words: u32): void {
  for (let i: usize = 0; i < (words as usize) << 3; i += 8)
    store<u64>(map + i, load<u64>(map + i) | load<u64>(from + i));
}
