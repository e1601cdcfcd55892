// The host's part of the linear memory: taken once at boot, never given back.
//
// - From LAYOUT_HOST_BASE to the end of memory; what does not fit is a panic at boot, with the
//   reason on the console: nothing is taken later.

import { LAYOUT_ADDRESS, LAYOUT_HOST_BASE } from "../../core-wasm/layout";

let next: usize = 0;

export function memoryOpen(): void {
  next = load<u32>((LAYOUT_ADDRESS as usize) + 4 * (LAYOUT_HOST_BASE as usize)) as usize;
}

/** So many bytes, from a multiple of 4096; 0: there is no room. */
export function take(bytes: usize): usize {
  const end = (memory.size() as usize) << 16;
  const room = (bytes + 4095) & ~4095;
  if (room > end - next) return 0;
  const at = next;
  next += room;
  return at;
}

export function left(): usize {
  return ((memory.size() as usize) << 16) - next;
}
