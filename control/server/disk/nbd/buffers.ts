// Buffers for data, used again: a fresh megabyte costs more than copying one.
//
// - Sizes are powers of two; a buffer of another length is the beginning of a larger one.
// - Give one back only when nobody else has it any more: not after a disk's call that failed, which
//   may have left somebody behind who still fills it.

const pooledMin = 4096;
const pooledMax = 4 * 1024 * 1024;
/** Of all sizes together. */
const keptBytesMax = 32 * 1024 * 1024;

export class Buffers {
  readonly #kept = new Map<number, Buffer[]>();
  #keptBytes = 0;

  /** A buffer of that length with anything in it. */
  take(bytes: number): Buffer {
    if (bytes > pooledMax) return Buffer.allocUnsafeSlow(bytes);
    let size = pooledMin;
    while (size < bytes) size *= 2;
    const kept = this.#kept.get(size)?.pop();
    if (kept !== undefined) this.#keptBytes -= size;
    const whole = kept ?? Buffer.allocUnsafeSlow(size);
    return bytes === size ? whole : whole.subarray(0, bytes);
  }

  give(buffer: Buffer): void {
    const { byteLength: size } = buffer.buffer;
    if (size > pooledMax || this.#keptBytes + size > keptBytesMax) return;
    const whole = buffer.length === size ? buffer : Buffer.from(buffer.buffer);
    const kept = this.#kept.get(size);
    if (kept === undefined) this.#kept.set(size, [whole]);
    else kept.push(whole);
    this.#keptBytes += size;
  }
}
