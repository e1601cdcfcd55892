// Text as UTF-8, in place: short texts, as nearly all names are, without the engine's encoders,
// whose call costs more than what they do.

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Texts up to here are looked at one character after the other. */
const shortText = 64;

/** Bytes that a text takes. */
export function textBytes(value: string): number {
  if (value.length > shortText) return encoder.encode(value).length;
  for (let at = 0; at < value.length; at++)
    if (value.charCodeAt(at) > 127) return encoder.encode(value).length;
  return value.length;
}

/** Writes a text of so many bytes (textBytes) there. */
export function putText(bytes: Uint8Array, at: number, value: string, length: number): void {
  if (length > shortText || length !== value.length) bytes.set(encoder.encode(value), at);
  else for (let index = 0; index < length; index++) bytes[at + index] = value.charCodeAt(index);
}

/** The text of bytes. Throws TypeError for what is none. */
export function textOf(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= shortText) {
    let value = "";
    for (let at = from; at < to; at++) {
      const byte = bytes[at] as number;
      if (byte > 127) return strict.decode(bytes.subarray(from, to));
      value += String.fromCharCode(byte);
    }
    return value;
  }
  return strict.decode(bytes.subarray(from, to));
}
