// Frames on the wire: bytes that several receivers may still hold, used again when nobody does.
//
// - A frame is filled once, when it is sent, and not changed afterwards.
// - Whoever keeps one counts itself in `holders` and calls `release` once.

export class Frame {
  /** How many events and cards hold it. */
  holders = 0;
  length = 0;
  /** Who sent it: a socket's index on its LAN. */
  sender = 0;
  readonly bytes: Uint8Array;
  /** The same bytes as 32-bit words; what is behind `length` in the last one is zero. */
  readonly words: Int32Array;
  readonly #pool: FramePool;
  #content: Uint8Array;

  constructor(pool: FramePool, capacity: number) {
    this.#pool = pool;
    this.words = new Int32Array((capacity + 3) >> 2);
    this.bytes = new Uint8Array(this.words.buffer);
    this.#content = this.bytes;
  }

  /** The bytes that count. */
  get content(): Uint8Array {
    if (this.#content.length !== this.length) this.#content = this.bytes.subarray(0, this.length);
    return this.#content;
  }

  release(): void {
    this.holders--;
    if (this.holders === 0) this.#pool.give(this);
  }
}

/** The frames of one LAN. */
export class FramePool {
  readonly #spare: Frame[] = [];
  readonly #capacity: number;
  made = 0;

  /** Frames of at most so many bytes. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** A frame of this length, its bytes undefined except those behind its end. Nobody holds it yet. */
  take(length: number): Frame {
    if (length > this.#capacity) throw new RangeError(`a frame of ${length} bytes on this LAN`);
    let frame = this.#spare.pop();
    if (frame === undefined) {
      this.made++;
      frame = new Frame(this, this.#capacity);
    }
    frame.length = length;
    if ((length & 3) !== 0) frame.words[length >> 2] = 0;
    return frame;
  }

  give(frame: Frame): void {
    this.#spare.push(frame);
  }
}
