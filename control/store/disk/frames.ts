// What DiskStore writes to its device: superblocks and frames, each with a checksum over all of it.
//
//     superblock   magic, format, generation (8 bytes), checksum                 in one sector
//     frame        magic, kind, generation (8 bytes), sequence, length,
//                  checksum, 0, then so many bytes of payload                    padded to blocks
//
// - u32 little-endian. The generation tells frames of an earlier use of the same blocks apart;
//   the sequence, frames of one generation: 0 is the snapshot, then 1, 2 ...

import { Reader, Writer } from "../../group/encoding.js";
import { readChange, readRevision, writeChange, writeRevision } from "../changes.js";
import type { Change, Entry } from "../store.js";
import type { TableContents } from "../table.js";
import { crc32c } from "./crc32c.js";

/** Raised when an older version could not read what this one writes. */
export const format = 1;

const superblockMagic = 0x53545350; // "PSTS" in memory
const frameMagic = 0x46545350; // "PSTF"
export const frameHeaderBytes = 32;
const checksumAt = 24;
const superblockBytes = 20;

export type FrameKind = "snapshot" | "changes";

export interface FrameHeader {
  readonly kind: FrameKind;
  readonly generation: number;
  readonly sequence: number;
  /** Of the payload. */
  readonly length: number;
  readonly checksum: number;
}

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

// ---- superblocks ---------------------------------------------------------------------

export type Superblock =
  | { readonly kind: "blank" | "foreign" | "broken" }
  | { readonly kind: "good"; readonly format: number; readonly generation: number };

export function encodeSuperblock(generation: number, blockBytes: number): Uint8Array {
  const writer = new Writer();
  for (const value of [superblockMagic, format]) writer.number(value);
  writeRevision(writer, generation);
  writer.number(crc32c(writer.all()));
  const block = new Uint8Array(blockBytes);
  block.set(writer.all());
  return block;
}

export function decodeSuperblock(block: Uint8Array): Superblock {
  if (block.every((byte) => byte === 0)) return { kind: "blank" };
  const reader = new Reader(block);
  if (reader.number() !== superblockMagic) return { kind: "foreign" };
  const itsFormat = reader.number();
  const generation = readRevision(reader);
  const isGood = reader.number() === crc32c(block.subarray(0, superblockBytes - 4));
  return isGood ? { kind: "good", format: itsFormat, generation } : { kind: "broken" };
}

// ---- frames --------------------------------------------------------------------------

export const blocksOf = (payloadBytes: number, blockBytes: number): number =>
  Math.ceil((frameHeaderBytes + payloadBytes) / blockBytes);

/** The frame as whole blocks. */
export function encodeFrame(
  { kind, generation, sequence }: Pick<FrameHeader, "kind" | "generation" | "sequence">,
  payload: Uint8Array,
  blockBytes: number,
): Uint8Array {
  const bytes = new Uint8Array(blocksOf(payload.length, blockBytes) * blockBytes);
  const writer = new Writer();
  for (const value of [frameMagic, kind === "snapshot" ? 1 : 2]) writer.number(value);
  writeRevision(writer, generation);
  for (const value of [sequence, payload.length]) writer.number(value);
  bytes.set(writer.all());
  bytes.set(payload, frameHeaderBytes);
  viewOf(bytes).setUint32(checksumAt, frameChecksum(bytes, payload.length), true);
  return bytes;
}

function frameChecksum(frame: Uint8Array, length: number): number {
  const before = crc32c(frame.subarray(0, checksumAt));
  return crc32c(frame.subarray(frameHeaderBytes, frameHeaderBytes + length), before);
}

/** The header in a block, if one lies there; whether the frame is good only `isGoodFrame` can say. */
export function decodeFrameHeader(block: Uint8Array): FrameHeader | null {
  const reader = new Reader(block);
  const magic = reader.number();
  const kind = reader.number();
  if (magic !== frameMagic || (kind !== 1 && kind !== 2)) return null;
  const generation = readRevision(reader);
  const [sequence, length, checksum] = [reader.number(), reader.number(), reader.number()];
  return { kind: kind === 1 ? "snapshot" : "changes", generation, sequence, length, checksum };
}

export function isGoodFrame(frame: Uint8Array, { length, checksum }: FrameHeader): boolean {
  return frameChecksum(frame, length) === checksum;
}

// ---- payloads ------------------------------------------------------------------------

/** Changes, and up to which one earlier changes are compacted. */
export interface ChangesPayload {
  readonly compacted: number;
  readonly changes: readonly Change[];
}

function writeChanges(writer: Writer, changes: readonly Change[]): void {
  writer.number(changes.length);
  for (const change of changes) writeChange(writer, change);
}

const readChanges = (reader: Reader): Change[] =>
  Array.from({ length: reader.number() }, () => readChange(reader));

export function encodeChanges({ compacted, changes }: ChangesPayload): Uint8Array {
  const writer = new Writer();
  writeRevision(writer, compacted);
  writeChanges(writer, changes);
  return writer.all();
}

export function decodeChanges(payload: Uint8Array): ChangesPayload {
  const reader = new Reader(payload);
  return { compacted: readRevision(reader), changes: readChanges(reader) };
}

export function encodeSnapshot({ revision, compacted, entries, changes }: TableContents): Uint8Array {
  const writer = new Writer();
  writeRevision(writer, revision);
  writeRevision(writer, compacted);
  writer.number(entries.length);
  for (const entry of entries) {
    writeRevision(writer, entry.revision);
    writer.bytes(entry.key);
    writer.bytes(entry.value);
  }
  writeChanges(writer, changes);
  return writer.all();
}

export function decodeSnapshot(payload: Uint8Array): TableContents {
  const reader = new Reader(payload);
  const [revision, compacted] = [readRevision(reader), readRevision(reader)];
  const entries = Array.from({ length: reader.number() }, (): Entry => {
    const itsRevision = readRevision(reader);
    return { revision: itsRevision, key: reader.bytes(), value: reader.bytes() };
  });
  return { revision, compacted, entries, changes: readChanges(reader) };
}
