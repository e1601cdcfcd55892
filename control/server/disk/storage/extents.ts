// Maps of extents as members keep them: one bit an extent, lowest bit first.
//
// - A map has mapBytesOf(blocks) bytes (record.ts); one of another length is of another size of the
//   storage, and is read as far as it goes.
// - Nothing here changes a map that it was given, but for `mark`.

import { hasBit, setBit } from "../member/maps.js";
import { extentBlocksOf, mapBytesOf } from "../member/record.js";

/** A map that names nothing. */
export const emptyMap = (blocks: number): Uint8Array => new Uint8Array(mapBytesOf(blocks));

/** Sets the extents that a range of blocks touches. */
export function mark(map: Uint8Array, storageBlocks: number, block: number, blocks: number): void {
  if (blocks <= 0) return;
  const size = extentBlocksOf(storageBlocks);
  const last = Math.floor((block + blocks - 1) / size);
  for (let extent = Math.floor(block / size); extent <= last; extent++) setBit(map, extent);
}

/** What any of the maps names; null stands for a map that names nothing. */
export function union(blocks: number, ...maps: readonly (Uint8Array | null)[]): Uint8Array {
  const all = emptyMap(blocks);
  for (const map of maps)
    for (let at = 0; map !== null && at < Math.min(map.length, all.length); at++)
      all[at] = (all[at] ?? 0) | (map[at] ?? 0);
  return all;
}

export const isEmptyMap = (map: Uint8Array | null): boolean =>
  map === null || map.every((byte) => byte === 0);

/** The runs of blocks that a map names, in order. */
export function* runsOf(
  map: Uint8Array,
  storageBlocks: number,
): Generator<{ block: number; blocks: number }> {
  const size = extentBlocksOf(storageBlocks);
  const extents = Math.ceil(storageBlocks / size);
  for (let extent = 0; extent < extents; extent++) {
    if (!hasBit(map, extent)) continue;
    const block = extent * size;
    while (extent + 1 < extents && hasBit(map, extent + 1)) extent++;
    yield { block, blocks: Math.min((extent + 1) * size, storageBlocks) - block };
  }
}
