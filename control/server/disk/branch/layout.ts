// A branch on its medium: what a member had that lost a split brain, format 1, in blocks of 4096 bytes.
//
//   0, 1              the header, twice, written in turn; the higher sequence counts
//   2 …               a page for every 256 blocks of the disk: what became of each, and its digest
//   behind the pages  the blocks themselves, each at its own place: a file has holes where none is kept
//
// - Header: u32 magic "PBRN", u32 format, u64 sequence, u32 bytes of JSON, JSON, …, u32 CRC-32C of all
//   in front of it. Page: u32 magic "PBPG", u32 its number, u32 CRC-32C of what follows, u32 zeros, a byte
//   for each block, a digest for each block (DIGEST_BYTES).
// - A page of zeros says of all its blocks that they were not kept, and held nothing.
// - What is no header or page, or a torn one, is null: nothing is thrown for what a medium holds.

import { z } from "zod";
import { BRANCH_BLOCKS, BRANCH_HOLE, BRANCH_KEPT, BRANCH_SAME } from "../../../interface/disk.js";
import { view } from "../../../kernel/bytes.js";
import { crc32c } from "../../../store/disk/crc32c.js";
import { BLOCK_BYTES } from "../disk.js";
import { DIGEST_BYTES } from "../member/port.js";

/** Blocks that a page tells of. */
export const PAGE_BLOCKS = BRANCH_BLOCKS;
export const HEADER_COPIES = 2;

/** What became of a block. */
export const branchBlock = {
  /** It was as the disk had it, and is not kept. */
  same: BRANCH_SAME,
  kept: BRANCH_KEPT,
  /** The member held nothing there, where the disk may hold something. */
  hole: BRANCH_HOLE,
} as const;

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const count = z.number().int().nonnegative();

export const branchHeaderSchema = z.object({
  /** Of the storage, and its name. */
  age: hex(16),
  name: z.string(),
  /** The member whose history it is. */
  member: hex(16),
  node: z.string(),
  path: z.string(),
  /** Of the history that is kept, and of the one that went on. */
  generation: hex(8),
  other: hex(8),
  /** Of the disk as the member had it. */
  blocks: z.number().int().positive(),
  /** When it was begun: milliseconds since 1970. */
  time: count,
  state: z.enum(["saving", "kept"]),
  /** Pages below it are on the medium, with the blocks that they tell of. */
  pages: count,
  /** Blocks kept with their bytes, and as holes; of a whole branch. */
  kept: count,
  holes: count,
});
export type BranchHeader = z.infer<typeof branchHeaderSchema>;

export const pagesOf = (blocks: number): number => Math.ceil(blocks / PAGE_BLOCKS);
/** Where the page of a block is, and the block itself. */
export const pageAt = (block: number): number => HEADER_COPIES + Math.floor(block / PAGE_BLOCKS);
export const dataAt = (blocks: number, block: number): number => HEADER_COPIES + pagesOf(blocks) + block;
/** Blocks of the medium of a branch. */
export const branchBlocks = (blocks: number): number => dataAt(blocks, blocks);

const headerMagic = 0x4e524250; // "PBRN" in memory
const pageMagic = 0x47504250; // "PBPG"
const format = 1;
const headerAt = 20;
const checkAt = BLOCK_BYTES - 4;
const statesAt = 16;
const digestsAt = statesAt + PAGE_BLOCKS;
const pageEnd = digestsAt + PAGE_BLOCKS * DIGEST_BYTES;

export interface StoredHeader {
  readonly header: BranchHeader;
  readonly sequence: number;
}

export function encodeHeader({ header, sequence }: StoredHeader): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(header));
  if (headerAt + text.length > checkAt) throw new RangeError(`a header of ${text.length} bytes`);
  const bytes = new Uint8Array(BLOCK_BYTES);
  const fields = view(bytes);
  fields.setUint32(0, headerMagic, true);
  fields.setUint32(4, format, true);
  fields.setBigUint64(8, BigInt(sequence), true);
  fields.setUint32(16, text.length, true);
  bytes.set(text, headerAt);
  fields.setUint32(checkAt, crc32c(bytes.subarray(0, checkAt)), true);
  return bytes;
}

export function decodeHeader(bytes: Uint8Array): StoredHeader | null {
  const fields = view(bytes);
  if (fields.getUint32(0, true) !== headerMagic || fields.getUint32(4, true) !== format) return null;
  if (fields.getUint32(checkAt, true) !== crc32c(bytes.subarray(0, checkAt))) return null;
  const end = headerAt + fields.getUint32(16, true);
  if (end > checkAt) return null;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(headerAt, end));
    const header = branchHeaderSchema.safeParse(JSON.parse(text));
    if (!header.success) return null;
    return { header: header.data, sequence: Number(fields.getBigUint64(8, true)) };
  } catch {
    return null;
  }
}

/** What a page tells of its blocks, the first of them first. */
export interface BranchPage {
  readonly states: Uint8Array;
  readonly digests: Uint8Array;
}

export const emptyPage = (): BranchPage => ({
  states: new Uint8Array(PAGE_BLOCKS),
  digests: new Uint8Array(PAGE_BLOCKS * DIGEST_BYTES),
});

export const isEmptyPage = ({ states, digests }: BranchPage): boolean =>
  states.every((byte) => byte === 0) && digests.every((byte) => byte === 0);

/** A page's bytes; of what is left out of a short last one there are zeros. */
export function encodePage(number: number, { states, digests }: BranchPage): Uint8Array {
  const bytes = new Uint8Array(BLOCK_BYTES);
  bytes.set(states, statesAt);
  bytes.set(digests, digestsAt);
  const fields = view(bytes);
  fields.setUint32(0, pageMagic, true);
  fields.setUint32(4, number, true);
  fields.setUint32(8, crc32c(bytes.subarray(12)), true);
  return bytes;
}

export function decodePage(number: number, bytes: Uint8Array): BranchPage | null {
  if (bytes.every((byte) => byte === 0)) return emptyPage();
  const fields = view(bytes);
  if (fields.getUint32(0, true) !== pageMagic || fields.getUint32(4, true) !== number) return null;
  if (fields.getUint32(8, true) !== crc32c(bytes.subarray(12))) return null;
  return { states: bytes.slice(statesAt, digestsAt), digests: bytes.slice(digestsAt, pageEnd) };
}
