// The device of a volume, with its errors in the volume's words.
//
// - Long reads and writes go in pieces. A read that fails is tried again: it may fail once and
//   work the next time; then each block alone, so that one bad block costs only itself.
// - VOLUME_GONE when the device is not there; for writes: VOLUME_FULL when what lies below has no
//   room, VOLUME_CORRUPT caused by a BlockError when a block cannot be written.

import { type BlockDevice, BlockError } from "../../../../drivers/block.js";
import { gone, mediumFull, unwritable } from "./errors.js";

/** Bytes of one call to the device. */
export const PIECE_BYTES = 1024 * 1024;
const readAttempts = 3;

const codeOf = (error: unknown): string | null => (error instanceof BlockError ? error.code : null);

export class Medium {
  readonly blockBytes: number;
  readonly blocks: number;
  readonly name: string;
  readonly #device: BlockDevice;

  constructor(device: BlockDevice, name: string) {
    this.#device = device;
    this.name = name;
    this.blockBytes = device.blockBytes;
    this.blocks = device.blocks;
  }

  /** Fills `buffer` with the blocks from `block` on; answers those that cannot be read, zeros in their place. */
  async read(block: number, buffer: Uint8Array): Promise<readonly number[]> {
    const bad: number[] = [];
    const pieceBlocks = PIECE_BYTES / this.blockBytes;
    const count = buffer.length / this.blockBytes;
    for (let done = 0; done < count; done += pieceBlocks) {
      const piece = this.#part(buffer, done, Math.min(pieceBlocks, count - done));
      if (!(await this.#tryRead(block + done, piece)))
        bad.push(...(await this.#readEach(block + done, piece)));
    }
    return bad;
  }

  #part(buffer: Uint8Array, block: number, blocks: number): Uint8Array {
    return buffer.subarray(block * this.blockBytes, (block + blocks) * this.blockBytes);
  }

  async #readEach(block: number, buffer: Uint8Array): Promise<number[]> {
    const bad: number[] = [];
    for (let index = 0; index * this.blockBytes < buffer.length; index++) {
      const one = this.#part(buffer, index, 1);
      let isRead = false;
      for (let attempt = 1; attempt < readAttempts && !isRead; attempt++)
        isRead = await this.#tryRead(block + index, one);
      if (isRead) continue;
      one.fill(0);
      bad.push(block + index);
    }
    return bad;
  }

  async #tryRead(block: number, buffer: Uint8Array): Promise<boolean> {
    try {
      await this.#device.read(block, buffer);
      return true;
    } catch (error) {
      if (codeOf(error) === "BLOCK_UNREADABLE") return false;
      throw this.#mapped(error);
    }
  }

  /** Writes whole blocks from `block` on. */
  async write(block: number, data: Uint8Array): Promise<void> {
    const pieceBlocks = PIECE_BYTES / this.blockBytes;
    const count = data.length / this.blockBytes;
    try {
      for (let done = 0; done < count; done += pieceBlocks)
        await this.#device.write(block + done, this.#part(data, done, Math.min(pieceBlocks, count - done)));
    } catch (error) {
      if (codeOf(error) === "BLOCK_FULL") throw mediumFull(this.name, error);
      if (codeOf(error) === "BLOCK_UNWRITABLE") throw unwritable(this.name, error);
      throw this.#mapped(error);
    }
  }

  async flush(): Promise<void> {
    try {
      await this.#device.flush();
    } catch (error) {
      throw this.#mapped(error);
    }
  }

  #mapped(error: unknown): unknown {
    if (codeOf(error) === null || codeOf(error) === "BLOCK_RANGE") return error; // a bug
    return gone(this.name, error);
  }
}
