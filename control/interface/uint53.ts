// Whole numbers that a double holds, in 64 bits: ids, versions and positions of files.
//
// - A number, where uint64 is a bigint; what is more is refused on both sides.

import { Malformed, Unfit, uint32, type WireType } from "./types.js";

const half = 2 ** 32;

/** A whole number from 0 to 2^53 - 1 in 64 bits: a number, where uint64 is a bigint. */
export const uint53: WireType<number> = {
  name: "uint53",
  kind: "number",
  size(value) {
    if (Number.isSafeInteger(value) && value >= 0) return 8;
    throw new Unfit(`${value} is not a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`);
  },
  write(to, value) {
    uint32.write(to, value % half);
    uint32.write(to, Math.floor(value / half));
  },
  read(from) {
    const value = uint32.read(from) + half * uint32.read(from);
    if (!Number.isSafeInteger(value)) throw new Malformed(`${value} is more than 53 bits hold`);
    return value;
  },
};
