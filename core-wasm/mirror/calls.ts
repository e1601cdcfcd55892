// Copies, checksums, digests and maps of bits as a host and the disks see them.
//
// - Addresses are checked: RPC_BADADDRESS for what does not lie in the memory, and before boot;
//   STD_ARGBAD for bits and sizes that do not fit. Nothing was touched then.
// - Results are written little-endian where `out` says. Nothing is kept between calls.

import { inMemory } from "../memory/bounds";
import { RPC_BADADDRESS, STD_ARGBAD, STD_OK } from "../status";
import { bitsCount, bitsFill, bitsFind, bitsUnite } from "./bits";
import { blockCopy } from "./copy";
import { crc32c } from "./crc32c";
import { digests, digestsDiffer } from "./digests";
import { xxh3 } from "./xxh3";

/** Bits of a map, or blocks of a batch, at most: what an i32 can say. */
const COUNT_MAX: u32 = 0x7fffffff;

// @ts-ignore: decorator
@inline
function seedOf(low: u32, high: u32): u64 {
  return ((high as u64) << 32) | low;
}

/** Copies `length` bytes; the two places may overlap. A status. */
export function mirror_copy(to: usize, from: usize, length: u32): i32 {
  if (!inMemory(to, length) || !inMemory(from, length)) return RPC_BADADDRESS;
  blockCopy(to, from, length);
  return STD_OK;
}

/** XXH3-64 of `length` bytes with a seed in two halves, 8 bytes at `out`. A status. */
export function mirror_xxh3(pointer: usize, length: u32, seedLow: u32, seedHigh: u32, out: usize): i32 {
  if (!inMemory(pointer, length) || !inMemory(out, 8)) return RPC_BADADDRESS;
  store<u64>(out, xxh3(pointer, length, seedOf(seedLow, seedHigh)));
  return STD_OK;
}

/** CRC-32C of `length` bytes behind others whose CRC is `before` (0: none), 4 bytes at `out`. A status. */
export function mirror_crc32c(pointer: usize, length: u32, before: u32, out: usize): i32 {
  if (!inMemory(pointer, length) || !inMemory(out, 4)) return RPC_BADADDRESS;
  store<u32>(out, crc32c(pointer, length, before));
  return STD_OK;
}

/** STD_OK when these blocks lie in the memory, with 8 bytes for each of them at `table`. */
function checkBatch(pointer: usize, blocks: u32, blockBytes: u32, table: usize): i32 {
  if (blockBytes == 0 || (blockBytes & 15) != 0 || blocks > COUNT_MAX) return STD_ARGBAD;
  const bytes = (blocks as u64) * (blockBytes as u64);
  if (bytes > (COUNT_MAX as u64) || !inMemory(pointer, bytes as u32)) return RPC_BADADDRESS;
  return inMemory(table, blocks << 3) ? STD_OK : RPC_BADADDRESS;
}

/** The digests of blocks in a row, 8 bytes each at `out`: digests.ts. A status. */
export function mirror_digests(
  pointer: usize,
  blocks: u32,
  blockBytes: u32,
  seedLow: u32,
  seedHigh: u32,
  out: usize,
): i32 {
  const bad = checkBatch(pointer, blocks, blockBytes, out);
  if (bad != STD_OK) return bad;
  digests(pointer, blocks, blockBytes, seedOf(seedLow, seedHigh), out);
  return STD_OK;
}

/** How many blocks have another digest than `given` says, a map of them at `out`; or a status. */
export function mirror_differ(
  pointer: usize,
  blocks: u32,
  blockBytes: u32,
  seedLow: u32,
  seedHigh: u32,
  given: usize,
  out: usize,
): i32 {
  const bad = checkBatch(pointer, blocks, blockBytes, given);
  if (bad != STD_OK) return bad;
  if (!inMemory(out, (blocks + 7) >> 3)) return RPC_BADADDRESS;
  return digestsDiffer(pointer, blocks, blockBytes, seedOf(seedLow, seedHigh), given, out) as i32;
}

/** STD_OK when [from, to) are bits of a map, whole words of which lie in the memory. */
function checkBits(map: usize, from: u32, to: u32): i32 {
  if ((map & 7) != 0 || from > to || to > COUNT_MAX - 63) return STD_ARGBAD;
  return inMemory(map, ((to + 63) >> 6) << 3) ? STD_OK : RPC_BADADDRESS;
}

/** Sets the bits [from, to) of a map, or clears them when `value` is 0. A status. */
export function mirror_bits_fill(map: usize, from: u32, to: u32, value: i32): i32 {
  const bad = checkBits(map, from, to);
  if (bad == STD_OK) bitsFill(map, from, to, value != 0 ? 0xffffffffffffffff : 0);
  return bad;
}

/** How many of the bits [from, to) are set, or a status. */
export function mirror_bits_count(map: usize, from: u32, to: u32): i32 {
  const bad = checkBits(map, from, to);
  return bad == STD_OK ? (bitsCount(map, from, to) as i32) : bad;
}

/** The first of the bits [from, to) that is set, or clear when `value` is 0; `to`: none; or a status. */
export function mirror_bits_find(map: usize, from: u32, to: u32, value: i32): i32 {
  const bad = checkBits(map, from, to);
  if (bad != STD_OK) return bad;
  return bitsFind(map, from, to, value != 0 ? 0 : 0xffffffffffffffff) as i32;
}

/** Sets the bits of a map that are set in another of as many bits. A status. */
export function mirror_bits_unite(map: usize, other: usize, bits: u32): i32 {
  let bad = checkBits(map, 0, bits);
  if (bad == STD_OK) bad = checkBits(other, 0, bits);
  if (bad == STD_OK) bitsUnite(map, other, (bits + 63) >> 6);
  return bad;
}
