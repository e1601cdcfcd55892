// What a storage is called by: a port and capabilities that follow from its secret, so that every
// machine that has a member's record serves it as the same.
//
// - The storage's secret is the key of a keyed check field (control/capability/scheme.ts); what that
//   makes of some fixed numbers are get-port, key and generation. Nothing leads back from them.
// - Whoever has the secret has all rights; capabilities with fewer are given out.

import { KEYED_KEY_BYTES, OBJECT_MAX, PORT_BYTES, PRIVATE_BYTES } from "../../../core-wasm/wire/formats.js";
import type { Capability } from "../../capability/capability.js";
import { type KeyedCheckFields, keyedScheme } from "../../capability/scheme.js";
import { STORAGE_OBJECT } from "../../interface/storage.js";

export interface StorageIdentity {
  readonly getPort: Uint8Array;
  readonly key: Uint8Array;
  readonly generation: Uint8Array;
}

const label = new TextEncoder().encode("storage\0");
const generationBytes = 8;

/** What follows from the 32 bytes of a storage's secret. */
export function storageIdentity(fields: KeyedCheckFields, secret: Uint8Array): StorageIdentity {
  const prepared = fields.prepareKey(secret);
  const pieces = new Uint8Array(PORT_BYTES + KEYED_KEY_BYTES + generationBytes + PORT_BYTES);
  for (let at = 0, object = OBJECT_MAX; at + PORT_BYTES <= pieces.length; at += PORT_BYTES, object--) {
    const part = fields.encodeKeyed(object, 0, prepared, label);
    if (typeof part === "number") throw new Error(`no check field for object ${object}: status ${part}`);
    pieces.set(part.subarray(PRIVATE_BYTES - PORT_BYTES), at);
  }
  const [keyAt, generationAt] = [PORT_BYTES, PORT_BYTES + KEYED_KEY_BYTES];
  return {
    getPort: pieces.slice(0, PORT_BYTES),
    key: pieces.slice(keyAt, generationAt),
    generation: pieces.slice(generationAt, generationAt + generationBytes),
  };
}

/** What makes ports and check fields: a kernel. */
export interface CapabilityMaker {
  readonly privates: KeyedCheckFields;
  publicPort(getPort: Uint8Array): Uint8Array;
}

/** A capability of the storage with that secret. */
export function storageCapability(maker: CapabilityMaker, secret: Uint8Array, rights: number): Capability {
  const { getPort, key, generation } = storageIdentity(maker.privates, secret);
  const part = keyedScheme(maker.privates, key, () => generation).make(STORAGE_OBJECT, rights);
  if (typeof part === "number") throw new Error(`no capability: status ${part}`);
  return { port: maker.publicPort(getPort), private: part };
}
