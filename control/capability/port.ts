// Ports on the command line, and how they are shown.
//
// - 1 to 6 characters are the get-port itself, padded with zeros; 12 hex digits are
//   its bytes; six hex bytes joined by colons are the original's text form.
// - A port is 6 bytes. Whether it is a get-port or a put-port is the caller's to know.
// - Source: Amoeba 5 ar_port for the text form.

import { PORT_BYTES } from "../../core-wasm/wire/formats.js";
import { fromHex, toHex } from "../kernel/bytes.js";
import { type ProteusError, usageError } from "../kernel/errors.js";

const textForm = /^[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}$/;
const printable = /^[\x20-\x7e]+$/;

/**
 * The six bytes of a port. Throws a usage error (exit 2) when the text is none.
 *
 * @example parsePort("abcdef") // 61 62 63 64 65 66
 * @example parsePort("0f8905c8feff")
 */
export function parsePort(text: string): Uint8Array {
  if (text.length === 2 * PORT_BYTES) {
    const bytes = fromHex(text);
    if (bytes !== undefined) return bytes;
  }
  if (textForm.test(text)) return Uint8Array.from(text.split(":"), (byte) => Number.parseInt(byte, 16));
  if (text.length < 1 || text.length > PORT_BYTES || !printable.test(text)) throw badPort(text);
  const port = new Uint8Array(PORT_BYTES);
  port.set(new TextEncoder().encode(text));
  return port;
}

function badPort(text: string): ProteusError {
  return usageError(
    text === "" ? "a port is missing" : `"${text}" is not a port`,
    "a port is 1 to 6 characters (abcdef) or 12 hex digits (0f8905c8feff)",
    "PORT_INVALID",
  );
}

/** A port as 12 hex digits. */
export function portHex(port: Uint8Array): string {
  return toHex(port);
}
