// What programs on a simulated machine are given in place of a host's timers and randomness.
//
// - A timer of a machine that has crashed since never fires.

import type { After } from "../../control/group/timer.js";
import type { SeededRandom } from "../../drivers/fault/random.js";
import type { Machine } from "../engine/machine.js";
import { MILLISECOND } from "../engine/world.js";

/** The timers of a machine. */
export const timersOf =
  (machine: Machine): After =>
  (milliseconds, action) => {
    let wanted = true;
    machine.after(Math.ceil(milliseconds * MILLISECOND), () => {
      if (wanted) action();
    });
    return () => {
      wanted = false;
    };
  };

/** So many bytes of a stream. */
export const bytesOf =
  (random: SeededRandom) =>
  (bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, () => random.next() & 0xff);
