// A block device in memory, for tests and for volumes that need not outlive their process.
//
// - Blocks of zeros, and those that were never written, take no memory.
// - There is no cache in front of it: what is written stays. Power cuts: simulation/disk/disk.ts.

import { type BlockDevice, BlockError, checkBlocks } from "../block.js";

export class MemoryBlockDevice implements BlockDevice {
  readonly blockBytes: number;
  readonly blocks: number;
  readonly #content = new Map<number, Uint8Array>();
  readonly #zeros: Uint8Array;
  #isGone = false;

  constructor(blocks: number, blockBytes = 4096) {
    this.blocks = blocks;
    this.blockBytes = blockBytes;
    this.#zeros = new Uint8Array(blockBytes);
  }

  async read(block: number, buffer: Uint8Array): Promise<void> {
    this.#check(block, buffer.length);
    for (let at = 0; at < buffer.length; at += this.blockBytes) {
      const content = this.#content.get(block + at / this.blockBytes);
      if (content === undefined) buffer.fill(0, at, at + this.blockBytes);
      else buffer.set(content, at);
    }
  }

  async write(block: number, data: Uint8Array): Promise<void> {
    this.#check(block, data.length);
    for (let at = 0; at < data.length; at += this.blockBytes) {
      const content = data.subarray(at, at + this.blockBytes);
      if (Buffer.compare(content, this.#zeros) === 0) this.#content.delete(block + at / this.blockBytes);
      else this.#content.set(block + at / this.blockBytes, new Uint8Array(content)); // a Buffer's slice is no copy
    }
  }

  async flush(): Promise<void> {
    this.#check(0, 0);
  }

  /** Everything is refused from now on, as if the medium had been pulled out. */
  pullOut(): void {
    this.#isGone = true;
  }

  /** It is there again, with what it held. */
  putBack(): void {
    this.#isGone = false;
  }

  #check(block: number, bytes: number): void {
    if (this.#isGone) throw new BlockError("BLOCK_GONE", "the medium is not there", block);
    checkBlocks(this, block, bytes);
  }
}
