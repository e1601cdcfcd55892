// The one-way function of Amoeba: a get-port to its put-port, a random number and
// rights to a check field.
//
// - A port is its six bytes in the low 48 bits of a u64, bit 0 the least significant
//   bit of byte 0. The null port is its own image.
// - A DES with 48-bit blocks and its own permutations encrypts zero under a key made
//   of the port. Only six of its eight S-boxes reach the result, so only they are
//   computed.
// - Runs for each locate and each getreq of a new port: table driven, under a
//   microsecond. The tables are filled on first use and always come out the same.
// - 48 bits and DES are weak; see des.ts. New servers use a keyed function instead.
// - Source: Amoeba 5 one_way, priv2pub.

import { PC1, PC2, permute, ROUNDS, substitute, turn } from "./des";

const HALF: u64 = 0xffffff;
const BOXES: u32 = 6;

// Permutations as in des.ts: 1-based input bits. A trailing part that cannot reach
// the result is left out.
// prettier-ignore
const EXPAND = memory.data<u8>([
  23, 16, 13, 4, 9, 3, 24, 17, 15, 14, 10, 11, 1, 2, 22, 20, 19, 7, 12, 8, 18, 5, 21, 6, 6, 18, 12, 14, 13,
  15, 9, 8, 20, 23, 19, 10,
]);
// prettier-ignore
const P = memory.data<u8>([
  4, 14, 10, 13, 9, 21, 22, 8, 6, 24, 17, 2, 15, 19, 5, 16, 23, 11, 3, 1, 12, 20, 18, 7,
]);
// prettier-ignore
const FINAL = memory.data<u8>([
  17, 15, 14, 9, 39, 34, 20, 21, 24, 46, 16, 22, 7, 43, 27, 47, 23, 6, 33, 31, 13, 38, 42, 1, 41, 25, 28, 2,
  18, 12, 26, 45, 10, 44, 3, 35, 37, 5, 30, 36, 19, 11, 8, 32, 4, 40, 48, 29,
]);

// Tables: what each value of each group of input bits adds to the output.
const EXPAND_NIBBLES: u32 = 6; // of a half block
const KEY_NIBBLES: u32 = 14; // of the two key halves
const EXPAND_TABLE = memory.data(EXPAND_NIBBLES * 16 * 8, 8); // u64
const KEY_TABLE = memory.data(KEY_NIBBLES * 16 * 8, 8); // u64
const SUBSTITUTE_TABLE = memory.data(BOXES * 64 * 4, 8); // u32: S-box, then P
let ready: bool = false;

function fillTables(): void {
  for (let i: u32 = 0; i < EXPAND_NIBBLES * 16; i++) {
    store<u64>(EXPAND_TABLE + i * 8, permute((<u64>(i & 15)) << ((i >> 4) * 4), EXPAND, BOXES * 6));
  }
  for (let i: u32 = 0; i < KEY_NIBBLES * 16; i++) {
    store<u64>(KEY_TABLE + i * 8, permute((<u64>(i & 15)) << ((i >> 4) * 4), PC2, BOXES * 6));
  }
  for (let i: u32 = 0; i < BOXES * 64; i++) {
    const box = i >> 6;
    store<u32>(SUBSTITUTE_TABLE + i * 4, <u32>permute((<u64>substitute(box, i & 63)) << (box * 4), P, 24));
  }
  ready = true;
}

/** The port's bits in groups of six, each in a byte of its own. */
function keyOf(port: u64): u64 {
  let key: u64 = 0;
  for (let i: u64 = 0; i < 8; i++) key |= ((port >> (i * 6)) & 63) << (i * 8);
  return key;
}

// @ts-ignore: decorator
@inline
function nibble(table: usize, bits: u64, index: u32): u64 {
  return load<u64>(table + ((index << 7) | ((<u32>(bits >> (index * 4)) & 15) << 3)));
}

function roundKeyOf(halves: u64): u64 {
  let key: u64 = 0;
  for (let i: u32 = 0; i < KEY_NIBBLES; i++) key |= nibble(KEY_TABLE, halves, i);
  return key;
}

function mix(right: u64, roundKey: u64): u64 {
  let sixes = roundKey;
  for (let i: u32 = 0; i < EXPAND_NIBBLES; i++) sixes ^= nibble(EXPAND_TABLE, right, i);
  let out: u32 = 0;
  for (let box: u32 = 0; box < BOXES; box++) {
    out |= load<u32>(SUBSTITUTE_TABLE + ((box << 8) | ((<u32>(sixes >> (box * 6)) & 63) << 2)));
  }
  return out;
}

/** The put-port of a get-port; never null unless the get-port is. */
export function portOneWay(port: u64): u64 {
  if (port == 0) return 0;
  if (!ready) fillTables();
  let halves = permute(keyOf(port), PC1, 56);
  let left: u64 = 0;
  let right: u64 = 0;
  for (let round: u32 = 0; round < ROUNDS; round++) {
    halves = turn(halves, round);
    const next = (left ^ mix(right, roundKeyOf(halves))) & HALF;
    left = right;
    right = next;
  }
  const out = permute(right | (left << 24), FINAL, 48);
  return out == 0 ? 1 : out;
}
