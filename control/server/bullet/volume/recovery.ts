// What a volume is found to be when it is opened, after whatever happened to it.
//
// - A flush comes first: what a killed process left in the cache of the system is on the medium
//   before anyone sees it.
// - Broken and stale copies of superblocks and slots are written anew from the good ones, before
//   any block is used again. Slots that are broken in both copies are reported and kept.
// - A file whose slot was written before its content was sure is compared: unfinished.ts. It is settled
//   or given up before any block is used again.
// - A volume of an older format becomes one of the present format, before anything else is written.
// - Two files cannot have a block in common unless they have the same content. If they seem to,
//   the one that is not what was written is given up; so is what lies outside of the volume.

import { corruptVolume, unknownFormat, type VolumeError } from "./errors.js";
import { contentKey, Extent, type Inode } from "./extent.js";
import type { NewContentHash } from "./hash.js";
import {
  contentArea,
  contentBlocks,
  decodeSuperblock,
  encodeSuperblock,
  extentBlocks,
  FORMAT,
  FORMAT_OLDEST,
  type Geometry,
  type Slot,
  type Superblock,
} from "./layout.js";
import type { Medium } from "./medium.js";
import type { Reader } from "./reader.js";
import { type FreeExtent, Space } from "./space.js";
import { Table } from "./table.js";
import type { CheckReport } from "./types.js";
import { compareUnsettled, type FoundExtent } from "./unfinished.js";

export interface Recovered {
  readonly geometry: Geometry;
  readonly table: Table;
  readonly inodes: Map<number, Inode>;
  readonly extents: Set<Extent>;
  readonly space: Space;
  readonly report: CheckReport;
  /** The volume's own generation; null when it is lost. */
  readonly generation: Uint8Array | null;
}

export async function recover(medium: Medium, reader: Reader, newHash: NewContentHash): Promise<Recovered> {
  await medium.flush();
  const { geometry, brokenSuperblocks } = await readSuperblocks(medium);
  const table = new Table(medium, geometry);
  const { slots, lost, brokenCopies } = await table.read();
  await table.repair();
  const { found, outside } = findAll(slots, geometry);
  const compared = await compareUnsettled(found, { medium, reader, newHash });
  const { extents, overlapping } = await placeAll(compared.kept, reader);
  const misplaced = [...outside, ...overlapping].sort((a, b) => a - b);
  const unfinished = compared.unfinished.toSorted((a, b) => a - b);
  const changes = new Map<number, Slot | null>();
  for (const number of compared.settled) changes.set(number, settledSlot(slots.get(number)));
  for (const number of [...misplaced, ...unfinished]) changes.set(number, null);
  if (changes.size > 0) {
    await table.write(table.change(changes));
    await medium.flush();
  }
  const inodes = new Map<number, Inode>();
  for (const extent of extents)
    for (const inode of extent.owners) {
      inode.stored = extent;
      extent.slots++;
      inodes.set(inode.number, inode);
    }
  const { checkedBytes } = compared;
  const corrupt = compared.corrupt.filter(({ number }) => inodes.has(number));
  const report: CheckReport = {
    ...{ files: inodes.size, checkedBytes, corrupt, lostInodes: lost, misplaced, unfinished },
    ...{ brokenCopies: brokenCopies + brokenSuperblocks, repaired: true },
    clean: lost.length + corrupt.length === 0,
  };
  const generation = slots.get(0)?.generation ?? null;
  return { geometry, table, inodes, extents, space: freeSpace(extents, geometry), report, generation };
}

// ---- superblocks ----------------------------------------------------------------------

async function readSuperblocks(medium: Medium): Promise<{ geometry: Geometry; brokenSuperblocks: number }> {
  const first = await readSuperblock(medium, 0);
  // The volume may be shorter than the device; where it ends only the first one says.
  const last = await readSuperblock(
    medium,
    first.kind === "good" ? first.geometry.blocks - 1 : medium.blocks - 1,
  );
  const good = first.kind === "good" ? first : last;
  if (good.kind !== "good") throw noVolume(medium.name, [first, last]);
  const { geometry } = good;
  const format = last.kind === "good" ? Math.max(good.format, last.format) : good.format;
  if (format < FORMAT_OLDEST || format > FORMAT) throw unknownFormat(medium.name, `it has format ${format}`);
  if (geometry.blockBytes !== medium.blockBytes)
    throw unknownFormat(
      medium.name,
      `it has blocks of ${geometry.blockBytes} bytes, not ${medium.blockBytes}`,
    );
  if (geometry.blocks > medium.blocks)
    throw unknownFormat(medium.name, `it has ${geometry.blocks} blocks, and the medium ${medium.blocks}`);
  let brokenSuperblocks = 0;
  for (const [block, found] of [
    [0, first],
    [geometry.blocks - 1, last],
  ] as const) {
    if (found.kind === "good" && found.format === FORMAT) continue;
    if (found.kind !== "good") brokenSuperblocks++; // otherwise an older format: the first one tells from now on
    await medium.write(block, encodeSuperblock(geometry));
    await medium.flush();
  }
  return { geometry, brokenSuperblocks };
}

async function readSuperblock(medium: Medium, block: number): Promise<Superblock> {
  if (block < 0 || block >= medium.blocks) return { kind: "broken" };
  const bytes = new Uint8Array(medium.blockBytes);
  const unreadable = await medium.read(block, bytes);
  return unreadable.length > 0 ? { kind: "broken" } : decodeSuperblock(bytes);
}

function noVolume(name: string, found: readonly Superblock[]): VolumeError {
  if (found.some(({ kind }) => kind === "broken")) return corruptVolume(name, "both superblocks are broken");
  const isBlank = found.every(({ kind }) => kind === "blank");
  return unknownFormat(name, isBlank ? "it is blank" : "it is not a volume");
}

// ---- files ----------------------------------------------------------------------------

const settledSlot = (slot: Slot | undefined): Slot | null => (slot ? { ...slot, kind: "file" } : null);

/** The contents that slots name, and the numbers of those that lie outside of the volume. */
function findAll(
  slots: ReadonlyMap<number, Slot>,
  geometry: Geometry,
): { found: Iterable<FoundExtent>; outside: number[] } {
  const found = new Map<string, FoundExtent>();
  const outside: number[] = [];
  const [first, end] = contentArea(geometry);
  for (const [number, slot] of slots) {
    if (slot.kind !== "file" && slot.kind !== "unsettled") continue;
    const blocks = extentBlocks(slot.bytes, geometry.blockBytes);
    if (blocks > 0 && (slot.start < first || slot.start + blocks > end)) {
      outside.push(number);
      continue;
    }
    const key = `${slot.start}:${contentKey(slot.hash, slot.bytes)}`;
    const known = found.get(key) ?? { extent: extentOf(slot, blocks, geometry), sequence: 0, unsettled: [] };
    known.sequence = Math.max(known.sequence, slot.sequence);
    if (slot.kind === "unsettled") known.unsettled.push(number);
    found.set(key, known);
    const { extent } = known;
    extent.owners.add({
      ...{ number, generation: slot.generation, age: 0, extent, stored: null, version: 0, durable: 0 },
      isDraft: false,
    });
  }
  return { found: found.values(), outside };
}

/** Each content in a place of its own; and the numbers of those that have none. */
async function placeAll(
  found: readonly FoundExtent[],
  reader: Reader,
): Promise<{ extents: Set<Extent>; overlapping: number[] }> {
  const overlapping: number[] = [];
  const extents = new Set<Extent>();
  let last: FoundExtent | null = null;
  for (const each of found.toSorted((a, b) => a.extent.start - b.extent.start)) {
    const overlaps = last !== null && each.extent.start < last.extent.start + last.extent.blocks;
    if (last !== null && overlaps && each.extent.blocks > 0) {
      const loser: Extent = (await isBetter(each, last, reader)) ? last.extent : each.extent;
      for (const { number } of loser.owners) overlapping.push(number);
      extents.delete(loser);
      if (loser === each.extent) continue;
    }
    extents.add(each.extent);
    if (each.extent.blocks > 0) last = each;
  }
  return { extents, overlapping };
}

function extentOf({ bytes, hash, start, checksums }: Slot, blocks: number, geometry: Geometry): Extent {
  const facts = { bytes, hash, contentBlocks: contentBlocks(bytes, geometry.blockBytes), blocks, checksums };
  const extent = new Extent(start, facts);
  extent.isCovered = true;
  return extent;
}

/** Of two that overlap: is the first what was written, and the second not, or older? */
async function isBetter(a: FoundExtent, b: FoundExtent, reader: Reader): Promise<boolean> {
  const [isGoodA, isGoodB] = [await reader.isWhole(a.extent), await reader.isWhole(b.extent)];
  return isGoodA === isGoodB ? a.sequence > b.sequence : isGoodA;
}

function freeSpace(extents: ReadonlySet<Extent>, geometry: Geometry): Space {
  const free: FreeExtent[] = [];
  const [first, end] = contentArea(geometry);
  let next = first;
  for (const { start, blocks } of [...extents].toSorted((a, b) => a.start - b.start)) {
    if (blocks === 0) continue;
    if (start > next) free.push({ start: next, blocks: start - next });
    next = start + blocks;
  }
  if (end > next) free.push({ start: next, blocks: end - next });
  return new Space(free);
}
