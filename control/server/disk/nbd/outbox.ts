// What a connection has to send: small pieces side by side in one buffer, large ones as they are, all
// of a turn in one send.
//
// - `reserve` gives room in `buffer` at the offset that it answers; `add` copies what is small.
// - What was added stays here until `flush`; buffers are used again when it was sent.
// - `bytes`: added, and not yet sent.

const slabBytes = 128 * 1024;
/** Up to here copying costs less than one chunk more in a send. */
const copiedBytesMax = 16 * 1024;
const freeMax = 4;

/** Sends chunks in order and says when they have left. */
export type Send = (chunks: readonly Buffer[], sent: () => void) => void;

export class Outbox {
  buffer: Buffer = Buffer.alloc(0);
  bytes = 0;
  readonly #send: Send;
  readonly #sent: () => void;
  readonly #free: Buffer[] = [];
  #retired: Buffer[] = [];
  #chunks: Buffer[] = [];
  /** What is to be called when the chunks have left. */
  #after: (() => void)[] = [];
  #queuedBytes = 0;
  #batches = 0;
  #from = 0;
  #at = 0;

  /** @param sent called whenever something has left */
  constructor(send: Send, sent: () => void) {
    this.#send = send;
    this.#sent = sent;
  }

  /** Something waits for a flush. */
  get isQueued(): boolean {
    return this.#queuedBytes > 0;
  }

  /** Room for so many bytes, a slab's at most. */
  reserve(bytes: number): number {
    if (this.#at + bytes > this.buffer.length) this.#turnOver();
    const at = this.#at;
    this.#at += bytes;
    this.#count(bytes);
    return at;
  }

  /** Adds bytes; `left` is called when they are not needed here any more. */
  add(data: Buffer, left?: () => void): void {
    if (data.length <= copiedBytesMax) {
      const at = this.reserve(data.length);
      this.buffer.set(data, at);
      left?.();
      return;
    }
    this.#seal();
    this.#chunks.push(data);
    this.#count(data.length);
    if (left !== undefined) this.#after.push(left);
  }

  flush(): void {
    this.#seal();
    if (this.#chunks.length === 0) return;
    const [chunks, retired, after, bytes] = [this.#chunks, this.#retired, this.#after, this.#queuedBytes];
    this.#chunks = [];
    if (retired.length > 0) this.#retired = [];
    if (after.length > 0) this.#after = [];
    this.#queuedBytes = 0;
    this.#batches++;
    this.#send(chunks, () => {
      this.bytes -= bytes;
      this.#batches--;
      for (const slab of retired) if (this.#free.length < freeMax) this.#free.push(slab);
      for (const left of after) left();
      if (this.#batches === 0 && this.#chunks.length === 0 && this.#from === this.#at)
        this.#from = this.#at = 0;
      this.#sent();
    });
  }

  #count(bytes: number): void {
    this.bytes += bytes;
    this.#queuedBytes += bytes;
  }

  #seal(): void {
    if (this.#from === this.#at) return;
    this.#chunks.push(this.buffer.subarray(this.#from, this.#at));
    this.#from = this.#at;
  }

  #turnOver(): void {
    this.#seal();
    if (this.buffer.length > 0) this.#retired.push(this.buffer);
    this.buffer = this.#free.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
    this.#from = this.#at = 0;
  }
}
