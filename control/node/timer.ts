// The real clock behind what elsewhere comes in as an argument (control/group/timer.ts).
//
// - Timers of Node, which keep the program alive until they have fired or are forgotten.

import type { After } from "../group/timer.js";

/** Calls `action` after so many milliseconds of real time. */
export const after: After = (milliseconds, action) => {
  const timer = setTimeout(action, milliseconds);
  return () => clearTimeout(timer);
};
