// What the blocks of a disk may hold: fed with what its clients asked for and were answered.
//
// - Each block has one writer, with one request under way. A write that was not answered may have
//   happened or not; what was acknowledged and not flushed may be lost when media lose their power; a
//   block is settled by the next read, and must not change back after it.
// - A block whose writer is gone while it wrote may change for as long as that write waits somewhere:
//   it is `open` until the end.
// - A torn block, of sectors of those values that it may have, is a value of its own.

import { SECTOR_BYTES } from "../../drivers/block.js";

interface Known {
  /** What a read may answer. */
  allowed: Set<number>;
  /** What may be on the media. */
  stored: Set<number>;
  isOpen: boolean;
}

export const blockBytes = 4096;

/** What a value stands for; 0: a block of zeros. */
export function contentOf(value: number): Uint8Array {
  const data = new Uint8Array(blockBytes);
  if (value === 0) return data;
  new DataView(data.buffer).setUint32(0, value, true);
  return data.fill(value & 0xff, 64);
}

const same = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0;

export class BlockBook {
  readonly #known = new Map<number, Known>();
  /** What torn writes have left, by the numbers that they got. */
  readonly #torn = new Map<number, Uint8Array>();
  #value = 0;

  #of(block: number): Known {
    const known = this.#known.get(block) ?? { allowed: new Set([0]), stored: new Set([0]), isOpen: false };
    this.#known.set(block, known);
    return known;
  }

  get blocks(): readonly number[] {
    return [...this.#known.keys()];
  }

  isOpen(block: number): boolean {
    return this.#of(block).isOpen;
  }

  /** A write begins; answers its value, 0 for one of zeros. */
  begins(block: number, isZero: boolean): number {
    const known = this.#of(block);
    const value = isZero ? 0 : ++this.#value;
    known.allowed.add(value);
    known.stored.add(value);
    return value;
  }

  /** It was acknowledged. */
  written(block: number, value: number, isDurable: boolean): void {
    const known = this.#of(block);
    known.allowed = new Set([value]);
    if (isDurable) known.stored = new Set([value]);
  }

  /** Nobody says any more whether a write has happened, or when. */
  givenUp(block: number): void {
    this.#of(block).isOpen = true;
  }

  /** Media have lost their power. */
  lost(): void {
    for (const known of this.#known.values()) for (const value of known.stored) known.allowed.add(value);
  }

  /** A flush begins: call what it answers when it has ended well. */
  flushing(isBusy: (block: number) => boolean): () => void {
    const ended = [...this.#known].filter(([block, { isOpen }]) => !isOpen && !isBusy(block));
    const then = ended.map(([, known]) => ({ known, allowed: known.allowed }));
    return () => {
      for (const { known, allowed } of then)
        if (known.allowed === allowed && allowed.size === 1) known.stored = new Set(allowed);
    };
  }

  /** A read was answered; null, or what is wrong with it. */
  read(block: number, data: Uint8Array): string | null {
    const known = this.#of(block);
    const value = this.#valueOf(data, known.allowed);
    if (value === null) {
      const found = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
      return `block ${block} reads ${found}, which is none of ${[...known.allowed].join(", ")}`;
    }
    if (!known.isOpen) known.allowed = new Set([value]);
    return null;
  }

  #valueOf(data: Uint8Array, allowed: ReadonlySet<number>): number | null {
    const contents = [...allowed].map((value) => ({
      value,
      content: this.#torn.get(value) ?? contentOf(value),
    }));
    const whole = contents.find(({ content }) => same(content, data));
    if (whole !== undefined) return whole.value;
    for (let at = 0; at < blockBytes; at += SECTOR_BYTES) {
      const sector = data.subarray(at, at + SECTOR_BYTES);
      if (!contents.some(({ content }) => same(content.subarray(at, at + SECTOR_BYTES), sector))) return null;
    }
    this.#torn.set(++this.#value, data.slice());
    return this.#value;
  }
}
