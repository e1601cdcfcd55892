// Which contents of a cache are known to be whole since the machine last had no power.
//
// - A fetched content is not flushed: its row may reach the medium before its bytes do. What the end of
//   the power leaves then is a row of a content that is torn.
// - So contents count for one boot of the machine. The first opening in another one compares the
//   content with its hash; a torn one is dropped, and fetched again.
// - A kill loses nothing that was written: the boot is the same, and nothing is compared.

import type { Cache } from "./cache.js";
import type { CachedObject } from "./state.js";

/** A content is here and whole; one that turns out not to be is dropped. */
export function isProved(cache: Cache, id: number, row: CachedObject): boolean {
  if (!cache.hasContent(row)) return false;
  const { boots = 0 } = cache.row;
  const isOurs = row.own > 0 || row.status.size === 0 || cache.state.open.has(id);
  if (isOurs || row.boot === boots || cache.contents.get(id) !== undefined) return true;
  if (cache.contents.hash(id) === row.status.hash) {
    cache.tables.commit([["object", id, { ...row, boot: boots }]]);
    return true;
  }
  cache.drop(id);
  return false;
}
