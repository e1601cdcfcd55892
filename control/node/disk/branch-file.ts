// The file of a branch as a block device: as long as the disk, and with holes where nothing is kept.
//
// - Unlike the file of a member (drivers/file-block) it takes room only for what is written, block by
//   block: a branch of a large disk is small. Its owner alone may read it.
// - A flush that fails ends it: BLOCK_GONE from then on, and what it held is looked at anew when it is opened.

import { type FileHandle, open } from "node:fs/promises";
import { type BlockDevice, BlockError, type BlockErrorCode, checkBlocks } from "../../../drivers/block.js";
import { BLOCK_BYTES } from "../../server/disk/disk.js";

const fullCodes = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

export class BranchFile implements BlockDevice {
  readonly blockBytes = BLOCK_BYTES;
  readonly blocks: number;
  readonly #file: FileHandle;
  #gone: string | null = null;

  private constructor(file: FileHandle, blocks: number) {
    this.#file = file;
    this.blocks = blocks;
  }

  static async open(path: string): Promise<BranchFile> {
    const file = await open(path, "r+");
    try {
      return new BranchFile(file, Math.floor((await file.stat()).size / BLOCK_BYTES));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** A new one of zeros. EEXIST when there is one. */
  static async create(path: string, blocks: number): Promise<BranchFile> {
    const file = await open(path, "wx+", 0o600);
    try {
      await file.truncate(blocks * BLOCK_BYTES);
      return new BranchFile(file, blocks);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  read(block: number, buffer: Uint8Array): Promise<void> {
    return this.#asked("BLOCK_UNREADABLE", block, buffer.length, async () => {
      for (let done = 0; done < buffer.length; ) {
        const at = block * BLOCK_BYTES + done;
        const { bytesRead } = await this.#file.read(buffer, done, buffer.length - done, at);
        if (bytesRead === 0) throw new BlockError("BLOCK_UNREADABLE", "the file has become shorter", block);
        done += bytesRead;
      }
    });
  }

  write(block: number, data: Uint8Array): Promise<void> {
    return this.#asked("BLOCK_UNWRITABLE", block, data.length, async () => {
      for (let done = 0; done < data.length; ) {
        const at = block * BLOCK_BYTES + done;
        done += (await this.#file.write(data, done, data.length - done, at)).bytesWritten;
      }
    });
  }

  async flush(): Promise<void> {
    await this.#asked("BLOCK_GONE", 0, 0, async () => {
      try {
        await this.#file.datasync();
      } catch (error) {
        this.#gone = `a flush failed: ${(error as Error).message}`;
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    this.#gone ??= "the branch was let go";
    await this.#file.close();
  }

  async #asked(
    otherwise: BlockErrorCode,
    block: number,
    bytes: number,
    work: () => Promise<void>,
  ): Promise<void> {
    if (this.#gone !== null) throw new BlockError("BLOCK_GONE", this.#gone, block);
    checkBlocks(this, block, bytes);
    try {
      await work();
    } catch (error) {
      if (error instanceof BlockError || !(error instanceof Error && "code" in error)) throw error;
      const code = fullCodes.has(String(error.code)) ? "BLOCK_FULL" : otherwise;
      throw new BlockError(code, error.message, block);
    }
  }
}
