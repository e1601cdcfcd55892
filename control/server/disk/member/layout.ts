// What lies where on the medium of a member with N blocks of 4096 bytes.
//
//     0            data of the storage: its block i is block i here
//     n            free
//     N-8-d        digests, 512 in a block of them, the last block of the table first:
//                  the digests of blocks 512 p … 512 p + 511 are in block N-9-p
//     N-8          record, copy A (16 KiB)
//     N-4          record, copy B
//
// - Data begins at block 0 and the rest comes behind it: the first bytes of a medium are the disk.
// - Data grows up and the table of digests grows down into what is free: a storage that becomes
//   larger moves nothing, it is the record that says how many blocks are in use.
// - What is free holds zeros, so what is added to data or table reads as an empty disk.
// - A witness has the two copies and nothing else.

import { BLOCK_BYTES } from "../disk.js";

export const RECORD_BYTES = 16 * 1024;
export const RECORD_BLOCKS = RECORD_BYTES / BLOCK_BYTES;
/** Copies of the record. */
export const COPIES = 2;
/** Digests in a block of the table. */
export const DIGESTS_A_PAGE = BLOCK_BYTES / 8;

const tailBlocks = COPIES * RECORD_BLOCKS;

/** Blocks that the table of digests takes for so many blocks of data. */
export const tableBlocks = (blocks: number): number => Math.ceil(blocks / DIGESTS_A_PAGE);

/** Blocks that a medium must have at least for so many blocks of data. */
export const mediumBlocks = (blocks: number): number => blocks + tableBlocks(blocks) + tailBlocks;

/** Blocks of data that a medium has room for; below 0: not even the records fit. */
export function capacityOf(medium: number): number {
  const room = medium - tailBlocks;
  if (room <= 0) return room;
  // Of 513 blocks one is the table's; what is left over needs one as well.
  const whole = Math.floor(room / (DIGESTS_A_PAGE + 1));
  const rest = room - whole * (DIGESTS_A_PAGE + 1);
  return whole * DIGESTS_A_PAGE + Math.max(0, rest - 1);
}

/** Where a copy of the record begins: 0 is A, 1 is B. */
export const copyStart = (medium: number, copy: number): number => medium - tailBlocks + copy * RECORD_BLOCKS;

/** The block of the table that has the digest of a block of data, by its number in the table. */
export const pageOf = (block: number): number => Math.floor(block / DIGESTS_A_PAGE);

/** Where a block of the table lies. */
export const pageBlock = (medium: number, page: number): number => medium - tailBlocks - 1 - page;
