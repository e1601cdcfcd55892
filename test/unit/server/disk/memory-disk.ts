// A disk in memory, for tests of what is above a disk: it keeps bytes, holes and what is dirty, and
// fails or waits as it is told.
//
// - Blocks lie in pieces of a megabyte that are made when they are first written.
// - `before` is called before each call does anything: it may wait, or throw what the call is to
//   reject with. `calls` counts them.

import {
  BLOCK_BYTES,
  type Disk,
  type DiskExtent,
  type WriteOptions,
  type ZeroOptions,
} from "../../../../control/server/disk/disk.js";
import { DiskError } from "../../../../control/server/disk/errors.js";

const pieceBlocks = 256;

interface Piece {
  readonly bytes: Uint8Array;
  /** Of each block: something is stored. */
  readonly isStored: Uint8Array;
}

export type Call = "read" | "write" | "zero" | "flush" | "extents";

export class MemoryDisk implements Disk {
  isReadOnly = false;
  before: ((call: Call, block: number, blocks: number) => Promise<void> | undefined) | null = null;
  readonly calls = { read: 0, write: 0, zero: 0, flush: 0, extents: 0 };
  /** Writes and zeroings that were asked to be on the medium. */
  durable = 0;
  readonly dirty = new Set<number>();
  readonly #pieces = new Map<number, Piece>();

  constructor(public blocks: number) {}

  async read(block: number, buffer: Uint8Array): Promise<void> {
    const blocks = this.#check(block, buffer.length);
    const wait = this.#begin("read", block, blocks);
    if (wait !== undefined) await wait;
    for (const { piece, at, from, to } of this.#parts(block, blocks)) {
      if (piece === undefined) buffer.fill(0, from, to);
      else buffer.set(piece.bytes.subarray(at, at + to - from), from);
    }
  }

  async write(block: number, data: Uint8Array, { durable }: WriteOptions): Promise<void> {
    const blocks = this.#check(block, data.length);
    const wait = this.#begin("write", block, blocks);
    if (wait !== undefined) await wait;
    if (this.isReadOnly) throw new DiskError("DISK_READ_ONLY", "the disk is read-only");
    if (durable) this.durable++;
    for (const { index, piece, at, from, to } of this.#parts(block, blocks)) {
      const { bytes, isStored } = piece ?? this.#make(index);
      bytes.set(data.subarray(from, to), at);
      isStored.fill(1, at / BLOCK_BYTES, (at + to - from) / BLOCK_BYTES);
    }
  }

  async zero(block: number, blocks: number, { durable, punch }: ZeroOptions): Promise<void> {
    this.#check(block, blocks * BLOCK_BYTES);
    const wait = this.#begin("zero", block, blocks);
    if (wait !== undefined) await wait;
    if (this.isReadOnly) throw new DiskError("DISK_READ_ONLY", "the disk is read-only");
    if (durable) this.durable++;
    for (const { index, piece, at, from, to } of this.#parts(block, blocks)) {
      if (piece === undefined && punch) continue;
      const { bytes, isStored } = piece ?? this.#make(index);
      bytes.fill(0, at, at + to - from);
      isStored.fill(punch ? 0 : 1, at / BLOCK_BYTES, (at + to - from) / BLOCK_BYTES);
    }
  }

  async flush(): Promise<void> {
    const wait = this.#begin("flush", 0, 0);
    if (wait !== undefined) await wait;
  }

  async extents(block: number, blocks: number): Promise<readonly DiskExtent[]> {
    this.#check(block, blocks * BLOCK_BYTES);
    const wait = this.#begin("extents", block, blocks);
    if (wait !== undefined) await wait;
    const found: { blocks: number; isHole: boolean; isDirty: boolean }[] = [];
    for (let at = block; at < block + blocks; at++) {
      const isHole = this.#pieces.get(Math.floor(at / pieceBlocks))?.isStored[at % pieceBlocks] !== 1;
      const isDirty = this.dirty.has(at);
      const last = found.at(-1);
      if (last?.isHole === isHole && last.isDirty === isDirty) last.blocks++;
      else found.push({ blocks: 1, isHole, isDirty });
    }
    return found;
  }

  #begin(call: Call, block: number, blocks: number): Promise<void> | undefined {
    this.calls[call]++;
    return this.before?.(call, block, blocks);
  }

  #make(index: number): Piece {
    const piece = { bytes: new Uint8Array(pieceBlocks * BLOCK_BYTES), isStored: new Uint8Array(pieceBlocks) };
    this.#pieces.set(index, piece);
    return piece;
  }

  /** The pieces of a range: `at` is within the piece, `from` and `to` within the range. */
  *#parts(block: number, blocks: number) {
    const pieceBytes = pieceBlocks * BLOCK_BYTES;
    for (let done = 0; done < blocks * BLOCK_BYTES; ) {
      const place = block * BLOCK_BYTES + done;
      const index = Math.floor(place / pieceBytes);
      const at = place - index * pieceBytes;
      const to = Math.min(blocks * BLOCK_BYTES, done + pieceBytes - at);
      yield { index, piece: this.#pieces.get(index), at, from: done, to };
      done = to;
    }
  }

  #check(block: number, bytes: number): number {
    const blocks = bytes / BLOCK_BYTES;
    if (Number.isInteger(block) && Number.isInteger(blocks) && block >= 0 && block + blocks <= this.blocks)
      return blocks;
    throw new DiskError(
      "DISK_RANGE",
      `${bytes} bytes at block ${block} are not within ${this.blocks} blocks`,
    );
  }
}
