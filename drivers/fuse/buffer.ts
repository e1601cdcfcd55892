// A buffer with the words of FUSE's structures.
//
// - Little-endian, as the machines that we run on. 64 bits are two words: no BigInt.
// - Names are bytes: a character for each.

const high = 2 ** 32;

/** A buffer with the words of FUSE's structures. */
export class FuseBuffer {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u16 = (at: number): number => this.view.getUint16(at, true);
  u32 = (at: number): number => this.view.getUint32(at, true);
  u64 = (at: number): number => this.view.getUint32(at, true) + this.view.getUint32(at + 4, true) * high;
  /** A position with a sign. */
  i64 = (at: number): number => this.view.getUint32(at, true) + this.view.getInt32(at + 4, true) * high;

  put32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }

  put64(at: number, value: number): void {
    this.view.setUint32(at, value, true);
    this.view.setUint32(at + 4, Math.floor(value / high), true);
  }

  putName(at: number, name: string): void {
    for (let index = 0; index < name.length; index++) this.bytes[at + index] = name.charCodeAt(index);
  }
}

/** Bytes as a string, a character for each. */
export function latin1(bytes: Uint8Array, from: number, to: number): string {
  let text = "";
  for (let at = from; at < to; at++) text += String.fromCharCode(bytes[at] as number);
  return text;
}
