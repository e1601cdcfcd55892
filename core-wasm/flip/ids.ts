// FLIP message ids: one counter for everything this kernel sends.
//
// - They tell messages of one source apart (duplicates of a broadcast, pieces of a
//   message); the source address is new at every boot, so the counter starts at 0.

let next: u32 = 0;

export function idsOpen(): void {
  next = 0;
}

/** A new message id. */
// @ts-ignore: decorator
@inline
export function messageNewId(): u32 {
  return next++;
}
