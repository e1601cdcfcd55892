// What a number stands for on a disk of these tests: a block that tells which number it is.
//
// - 0 is a block of zeros; two numbers never have the same block.

import { BLOCK_BYTES } from "../../control/server/disk/disk.js";

export const contentOf = (value: number): Uint8Array => {
  const data = new Uint8Array(BLOCK_BYTES);
  if (value === 0) return data;
  new DataView(data.buffer).setUint32(0, value, true);
  data.fill(value & 0xff, 64);
  return data;
};

/** The number of a block. */
export const numberIn = (data: Uint8Array): number =>
  new DataView(data.buffer, data.byteOffset).getUint32(0, true);
