// The free blocks of a volume: extents, of which a request gets the smallest that is long enough.
//
// - Kept in memory only: what no inode names is free.
// - Two sorted lists, by place and by length; both are searched by halves.

export interface FreeExtent {
  readonly start: number;
  readonly blocks: number;
}

const byStart = (a: FreeExtent, b: FreeExtent): number => a.start - b.start;
const byLength = (a: FreeExtent, b: FreeExtent): number => a.blocks - b.blocks || a.start - b.start;

/** The first place in a sorted list that does not stand before `wanted`. */
function placeIn(
  list: readonly FreeExtent[],
  wanted: FreeExtent,
  order: (a: FreeExtent, b: FreeExtent) => number,
): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const extent = list[middle];
    if (extent !== undefined && order(extent, wanted) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export class Space {
  readonly #places: FreeExtent[] = [];
  readonly #lengths: FreeExtent[] = [];
  #free = 0;

  /** `free`: extents that do not touch, in the order of their places. */
  constructor(free: Iterable<FreeExtent>) {
    for (const extent of free) {
      this.#places.push(extent);
      this.#free += extent.blocks;
    }
    this.#lengths = this.#places.toSorted(byLength);
  }

  get free(): number {
    return this.#free;
  }

  /** Blocks of the longest extent. */
  get largest(): number {
    return this.#lengths.at(-1)?.blocks ?? 0;
  }

  /** The first block of so many in a row, from the extent that fits best; undefined when there is none. */
  allocate(blocks: number): number | undefined {
    const extent = this.#lengths[placeIn(this.#lengths, { start: 0, blocks }, byLength)];
    return extent === undefined ? undefined : this.#take(extent, extent.start, blocks);
  }

  /** The same from the longest extent: for what is going to grow. */
  allocateInLargest(blocks: number): number | undefined {
    const extent = this.#lengths.at(-1);
    if (extent === undefined || extent.blocks < blocks) return undefined;
    return this.#take(extent, extent.start, blocks);
  }

  /** Takes the blocks from `start` on; false, and nothing taken, when they are not all free. */
  take(start: number, blocks: number): boolean {
    const extent = this.#around(start);
    if (extent === undefined || start + blocks > extent.start + extent.blocks) return false;
    this.#take(extent, start, blocks);
    return true;
  }

  /** The first free extent that ends behind `block`. */
  from(block: number): FreeExtent | undefined {
    return this.#around(block) ?? this.#places[placeIn(this.#places, { start: block, blocks: 0 }, byStart)];
  }

  /** Where so many blocks could end the last free extent behind `block` that has them. */
  lastBehind(block: number, blocks: number): number | undefined {
    const extent = this.#places.findLast((each) => each.blocks >= blocks);
    return extent === undefined || extent.start < block ? undefined : extent.start + extent.blocks - blocks;
  }

  release(start: number, blocks: number): void {
    if (blocks === 0) return;
    let [first, end] = [start, start + blocks];
    const place = placeIn(this.#places, { start, blocks }, byStart);
    const [before, after] = [this.#places[place - 1], this.#places[place]];
    if (
      (before !== undefined && before.start + before.blocks > start) ||
      (after !== undefined && after.start < end)
    )
      throw new Error(`blocks ${start} to ${end - 1} are freed twice`);
    if (before !== undefined && before.start + before.blocks === start) {
      first = before.start;
      this.#remove(before);
    }
    if (after !== undefined && after.start === end) {
      end = after.start + after.blocks;
      this.#remove(after);
    }
    this.#add({ start: first, blocks: end - first });
  }

  /** The extent that a block lies in. */
  #around(block: number): FreeExtent | undefined {
    const extent = this.#places[placeIn(this.#places, { start: block + 1, blocks: 0 }, byStart) - 1];
    return extent !== undefined && block < extent.start + extent.blocks ? extent : undefined;
  }

  #take(extent: FreeExtent, start: number, blocks: number): number {
    this.#remove(extent);
    const end = extent.start + extent.blocks;
    if (start > extent.start) this.#add({ start: extent.start, blocks: start - extent.start });
    if (start + blocks < end) this.#add({ start: start + blocks, blocks: end - start - blocks });
    return start;
  }

  #add(extent: FreeExtent): void {
    this.#places.splice(placeIn(this.#places, extent, byStart), 0, extent);
    this.#lengths.splice(placeIn(this.#lengths, extent, byLength), 0, extent);
    this.#free += extent.blocks;
  }

  #remove(extent: FreeExtent): void {
    this.#places.splice(placeIn(this.#places, extent, byStart), 1);
    this.#lengths.splice(placeIn(this.#lengths, extent, byLength), 1);
    this.#free -= extent.blocks;
  }
}
