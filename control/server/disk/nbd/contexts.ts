// What block status tells: metadata contexts, their queries, and the runs of each.
//
// - `base:allocation` is the protocol's: what is a hole reads as zeros. `proteus:dirty` is ours: bit 0
//   is set where some member of the storage lacks the blocks, or may.
// - A list's query may be a namespace ("base:"), which finds all of it; to choose one its whole name
//   is needed.
// - Runs are in bytes, cut to what was asked for, and joined where they do not differ in a context.

import { BLOCK_BYTES, type DiskExtent } from "../disk.js";
import { STATE_DIRTY, STATE_HOLE, STATE_ZERO } from "./protocol.js";

export interface Context {
  readonly id: number;
  readonly name: string;
  readonly flags: (extent: DiskExtent) => number;
}

export const contexts: readonly Context[] = [
  { id: 1, name: "base:allocation", flags: ({ isHole }) => (isHole ? STATE_HOLE | STATE_ZERO : 0) },
  { id: 2, name: "proteus:dirty", flags: ({ isDirty }) => (isDirty ? STATE_DIRTY : 0) },
];

/** Those that queries find, each once. */
export function found(queries: readonly string[], isList: boolean): readonly Context[] {
  if (isList && queries.length === 0) return contexts;
  return contexts.filter(({ name }) =>
    queries.some((query) => query === name || (isList && query === name.slice(0, name.indexOf(":") + 1))),
  );
}

/** Bytes that are alike in one context. */
export interface Run {
  bytes: number;
  readonly flags: number;
}

/**
 * The runs of a context in a range.
 *
 * @param skipped bytes of the first extent that lie before the range
 * @param bytes of the range; extents beyond it are left out
 */
export function runsOf(
  { flags }: Context,
  extents: readonly DiskExtent[],
  skipped: number,
  bytes: number,
  runsMax: number,
): readonly Run[] {
  const runs: Run[] = [];
  let left = bytes;
  let skip = skipped;
  for (const extent of extents) {
    const long = Math.min(extent.blocks * BLOCK_BYTES - skip, left);
    skip = 0;
    if (long <= 0) continue;
    const last = runs.at(-1);
    const value = flags(extent);
    if (last?.flags === value) last.bytes += long;
    else if (runs.length === runsMax) break;
    else runs.push({ bytes: long, flags: value });
    left -= long;
  }
  return runs;
}
