// Makes a medium blank and empty: no record, and zeros from end to end.
//
// - The records go first, and for good: whenever the power goes, what is found afterwards is either
//   the old member, untouched, or a blank medium.
// - Their room is given back where the device can; elsewhere what is zeros already is not written: so a
//   sparse file stays sparse.

import type { BlockDevice } from "../../../../drivers/block.js";
import { BLOCK_BYTES, TRANSFER_BYTES } from "../disk.js";
import { COPIES, RECORD_BLOCKS } from "./layout.js";
import type { Records } from "./records.js";

const zeros = Buffer.alloc(TRANSFER_BYTES);

/** `isEmpty`: it is known to hold only zeros. Errors are the device's. */
export async function makeBlank(device: BlockDevice, records: Records, isEmpty: boolean): Promise<void> {
  if (isEmpty) return;
  await records.erase();
  const end = device.blocks - COPIES * RECORD_BLOCKS;
  const held = Buffer.alloc(TRANSFER_BYTES);
  for (let block = 0; block < end; block += TRANSFER_BYTES / BLOCK_BYTES) {
    const bytes = Math.min(TRANSFER_BYTES, (end - block) * BLOCK_BYTES);
    const part = held.subarray(0, bytes);
    if ((await device.punch?.(block, bytes / BLOCK_BYTES)) === true) continue;
    // What cannot be read may be written again.
    const isRead = await device.read(block, part).then(
      () => true,
      () => false,
    );
    if (!isRead || !part.equals(zeros.subarray(0, bytes)))
      await device.write(block, zeros.subarray(0, bytes));
  }
  await device.flush();
}
