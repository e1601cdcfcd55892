// The digests of a member's blocks: pages of the table on the medium, some of them in memory.
//
// - A page is read when it is first asked for. What is set stays in memory until `write`, which a
//   flush follows; then it may be given up for others.
// - Between `load` and what follows it, pages may go again: ask `has` until it is true.
// - A page that cannot be read is full of digests that no block has: each of its blocks counts as
//   rotten until it is written again.

import { type BlockDevice, BlockError } from "../../../../drivers/block.js";
import { BLOCK_BYTES } from "../disk.js";
import { DIGESTS_A_PAGE, pageBlock, pageOf } from "./layout.js";
import { DIGEST_BYTES } from "./port.js";

interface Page {
  readonly bytes: Uint8Array;
  isBeingWritten: boolean;
}

/** Pages in memory: 8 MiB, for 4 GiB of blocks. */
const pagesMax = 2048;
/** Pages that one write of the medium takes. */
const runMax = 256;

export class DigestTable {
  readonly #device: BlockDevice;
  /** In the order of their last use. */
  readonly #pages = new Map<number, Page>();
  readonly #loading = new Map<number, Promise<void>>();
  readonly #pagesMax: number;
  /** Numbers of pages that wait to be written. */
  readonly #dirty = new Set<number>();

  constructor(device: BlockDevice, most = pagesMax) {
    this.#device = device;
    this.#pagesMax = most;
  }

  /** Whether something waits to be written. */
  get isDirty(): boolean {
    return this.#dirty.size > 0;
  }

  /** More waits than should: somebody should write it, and flush. */
  get isCrowded(): boolean {
    return this.#dirty.size > this.#pagesMax / 2;
  }

  /** Whether the digests of these blocks are in memory. */
  has(block: number, blocks: number): boolean {
    for (let page = pageOf(block); page <= pageOf(block + blocks - 1); page++)
      if (!this.#pages.has(page)) return false;
    return true;
  }

  /** Reads the pages of these blocks. Rejects with what the device does, but for unreadable blocks. */
  async load(block: number, blocks: number): Promise<void> {
    const loads: Promise<void>[] = [];
    for (let page = pageOf(block); page <= pageOf(block + blocks - 1); page++) {
      if (this.#pages.has(page)) continue;
      let loading = this.#loading.get(page);
      if (loading === undefined) {
        loading = this.#load(page).finally(() => this.#loading.delete(page));
        this.#loading.set(page, loading);
      }
      loads.push(loading);
    }
    await Promise.all(loads);
  }

  async #load(page: number): Promise<void> {
    const bytes = new Uint8Array(BLOCK_BYTES);
    try {
      await this.#device.read(pageBlock(this.#device.blocks, page), bytes);
    } catch (error) {
      if (!(error instanceof BlockError) || error.code !== "BLOCK_UNREADABLE") throw error;
      bytes.fill(0xff);
    }
    this.#evict(this.#pagesMax - 1);
    this.#pages.set(page, { bytes, isBeingWritten: false });
  }

  /** Gives up pages that nobody has used for the longest, until so many are left. */
  #evict(left: number): void {
    if (this.#pages.size <= left) return;
    for (const [number, page] of this.#pages) {
      if (this.#dirty.has(number) || page.isBeingWritten) continue;
      this.#pages.delete(number);
      if (this.#pages.size <= left) return;
    }
  }

  /** The digests of blocks that are in memory; a copy. */
  get(block: number, blocks: number): Uint8Array {
    const digests = new Uint8Array(blocks * DIGEST_BYTES);
    this.#each(block, blocks, (page, from, bytes, at) => {
      digests.set(page.bytes.subarray(from, from + bytes), at);
    });
    return digests;
  }

  /** Changes the digests of blocks that are in memory. */
  set(block: number, digests: Uint8Array): void {
    this.#each(block, digests.length / DIGEST_BYTES, (page, from, bytes, at, number) => {
      page.bytes.set(digests.subarray(at, at + bytes), from);
      this.#dirty.add(number);
    });
  }

  #each(
    block: number,
    blocks: number,
    work: (page: Page, from: number, bytes: number, at: number, number: number) => void,
  ): void {
    for (let done = 0; done < blocks; ) {
      const number = pageOf(block + done);
      const page = this.#pages.get(number);
      if (page === undefined) throw new RangeError(`the digests of block ${block + done} are not in memory`);
      this.#pages.delete(number);
      this.#pages.set(number, page);
      const place = (block + done) % DIGESTS_A_PAGE;
      const count = Math.min(blocks - done, DIGESTS_A_PAGE - place);
      work(page, place * DIGEST_BYTES, count * DIGEST_BYTES, done * DIGEST_BYTES, number);
      done += count;
    }
  }

  /** Writes what was set before it began; one call at a time. It is on the medium after a flush. */
  async write(): Promise<void> {
    if (this.#dirty.size === 0) return;
    const runs = runsOf([...this.#dirty].sort((a, b) => b - a));
    await Promise.all(runs.map((run) => this.#writeRun(run)));
    this.#evict(this.#pagesMax);
  }

  /** Pages with falling numbers lie one behind the other. */
  async #writeRun(run: readonly number[]): Promise<void> {
    const bytes = new Uint8Array(run.length * BLOCK_BYTES);
    const pages = run.flatMap((number) => this.#pages.get(number) ?? []);
    for (const number of run) this.#dirty.delete(number);
    for (const [index, page] of pages.entries()) {
      bytes.set(page.bytes, index * BLOCK_BYTES);
      page.isBeingWritten = true;
    }
    await this.#device.write(pageBlock(this.#device.blocks, run[0] ?? 0), bytes);
    for (const page of pages) page.isBeingWritten = false;
  }
}

/** Numbers that fall by one at each step, in runs. */
function runsOf(numbers: readonly number[]): number[][] {
  const runs: number[][] = [];
  for (const number of numbers) {
    const run = runs.at(-1);
    if (run !== undefined && run.length < runMax && run.at(-1) === number + 1) run.push(number);
    else runs.push([number]);
  }
  return runs;
}
