// Bugs trap, in production too: an assertion that fails ends this kernel at once.
//
// - `insist` is for what only a bug can break; the outside world gets a status instead.
// - The code names the place: see grep "insist(" with that number. No text, so that
//   an assertion costs eight bytes of module and not eighty.

import { trap } from "../host";

// @ts-ignore: decorator
@inline
export function insist(condition: bool, code: i32): void {
  if (!condition) fail(code);
}

function fail(code: i32): void {
  trap(code);
  unreachable();
}

/** What the compiler calls for its own checks (`use abort=`). */
export function kernelAbort(message: usize, file: usize, line: u32, column: u32): void {
  fail(-(line as i32));
}
