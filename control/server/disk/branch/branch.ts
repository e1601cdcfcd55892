// A branch as it is written and read, on a device of its own (layout.ts).
//
// - Blocks come piece by piece, a page's worth at a time; nothing is kept in memory. Every so many pages
//   all of it is flushed, and the header says how far it is: a branch that was cut short goes on there.
// - `has` says whether a piece is on the medium already as the member has it now: its digests are
//   compared, so that a member that was written to meanwhile is kept anew.
// - It counts once `close` has ended. Bytes that are read are compared with their digests: DISK_ROT.

import { type BlockDevice, BlockError } from "../../../../drivers/block.js";
import { sameBytes, toHex } from "../../../kernel/bytes.js";
import { BLOCK_BYTES } from "../disk.js";
import { DiskError } from "../errors.js";
import { mediumError } from "../member/errors.js";
import { DIGEST_BYTES } from "../member/port.js";
import type { Branch, BranchFacts, BranchPiece } from "../storage/branches.js";
import {
  type BranchHeader,
  type BranchPage,
  branchBlock,
  branchBlocks,
  dataAt,
  decodeHeader,
  decodePage,
  encodeHeader,
  encodePage,
  HEADER_COPIES,
  isEmptyPage,
  PAGE_BLOCKS,
  pageAt,
  pagesOf,
  type StoredHeader,
} from "./layout.js";

/** After so many pages what was written is flushed: 64 MiB of the disk at most. */
const pagesAtOnce = 64;

/** The digests of whole blocks, as the members of the storage compute them. */
export type DigestsOf = (data: Uint8Array) => Uint8Array;

/** The header on a device; null when there is none. */
export async function readHeader(device: Pick<BlockDevice, "read">): Promise<StoredHeader | null> {
  let best: StoredHeader | null = null;
  for (let copy = 0; copy < HEADER_COPIES; copy++) {
    const bytes = new Uint8Array(BLOCK_BYTES);
    try {
      await device.read(copy, bytes);
    } catch (error) {
      if (!(error instanceof BlockError) || error.code !== "BLOCK_UNREADABLE") throw error;
      continue;
    }
    const found = decodeHeader(bytes);
    if (found !== null && (best === null || found.sequence > best.sequence)) best = found;
  }
  return best;
}

/** The first header of a branch. `time`: milliseconds since 1970. */
export const headerFor = (facts: BranchFacts, time: number): BranchHeader => ({
  ...{ age: toHex(facts.age), name: facts.name, member: toHex(facts.member), node: facts.node },
  ...{ path: facts.path, generation: hexOf(facts.generation), other: hexOf(facts.other) },
  ...{ blocks: facts.blocks, time, state: "saving", pages: 0, kept: 0, holes: 0 },
});

const hexOf = (id: bigint): string => id.toString(16).padStart(16, "0");

export const isOf = ({ age, member, generation, blocks }: BranchHeader, facts: BranchFacts): boolean =>
  age === toHex(facts.age) &&
  member === toHex(facts.member) &&
  generation === hexOf(facts.generation) &&
  blocks === facts.blocks;

export class StoredBranch implements Branch {
  readonly #device: BlockDevice;
  readonly #name: string;
  #header: BranchHeader;
  #sequence: number;
  /** Pages that an earlier life has left on the medium. */
  #trusted: number;
  #sinceFlush = 0;
  #done = 0;

  private constructor(
    device: BlockDevice,
    name: string,
    { header, sequence }: StoredHeader,
    readonly flushEvery: number,
  ) {
    this.#device = device;
    this.#name = name;
    this.#header = header;
    this.#sequence = sequence;
    this.#trusted = header.pages;
  }

  /** Begins one, on a device of zeros of branchBlocks(header.blocks); its header is on the medium then. */
  static async make(
    device: BlockDevice,
    name: string,
    header: BranchHeader,
    flushEvery = pagesAtOnce,
  ): Promise<StoredBranch> {
    const branch = new StoredBranch(device, name, { header, sequence: 0 }, flushEvery);
    await branch.#asked(() => branch.#writeHeader(header));
    return branch;
  }

  /** One that is there; null when the device has none. */
  static async open(
    device: BlockDevice,
    name: string,
    flushEvery = pagesAtOnce,
  ): Promise<StoredBranch | null> {
    const found = await readHeader(device);
    if (found === null || device.blocks < branchBlocks(found.header.blocks)) return null;
    return new StoredBranch(device, name, found, flushEvery);
  }

  get id(): string {
    return this.#name;
  }

  get header(): BranchHeader {
    return this.#header;
  }

  get isKept(): boolean {
    return this.#header.state === "kept";
  }

  async #asked<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw error instanceof BlockError ? mediumError(`branch ${this.#name}`, error) : error;
    }
  }

  // ---- written -------------------------------------------------------------------------

  async has(block: number, digests: Uint8Array, mustKeep: Uint8Array): Promise<boolean> {
    if (block / PAGE_BLOCKS >= this.#trusted) return false;
    const page = await this.#asked(() => this.#page(block));
    if (page === null || !sameBytes(page.digests.subarray(0, digests.length), digests)) return false;
    return mustKeep.every((must, at) => must === 0 || page.states[at] !== branchBlock.same);
  }

  async put({ block, states, digests, data }: BranchPiece): Promise<void> {
    if (this.isKept) throw new Error("a branch that is closed is not written to");
    await this.#asked(async () => {
      await this.#distrust(Math.floor(block / PAGE_BLOCKS));
      for (let at = 0; at < states.length; at++) {
        if (states[at] !== branchBlock.kept) continue;
        const from = at;
        while (states[at + 1] === branchBlock.kept) at++;
        const bytes = data.subarray(from * BLOCK_BYTES, (at + 1) * BLOCK_BYTES);
        await this.#device.write(dataAt(this.#header.blocks, block + from), bytes);
      }
      await this.#putPage(block, { states, digests });
    });
  }

  /** What is written anew is not on the medium until it is flushed, and nothing behind it is passed yet. */
  async #distrust(page: number): Promise<void> {
    if (page >= this.#header.pages) return;
    await this.#writeHeader({ ...this.#header, pages: page });
    this.#trusted = page;
  }

  async #putPage(block: number, page: BranchPage): Promise<void> {
    const number = Math.floor(block / PAGE_BLOCKS);
    const bytes = encodePage(number, page);
    // Of a disk that holds little most pages are of zeros, and take no room.
    if (!isEmptyPage(page)) await this.#device.write(pageAt(block), bytes);
    else {
      const before = new Uint8Array(BLOCK_BYTES);
      await this.#device.read(pageAt(block), before);
      if (before.some((byte) => byte !== 0)) await this.#device.write(pageAt(block), bytes);
    }
  }

  async passed(block: number): Promise<void> {
    this.#done = Math.floor(block / PAGE_BLOCKS) + 1;
    if (++this.#sinceFlush < this.flushEvery) return;
    this.#sinceFlush = 0;
    if (this.#done <= this.#header.pages) return;
    await this.#asked(async () => {
      await this.#device.flush();
      await this.#writeHeader({ ...this.#header, pages: this.#done });
    });
  }

  async close(): Promise<void> {
    if (this.isKept) return;
    const { blocks } = this.#header;
    if (this.#done !== pagesOf(blocks)) throw new Error("a branch is closed when all of it was looked at");
    await this.#asked(async () => {
      const counted = await this.#counted();
      await this.#device.flush();
      await this.#writeHeader({ ...this.#header, ...counted, pages: this.#done, state: "kept" });
    });
  }

  async #counted(): Promise<Pick<BranchHeader, "kept" | "holes">> {
    let [kept, holes] = [0, 0];
    for (let block = 0; block < this.#header.blocks; block += PAGE_BLOCKS) {
      const page = await this.#page(block);
      if (page === null) throw rotten(this.#name, block);
      for (const state of page.states) {
        if (state === branchBlock.kept) kept++;
        else if (state === branchBlock.hole) holes++;
      }
    }
    return { kept, holes };
  }

  async #writeHeader(header: BranchHeader): Promise<void> {
    const sequence = this.#sequence + 1;
    await this.#device.write(sequence % HEADER_COPIES, encodeHeader({ header, sequence }));
    await this.#device.flush();
    this.#sequence = sequence;
    this.#header = header;
  }

  // ---- read ----------------------------------------------------------------------------

  async #page(block: number): Promise<BranchPage | null> {
    const bytes = new Uint8Array(BLOCK_BYTES);
    await this.#device.read(pageAt(block), bytes);
    return decodePage(Math.floor(block / PAGE_BLOCKS), bytes);
  }

  /** The page that begins with a block, and the bytes of those that are kept. */
  read(block: number, digestsOf: DigestsOf): Promise<BranchPiece> {
    if (block % PAGE_BLOCKS !== 0 || block < 0 || block >= this.#header.blocks)
      throw new DiskError("DISK_RANGE", `a branch is read in pieces of ${PAGE_BLOCKS} blocks`);
    return this.#asked(async () => {
      const page = await this.#page(block);
      if (page === null) throw rotten(this.#name, block);
      const blocks = Math.min(PAGE_BLOCKS, this.#header.blocks - block);
      const states = page.states.subarray(0, blocks);
      const digests = page.digests.subarray(0, blocks * DIGEST_BYTES);
      const data = new Uint8Array(blocks * BLOCK_BYTES);
      for (let at = 0; at < blocks; at++) {
        if (states[at] !== branchBlock.kept) continue;
        const from = at;
        while (states[at + 1] === branchBlock.kept && at + 1 < blocks) at++;
        const bytes = data.subarray(from * BLOCK_BYTES, (at + 1) * BLOCK_BYTES);
        await this.#device.read(dataAt(this.#header.blocks, block + from), bytes);
        const its = digests.subarray(from * DIGEST_BYTES, (at + 1) * DIGEST_BYTES);
        if (!sameBytes(digestsOf(bytes), its)) throw rotten(this.#name, block + from);
      }
      return { block, states, digests, data };
    });
  }
}

const rotten = (name: string, block: number): DiskError =>
  new DiskError("DISK_ROT", `branch ${name}: what was kept of block ${block} on is not what was written`, [
    block,
  ]);

/** The bytes of the blocks that are kept, one after the other. */
export function keptBytes({ states, data }: BranchPiece): Uint8Array {
  const kept = states.reduce((sum, state) => sum + (state === branchBlock.kept ? 1 : 0), 0);
  if (kept === states.length) return data;
  const bytes = new Uint8Array(kept * BLOCK_BYTES);
  let to = 0;
  states.forEach((state, at) => {
    if (state !== branchBlock.kept) return;
    bytes.set(data.subarray(at * BLOCK_BYTES, (at + 1) * BLOCK_BYTES), to);
    to += BLOCK_BYTES;
  });
  return bytes;
}
