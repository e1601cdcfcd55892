// The counters of layout.ts: one u32 each, in linear memory where the host reads them.
// They wrap; nothing in the kernel decides by them.

import { COUNTER_COUNT } from "../layout";
import { allocate } from "./arena";

let base: usize = 0;

/** Room for all counters; answers their address. */
export function countersOpen(): usize {
  base = allocate(COUNTER_COUNT * 4);
  return base;
}

// @ts-ignore: decorator
@inline
export function countUp(counter: i32): void {
  const at = base + (counter as usize) * 4;
  store<u32>(at, load<u32>(at) + 1);
}
