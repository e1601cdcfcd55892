// The data that workloads send: pieces of one random table, chosen by a message's number, so
// that damage, and data that belongs to another message, show. Nothing is copied to compare.

import { SeededRandom } from "../../drivers/fault/random.js";

const tableBytes = 1 << 22;
/** Where pieces begin: ordinary ones near each other, so that the table stays in the cache. */
const startsBelow = { ordinary: 1 << 17, long: 1 << 21 };
const ordinaryBytes = 1 << 16;
let filled: Uint8Array | null = null;

function table(): Uint8Array {
  if (filled !== null) return filled;
  const random = new SeededRandom(1);
  const words = new Uint32Array(tableBytes >> 2);
  for (let i = 0; i < words.length; i++) words[i] = random.next();
  filled = new Uint8Array(words.buffer);
  return filled;
}

/** The data that belongs to a number: a piece of the table, not to be changed. At most 2 MiB. */
export function dataOf(id: number, length: number): Uint8Array {
  const below = length <= ordinaryBytes ? startsBelow.ordinary : startsBelow.long;
  const start = (Math.imul(id + 1, 0x9e3779b1) >>> 11) % below;
  return table().subarray(start, start + length);
}
