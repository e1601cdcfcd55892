// Buffers in linear memory for the frames that a fault holds back, copies or changes.
//
// - A fixed number, cut from the end of the region that the wrapper asked for.
// - Pointers in, pointers out; 0 when none is free.

const SLOT_ALIGNMENT = 64;
const FRAME_OFFSET = 2; // what follows the Ethernet header is aligned to 16

export class FrameSlots {
  private readonly free: number[] = [];
  private readonly bytes: Uint8Array;

  /** Bytes that `count` slots for frames of `frameBytes` take. */
  static bytesFor(frameBytes: number, count: number): number {
    return Math.ceil((frameBytes + FRAME_OFFSET) / SLOT_ALIGNMENT) * SLOT_ALIGNMENT * count;
  }

  constructor(memory: WebAssembly.Memory, base: number, frameBytes: number, count: number) {
    const stride = FrameSlots.bytesFor(frameBytes, 1);
    this.bytes = new Uint8Array(memory.buffer);
    for (let i = count - 1; i >= 0; i--) this.free.push(base + i * stride + FRAME_OFFSET);
  }

  /** A slot with the frame's two pieces, one after the other; 0 when all are taken. */
  copy(head: number, headLength: number, body: number, bodyLength: number): number {
    const slot = this.free.pop();
    if (slot === undefined) return 0;
    this.bytes.copyWithin(slot, head, head + headLength);
    this.bytes.copyWithin(slot + headLength, body, body + bodyLength);
    return slot;
  }

  release(slot: number): void {
    this.free.push(slot);
  }

  flip(slot: number, bit: number): void {
    const at = slot + (bit >> 3);
    this.bytes[at] = (this.bytes[at] ?? 0) ^ (1 << (bit & 7));
  }
}
