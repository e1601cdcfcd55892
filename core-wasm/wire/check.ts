// The check of a frame between two Proteus machines: it finds what the wire's own CRC missed.
//
// - Two sums over 32-bit words, in 64 bits so that nothing wraps: the plain one, and one
//   weighted by the distance from the end. Every one-bit and every two-bit error changes
//   them; so does an exchange of words.
// - Sums of consecutive pieces combine, so a frame in two pieces needs no copy. A piece
//   that is not the last is a multiple of 4 bytes; the last is padded with zeros.
// - Not against an attacker: see SECURITY.md.
// - Source: Fletcher, "An arithmetic checksum for serial transmissions", 1982.

let sum: u64 = 0;
let weighted: u64 = 0;

// @ts-ignore: decorator
@inline
export function checkOpen(): void {
  sum = 0;
  weighted = 0;
}

/** Adds the next piece. */
export function checkAdd(pointer: usize, length: u32): void {
  let low1 = i64x2.splat(0); // sums of words 0, 1 of each block of four
  let high1 = i64x2.splat(0); // words 2, 3
  let low2 = i64x2.splat(0);
  let high2 = i64x2.splat(0);
  const blocks = length >> 4;
  let at = pointer;
  const end = pointer + ((blocks as usize) << 4);
  while (at < end) {
    const words = v128.load(at);
    low1 = i64x2.add(low1, i64x2.extend_low_i32x4_u(words));
    high1 = i64x2.add(high1, i64x2.extend_high_i32x4_u(words));
    low2 = i64x2.add(low2, low1);
    high2 = i64x2.add(high2, high1);
    at += 16;
  }
  const s0 = i64x2.extract_lane(low1, 0);
  const s1 = i64x2.extract_lane(low1, 1);
  const s2 = i64x2.extract_lane(high1, 0);
  const s3 = i64x2.extract_lane(high1, 1);
  // Word 4j + r of 4m weighs 4m - 4j - r: four times the running sum, less r times the sum.
  const blockSum = s0 + s1 + s2 + s3;
  const blockWeighted =
    4 *
      (i64x2.extract_lane(low2, 0) +
        i64x2.extract_lane(low2, 1) +
        i64x2.extract_lane(high2, 0) +
        i64x2.extract_lane(high2, 1)) -
    s1 -
    2 * s2 -
    3 * s3;
  weighted += (blocks as u64) * 4 * sum + (blockWeighted as u64);
  sum += blockSum as u64;
  let rest = length & 15;
  while (rest >= 4) {
    sum += load<u32>(at) as u64;
    weighted += sum;
    at += 4;
    rest -= 4;
  }
  if (rest > 0) {
    let word: u64 = 0;
    for (let i: u32 = 0; i < rest; i++) word |= (load<u8>(at + i) as u64) << (i * 8);
    sum += word;
    weighted += sum;
  }
}

/** The check of all pieces; never 0. */
// @ts-ignore: decorator
@inline
export function checkValue(): u32 {
  let h = sum * 0x9e3779b97f4a7c15 + weighted;
  h ^= h >> 29;
  h *= 0xbf58476d1ce4e5b9;
  h ^= h >> 32;
  const value = h as u32;
  return value == 0 ? 1 : value;
}
