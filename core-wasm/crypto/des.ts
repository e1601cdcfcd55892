// DES, as far as the one-way functions need it: the key schedule, the S-boxes, and
// one encryption of the zero block.
//
// - A block is a u64 whose bit 0 is DES bit 1: the least significant bit of byte 0.
//   (FIPS 46 counts from the most significant bit; each byte is mirrored.) The
//   ignored parity bit of a key byte is therefore its most significant.
// - Plain bit permutations: used once for each address registered, never per frame.
//   oneway.ts has the fast form for ports.
// - DES is weak and is here for one reason: addresses must equal those an original
//   computes. Nothing secret of Proteus rests on it (SECURITY.md).
// - Source: FIPS 46-3; Amoeba 5 FLIP address one-way function.

// A permutation is a list of 1-based input bits, one for each output bit.
// prettier-ignore
export const PC1 = memory.data<u8>([
  57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36,
  63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4,
]);
// prettier-ignore
export const PC2 = memory.data<u8>([
  14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2, 41, 52, 31, 37, 47,
  55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32,
]);
// prettier-ignore
const P = memory.data<u8>([
  16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22,
  11, 4, 25,
]);
// prettier-ignore
const FINAL = memory.data<u8>([
  40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30, 37, 5, 45, 13,
  53, 21, 61, 29, 36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27, 34, 2, 42, 10, 50, 18, 58, 26,
  33, 1, 41, 9, 49, 17, 57, 25,
]);
// One row of an S-box a word, the entry of column 0 in its highest four bits.
// prettier-ignore
const S = memory.data<u64>([
  0xe4d12fb83a6c5907, 0x0f74e2d1a6cb9538, 0x41e8d62bfc973a50, 0xfc8249175b3ea06d, 0xf18e6b34972dc05a,
  0x3d47f28ec01a69b5, 0x0e7ba4d158c6932f, 0xd8a13f42b67c05e9, 0xa09e63f51dc7b428, 0xd709346a285ecbf1,
  0xd6498f30b12c5ae7, 0x1ad069874fe3b52c, 0x7de3069a1285bc4f, 0xd8b56f03472c1ae9, 0xa690cb7df13e5284,
  0x3f06a1d8945bc72e, 0x2c417ab6853fd0e9, 0xeb2c47d150fa3986, 0x421bad78f9c5630e, 0xb8c71e2d6f09a453,
  0xc1af92680d34e75b, 0xaf427c9561de0b38, 0x9ef528c3704a1db6, 0x432c95fabe17608d, 0x4b2ef08d3c975a61,
  0xd0b7491ae35c2f86, 0x14bdc37eaf680592, 0x6bd814a7950fe23c, 0xd2846fb1a93e50c7, 0x1fd8a374c56b0e92,
  0x7b419ce206adf358, 0x21e74a8dfc90356b,
]);

export const ROUNDS: u32 = 16;
const HALF_KEY: u64 = 0xfffffff;
/** Bit i: the key halves turn by two before round i, not by one. */
const TURN_TWO: u32 = 0b0111111011111100;

/** Output bit i is input bit table[i] - 1. */
export function permute(bits: u64, table: usize, count: u32): u64 {
  let out: u64 = 0;
  for (let i: u32 = 0; i < count; i++) out |= ((bits >> (<u64>load<u8>(table + i) - 1)) & 1) << i;
  return out;
}

/** Turns both 28-bit halves of the key for a round. */
export function turn(halves: u64, round: u32): u64 {
  const by: u64 = 1 + ((TURN_TWO >> round) & 1);
  const c = halves & HALF_KEY;
  const d = halves >> 28;
  return (((c >> by) | (c << (28 - by))) & HALF_KEY) | ((((d >> by) | (d << (28 - by))) & HALF_KEY) << 28);
}

/** What S-box `box` makes of six bits, the first of them in bit 0: four bits, the first in bit 0. */
export function substitute(box: u32, six: u32): u32 {
  const row = ((six & 1) << 1) | (six >> 5);
  const column = ((six << 2) & 8) | (six & 4) | ((six >> 2) & 2) | ((six >> 4) & 1);
  const nibble = <u32>(load<u64>(S + (box * 4 + row) * 8) >> (<u64>(15 - column) * 4)) & 15;
  return ((nibble >> 3) & 1) | ((nibble >> 1) & 2) | ((nibble << 1) & 4) | ((nibble << 3) & 8);
}

/** DES under `key` of a block of zeros. */
export function encryptZero(key: u64): u64 {
  let halves = permute(key, PC1, 56);
  let left: u64 = 0; // the initial permutation of zeros
  let right: u64 = 0;
  for (let round: u32 = 0; round < ROUNDS; round++) {
    halves = turn(halves, round);
    const roundKey = permute(halves, PC2, 48);
    let sum: u64 = 0;
    for (let box: u32 = 0; box < 8; box++) {
      const six = expand(right, box) ^ (<u32>(roundKey >> (box * 6)) & 63);
      sum |= (<u64>substitute(box, six)) << (box * 4);
    }
    const next = left ^ permute(sum, P, 32);
    left = right;
    right = next;
  }
  return permute(right | (left << 32), FINAL, 64);
}

/** The six bits of a half block that S-box `box` sees: its own four and a neighbour on each side. */
// @ts-ignore: decorator
@inline
function expand(half: u64, box: u32): u32 {
  const ring = (half >> 31) | (half << 1) | (half << 33); // bit 32, bits 1 to 32, bit 1
  return <u32>(ring >> (box * 4)) & 63;
}

const SPACE: u64 = 0xff00000000000000;

/**
 * The public FLIP address of a private one. The last byte, the space, is kept; an
 * address whose other bytes are zero is its own public address.
 */
export function flipOneWay(address: u64): u64 {
  if ((address & ~SPACE) == 0) return address;
  let out = encryptZero(address) & ~SPACE;
  if (out == 0) out = encryptZero(0) & ~SPACE;
  return out | (address & SPACE);
}
