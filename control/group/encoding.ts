// Numbers and byte strings in a row, for what travels between our own programs: u32 little-endian,
// a byte string with its length in front. Who reads knows what comes; nothing names it.

/** Writes numbers and bytes one after the other. */
export class Writer {
  readonly #parts: Uint8Array[] = [];

  number(value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    this.#parts.push(bytes);
  }

  bytes(value: Uint8Array): void {
    this.number(value.length);
    this.#parts.push(value);
  }

  all(): Uint8Array {
    const whole = new Uint8Array(this.#parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }
}

/** Reads them again. Throws RangeError where the bytes end too early. */
export class Reader {
  #at = 0;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  number(): number {
    this.#at += 4;
    return this.#view.getUint32(this.#at - 4, true);
  }

  bytes(): Uint8Array {
    const length = this.number();
    if (this.#at + length > this.#bytes.length) throw new RangeError("cut off");
    this.#at += length;
    return this.#bytes.slice(this.#at - length, this.#at);
  }
}
