// A file or a partition as a block device.
//
// - One process has it: flock, which ends with the process. A file is the owner's only (0600).
// - A flush is fdatasync: what the kernel and the drive's cache have is on the medium when it
//   ends. When it fails nobody knows what is there, and the device is gone for good.
// - A new file gets its blocks from the file system when it is made, so that it is not full in
//   the middle; where the file system cannot do that, BLOCK_FULL may come with any first write.
// - Bytes behind the last whole block are left alone.
// Rebello and others: Can Applications Recover from fsync Failures?, 2020.

import { close, constants, fdatasync, fsync, ftruncate, open, read, write } from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { type BlockDevice, BlockError, type BlockErrorCode, checkBlocks } from "../block.js";
import { bytesOf, lockFile, reserveFile } from "./calls.js";

const calls = {
  open: promisify(open),
  close: promisify(close),
  fsync: promisify(fsync),
  fdatasync: promisify(fdatasync),
  ftruncate: promisify(ftruncate),
};

export interface FileBlockOptions {
  readonly path: string;
  /** A power of two; default 4096. */
  readonly blockBytes?: number;
  /** Makes a file of so many bytes when there is none, or an empty one. */
  readonly bytes?: number;
  /** Whether a new file gets its blocks at once; default true. */
  readonly reserve?: boolean;
}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "";
const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

export class FileBlockDevice implements BlockDevice {
  readonly path: string;
  readonly blockBytes: number;
  readonly blocks: number;
  readonly #fd: number;
  #under = 0; // calls that have not ended
  #idle: (() => void) | null = null;
  #failure: BlockError | null = null;
  #isClosed = false;

  private constructor(path: string, fd: number, blockBytes: number, blocks: number) {
    this.path = path;
    this.#fd = fd;
    this.blockBytes = blockBytes;
    this.blocks = blocks;
  }

  /** BLOCK_BUSY when another process has it, BLOCK_GONE when it cannot be opened, BLOCK_FULL. */
  static async open({
    path,
    blockBytes = 4096,
    bytes,
    reserve = true,
  }: FileBlockOptions): Promise<FileBlockDevice> {
    const fd = await openOrMake(path, bytes !== undefined);
    try {
      if (!lockFile(fd)) throw new BlockError("BLOCK_BUSY", `another process has ${path} open`, 0);
      if (bytes !== undefined && bytesOf(fd) === 0) await makeLong(path, fd, bytes, reserve);
      const blocks = Math.floor(bytesOf(fd) / blockBytes);
      if (blocks < 1) throw new BlockError("BLOCK_RANGE", `${path} has no block of ${blockBytes} bytes`, 0);
      return new FileBlockDevice(path, fd, blockBytes, blocks);
    } catch (error) {
      await calls.close(fd);
      throw error;
    }
  }

  read(block: number, buffer: Uint8Array): Promise<void> {
    return this.#transfer(read, "BLOCK_UNREADABLE", block, buffer);
  }

  write(block: number, data: Uint8Array): Promise<void> {
    return this.#transfer(write, "BLOCK_UNWRITABLE", block, data);
  }

  async flush(): Promise<void> {
    this.#begin(0);
    try {
      await calls.fdatasync(this.#fd);
    } catch (error) {
      this.#failure = new BlockError("BLOCK_GONE", `${this.path}: ${reasonOf(error)}`, 0);
      throw this.#failure;
    } finally {
      this.#end();
    }
  }

  /** Ends when all calls have ended; later ones are refused. Does not flush. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#failure = new BlockError("BLOCK_GONE", `${this.path} is closed`, 0);
    if (this.#under > 0)
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    await calls.close(this.#fd);
  }

  #begin(block: number): void {
    if (this.#failure !== null) throw this.#failure;
    if (block < 0) throw new BlockError("BLOCK_RANGE", `block ${block}`, block);
    this.#under++;
  }

  #end(): void {
    if (--this.#under === 0) this.#idle?.();
  }

  async #transfer(
    call: typeof read | typeof write,
    failure: BlockErrorCode,
    block: number,
    bytes: Uint8Array,
  ): Promise<void> {
    checkBlocks(this, block, bytes.length);
    this.#begin(block);
    try {
      // One call may do a part of it, at a signal for instance.
      for (let done = 0; done < bytes.length; ) {
        const moved = await this.#once(call, bytes, done, block * this.blockBytes + done);
        if (moved === 0) throw new BlockError("BLOCK_GONE", `${this.path} has become shorter`, block);
        done += moved;
      }
    } catch (error) {
      throw error instanceof BlockError ? error : blockError(this.path, failure, block, error);
    } finally {
      this.#end();
    }
  }

  #once(
    call: typeof read | typeof write,
    bytes: Uint8Array,
    from: number,
    position: number,
  ): Promise<number> {
    return new Promise((resolve, reject) => {
      const ended = (error: NodeJS.ErrnoException | null, moved: number) =>
        error === null ? resolve(moved) : reject(error);
      if (call === read) read(this.#fd, bytes, from, bytes.length - from, position, ended);
      else write(this.#fd, bytes, from, bytes.length - from, position, ended);
    });
  }
}

/** What an error of a read or a write says of the device. */
function blockError(path: string, failure: BlockErrorCode, block: number, error: unknown): BlockError {
  const code = codeOf(error);
  const isFull = code === "ENOSPC" || code === "EDQUOT" || code === "EFBIG";
  const itsCode = isFull ? "BLOCK_FULL" : code === "EIO" ? failure : "BLOCK_GONE";
  return new BlockError(itsCode, `block ${block} of ${path}: ${reasonOf(error)}`, block);
}

async function openOrMake(path: string, canMake: boolean): Promise<number> {
  const flags = constants.O_RDWR | (canMake ? constants.O_CREAT : 0);
  try {
    return await calls.open(path, flags, 0o600);
  } catch (error) {
    throw new BlockError("BLOCK_GONE", reasonOf(error), 0);
  }
}

/** Gives a new file its length, and its name and its length to the medium. */
async function makeLong(path: string, fd: number, bytes: number, reserve: boolean): Promise<void> {
  const failed = reserve ? reserveFile(fd, bytes) : "EOPNOTSUPP";
  if (failed === "ENOSPC" || failed === "EDQUOT")
    throw new BlockError("BLOCK_FULL", `${path} cannot have ${bytes} bytes: ${failed}`, 0);
  try {
    if (failed !== null) await calls.ftruncate(fd, bytes);
    await calls.fsync(fd);
    const folder = await calls.open(dirname(path), constants.O_RDONLY);
    await calls.fsync(folder).finally(() => calls.close(folder));
  } catch (error) {
    throw blockError(path, "BLOCK_GONE", 0, error);
  }
}
