// The hash of a content: SHA-256, by which the same content is known again.
//
// - The default is WebAssembly without an outside world, the same on every host; a machine with
//   instructions for SHA-256 gives its own (control/node/bullet-hash.ts).

import { createSHA256 } from "hash-wasm";

export const HASH_BYTES = 32;

/** One hash that is under way. */
export interface ContentHash {
  update(data: Uint8Array): void;
  /** 32 bytes. Ends it. */
  digest(): Uint8Array;
}

/** Begins a hash. */
export type NewContentHash = () => ContentHash | Promise<ContentHash>;

export const pureContentHash: NewContentHash = async () => {
  const hash = await createSHA256();
  hash.init();
  return { update: (data) => void hash.update(data), digest: () => hash.digest("binary") };
};
