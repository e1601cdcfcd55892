// The time of the current entry, in microseconds; every export sets it from its argument.
//
// - Nothing in the kernel reads a clock. Time that runs backwards is held still, so a
//   host whose clock jumps cannot make a deadline vanish.

export let now: i64 = 0;

let milliseconds: u32 = 0;
let millisecondEnds: i64 = 1000; // from there on it is another one: a division is saved

/** Called first by every entry. `microseconds` is whole and below 2^53. */
export function setNow(microseconds: f64): void {
  const t = microseconds as i64;
  if (t <= now) return;
  now = t;
  if (t < millisecondEnds) return;
  const whole = t / 1000;
  milliseconds = whole as u32;
  millisecondEnds = whole * 1000 + 1000;
}

/** Back to the beginning (boot). */
export function resetNow(): void {
  now = 0;
  milliseconds = 0;
  millisecondEnds = 1000;
}

/** The same in milliseconds, as the wire's time stamps want it; wraps. */
// @ts-ignore: decorator
@inline
export function nowMs(): u32 {
  return milliseconds;
}
