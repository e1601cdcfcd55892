// The kernel's whole outside world: four calls, and its memory.
//
// - transmit: one frame on one network, in two pieces of linear memory. The head
//   stays valid for TRANSMIT_PENDING_MAX further transmits; the body until the host
//   next drains completions. A body may lie in the frame being received: the host
//   sends before it gives a receive buffer back. Answers 0, or below zero when the
//   frame was dropped (the kernel counts it and its timers recover).
// - random: fills bytes. log: one line of bytes, for people. trap: never returns.

// @ts-ignore: decorator
@external("env", "transmit")
export declare function transmit(
  network: i32,
  head: usize,
  headLength: i32,
  body: usize,
  bodyLength: i32,
): i32;

// @ts-ignore: decorator
@external("env", "random")
export declare function random(pointer: usize, length: i32): void;

// @ts-ignore: decorator
@external("env", "log")
export declare function log(pointer: usize, length: i32): void;

// @ts-ignore: decorator
@external("env", "trap")
export declare function trap(code: i32): void;
