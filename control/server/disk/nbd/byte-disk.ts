// A disk of bytes on a disk of blocks: NBD asks for any offset and length, up to 32 MiB at once.
//
// - Whole blocks go through as they are. Of a write that begins or ends within a block the rest of
//   that block is read and written again, under a lock that holds for everybody who has the disk.
// - What is longer than TRANSFER_BYTES is cut into pieces, some of which are under way together;
//   a piece that fails ends the request when those under way have ended.
// - `trim` gives back the whole blocks within a range and leaves its ragged ends alone.
// - Ranges have been checked by the caller.

import { BLOCK_BYTES, type Disk, TRANSFER_BYTES, type ZeroOptions } from "../disk.js";
import { Ranges } from "../ranges.js";
import { PIECES_MAX, ZERO_BYTES_MAX } from "./limits.js";

/** Of each disk, however many exports and connections it has. */
const locks = new WeakMap<Disk, Ranges>();

const floor = (offset: number): number => Math.floor(offset / BLOCK_BYTES);
const ceil = (offset: number): number => Math.ceil(offset / BLOCK_BYTES);
const isWhole = (offset: number, bytes: number): boolean =>
  offset % BLOCK_BYTES === 0 && bytes % BLOCK_BYTES === 0;

export class ByteDisk {
  readonly #disk: Disk;
  readonly #lock: Ranges;

  constructor(disk: Disk) {
    this.#disk = disk;
    const lock = locks.get(disk) ?? new Ranges();
    locks.set(disk, lock);
    this.#lock = lock;
  }

  get bytes(): number {
    return this.#disk.blocks * BLOCK_BYTES;
  }

  read(offset: number, buffer: Uint8Array): Promise<void> {
    if (isWhole(offset, buffer.length) && buffer.length <= TRANSFER_BYTES)
      return this.#disk.read(offset / BLOCK_BYTES, buffer);
    return inPieces(offset, buffer.length, TRANSFER_BYTES, (from, to) =>
      this.#readPiece(from, buffer.subarray(from - offset, to - offset)),
    );
  }

  async #readPiece(offset: number, buffer: Uint8Array): Promise<void> {
    if (isWhole(offset, buffer.length)) return this.#disk.read(offset / BLOCK_BYTES, buffer);
    const first = floor(offset);
    const blocks = new Uint8Array((ceil(offset + buffer.length) - first) * BLOCK_BYTES);
    await this.#disk.read(first, blocks);
    const at = offset - first * BLOCK_BYTES;
    buffer.set(blocks.subarray(at, at + buffer.length));
  }

  write(offset: number, data: Uint8Array, durable: boolean): Promise<void> {
    const isShared = isWhole(offset, data.length);
    const options = { durable };
    return this.#locked(offset, data.length, isShared, () =>
      isShared && data.length <= TRANSFER_BYTES
        ? this.#disk.write(offset / BLOCK_BYTES, data, options)
        : inPieces(offset, data.length, TRANSFER_BYTES, (from, to) =>
            this.#writePiece(from, data.subarray(from - offset, to - offset), durable),
          ),
    );
  }

  async #writePiece(offset: number, data: Uint8Array, durable: boolean): Promise<void> {
    const options = { durable };
    if (isWhole(offset, data.length)) return this.#disk.write(offset / BLOCK_BYTES, data, options);
    const first = floor(offset);
    const end = offset + data.length;
    const last = floor(end); // the block that the end lies in, if it is a ragged one
    const blocks = new Uint8Array((ceil(end) - first) * BLOCK_BYTES);
    const at = offset - first * BLOCK_BYTES;
    if (at > 0) await this.#disk.read(first, blocks.subarray(0, BLOCK_BYTES));
    if (end % BLOCK_BYTES > 0 && (at === 0 || last > first))
      await this.#disk.read(last, blocks.subarray((last - first) * BLOCK_BYTES));
    blocks.set(data, at);
    return this.#disk.write(first, blocks, options);
  }

  zero(offset: number, length: number, options: ZeroOptions): Promise<void> {
    return this.#locked(offset, length, isWhole(offset, length), async () => {
      const end = offset + length;
      const from = Math.min(ceil(offset) * BLOCK_BYTES, end);
      const to = Math.max(floor(end) * BLOCK_BYTES, from);
      if (offset < from) await this.#writePiece(offset, new Uint8Array(from - offset), options.durable);
      if (from < to) await this.#zeroBlocks(from, to, options);
      if (to < end) await this.#writePiece(to, new Uint8Array(end - to), options.durable);
    });
  }

  trim(offset: number, length: number, durable: boolean): Promise<void> {
    const from = ceil(offset) * BLOCK_BYTES;
    const to = floor(offset + length) * BLOCK_BYTES;
    if (from >= to) return durable ? this.#disk.flush() : Promise.resolve();
    return this.#locked(from, to - from, true, () => this.#zeroBlocks(from, to, { durable, punch: true }));
  }

  /** One piece at a time: each may be much work. */
  async #zeroBlocks(offset: number, end: number, options: ZeroOptions): Promise<void> {
    for (let from = offset; from < end; from += ZERO_BYTES_MAX) {
      const bytes = Math.min(ZERO_BYTES_MAX, end - from);
      await this.#disk.zero(from / BLOCK_BYTES, bytes / BLOCK_BYTES, options);
    }
  }

  flush(): Promise<void> {
    return this.#disk.flush();
  }

  /** Does something with the blocks that a range touches while no other write can come in between. */
  #locked(offset: number, length: number, isShared: boolean, act: () => Promise<void>): Promise<void> {
    const first = floor(offset);
    const { ready, release } = this.#lock.take(first, ceil(offset + length) - first, !isShared);
    const acted = ready === null ? act() : ready.then(act);
    acted.then(release, release);
    return acted;
  }
}

/** Does a range in pieces that begin and end on blocks where they can; rejects with the first failure. */
async function inPieces(
  offset: number,
  length: number,
  bytesMax: number,
  act: (from: number, to: number) => Promise<void>,
): Promise<void> {
  const end = offset + length;
  let from = offset;
  let failure: { readonly error: unknown } | null = null;
  const lane = async (): Promise<void> => {
    while (from < end && failure === null) {
      const begun = from;
      from = Math.min(end, floor(begun) * BLOCK_BYTES + bytesMax);
      try {
        await act(begun, from);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: PIECES_MAX }, lane));
  const failed = failure as { readonly error: unknown } | null; // the compiler does not see what lanes do
  if (failed !== null) throw failed.error;
}
