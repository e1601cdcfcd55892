// What metal.wasm asks of the machine besides its registers (drivers/virtio/machine.ts): the time,
// random bytes, to be started anew, to be watched over.
//
// - now: microseconds since the start, whole. random: as the kernel has it, from the processor, or
//   back from metal's own `entropy` where that has none.
// - reset does not return on a machine; in a model of one it may.
// - frame: a frame came (sent 0) or goes (1); `length` bytes of it at `pointer`, its first, of `whole`.
//   The host remembers the last ones for a panic.
// - watchdog: a turn that takes longer than so many seconds is a panic; 0: never.

@external("host", "now")
export declare function now(): f64;

@external("host", "reset")
export declare function reset(): void;

@external("env", "random")
export declare function random(pointer: usize, length: i32): void;

@external("host", "frame")
export declare function frame(network: u32, sent: u32, pointer: usize, length: u32, whole: u32): void;

@external("host", "watchdog")
export declare function watchdog(seconds: u32): void;
