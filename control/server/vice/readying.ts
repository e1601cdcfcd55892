// What is made ready before a record is applied that will meet another content: what takes time.
//
// - Policies client and newest: a copy of the other one's content, to be kept; policy program: both merged
//   by it. What is ready counts for the version that was seen; should that have changed by the time of
//   the step, or the program have failed, both are kept, as without a policy.
// - Lies in incoming/VENUS.RECORD.other: whatever is not used is removed.

import type { FileRecord } from "../../interface/file-records.js";
import { EMPTY_HASH } from "../../interface/file-status.js";
import { toHex } from "../../kernel/bytes.js";
import type { Contents, NewDigest } from "./contents.js";
import type { Readied } from "./replaying.js";
import { isFileMode, type VolumeState } from "./state.js";

/** Three contents of one file; without a base: an empty one. Null: it cannot merge them. */
export type Merge = (base: Uint8Array, server: Uint8Array, client: Uint8Array) => Promise<Uint8Array | null>;

/** Larger contents are not given to a program. */
export const MERGE_BYTES_MAX = 16 * 1024 * 1024;

export interface ReadyingGiven {
  readonly state: VolumeState;
  readonly contents: Contents;
  readonly newDigest: NewDigest;
  readonly venus: number;
  readonly merge: Merge | undefined;
}

/** Makes ready what a record may need; undefined: nothing. Throws FolderError. */
export async function readied(given: ReadyingGiven, record: FileRecord): Promise<Readied | undefined> {
  const { state, contents, venus, merge } = given;
  const policy = state.volume?.policy ?? "both";
  if (record.op !== "store" || record.checked || policy === "both" || policy === "server") return undefined;
  const id = state.resolve(record.id);
  const row = state.objects.get(id);
  if (row === undefined || row.gone !== undefined || !isFileMode(row.mode)) return undefined;
  const { version, size, hash = EMPTY_HASH, by } = row;
  const isOthers = version > record.base && by?.[0] !== venus;
  if (!isOthers || hash === record.hash || hash === record.baseHash || record.baseHash === record.hash)
    return undefined;
  const name = `${venus}.${record.n}.other`;
  if (policy !== "program") {
    const isThere = size > 0 && (await contents.add(name, [id, version]));
    return isThere ? { what: "copy", version, name, size, hash } : undefined;
  }
  if (merge === undefined || size > MERGE_BYTES_MAX || record.size > MERGE_BYTES_MAX) return undefined;
  const empty = new Uint8Array(0);
  const server = size === 0 ? empty : contents.whole([id, version]);
  const client = record.size === 0 ? empty : contents.whole(`${venus}.${record.n}`);
  const base = contents.whole([id, record.base]) ?? empty;
  if (server === null || client === null || base.length > MERGE_BYTES_MAX) return undefined;
  const merged = await merge(base, server, client);
  if (merged === null || merged.length > MERGE_BYTES_MAX) return undefined;
  const digest = given.newDigest();
  digest.update(merged);
  const facts = { version, name, size: merged.length, hash: toHex(digest.digest()) };
  if (merged.length > 0) await contents.add(name, merged);
  return { what: "merged", ...facts };
}
