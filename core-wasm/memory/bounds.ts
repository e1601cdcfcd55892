// Whether an address that a host gives lies in the memory that boot was given.
//
// - Before boot nothing does: every call then answers RPC_BADADDRESS.

import { SCRATCH_ADDRESS } from "../layout";
import { DATA_BYTES_MAX } from "../limits";

let end: usize = 0;

/** Boot: addresses up to `memoryEnd` are good; 0: none is. */
export function boundsOpen(memoryEnd: usize): void {
  end = memoryEnd;
}

// @ts-ignore: decorator
@inline
export function inMemory(pointer: usize, length: u32): bool {
  return pointer >= (SCRATCH_ADDRESS as usize) && (pointer as u64) + length <= (end as u64);
}

/** A buffer that a caller may give: nothing of length 0, or something inside the memory. */
// @ts-ignore: decorator
@inline
export function isBuffer(pointer: usize, length: i32): bool {
  if (length < 0 || length > DATA_BYTES_MAX) return false;
  return length == 0 || inMemory(pointer, length as u32);
}
