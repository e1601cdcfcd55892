// Where the digests of two copies differ.
//
// - Pure. Digests are DIGEST_BYTES a block, in order (port.ts).
// - Runs come in order, and are as long as they can be.

import { DIGEST_BYTES } from "../member/port.js";
import type { Run } from "./dirty-map.js";

/** Runs of blocks of which the digests differ. */
export function* differingRuns(ours: Uint8Array, its: Uint8Array, { block, blocks }: Run): Generator<Run> {
  const differs = (at: number): boolean => {
    for (let byte = at * DIGEST_BYTES; byte < (at + 1) * DIGEST_BYTES; byte++)
      if (ours[byte] !== its[byte]) return true;
    return false;
  };
  for (let at = 0; at < blocks; at++) {
    if (!differs(at)) continue;
    const from = at;
    while (at + 1 < blocks && differs(at + 1)) at++;
    yield { block: block + from, blocks: at + 1 - from };
  }
}
