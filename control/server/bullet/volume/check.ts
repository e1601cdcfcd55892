// The check: are the tables what memory says, and is every content what was written?
//
// - Reads both copies of the table and every content, past the cache; other calls go on. A file
//   that is removed or moved meanwhile is not reported.
// - A corrupt file stays: only another copy of its content can mend it, and until then its
//   readers get VOLUME_CORRUPT. With `repair`, broken copies of slots are written anew, and
//   slots that are broken in both copies become free.

import { VolumeError } from "./errors.js";
import type { Corruption, Extent } from "./extent.js";
import type { NewContentHash } from "./hash.js";
import { decodeSuperblock, encodeSuperblock, type Geometry } from "./layout.js";
import type { Medium } from "./medium.js";
import type { Reader } from "./reader.js";
import type { Table } from "./table.js";
import type { CheckReport, CorruptFile } from "./types.js";
import type { Writer } from "./writer.js";

export interface CheckHost {
  readonly medium: Medium;
  readonly reader: Reader;
  readonly table: Table;
  readonly writer: Writer;
  readonly extents: ReadonlySet<Extent>;
  readonly geometry: Geometry;
  readonly newHash: NewContentHash;
  /** Numbers of slots that are broken in both copies; those that are repaired are taken out. */
  readonly lost: Set<number>;
  /** Given up when the volume was opened. */
  readonly unfinished: readonly number[];
  readonly repair: boolean;
  release(extent: Extent): void;
}

/** Blocks of the table that are compared while no slot is written. */
const blocksAtOnce = 64;

export async function check(host: CheckHost): Promise<CheckReport> {
  const lostInodes = [...host.lost].sort((a, b) => a - b);
  const brokenCopies = (await checkSuperblocks(host)) + (await checkTable(host));
  const corrupt: CorruptFile[] = [];
  let [files, checkedBytes] = [0, 0];
  for (const extent of [...host.extents]) {
    if (extent.owners.size === 0 || extent.isReleased) continue;
    const corruption = await checkContent(host, extent);
    for (const { number } of extent.owners) {
      files++;
      if (corruption !== null) corrupt.push({ number, bytes: extent.bytes, ...corruption });
    }
    checkedBytes += extent.bytes;
    host.release(extent);
  }
  corrupt.sort((a, b) => a.number - b.number);
  const isTableGood = (brokenCopies === 0 && lostInodes.length === 0) || host.repair;
  return {
    ...{ files, checkedBytes, corrupt, lostInodes, brokenCopies, misplaced: [] },
    ...{ unfinished: host.unfinished, repaired: host.repair, clean: isTableGood && corrupt.length === 0 },
  };
}

async function checkSuperblocks({ medium, geometry, repair }: CheckHost): Promise<number> {
  let broken = 0;
  for (const block of [0, geometry.blocks - 1]) {
    const bytes = new Uint8Array(medium.blockBytes);
    const unreadable = await medium.read(block, bytes);
    if (unreadable.length === 0 && decodeSuperblock(bytes).kind === "good") continue;
    broken++;
    if (!repair) continue;
    await medium.write(block, encodeSuperblock(geometry));
    await medium.flush();
  }
  return broken;
}

async function checkTable({ medium, table, writer, lost, repair }: CheckHost): Promise<number> {
  let broken = 0;
  for (let block = 0; block < table.blocks; block += blocksAtOnce)
    broken += await writer.exclusively(() =>
      table.compare(block, Math.min(blocksAtOnce, table.blocks - block)),
    );
  if (!repair) return broken;
  await writer.exclusively(async () => {
    const changed = table.change([...lost].map((number) => [number, null] as const));
    await table.repair();
    await table.write(changed);
    await medium.flush();
  });
  lost.clear();
  return broken;
}

/** What is wrong with a content, or null. It keeps a pin meanwhile. */
export async function checkContent(
  { reader, newHash }: Pick<CheckHost, "reader" | "newHash">,
  extent: Extent,
): Promise<Corruption | null> {
  extent.pins++;
  try {
    const hash = await newHash();
    let left = extent.bytes;
    for await (const piece of reader.pieces(extent)) {
      hash.update(piece.subarray(0, left));
      left -= piece.length;
    }
    const digest = hash.digest();
    const isSame = digest.every((byte, index) => byte === extent.hash[index]);
    extent.corruption = isSame
      ? null
      : { block: -1, deviceBlock: extent.start, why: "its blocks are good and its content is another" };
  } catch (error) {
    if (!(error instanceof VolumeError) || error.code !== "VOLUME_CORRUPT") throw error;
  } finally {
    extent.pins--;
  }
  return extent.corruption;
}
