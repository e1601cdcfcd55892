// A medium became longer: what lies at its end moves to the new end.
//
// - For files that were made longer for a storage that is to grow. `former`: how many blocks the
//   medium had before. Nobody has it open as a member meanwhile.
// - The old places are read, the new ones written, and only when the new record is on the medium the
//   old places become zeros. Until then a medium opened at its new length looks blank: call this again
//   with the same `former` then; it does what is left to do, or nothing.
// - Errors are the device's; RangeError when the new places would lie on the old ones.

import type { BlockDevice } from "../../../../drivers/block.js";
import { BLOCK_BYTES } from "../disk.js";
import { COPIES, copyStart, pageBlock, RECORD_BLOCKS, tableBlocks } from "./layout.js";
import type { MemberRecord } from "./record.js";
import { Records, type Snapshot } from "./records.js";

/** Blocks that a medium must become longer by, at least, for so many blocks of data. */
export const stretchMin = (blocks: number): number => tableBlocks(blocks) + COPIES * RECORD_BLOCKS;

/** Blocks of data that a member has. */
function blocksOf({ member, members }: MemberRecord): number {
  const own = members.find(({ id }) => Buffer.compare(id, member) === 0);
  return own === undefined || own.isWitness ? 0 : own.blocks;
}

/** Moves table and record; false when there is no member at the old end, nor at the new. */
export async function stretch(device: BlockDevice, former: number): Promise<boolean> {
  if (former >= device.blocks) return false;
  let snapshot: Snapshot | null = null;
  const at = (blocks: number): Records =>
    new Records(endingAt(device, blocks), () => {
      if (snapshot === null) throw new RangeError("there is no record to write");
      return snapshot;
    });
  const [before, now] = [at(former), at(device.blocks)];
  const moved = await now.read();
  const stored = moved ?? (await before.read());
  if (stored === null) return false;
  const blocks = blocksOf(stored.record);
  const pages = tableBlocks(blocks);
  if (device.blocks - former < pages + COPIES * RECORD_BLOCKS)
    throw new RangeError(`${device.blocks - former} blocks more are too few for a table of ${pages}`);
  if (moved === null) {
    await moveTable(device, former, pages);
    snapshot = stored;
    await now.save();
  }
  // A storage that has grown meanwhile has data there, or its table.
  const first = Math.max(copyStart(former, 0) - pages, blocks);
  await clear(device, first, Math.min(former, copyStart(device.blocks, 0) - pages));
  return true;
}

async function moveTable(device: BlockDevice, former: number, pages: number): Promise<void> {
  const bytes = new Uint8Array(BLOCK_BYTES);
  for (let page = 0; page < pages; page++) {
    await device.read(pageBlock(former, page), bytes);
    await device.write(pageBlock(device.blocks, page), bytes);
  }
  await device.flush();
}

/** Blocks [first, end) are free now: zeros. */
async function clear(device: BlockDevice, first: number, end: number): Promise<void> {
  const zeros = new Uint8Array(BLOCK_BYTES);
  for (let block = first; block < end; block++) await device.write(block, zeros);
  await device.flush();
}

/** The front of a device. */
const endingAt = (device: BlockDevice, blocks: number): BlockDevice => ({
  ...{ blockBytes: device.blockBytes, blocks },
  read: (block, buffer) => device.read(block, buffer),
  write: (block, data) => device.write(block, data),
  flush: () => device.flush(),
});
