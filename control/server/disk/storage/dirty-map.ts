// Which blocks of a member have to be copied or compared, block by block, in memory.
//
// - What the storage needs of a map, and a plain one: a bit a block, with a count a page of bits, so
//   that a sparse map of a large disk is searched in a few steps.
// - A map outlives nothing: after a crash the extents on the media are what is left (record.ts).

/** A run of blocks. */
export interface Run {
  readonly block: number;
  readonly blocks: number;
}

export interface DirtyMap {
  /** How many blocks are set. */
  readonly count: number;
  set(block: number, blocks: number): void;
  clear(block: number, blocks: number): void;
  /** The first run at or after a block, at most so long; null when none is there. */
  next(from: number, blocksMax: number): Run | null;
}

const pageBlocks = 32 * 1024;

interface Page {
  readonly words: Uint32Array;
  count: number;
}

function bitsIn(word: number): number {
  let left = word - ((word >>> 1) & 0x5555_5555);
  left = (left & 0x3333_3333) + ((left >>> 2) & 0x3333_3333);
  return Math.imul((left + (left >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/** A map in JavaScript's own memory: pages of bits, made when one of their bits is set. */
export class PlainDirtyMap implements DirtyMap {
  readonly #pages = new Map<number, Page>();
  readonly #blocks: number;
  #count = 0;

  constructor(blocks: number) {
    this.#blocks = blocks;
  }

  get count(): number {
    return this.#count;
  }

  set(block: number, blocks: number): void {
    this.#change(block, blocks, true);
  }

  clear(block: number, blocks: number): void {
    this.#change(block, blocks, false);
  }

  next(from: number, blocksMax: number): Run | null {
    if (this.#count === 0) return null;
    const block = this.#find(from, true);
    if (block >= this.#blocks) return null;
    const limit = Math.min(this.#blocks, block + blocksMax);
    return { block, blocks: Math.min(this.#find(block, false, limit), limit) - block };
  }

  /** The first block from `from` on, below `limit`, that is set or not. */
  #find(from: number, isSet: boolean, limit = this.#blocks): number {
    let at = from;
    while (at < limit) {
      const page = this.#pages.get(Math.floor(at / pageBlocks));
      const end = (Math.floor(at / pageBlocks) + 1) * pageBlocks;
      if (page === undefined || page.count === 0) {
        if (!isSet) return at;
        at = end;
        continue;
      }
      for (; at < end && at < limit; at++) {
        const word = page.words[(at % pageBlocks) >>> 5] ?? 0;
        if (word === (isSet ? 0 : 0xffff_ffff) && (at & 31) === 0) at += 31;
        else if (((word >>> (at & 31)) & 1) === (isSet ? 1 : 0)) return at;
      }
    }
    return limit;
  }

  #change(block: number, blocks: number, isSet: boolean): void {
    const end = Math.min(this.#blocks, block + blocks);
    for (let at = Math.max(0, block); at < end; ) {
      const number = Math.floor(at / pageBlocks);
      const page = this.#pages.get(number);
      const until = Math.min(end, (number + 1) * pageBlocks);
      if (page !== undefined) this.#changePage(page, at % pageBlocks, until - at, isSet);
      else if (isSet) {
        const made = { words: new Uint32Array(pageBlocks / 32), count: 0 };
        this.#pages.set(number, made);
        this.#changePage(made, at % pageBlocks, until - at, isSet);
      }
      if (page?.count === 0) this.#pages.delete(number);
      at = until;
    }
  }

  #changePage(page: Page, from: number, bits: number, isSet: boolean): void {
    const before = page.count;
    for (let at = from; at < from + bits; ) {
      const inWord = Math.min(32 - (at & 31), from + bits - at);
      const mask = inWord === 32 ? 0xffff_ffff : (((1 << inWord) - 1) << (at & 31)) >>> 0;
      const old = page.words[at >>> 5] ?? 0;
      const word = (isSet ? old | mask : old & ~mask) >>> 0;
      page.words[at >>> 5] = word;
      page.count += bitsIn(word) - bitsIn(old);
      at += inWord;
    }
    this.#count += page.count - before;
  }
}
