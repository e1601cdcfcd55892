// Files that the medium names before anybody knew that their contents are there (unsettled slots,
// layout.ts): which of them were finished when the machine ended?
//
// - Content and slot were written before one flush, in any order. If the flush ended, both are
//   there; if not, nobody was told of the file. So what is not there whole was never acknowledged.
// - Compared are the checksums and the SHA-256: blocks that were used before may still hold a
//   content that agrees with checksums of its own.
// - What cannot be read is not taken for unfinished: a medium that fails must not take files with it
//   of which somebody was told. It stays, and its readers get VOLUME_CORRUPT.
// - A content that a settled slot names as well is there: a flush had covered it.

import { checkContent } from "./check.js";
import type { Extent } from "./extent.js";
import type { NewContentHash } from "./hash.js";
import { type Medium, PIECE_BYTES } from "./medium.js";
import type { Reader } from "./reader.js";
import type { CorruptFile } from "./types.js";

/** A content that slots on the medium name. */
export interface FoundExtent {
  readonly extent: Extent;
  /** The highest of its slots. */
  sequence: number;
  /** Numbers of its slots that are unsettled. */
  readonly unsettled: number[];
}

export interface Compared {
  /** Contents that stay. */
  readonly kept: readonly FoundExtent[];
  /** Numbers of files that were never finished. */
  readonly unfinished: readonly number[];
  /** Numbers of unsettled slots that have become settled. */
  readonly settled: readonly number[];
  /** Those of them that cannot be read. */
  readonly corrupt: readonly CorruptFile[];
  readonly checkedBytes: number;
}

interface CompareHost {
  readonly medium: Medium;
  readonly reader: Reader;
  readonly newHash: NewContentHash;
}

export async function compareUnsettled(
  found: Iterable<FoundExtent>,
  { medium, reader, newHash }: CompareHost,
): Promise<Compared> {
  const kept: FoundExtent[] = [];
  const [unfinished, settled]: [number[], number[]] = [[], []];
  const corrupt: CorruptFile[] = [];
  let checkedBytes = 0;
  for (const each of found) {
    const { extent, unsettled } = each;
    if (unsettled.length === extent.owners.size) {
      const unreadable = await firstUnreadable(medium, extent);
      if (unreadable !== null) {
        const block = unreadable - extent.start;
        extent.corruption = { block, deviceBlock: unreadable, why: "cannot be read" };
        const { bytes, corruption } = extent;
        for (const number of unsettled) corrupt.push({ number, bytes, ...corruption });
      } else {
        checkedBytes += extent.bytes;
        const difference = await checkContent({ reader, newHash }, extent);
        reader.forget(extent); // another may lie at the same place
        if (difference !== null) {
          unfinished.push(...unsettled);
          continue;
        }
      }
    }
    settled.push(...unsettled);
    kept.push(each);
  }
  return { kept, unfinished, settled, corrupt, checkedBytes };
}

/** The first block of an extent that the medium cannot read, or null. */
async function firstUnreadable(medium: Medium, { start, blocks }: Extent): Promise<number | null> {
  const step = PIECE_BYTES / medium.blockBytes;
  for (let done = 0; done < blocks; done += step) {
    const bytes = new Uint8Array(Math.min(step, blocks - done) * medium.blockBytes);
    const [unreadable] = await medium.read(start + done, bytes);
    if (unreadable !== undefined) return unreadable;
  }
  return null;
}
