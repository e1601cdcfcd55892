// Capabilities: what names an object, and allows things with it. A put-port says which
// server, the private part which object, which rights, and that both are genuine.
//
// - 16 bytes: port 6, private 10. On the command line 32 hex digits, or the original's text
//   form PORT/PRIVATE as in A0:1:0:FF:2:3/17(FF)/1:2:3:4:5:6.
// - Bytes and text only: who makes and verifies private parts is scheme.ts.

import {
  CAPABILITY_BYTES,
  CAPABILITY_PRIVATE_AT,
  PORT_BYTES,
  PRIVATE_BYTES,
} from "../../core-wasm/wire/formats.js";
import { fromHex, toHex } from "../kernel/bytes.js";
import { usageError } from "../kernel/errors.js";
import type { OfflineKernel } from "../kernel/offline.js";

export interface Capability {
  /** The server's put-port, 6 bytes. */
  readonly port: Uint8Array;
  /** Object, rights and check field, 10 bytes. */
  readonly private: Uint8Array;
}

/** The capability of sixteen bytes. Throws RangeError when there are more or fewer. */
export function capabilityOf(bytes: Uint8Array): Capability {
  if (bytes.length !== CAPABILITY_BYTES) throw new RangeError(`${bytes.length} bytes are no capability`);
  return { port: bytes.slice(0, CAPABILITY_PRIVATE_AT), private: bytes.slice(CAPABILITY_PRIVATE_AT) };
}

/** The sixteen bytes of a capability. */
export function capabilityBytes(capability: Capability): Uint8Array {
  const bytes = new Uint8Array(CAPABILITY_BYTES);
  bytes.set(capability.port.subarray(0, PORT_BYTES));
  bytes.set(capability.private.subarray(0, PRIVATE_BYTES), CAPABILITY_PRIVATE_AT);
  return bytes;
}

/** A capability as 32 hex digits. */
export const capabilityHex = (capability: Capability): string => toHex(capabilityBytes(capability));

/** What calls operations that ask for no rights: a port alone. */
export const portOnly = (port: Uint8Array): Capability => ({ port, private: new Uint8Array(PRIVATE_BYTES) });

/** The capability that a text names. Throws a usage error (exit 2) when it names none. */
export function parseCapability(kernel: OfflineKernel, text: string): Capability {
  const hex = fromHex(text);
  const bytes = hex?.length === CAPABILITY_BYTES ? hex : kernel.parse("capability", text);
  if (bytes !== undefined) return capabilityOf(bytes);
  throw usageError(
    `"${text}" is not a capability`,
    `it is ${2 * CAPABILITY_BYTES} hex digits, or text as in A0:1:0:FF:2:3/17(FF)/1:2:3:4:5:6`,
    "CAPABILITY_INVALID",
  );
}
