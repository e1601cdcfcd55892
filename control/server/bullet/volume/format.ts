// Makes an empty volume on a device, whatever was there.
//
// - In this order, so that a power cut leaves either no volume or a whole one: no superblocks,
//   then empty tables and the volume's own slot, then the superblocks.

import type { BlockDevice } from "../../../../drivers/block.js";
import { unknownFormat } from "./errors.js";
import {
  contentArea,
  encodeSuperblock,
  GENERATION_BYTES,
  type Geometry,
  ID_BYTES,
  INODES_MAX,
  isBlank,
  tableBlocks,
  tableStarts,
} from "./layout.js";
import { Medium, PIECE_BYTES } from "./medium.js";
import { Table } from "./table.js";
import type { FormatOptions } from "./types.js";
import { selfSlot } from "./writer.js";

/** VOLUME_FORMAT when the device has no room for the tables and a block of content. */
export async function formatVolume(
  device: BlockDevice,
  { inodes, random, name = "the medium" }: FormatOptions,
): Promise<void> {
  if (!Number.isInteger(inodes) || inodes < 1 || inodes > INODES_MAX)
    throw new RangeError(`${inodes} is not 1 to ${INODES_MAX} inodes`);
  const { blockBytes, blocks } = device;
  const geometry: Geometry = { blockBytes, blocks, inodes, id: random(ID_BYTES) };
  const [first, end] = contentArea(geometry);
  if (end <= first)
    throw unknownFormat(name, `${blocks} blocks of ${blockBytes} bytes are too few for ${inodes} inodes`);
  const medium = new Medium(device, name);
  const zeros = new Uint8Array(Math.max(blockBytes, PIECE_BYTES));
  for (const block of [0, blocks - 1]) await medium.write(block, zeros.subarray(0, blockBytes));
  await medium.flush();
  for (const start of tableStarts(geometry)) {
    const count = tableBlocks(geometry);
    const each = zeros.length / blockBytes;
    for (let block = 0; block < count; block += each)
      await medium.write(start + block, zeros.subarray(0, Math.min(each, count - block) * blockBytes));
  }
  const table = new Table(medium, geometry);
  await table.write(table.change([[0, { ...selfSlot, generation: random(GENERATION_BYTES) }]]));
  await medium.flush();
  for (const block of [0, blocks - 1]) await medium.write(block, encodeSuperblock(geometry));
  await medium.flush();
}

/** Whether a device holds nothing where a volume would have its superblocks. */
export async function isBlankDevice(device: BlockDevice): Promise<boolean> {
  const medium = new Medium(device, "the medium");
  for (const block of [0, device.blocks - 1]) {
    const bytes = new Uint8Array(device.blockBytes);
    if ((await medium.read(block, bytes)).length > 0 || !isBlank(bytes)) return false;
  }
  return true;
}
