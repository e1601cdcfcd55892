// What a member stores: blocks and their digests, on a device.
//
// - A write that is under way is seen by nobody: who reads or writes the same blocks waits.
// - What is read is compared with the digests; DISK_ROT names the blocks that differ or cannot be
//   read. The buffer has what the medium has of the others, and of those that differ.
// - A durable write is the blocks, the page of their digests and one flush, which all who wait
//   share. Digests of other writes wait in memory for the next flush. So after a power cut digests
//   and blocks may differ where writes were under way: activity.ts knows where.
// - Whatever fails but for want of room, or for a block that cannot be read, ends it: `fail` hears.

import { type BlockDevice, BlockError } from "../../../../drivers/block.js";
import type { Digests } from "../../../kernel/digests.js";
import { BLOCK_BYTES, TRANSFER_BYTES } from "../disk.js";
import { DiskError } from "../errors.js";
import { Ranges } from "../ranges.js";
import { Batches } from "./batches.js";
import { DigestTable } from "./digest-table.js";
import { mediumError } from "./errors.js";
import { DIGEST_BYTES } from "./port.js";

export interface ContentsOptions {
  readonly device: BlockDevice;
  /** For messages. */
  readonly name: string;
  readonly digests: Digests;
  readonly seed: bigint;
  /** Hears of what ends it. */
  readonly fail: (error: DiskError) => void;
}

const chunkBlocks = TRANSFER_BYTES / BLOCK_BYTES;
/** Smaller holes would cut a file into pieces, and what is written there next would have to find room. */
const holeBlocksMin = 16;
const zeros = Buffer.alloc(TRANSFER_BYTES);
/** A digest that no block has: of one that cannot be read. */
const unreadable = new Uint8Array(DIGEST_BYTES).fill(0xff);

const isZeros = (bytes: Uint8Array): boolean => zeros.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;

export class Contents {
  readonly #options: ContentsOptions;
  readonly #device: BlockDevice;
  readonly #table: DigestTable;
  readonly #ranges = new Ranges();
  readonly #flushes = new Batches(() => this.#flushNow());
  /** Blocks of durable writes, on their way to the device: the next flush waits for them. */
  #onTheWay: Promise<void>[] = [];
  /** Something was written since the last flush began: without that, and none under way, all is there. */
  #isTouched = false;
  #failure: DiskError | null = null;

  constructor(options: ContentsOptions) {
    this.#options = options;
    this.#device = options.device;
    this.#table = new DigestTable(options.device);
  }

  /** Fills `buffer`; answers the digests. */
  async read(block: number, buffer: Uint8Array): Promise<Uint8Array> {
    const { digests, seed, name } = this.#options;
    const blocks = buffer.length / BLOCK_BYTES;
    const hold = this.#ranges.take(block, blocks, false);
    try {
      if (hold.ready !== null) await hold.ready;
      const [lost, stored] = await Promise.all([
        this.#readWhatCanBe(block, buffer),
        this.#digestsOf(block, blocks),
      ]);
      const bad = new Set([...lost, ...digests.differing(buffer, stored, seed)]);
      if (bad.size === 0) return stored;
      const rotten = [...bad].sort((a, b) => a - b).map((index) => block + index);
      throw new DiskError(
        "DISK_ROT",
        `${name}: blocks ${rotten.join(", ")} are not what was written`,
        rotten,
      );
    } finally {
      hold.release();
    }
  }

  /** Writes blocks and their digests. */
  async write(block: number, data: Uint8Array, digests: Uint8Array, isDurable: boolean): Promise<void> {
    const blocks = data.length / BLOCK_BYTES;
    const hold = this.#ranges.take(block, blocks, true);
    let committed: Promise<void> | null = null;
    try {
      if (hold.ready !== null) await hold.ready;
      const before = await this.#digestsOf(block, blocks);
      this.#table.set(block, digests);
      const written = this.#write(block, data).catch((error: unknown) => {
        this.#table.set(block, before);
        throw error;
      });
      if (isDurable) {
        this.#onTheWay.push(written);
        committed = this.#flushes.join();
        committed.catch(() => undefined); // who waits for it hears; when `written` fails nobody does
      }
      await written;
    } finally {
      hold.release();
    }
    if (committed !== null) await committed;
    else if (this.#table.isCrowded) await this.#flushes.join();
  }

  /** Makes blocks zeros that hold nothing; `isHole`: and give back their room, where the device can. */
  async zero(block: number, blocks: number, isDurable: boolean, isHole: boolean): Promise<void> {
    for (let done = 0; done < blocks; done += chunkBlocks)
      await this.#zeroChunk(block + done, Math.min(chunkBlocks, blocks - done), isHole);
    if (isDurable || this.#table.isCrowded) await this.#flushes.join();
  }

  async #zeroChunk(block: number, blocks: number, isHole: boolean): Promise<void> {
    const hold = this.#ranges.take(block, blocks, true);
    try {
      if (hold.ready !== null) await hold.ready;
      await this.#digestsOf(block, blocks);
      if (!isHole || !(await this.#punch(block, blocks))) await this.#writeZeros(block, blocks);
      await this.#digestsOf(block, blocks);
      this.#table.set(block, new Uint8Array(blocks * DIGEST_BYTES));
    } finally {
      hold.release();
    }
  }

  /** What is zeros already keeps the room that it does not have. */
  async #writeZeros(block: number, blocks: number): Promise<void> {
    const held = new Uint8Array(blocks * BLOCK_BYTES);
    const lost = await this.#readWhatCanBe(block, held);
    if (lost.length > 0 || !isZeros(held)) await this.#write(block, zeros.subarray(0, held.length));
  }

  /** False: nothing was done. */
  async #punch(block: number, blocks: number): Promise<boolean> {
    if (blocks < holeBlocksMin) return false;
    try {
      if ((await this.#device.punch?.(block, blocks)) !== true) return false;
      this.#isTouched = true;
      return true;
    } catch (error) {
      return this.#failed(error);
    }
  }

  /** Ends when everything that had ended before is on the medium. */
  async flush(): Promise<void> {
    if (this.#isTouched || this.#table.isDirty || this.#flushes.isRunning) await this.#flushes.join();
  }

  /** Digests of blocks, as they are stored or computed from what is read. */
  async digests(block: number, blocks: number, isRead: boolean): Promise<Uint8Array> {
    const all = new Uint8Array(blocks * DIGEST_BYTES);
    for (let done = 0; done < blocks; done += chunkBlocks) {
      const count = Math.min(chunkBlocks, blocks - done);
      const some = isRead
        ? await this.#computed(block + done, count)
        : await this.#digestsOf(block + done, count);
      all.set(some, done * DIGEST_BYTES);
    }
    return all;
  }

  async #computed(block: number, blocks: number): Promise<Uint8Array> {
    const { digests, seed } = this.#options;
    const hold = this.#ranges.take(block, blocks, false);
    try {
      if (hold.ready !== null) await hold.ready;
      const buffer = new Uint8Array(blocks * BLOCK_BYTES);
      const lost = await this.#readWhatCanBe(block, buffer);
      const found = digests.of(buffer, seed);
      for (const index of lost) found.set(unreadable, index * DIGEST_BYTES);
      return found;
    } finally {
      hold.release();
    }
  }

  /** The digests of blocks, from memory when they are there. */
  async #digestsOf(block: number, blocks: number): Promise<Uint8Array> {
    while (!this.#table.has(block, blocks))
      await this.#table.load(block, blocks).catch((error: unknown) => this.#failed(error));
    return this.#table.get(block, blocks);
  }

  /** Reads blocks one by one when not all can be read; answers the indices of those that cannot. */
  async #readWhatCanBe(block: number, buffer: Uint8Array): Promise<number[]> {
    if (await this.#isRead(block, buffer)) return [];
    const lost: number[] = [];
    for (let at = 0; at < buffer.length; at += BLOCK_BYTES) {
      const one = buffer.subarray(at, at + BLOCK_BYTES);
      if (await this.#isRead(block + at / BLOCK_BYTES, one)) continue;
      one.fill(0);
      lost.push(at / BLOCK_BYTES);
    }
    return lost;
  }

  async #isRead(block: number, buffer: Uint8Array): Promise<boolean> {
    try {
      await this.#device.read(block, buffer);
      return true;
    } catch (error) {
      if (error instanceof BlockError && error.code === "BLOCK_UNREADABLE") return false;
      return this.#failed(error);
    }
  }

  async #write(block: number, data: Uint8Array): Promise<void> {
    try {
      await this.#device.write(block, data);
      this.#isTouched = true;
    } catch (error) {
      this.#failed(error);
    }
  }

  async #flushNow(): Promise<void> {
    // What a flush that failed has left undone, another one does not do.
    if (this.#failure !== null) throw this.#failure;
    const onTheWay = this.#onTheWay;
    this.#onTheWay = [];
    this.#isTouched = false;
    try {
      // A block that fails fails its write, which hears of it itself.
      await Promise.all([this.#table.write(), Promise.allSettled(onTheWay)]);
      await this.#device.flush();
    } catch (error) {
      this.#failed(error, true);
    }
  }

  /** Throws what an error of the device means; all but want of room is the end. */
  #failed(error: unknown, isFlush = false): never {
    const { name, fail } = this.#options;
    const meant = mediumError(name, error);
    const isEnd = isFlush || (meant.code !== "DISK_FULL" && meant.code !== "DISK_RANGE");
    const told = isEnd ? new DiskError("DISK_MEDIUM", meant.message, meant.blocks, { cause: error }) : meant;
    if (!isEnd) throw told;
    this.#failure ??= told;
    fail(told);
    throw told;
  }
}
