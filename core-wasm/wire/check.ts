// The check of a frame between two Proteus machines: it finds what the wire's own CRC missed.
//
// - Blocks of 64 bytes, the last padded with zeros. Word r (of 4) of quarter k (of 4) adds its
//   two signed halves, times 4k + 1 and 4k + 3, to sum r; after each block the four sums are
//   added to four sums of sums. All of it in 32 bits.
// - Every one-bit and every two-bit error of a frame changes those eight words (odd factors are
//   no powers of two apart, and positions differ by less than what 32 bits hold); so does an
//   exchange of words. checkValue folds them to 32 bits.
// - A frame in pieces needs no copy: a piece that is not the last is a multiple of 4 bytes.
// - Not against an attacker: see SECURITY.md.
// - Source: Fletcher, "An arithmetic checksum for serial transmissions", 1982; the factors make
//   it one multiplication for four words.

const BLOCK: u32 = 64;

const SUMS = memory.data(16, 16);
const SUMS_OF_SUMS = memory.data(16, 16);
/** Behind 16 zeros: as indices for swizzle, from byte n on, they move n bytes to the front. */
const TO_FRONT = memory.data<u8>(
  [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
    255, 255, 255, 255, 255, 255,
  ],
  16,
);
let phase: u32 = 0; // bytes in the block that has begun

// @ts-ignore: decorator
@inline
function factors(quarter: u32): u32 {
  return 4 * quarter + 1 + ((4 * quarter + 3) << 16);
}

// @ts-ignore: decorator
@inline
export function checkOpen(): void {
  v128.store(SUMS, i64x2.splat(0));
  v128.store(SUMS_OF_SUMS, i64x2.splat(0));
  phase = 0;
}

/** Adds the next piece. */
export function checkAdd(pointer: usize, length: u32): void {
  let at = pointer;
  let rest = length;
  if (phase != 0) {
    while (rest > 0 && phase != 0) {
      const size = min<u32>(rest, 4);
      addWord(at, size);
      at += size;
      rest -= size;
    }
    if (rest == 0) return;
  }
  let sums = v128.load(SUMS);
  let sumsOfSums = v128.load(SUMS_OF_SUMS);
  const f0 = i32x4.splat(factors(0));
  const f1 = i32x4.splat(factors(1));
  const f2 = i32x4.splat(factors(2));
  const f3 = i32x4.splat(factors(3));
  const end = at + ((rest & ~(2 * BLOCK - 1)) as usize);
  while (at < end) {
    // Two blocks a round; pairs are added first, so that the chain from round to round is short.
    const a01 = i32x4.add(i32x4.dot_i16x8_s(v128.load(at), f0), i32x4.dot_i16x8_s(v128.load(at, 16), f1));
    const a23 = i32x4.add(i32x4.dot_i16x8_s(v128.load(at, 32), f2), i32x4.dot_i16x8_s(v128.load(at, 48), f3));
    const b01 = i32x4.add(i32x4.dot_i16x8_s(v128.load(at, 64), f0), i32x4.dot_i16x8_s(v128.load(at, 80), f1));
    const b23 = i32x4.add(
      i32x4.dot_i16x8_s(v128.load(at, 96), f2),
      i32x4.dot_i16x8_s(v128.load(at, 112), f3),
    );
    sums = i32x4.add(sums, i32x4.add(a01, a23));
    sumsOfSums = i32x4.add(sumsOfSums, sums);
    sums = i32x4.add(sums, i32x4.add(b01, b23));
    sumsOfSums = i32x4.add(sumsOfSums, sums);
    at += 2 * BLOCK;
  }
  rest &= 2 * BLOCK - 1;
  if (rest >= BLOCK) {
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load(at), f0));
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load(at, 16), f1));
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load(at, 32), f2));
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load(at, 48), f3));
    sumsOfSums = i32x4.add(sumsOfSums, sums);
    at += BLOCK;
    rest -= BLOCK;
  }
  v128.store(SUMS_OF_SUMS, sumsOfSums);
  phase = (rest + 3) & ~3;
  let factor = f0;
  const next = i32x4.splat(0x00040004);
  while (rest >= 16) {
    sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load(at), factor));
    factor = i32x4.add(factor, next);
    at += 16;
    rest -= 16;
  }
  if (rest > 0) sums = i32x4.add(sums, i32x4.dot_i16x8_s(last(at, rest, length), factor));
  v128.store(SUMS, sums);
  if (phase == BLOCK) closeBlock();
}

/** The last `rest` (1 to 15) bytes of a piece, at `at`, and zeros behind them. */
// @ts-ignore: decorator
@inline
function last(at: usize, rest: u32, length: u32): v128 {
  // What lies in front of them is the piece's own; what lies behind may not be memory at all.
  if (length >= 16) return i8x16.swizzle(v128.load(at + rest - 16), v128.load(TO_FRONT + (16 - rest)));
  let low: u64 = 0;
  let high: u64 = 0;
  for (let i: u32 = 0; i < rest; i++) {
    const byte = load<u8>(at + i) as u64;
    if (i < 8) low |= byte << (i * 8);
    else high |= byte << ((i - 8) * 8);
  }
  return i64x2.replace_lane(i64x2.splat(low as i64), 1, high as i64);
}

/** One word, or the last 1 to 3 bytes of the last piece, in the middle of a block. */
function addWord(at: usize, size: u32): void {
  let word: u32 = 0;
  if (size == 4) word = load<u32>(at);
  else for (let i: u32 = 0; i < size; i++) word |= (load<u8>(at + i) as u32) << (i * 8);
  const factor = factors(phase >> 4);
  const sum = SUMS + (phase & 12);
  const low = (word as i16 as i32) * (factor as i16 as i32);
  const high = ((word >> 16) as i16 as i32) * ((factor >> 16) as i32);
  store<i32>(sum, load<i32>(sum) + low + high);
  phase += 4;
  if (phase == BLOCK) closeBlock();
}

function closeBlock(): void {
  v128.store(SUMS_OF_SUMS, i32x4.add(v128.load(SUMS_OF_SUMS), v128.load(SUMS)));
  phase = 0;
}

/** The check of all pieces; never 0. */
// @ts-ignore: decorator
@inline
export function checkValue(): u32 {
  if (phase != 0) closeBlock();
  let h =
    load<u64>(SUMS) * 0x9e3779b97f4a7c15 +
    load<u64>(SUMS, 8) * 0xc2b2ae3d27d4eb4f +
    load<u64>(SUMS_OF_SUMS) * 0x165667b19e3779f9 +
    load<u64>(SUMS_OF_SUMS, 8) * 0x27d4eb2f165667c5;
  h ^= h >> 29;
  h *= 0xbf58476d1ce4e5b9;
  h ^= h >> 32;
  const value = h as u32;
  return value == 0 ? 1 : value;
}
