// Buffers in the linear memory behind the kernel's tables: for callers' data and rings.
//
// - Size classes of powers of two from 64 bytes, each with a free list; nothing moves.
//   (The segment allocator with coalescing is the kernel's; this is for call buffers.)
// - take() answers an address, or throws ProteusError KERNEL_NOMEMORY: nothing changed.

import { exitCodes, ProteusError } from "./errors.js";

const smallest = 6; // log2 of 64

export class LinearMemory {
  readonly #free: number[][] = [];
  readonly #classes = new Map<number, number>();
  readonly #end: number;
  #next: number;
  #taken = 0;

  /** Bytes [base, end) are its own. */
  constructor(base: number, end: number) {
    this.#next = base;
    this.#end = end;
  }

  /** Buffers that are taken and were not given back. */
  get taken(): number {
    return this.#taken;
  }

  /** The address of `bytes` bytes, 64-byte aligned (64 KiB aligned from there on). */
  take(bytes: number): number {
    const size = bytes <= 2 ** smallest ? smallest : 32 - Math.clz32(bytes - 1);
    const reused = this.#free[size]?.pop();
    const address = reused ?? this.#carve(2 ** size, Math.min(2 ** size, 65536));
    if (reused === undefined) this.#classes.set(address, size);
    this.#taken++;
    return address;
  }

  /** Gives a buffer back. */
  give(address: number): void {
    const size = this.#classes.get(address);
    if (size === undefined) throw new Error(`no buffer at ${address}`);
    this.#taken--;
    const list = this.#free[size];
    if (list === undefined) this.#free[size] = [address];
    else list.push(address);
  }

  /** A region of exactly `bytes` (a multiple of 65,536) that is never given back. */
  region(bytes: number): number {
    return this.#carve(bytes, 65536);
  }

  #carve(bytes: number, alignment: number): number {
    const address = Math.ceil(this.#next / alignment) * alignment;
    if (address + bytes > this.#end) {
      throw new ProteusError({
        code: "KERNEL_NOMEMORY",
        exit: exitCodes.failed,
        message: `no room for a buffer of ${bytes} bytes`,
        why: `the kernel's memory ends at ${this.#end} bytes, ${this.#end - this.#next} are left`,
        unchanged: "nothing was sent",
        hint: "use smaller or fewer buffers, or give the kernel more memory (memoryBytes)",
      });
    }
    this.#next = address + bytes;
    return address;
  }
}
