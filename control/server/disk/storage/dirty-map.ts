// Which blocks of a member have to be copied or compared, block by block, in memory.
//
// - Pages of bits, made when one of their bits is set and given back when none is, with a count each: a
//   sparse map of a large disk takes little room and is searched in a few steps.
// - The bits themselves are the kernel's (../dirty-map.ts); a page for which it has no room, or of whoever
//   has no kernel, is a plain one in JavaScript's own memory.
// - A map outlives nothing: after a crash the extents on the media are what is left (record.ts). A map that
//   was closed holds nothing, and takes nothing any more.

import { ProteusError } from "../../../kernel/errors.js";

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
  close(): void;
}

/** The bits of a page, none of them set at first. */
export interface Bits {
  set(first: number, count: number): void;
  clear(first: number, count: number): void;
  count(first: number, count: number): number;
  /** The first run of set bits from `from` on, cut to `most`. */
  next(from: number, most: number): { readonly first: number; readonly count: number } | null;
  close(): void;
}

/** Makes the bits of a page. Throws ProteusError when there is no room. */
export type MakeBits = (bits: number) => Bits;

const pageBlocks = 32 * 1024;

interface Page {
  readonly bits: Bits;
  count: number;
}

export class PagedDirtyMap implements DirtyMap {
  readonly #pages = new Map<number, Page>();
  readonly #blocks: number;
  readonly #make: MakeBits;
  #count = 0;
  #isClosed = false;

  constructor(blocks: number, make: MakeBits = plainBits) {
    this.#blocks = blocks;
    this.#make = make;
  }

  get count(): number {
    return this.#count;
  }

  set(block: number, blocks: number): void {
    if (!this.#isClosed) this.#change(block, blocks, true);
  }

  clear(block: number, blocks: number): void {
    this.#change(block, blocks, false);
  }

  next(from: number, blocksMax: number): Run | null {
    if (this.#count === 0) return null;
    const block = this.#first(from);
    if (block >= this.#blocks) return null;
    const limit = Math.min(this.#blocks, block + blocksMax);
    let end = block;
    do {
      const at = end % pageBlocks;
      const run = this.#pages.get(Math.floor(end / pageBlocks))?.bits.next(at, limit - end) ?? null;
      if (run === null || run.first !== at) break;
      end += run.count;
    } while (end < limit && end % pageBlocks === 0);
    return { block, blocks: end - block };
  }

  /** The first block from `from` on that is set; the map's end when none is. */
  #first(from: number): number {
    for (let at = from; at < this.#blocks; at = (Math.floor(at / pageBlocks) + 1) * pageBlocks) {
      const number = Math.floor(at / pageBlocks);
      const run = this.#pages.get(number)?.bits.next(at % pageBlocks, 1) ?? null;
      if (run !== null) return number * pageBlocks + run.first;
    }
    return this.#blocks;
  }

  #change(block: number, blocks: number, isSet: boolean): void {
    const end = Math.min(this.#blocks, block + blocks);
    for (let at = Math.max(0, block); at < end; ) {
      const number = Math.floor(at / pageBlocks);
      const until = Math.min(end, (number + 1) * pageBlocks);
      const page = this.#pages.get(number) ?? (isSet ? this.#page(number) : undefined);
      if (page !== undefined) this.#changePage(page, at % pageBlocks, until - at, isSet);
      if (page?.count === 0) {
        page.bits.close();
        this.#pages.delete(number);
      }
      at = until;
    }
  }

  #changePage(page: Page, first: number, count: number, isSet: boolean): void {
    const before = page.bits.count(first, count);
    if (isSet) page.bits.set(first, count);
    else page.bits.clear(first, count);
    const more = (isSet ? count : 0) - before;
    page.count += more;
    this.#count += more;
  }

  #page(number: number): Page {
    const size = Math.min(pageBlocks, this.#blocks - number * pageBlocks);
    const page = { bits: this.#bits(size), count: 0 };
    this.#pages.set(number, page);
    return page;
  }

  #bits(size: number): Bits {
    try {
      return this.#make(size);
    } catch (error) {
      if (error instanceof ProteusError) return plainBits(size);
      throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#count = 0;
    for (const { bits } of this.#pages.values()) bits.close();
    this.#pages.clear();
  }
}

function onesIn(word: number): number {
  let left = word - ((word >>> 1) & 0x5555_5555);
  left = (left & 0x3333_3333) + ((left >>> 2) & 0x3333_3333);
  return Math.imul((left + (left >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}

/** Bits in JavaScript's own memory. */
export function plainBits(size: number): Bits {
  const words = new Uint32Array(Math.ceil(size / 32));
  /** Calls `work` with each word of a range and the bits of it that are in the range. */
  const each = (first: number, count: number, work: (index: number, mask: number) => void): void => {
    for (let at = first; at < first + count; ) {
      const inWord = Math.min(32 - (at & 31), first + count - at);
      work(at >>> 5, inWord === 32 ? 0xffff_ffff : (((1 << inWord) - 1) << (at & 31)) >>> 0);
      at += inWord;
    }
  };
  const find = (from: number, isSet: boolean, limit: number): number => {
    for (let at = from; at < limit; at++) {
      const word = words[at >>> 5] ?? 0;
      if ((at & 31) === 0 && word === (isSet ? 0 : 0xffff_ffff)) at += 31;
      else if (((word >>> (at & 31)) & 1) === (isSet ? 1 : 0)) return at;
    }
    return limit;
  };
  return {
    set: (first, count) =>
      each(first, count, (index, mask) => {
        words[index] = (words[index] ?? 0) | mask;
      }),
    clear: (first, count) =>
      each(first, count, (index, mask) => {
        words[index] = (words[index] ?? 0) & ~mask;
      }),
    count(first, count) {
      let sum = 0;
      each(first, count, (index, mask) => {
        sum += onesIn(((words[index] ?? 0) & mask) >>> 0);
      });
      return sum;
    },
    next(from, most) {
      const first = find(from, true, size);
      if (first >= size) return null;
      const limit = Math.min(size, first + most);
      return { first, count: Math.min(limit, find(first, false, limit)) - first };
    },
    close: () => undefined,
  };
}
