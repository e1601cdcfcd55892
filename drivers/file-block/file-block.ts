// A file or a partition as a block device, with the kernel's real flush.
//
// - One process has it: an advisory lock of the open file (by `flock`), which ends with the process.
// - Blocks that a file has never held take no room until they are written: BLOCK_FULL when what
//   it lies on has none then. A file that became shorter is unreadable there.
// - A piece of a file that holds nothing is filled with zeros before the first small write to it: so
//   that flushes write blocks alone, and not where they lie, which costs several times as much.
// - Holes take no room (punch.ts) where the file system can; where it cannot, that is found out once.
// - The medium is open twice: what goes through the second opening (O_DSYNC) is on the medium when
//   the write ends. One call of the system instead of two, and one wait for a thread.
// - A small write goes to the system's cache at once, without a thread, as long as that is quick: the
//   two waits for a thread cost ten times as much. One that had to wait sends the next ones to threads.
// - A flush that fails leaves open what the medium has, and the kernel may have forgotten what it
//   should have written: from then on the device is gone (BLOCK_GONE) until it is opened again.
// - No checksums: what is above has them. Opening throws the system's errors, or FileBlockError.

import { spawnSync } from "node:child_process";
import { constants, readFileSync, writeSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { performance } from "node:perf_hooks";
import { type BlockDevice, BlockError, type BlockErrorCode, checkBlocks, SECTOR_BYTES } from "../block.js";
import { punch } from "./punch.js";

/** Why a file or partition cannot be a device. */
export class FileBlockError extends Error {
  override readonly name = "FileBlockError";

  constructor(
    readonly code: "BLOCK_IN_USE" | "BLOCK_NO_MEDIUM",
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

const blockBytesDefault = 4096;
/** A piece of a file that gets its room at once. */
const pieceBytes = 1024 * 1024;
/** Writes of so many bytes are not small: filling would double them. */
const smallBytes = 256 * 1024;
/** Writes of so many bytes at most may be done at once; */
const atOnceBytes = 32 * 1024;
/** one that took longer than this, milliseconds, */
const slowMs = 2;
/** has the others go to threads for so long. */
const threadsMs = 1000;
const zeros = Buffer.alloc(pieceBytes);
const lockTimeoutMs = 5000;
/** errno of a medium that is not there any more. */
const goneCodes = new Set(["ENXIO", "ENODEV", "EBADF", "ENOENT", "ESTALE"]);
const fullCodes = new Set(["ENOSPC", "EDQUOT", "EFBIG"]);

/** Locks an open file for this process: the lock is the open file's, which the child shares. */
function lock(descriptor: number, path: string): void {
  const { status, error } = spawnSync("flock", ["--exclusive", "--nonblock", "3"], {
    stdio: ["ignore", "ignore", "ignore", descriptor],
    timeout: lockTimeoutMs,
  });
  if (error !== undefined) throw error;
  if (status !== 0)
    throw new FileBlockError(
      "BLOCK_IN_USE",
      `${path} is in use by another process`,
      "stop that process, or use another file",
    );
}

/** Bytes of a partition, by its device number. */
function partitionBytes(device: number): number {
  const major = Math.floor(device / 256) & 0xfff;
  const minor = (device & 0xff) | (Math.floor(device / 4096) & 0xfff00);
  return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, "utf8")) * 512;
}

export class FileBlockDevice implements BlockDevice {
  readonly blockBytes: number;
  readonly blocks: number;
  readonly #file: FileHandle;
  /** The same, opened for writes that end on the medium. */
  readonly #through: FileHandle;
  /** Pieces that have their room, or are being given it; null for a partition, which has all of it. */
  readonly #pieces: Map<number, Promise<void> | null> | null;
  #gone: string | null = null;
  #canPunch = true;
  /** Until when small writes go to threads too. */
  #threadsUntil = 0;

  private constructor({ file, through }: Opened, isFile: boolean, blockBytes: number, blocks: number) {
    this.#file = file;
    this.#through = through;
    this.#pieces = isFile ? new Map() : null;
    this.blockBytes = blockBytes;
    this.blocks = blocks;
  }

  /** Opens what is there, for this process alone. */
  static async open(path: string, blockBytes = blockBytesDefault): Promise<FileBlockDevice> {
    if (blockBytes < SECTOR_BYTES || (blockBytes & (blockBytes - 1)) !== 0)
      throw new RangeError(`a block of ${blockBytes} bytes`);
    const opened = await openTwice(path, constants.O_RDWR);
    const { file } = opened;
    try {
      const facts = await file.stat();
      if (!facts.isFile() && !facts.isBlockDevice())
        throw new FileBlockError(
          "BLOCK_NO_MEDIUM",
          `${path} is no file and no partition`,
          "name one of these",
        );
      const bytes = facts.isFile() ? facts.size : partitionBytes(facts.rdev);
      lock(file.fd, path);
      return new FileBlockDevice(opened, facts.isFile(), blockBytes, Math.floor(bytes / blockBytes));
    } catch (error) {
      await closeBoth(opened);
      throw error;
    }
  }

  /** Makes a new file of so many bytes, all zeros, and opens it. EEXIST when there is one. */
  static async create(path: string, bytes: number, blockBytes = blockBytesDefault): Promise<FileBlockDevice> {
    const opened = await openTwice(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL);
    const { file } = opened;
    try {
      lock(file.fd, path);
      const blocks = Math.floor(bytes / blockBytes);
      await file.truncate(blocks * blockBytes);
      return new FileBlockDevice(opened, true, blockBytes, blocks);
    } catch (error) {
      await closeBoth(opened);
      throw error;
    }
  }

  async read(block: number, buffer: Uint8Array): Promise<void> {
    this.#check(block, buffer.length);
    const from = block * this.blockBytes;
    try {
      for (let done = 0; done < buffer.length; ) {
        const { bytesRead } = await this.#file.read(buffer, done, buffer.length - done, from + done);
        if (bytesRead === 0) throw new BlockError("BLOCK_UNREADABLE", `block ${block} is not there`, block);
        done += bytesRead;
      }
    } catch (error) {
      throw this.#mapped(error, "BLOCK_UNREADABLE", block);
    }
  }

  write(block: number, data: Uint8Array): Promise<void> {
    return this.#write(this.#file, block, data);
  }

  /** As a flush that fails, one of these that does leaves open what the medium has. */
  async writeThrough(block: number, data: Uint8Array): Promise<void> {
    try {
      await this.#write(this.#through, block, data);
    } catch (error) {
      if (error instanceof BlockError && error.code === "BLOCK_UNWRITABLE") this.#gone = error.message;
      throw error;
    }
  }

  async punch(block: number, blocks: number): Promise<boolean> {
    const bytes = blocks * this.blockBytes;
    this.#check(block, bytes);
    if (!this.#canPunch || bytes === 0) return bytes === 0;
    // A piece that was filled keeps counting so: filling it again would race with what is written now.
    this.#canPunch = await punch(this.#file.fd, block * this.blockBytes, bytes);
    return this.#canPunch;
  }

  async #write(file: FileHandle, block: number, data: Uint8Array): Promise<void> {
    this.#check(block, data.length);
    const from = block * this.blockBytes;
    const room = this.#giveRoom(from, data.length);
    if (room !== undefined) await room;
    try {
      let done = file === this.#file && data.length <= atOnceBytes ? this.#writeAtOnce(data, from) : 0;
      while (done < data.length) {
        const { bytesWritten } = await file.write(data, done, data.length - done, from + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw this.#mapped(error, "BLOCK_UNWRITABLE", block);
    }
  }

  /** Answers how many bytes were written: none while writes have to wait. */
  #writeAtOnce(data: Uint8Array, from: number): number {
    const begun = performance.now();
    if (begun < this.#threadsUntil) return 0;
    const written = writeSync(this.#file.fd, data, 0, data.length, from);
    const ended = performance.now();
    if (ended - begun > slowMs) this.#threadsUntil = ended + threadsMs;
    return written;
  }

  /**
   * Sees that the pieces of a write have their room. A piece is filled before anything else is
   * written to it, or never: a large write gives it its room itself.
   */
  #giveRoom(from: number, bytes: number): undefined | Promise<void> {
    const pieces = this.#pieces;
    if (pieces === null) return undefined;
    let isThere = true;
    for (let piece = Math.floor(from / pieceBytes); piece * pieceBytes < from + bytes; piece++)
      isThere &&= pieces.get(piece) === null;
    return isThere ? undefined : this.#makeRoom(pieces, from, bytes);
  }

  async #makeRoom(pieces: Map<number, Promise<void> | null>, from: number, bytes: number): Promise<void> {
    for (let piece = Math.floor(from / pieceBytes); piece * pieceBytes < from + bytes; piece++) {
      const known = pieces.get(piece);
      if (known === undefined && bytes < smallBytes) {
        const filled = this.#fill(piece * pieceBytes).finally(() => pieces.set(piece, null));
        pieces.set(piece, filled);
        await filled;
      } else if (known === undefined) pieces.set(piece, null);
      else if (known !== null) await known;
    }
  }

  /** Fills a piece that holds nothing. Only for speed: a failure is the write's to meet. */
  async #fill(at: number): Promise<void> {
    const held = Buffer.allocUnsafe(Math.min(pieceBytes, this.blocks * this.blockBytes - at));
    try {
      const { bytesRead } = await this.#file.read(held, 0, held.length, at);
      if (bytesRead === held.length && held.equals(zeros.subarray(0, bytesRead)))
        await this.#file.write(zeros, 0, bytesRead, at);
    } catch {
      // There is no room for all of it; there may be for what is to be written.
    }
  }

  async flush(): Promise<void> {
    this.#check(0, 0);
    try {
      await this.#file.datasync();
    } catch (error) {
      this.#gone = error instanceof Error ? error.message : String(error);
      throw new BlockError("BLOCK_GONE", `the flush failed: ${this.#gone}`, 0);
    }
  }

  #check(block: number, bytes: number): void {
    if (this.#gone !== null) throw new BlockError("BLOCK_GONE", this.#gone, block);
    checkBlocks(this, block, bytes);
  }

  #mapped(error: unknown, otherwise: BlockErrorCode, block: number): unknown {
    if (error instanceof BlockError || !(error instanceof Error) || !("code" in error)) return error;
    const code = String(error.code);
    if (fullCodes.has(code)) return new BlockError("BLOCK_FULL", error.message, block);
    if (!goneCodes.has(code)) return new BlockError(otherwise, error.message, block);
    this.#gone = error.message;
    return new BlockError("BLOCK_GONE", error.message, block);
  }

  /** Ends it; what was not flushed may be lost. */
  async close(): Promise<void> {
    if (this.#gone === closed) return;
    this.#gone = closed;
    await closeBoth({ file: this.#file, through: this.#through });
  }
}

/** A medium, opened twice. */
interface Opened {
  readonly file: FileHandle;
  readonly through: FileHandle;
}

async function openTwice(path: string, flags: number): Promise<Opened> {
  const file = await open(path, flags, 0o600);
  try {
    // By its descriptor: the name may be another file's by now.
    const through = await open(`/proc/self/fd/${file.fd}`, constants.O_RDWR | constants.O_DSYNC);
    return { file, through };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function closeBoth({ file, through }: Opened): Promise<void> {
  await through.close().finally(() => file.close());
}

const closed = "the device is closed";
