// Copies and checksums as a host and the disks see them.
//
// - Addresses are checked: RPC_BADADDRESS for what does not lie in the memory, and before boot.
// - Results are written little-endian where `out` says. Nothing is kept between calls.

import { inMemory } from "../memory/bounds";
import { RPC_BADADDRESS, STD_OK } from "../status";
import { blockCopy } from "./copy";
import { crc32c } from "./crc32c";
import { xxh3 } from "./xxh3";

/** Copies `length` bytes; the two places may overlap. A status. */
export function mirror_copy(to: usize, from: usize, length: u32): i32 {
  if (!inMemory(to, length) || !inMemory(from, length)) return RPC_BADADDRESS;
  blockCopy(to, from, length);
  return STD_OK;
}

/** XXH3-64 of `length` bytes with a seed in two halves, 8 bytes at `out`. A status. */
export function mirror_xxh3(pointer: usize, length: u32, seedLow: u32, seedHigh: u32, out: usize): i32 {
  if (!inMemory(pointer, length) || !inMemory(out, 8)) return RPC_BADADDRESS;
  store<u64>(out, xxh3(pointer, length, ((seedHigh as u64) << 32) | seedLow));
  return STD_OK;
}

/** CRC-32C of `length` bytes behind others whose CRC is `before` (0: none), 4 bytes at `out`. A status. */
export function mirror_crc32c(pointer: usize, length: u32, before: u32, out: usize): i32 {
  if (!inMemory(pointer, length) || !inMemory(out, 4)) return RPC_BADADDRESS;
  store<u32>(out, crc32c(pointer, length, before));
  return STD_OK;
}
