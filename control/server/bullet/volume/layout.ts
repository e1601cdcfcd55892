// What lies where on the medium of a volume, format 2. All numbers are little-endian.
//
//     block 0         superblock: magic "PBVL", format, block bytes, inodes, blocks (8), id (16),
//                     CRC-32C of these 40 bytes                                 in one sector
//     table A         a slot of 128 bytes an inode, padded to whole blocks
//     contents        extents: the blocks of a content, and behind them its checksum blocks
//     table B         the same as table A
//     last block      the superblock again
//
//     slot       0 u32 magic "PBIN"     4 u32 number       8 u64 sequence
//               16 u8 kind, u8 age     18 u16, u32 0      24 u64 bytes      32 u64 first block
//               40 generation (8)      48 SHA-256 (32)    80 11 × u32: CRC-32C of blocks
//              124 CRC-32C of the 124 bytes, begun with that of the volume's id
//
// - A slot of zeros was never used. Slot 0 is the volume itself: only its generation counts.
//   A slot lies in one sector, which a medium writes whole or not at all; so no write tears it.
//   Of its two copies the good one with the higher sequence counts.
// - Kinds: 0 free, 1 file, 2 the volume itself, 3 unsettled: a file whose slot was written before
//   its content was known to be on the medium. Only a number that was free becomes unsettled;
//   whoever opens the volume reads the content: if it is not what the slot says, it was never
//   acknowledged. Format 1 has no such slots and is the same otherwise.
// - A content of up to 11 blocks has its checksums in its slot; so one of a block takes a block.
//   Others have checksum blocks: the CRC-32C of each block of content in turn, and as the last
//   number of each checksum block the CRC-32C of the rest of it, begun with its index. The last
//   block of a content is filled up with zeros.
// - Several slots may have one extent, if bytes and SHA-256 are the same.
// - Not the original's layout (amoeba.md, 6.1): its sizes and blocks have 32 bits, and it has no
//   checksum of a content or an inode, no second copy, and no room for a hash.

import { crc32c } from "../../../store/disk/crc32c.js";
import { HASH_BYTES } from "./hash.js";

/** Raised when an older version could not read what this one writes. */
export const FORMAT = 2;
/** The oldest that this one can read; it is made the present one when it is opened. */
export const FORMAT_OLDEST = 1;
export const SLOT_BYTES = 128;
export const GENERATION_BYTES = 8;
export const ID_BYTES = 16;
export const INODES_MAX = 0xff_ffff; // an object number has 24 bits
/** Checksums that a slot has room for. */
export const INLINE_BLOCKS = 11;

const superblockMagic = 0x4c564250; // "PBVL" in memory
const slotMagic = 0x4e494250; // "PBIN"
const superblockBytes = 44;
const slotChecksumAt = SLOT_BYTES - 4;
const kinds = ["free", "file", "self", "unsettled"] as const;

export interface Geometry {
  readonly blockBytes: number;
  readonly blocks: number;
  readonly inodes: number;
  readonly id: Uint8Array;
}

export const tableBlocks = ({ inodes, blockBytes }: Geometry): number =>
  Math.ceil(((inodes + 1) * SLOT_BYTES) / blockBytes);
/** The first block of each copy of the table. */
export const tableStarts = (geometry: Geometry): readonly [number, number] => [
  1,
  geometry.blocks - 1 - tableBlocks(geometry),
];
/** The blocks for contents: the first, and the one behind the last. */
export const contentArea = (geometry: Geometry): readonly [number, number] => [
  1 + tableBlocks(geometry),
  geometry.blocks - 1 - tableBlocks(geometry),
];

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const getSafe = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
function setSafe(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
export const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

// ---- superblock ----------------------------------------------------------------------

export type Superblock =
  | { readonly kind: "blank" | "foreign" | "broken" }
  | { readonly kind: "good"; readonly format: number; readonly geometry: Geometry };

export function encodeSuperblock(
  { blockBytes, inodes, blocks, id }: Geometry,
  format: number = FORMAT,
): Uint8Array {
  const bytes = new Uint8Array(blockBytes);
  const view = viewOf(bytes);
  view.setUint32(0, superblockMagic, true);
  view.setUint32(4, format, true);
  view.setUint32(8, blockBytes, true);
  view.setUint32(12, inodes, true);
  setSafe(view, 16, blocks);
  bytes.set(id, 24);
  view.setUint32(superblockBytes - 4, crc32c(bytes.subarray(0, superblockBytes - 4)), true);
  return bytes;
}

export function decodeSuperblock(bytes: Uint8Array): Superblock {
  if (isBlank(bytes)) return { kind: "blank" };
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== superblockMagic) return { kind: "foreign" };
  if (view.getUint32(superblockBytes - 4, true) !== crc32c(bytes.subarray(0, superblockBytes - 4)))
    return { kind: "broken" };
  const geometry = {
    blockBytes: view.getUint32(8, true),
    inodes: view.getUint32(12, true),
    blocks: getSafe(view, 16),
    id: bytes.slice(24, 24 + ID_BYTES),
  };
  return { kind: "good", format: view.getUint32(4, true), geometry };
}

// ---- slots ---------------------------------------------------------------------------

export interface Slot {
  readonly kind: (typeof kinds)[number];
  readonly sequence: number;
  readonly age: number;
  readonly bytes: number;
  readonly start: number;
  readonly generation: Uint8Array;
  readonly hash: Uint8Array;
  /** Of the blocks, if they are no more than INLINE_BLOCKS. */
  readonly checksums: Uint32Array;
}

const noBytes = new Uint8Array(0);

/** A slot that names nothing. */
export const freeSlot = (sequence: number): Slot => ({
  ...{ kind: "free", sequence, age: 0, bytes: 0, start: 0 },
  ...{ generation: noBytes, hash: noBytes, checksums: new Uint32Array(0) },
});

/** What a slot's checksum begins with. */
export const slotSeed = (id: Uint8Array): number => crc32c(id);

export function encodeSlot(bytes: Uint8Array, number: number, slot: Slot, seed: number): void {
  const view = viewOf(bytes);
  bytes.fill(0);
  view.setUint32(0, slotMagic, true);
  view.setUint32(4, number, true);
  setSafe(view, 8, slot.sequence);
  bytes[16] = kinds.indexOf(slot.kind);
  bytes[17] = Math.min(slot.age, 0xff);
  setSafe(view, 24, slot.bytes);
  setSafe(view, 32, slot.start);
  bytes.set(slot.generation, 40);
  bytes.set(slot.hash, 48);
  for (const [index, checksum] of slot.checksums.entries()) view.setUint32(80 + 4 * index, checksum, true);
  view.setUint32(slotChecksumAt, crc32c(bytes.subarray(0, slotChecksumAt), seed), true);
}

/** The slot in 128 bytes; null when they are broken. */
export function decodeSlot(bytes: Uint8Array, number: number, geometry: Geometry, seed: number): Slot | null {
  if (isBlank(bytes)) return freeSlot(0);
  const view = viewOf(bytes);
  const kind = kinds[bytes[16] ?? 0xff];
  const isGood =
    view.getUint32(0, true) === slotMagic &&
    view.getUint32(4, true) === number &&
    view.getUint32(slotChecksumAt, true) === crc32c(bytes.subarray(0, slotChecksumAt), seed);
  if (!isGood || kind === undefined) return null;
  const size = getSafe(view, 24);
  const blocks = contentBlocks(size, geometry.blockBytes);
  return {
    ...{ kind, sequence: getSafe(view, 8), age: bytes[17] ?? 0, bytes: size, start: getSafe(view, 32) },
    generation: bytes.slice(40, 40 + GENERATION_BYTES),
    hash: bytes.slice(48, 48 + HASH_BYTES),
    checksums: Uint32Array.from({ length: blocks > INLINE_BLOCKS ? 0 : blocks }, (_, index) =>
      view.getUint32(80 + 4 * index, true),
    ),
  };
}

// ---- checksum blocks -------------------------------------------------------------------

export const contentBlocks = (bytes: number, blockBytes: number): number => Math.ceil(bytes / blockBytes);
/** Checksums in one checksum block. */
export const checksumsPerBlock = (blockBytes: number): number => blockBytes / 4 - 1;
/** Checksum blocks behind so many blocks of content. */
export const checksumBlocks = (blocks: number, blockBytes: number): number =>
  blocks <= INLINE_BLOCKS ? 0 : Math.ceil(blocks / checksumsPerBlock(blockBytes));
/** All blocks that a content of so many bytes takes. */
export function extentBlocks(bytes: number, blockBytes: number): number {
  const blocks = contentBlocks(bytes, blockBytes);
  return blocks + checksumBlocks(blocks, blockBytes);
}

/** The CRC-32C of each block in whole blocks. */
export function checksumsOf(content: Uint8Array, blockBytes: number): Uint32Array {
  return Uint32Array.from({ length: content.length / blockBytes }, (_, index) =>
    crc32c(content.subarray(index * blockBytes, (index + 1) * blockBytes)),
  );
}

/** What a checksum block's own checksum begins with. */
const indexSeed = (index: number): number => (index + 1) >>> 0;

/** The checksum blocks of a content from the one with an index on, at most `most` of them. */
export function encodeChecksums(
  checksums: Uint32Array,
  blockBytes: number,
  index = 0,
  most = Number.POSITIVE_INFINITY,
): Uint8Array {
  const each = checksumsPerBlock(blockBytes);
  const count = Math.min(Math.ceil(checksums.length / each) - index, most);
  const bytes = new Uint8Array(count * blockBytes);
  const view = viewOf(bytes);
  for (let block = 0; block < count; block++) {
    const at = block * blockBytes;
    const mine = checksums.subarray((index + block) * each, (index + block + 1) * each);
    for (const [place, checksum] of mine.entries()) view.setUint32(at + 4 * place, checksum, true);
    const rest = bytes.subarray(at, at + 4 * each);
    view.setUint32(at + 4 * each, crc32c(rest, indexSeed(index + block)), true);
  }
  return bytes;
}

/** The checksums in the checksum block with an index; null when it is broken. */
export function decodeChecksums(bytes: Uint8Array, index: number): Uint32Array | null {
  const each = checksumsPerBlock(bytes.length);
  const view = viewOf(bytes);
  if (view.getUint32(4 * each, true) !== crc32c(bytes.subarray(0, 4 * each), indexSeed(index))) return null;
  return Uint32Array.from({ length: each }, (_, place) => view.getUint32(4 * place, true));
}
