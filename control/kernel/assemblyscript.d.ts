// AssemblyScript's integer types, for the constant files of core-wasm/ that both
// compilers read. To TypeScript they are plain numbers.

declare type u32 = number;
