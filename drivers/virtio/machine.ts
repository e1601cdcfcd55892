// The machine as drivers see it: what metal.wasm imports of its host (boot/shim/shim.c, or a model
// of a machine in a test).
//
// - Registers are read and written in pieces of 1, 2 or 4 bytes; addresses are physical.
// - `physical` is where a device finds what lies at an address of the linear memory.
// - `fence` orders what was written to memory before what is told to a device, and lets no
//   compiler keep what a device may have written.

@external("host", "register_load")
export declare function registerLoad(address: u64, bytes: u32): u32;

@external("host", "register_store")
export declare function registerStore(address: u64, bytes: u32, value: u32): void;

@external("host", "port_in")
export declare function portIn(port: u32, bytes: u32): u32;

@external("host", "port_out")
export declare function portOut(port: u32, bytes: u32, value: u32): void;

@external("host", "physical")
export declare function physical(pointer: usize): u64;

@external("host", "fence")
export declare function fence(): void;
