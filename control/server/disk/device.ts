// A block device on a Disk: so that a member of a storage can lie on another storage.
//
// - Blocks are the disk's. A device has as many as the disk had when it was made.
// - Errors of the disk become BlockError; what has no answer in time is a device that is gone, until
//   it is made anew.

import { type BlockDevice, BlockError, type BlockErrorCode, checkBlocks } from "../../../drivers/block.js";
import { BLOCK_BYTES, type Disk, TRANSFER_BYTES } from "./disk.js";
import { DiskError, type DiskErrorCode } from "./errors.js";

const codes: Readonly<Partial<Record<DiskErrorCode, BlockErrorCode>>> = {
  DISK_RANGE: "BLOCK_RANGE",
  DISK_READ_ONLY: "BLOCK_UNWRITABLE",
  DISK_ROT: "BLOCK_UNREADABLE",
  DISK_TRANSFER: "BLOCK_UNREADABLE",
  DISK_FULL: "BLOCK_FULL",
};

async function onDisk(block: number, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    throw new BlockError(codes[error.code] ?? "BLOCK_GONE", `${error.code}: ${error.message}`, block);
  }
}

export class DiskDevice implements BlockDevice {
  readonly blockBytes = BLOCK_BYTES;
  readonly blocks: number;
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
    this.blocks = disk.blocks;
  }

  read(block: number, buffer: Uint8Array): Promise<void> {
    checkBlocks(this, block, buffer.length);
    return this.#inPieces(block, buffer, (from, piece) => this.#disk.read(from, piece));
  }

  write(block: number, data: Uint8Array): Promise<void> {
    checkBlocks(this, block, data.length);
    return this.#inPieces(block, data, (from, piece) => this.#disk.write(from, piece, { durable: false }));
  }

  writeThrough(block: number, data: Uint8Array): Promise<void> {
    checkBlocks(this, block, data.length);
    return this.#inPieces(block, data, (from, piece) => this.#disk.write(from, piece, { durable: true }));
  }

  async punch(block: number, blocks: number): Promise<boolean> {
    checkBlocks(this, block, blocks * BLOCK_BYTES);
    await onDisk(block, () => this.#disk.zero(block, blocks, { durable: false, punch: true }));
    return true;
  }

  flush(): Promise<void> {
    return onDisk(0, () => this.#disk.flush());
  }

  #inPieces(
    block: number,
    bytes: Uint8Array,
    work: (from: number, piece: Uint8Array) => Promise<void>,
  ): Promise<void> {
    return onDisk(block, async () => {
      for (let at = 0; at < bytes.length; at += TRANSFER_BYTES)
        await work(block + at / BLOCK_BYTES, bytes.subarray(at, at + TRANSFER_BYTES));
    });
  }
}
