// CRC-32C (Castagnoli): the checksum of records that others than we read as well.
//
// - Reflected, polynomial 0x1edc6f41, begun with and ended by all ones, as iSCSI and ext4
//   have it. crc32c(p, n, 0) begins; what it answers may be given for `before` to go on.
// - 16 tables of 1 KiB, made at boot: 16 bytes a step. WebAssembly has no instruction for it,
//   and XXH3 is several times as quick: use that where the choice is ours.
// - Source: RFC 3720, appendix B.4; Kounavis and Berry, "Novel table lookup-based algorithms
//   for high-performance CRC generation", 2008.

import { allocate } from "../memory/arena";

const POLYNOMIAL: u32 = 0x82f63b78; // reflected
const TABLES: u32 = 16;
const TABLE_BYTES: u32 = 1024;

let tables: usize = 0;

/** Makes the tables. */
export function crc32cOpen(): void {
  tables = allocate((TABLES as u64) * TABLE_BYTES);
  if (tables == 0) return;
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (POLYNOMIAL & (0 - (crc & 1)));
    store<u32>(tables + (byte << 2), crc);
  }
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = load<u32>(tables + (byte << 2));
    for (let table: u32 = 1; table < TABLES; table++) {
      crc = (crc >> 8) ^ at(0, crc & 255);
      store<u32>(tables + table * TABLE_BYTES + (byte << 2), crc);
    }
  }
}

/** What a byte does to the CRC, `table` bytes in front of the end of a step. */
// @ts-ignore: decorator
@inline
function at(table: u32, byte: u32): u32 {
  return load<u32>(tables + (byte << 2) + table * TABLE_BYTES);
}

/** The four bytes of a word, the last of them `table` bytes in front of the end. */
// @ts-ignore: decorator
@inline
function word(table: u32, value: u32): u32 {
  return (
    at(table + 3, value & 255) ^
    at(table + 2, (value >> 8) & 255) ^
    at(table + 1, (value >> 16) & 255) ^
    at(table, value >> 24)
  );
}

/** The CRC of `length` bytes behind others whose CRC is `before` (0: none). Needs crc32cOpen. */
export function crc32c(p: usize, length: u32, before: u32): u32 {
  let crc = ~before;
  let here = p;
  const end = p + length;
  const whole = p + (length & ~15);
  for (; here < whole; here += 16) {
    crc =
      word(12, load<u32>(here) ^ crc) ^
      word(8, load<u32>(here, 4)) ^
      word(4, load<u32>(here, 8)) ^
      word(0, load<u32>(here, 12));
  }
  for (; here < end; here++) crc = (crc >> 8) ^ at(0, (crc ^ load<u8>(here)) & 255);
  return ~crc;
}
