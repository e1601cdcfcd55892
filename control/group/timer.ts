// The one thing that control/group wants of a clock: to be called later.
//
// - Nothing here reads the time: the simulator's virtual time does as well as a machine's.

/** Calls `action` after so many milliseconds, unless the answer was called before. */
export type After = (milliseconds: number, action: () => void) => () => void;

/** A promise that resolves after so many milliseconds. */
export function pause(after: After, milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    after(milliseconds, resolve);
  });
}
