// What metal.wasm asks of the machine besides its registers (drivers/virtio/machine.ts): the time,
// random bytes, and to be started anew.
//
// - now: microseconds since the start, whole. random: as the kernel has it, from the processor.
// - reset does not return on a machine; in a model of one it may.

// @ts-ignore: decorator
@external("host", "now")
export declare function now(): f64;

// @ts-ignore: decorator
@external("host", "reset")
export declare function reset(): void;

// @ts-ignore: decorator
@external("env", "random")
export declare function random(pointer: usize, length: i32): void;
