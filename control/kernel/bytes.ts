// Byte strings: as plain lower-case hex, both ways, as integers; compared and copied. Nothing here
// knows a format.
//
// - Few bytes are copied one after the other: to set, fill or slice them costs several times as much,
//   and a view of a short array makes the engine move it out of its heap first.

/** Lower-case hex, two digits a byte. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** The bytes behind hex digits of either case; `undefined` when they are not whole bytes of hex. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** The integers of a byte string. */
export function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Whether two byte strings are the same. Not for secrets: it stops at the first difference. */
export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}

/** So few are copied one after the other. */
const fewBytes = 64;

/** Writes `from`, all of it, into `to`. */
export function putBytes(to: Uint8Array, at: number, from: Uint8Array): void {
  const { length } = from;
  if (length > fewBytes) to.set(from, at);
  else for (let index = 0; index < length; index++) to[at + index] = from[index] as number;
}

/** A copy of so many bytes. */
export function takeBytes(from: Uint8Array, at: number, count: number): Uint8Array {
  if (count > fewBytes) return from.slice(at, at + count);
  const taken = new Uint8Array(count);
  for (let index = 0; index < count; index++) taken[index] = from[at + index] as number;
  return taken;
}
