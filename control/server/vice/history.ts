// A volume's history as clients are told of it, and what of it has had its time.
//
// - A question about a moment is answered the same for as long as it is answered: a later step has a later
//   moment, and one that is not yet, or not known any more, is refused.
// - What is kept is counted against nothing; rows are bounded in number, so that of a busy volume less may
//   be known than its history time says. Objects that lost their last name stay an hour at least: what
//   comes back from a client that was away has to be known.
// - Refuses with statuses of the vice table.

import { STD_ARGBAD, STD_NOTFOUND } from "../../../core-wasm/status.js";
import { EVER, type Past, VERSIONS_MAX, type Versions } from "../../interface/file-history.js";
import { VICE_PIECE_BYTES } from "../../interface/vice.js";
import type { Change } from "../../recoverable/tables.js";
import { refuse } from "../../stub/refused.js";
import { everNames, lastSeen, lastWith, nameAt, namesAt, objectAt, versionsOf } from "./past.js";
import { firstBehind } from "./sorted.js";
import {
  ENTRIES_MAX,
  isDirectoryMode,
  type ObjectRow,
  type OldRow,
  statusBytesOf,
  statusOf,
  type VolumeState,
} from "./state.js";

export const historyDefault = 3600;
const goneSeconds = 3600;
const sweptMax = 64;
const scannedMax = 1024;
/** What a version's moments and machine take as JSON, at most. */
const beside = 500;
/** Changes in all rows: what a busy volume keeps at most, in memory. */
const changesMax = 200_000;

const momentOf = (seconds: number): number => Math.round(seconds * 1000);

export interface Swept {
  readonly changes: readonly Change[];
  /** Contents that nobody can ask for any more. */
  readonly contents: readonly OldRow[];
}

/** Answers questions about what a volume was. */
export class History {
  readonly #state: VolumeState;
  readonly #changesMax: number;
  /** The last moment that was asked about: what comes is later. */
  #asked = 0;
  #sorted: { readonly key: string; readonly names: readonly string[] } = { key: "", names: [] };

  constructor(state: VolumeState, most = changesMax) {
    this.#state = state;
    this.#changesMax = most;
  }

  get seconds(): number {
    return this.#state.volume?.history ?? historyDefault;
  }

  /** Bytes of contents that are kept and are not the newest. */
  get bytes(): number {
    let bytes = 0;
    for (const { id, version, size } of this.#state.old.values()) {
      const now = this.#state.objects.get(id);
      if (now?.version !== version || now.gone !== undefined) bytes += size;
    }
    return bytes;
  }

  /** The moment of a step that comes now; seconds since 1970 are given. */
  next(seconds: number): number {
    return Math.max(momentOf(seconds), this.#state.past.last + 1, this.#asked + 1);
  }

  /** From which moment on everything is known. */
  from(seconds: number): number {
    return Math.max(this.#state.past.from, momentOf(seconds - this.seconds));
  }

  /** An object as of a moment, and when it is a directory its names behind one. */
  past(seconds: number, at: number, id: number, after: string): Past {
    const state = this.#state;
    const stamp = at === EVER ? 0 : this.#stampAt(seconds, at);
    const objectOf = (of: number): ObjectRow | undefined =>
      at === EVER ? lastSeen(state, of) : objectAt(state, of, stamp);
    const row = objectOf(id) ?? refuse(STD_NOTFOUND);
    const names: Past["names"] = [];
    if (!isDirectoryMode(row.mode)) return { status: statusOf(id, row), names, more: false };
    const all = this.#names(id, at, stamp);
    let bytes = statusBytesOf(row);
    let next = firstBehind(all, after);
    for (; next < all.length && names.length < ENTRIES_MAX; next++) {
      const name = all[next] ?? "";
      const child = at === EVER ? lastWith(state, id, name) : nameAt(state, id, name, stamp);
      const other = objectOf(child);
      bytes += statusBytesOf(other) + 6 * name.length;
      if (bytes > VICE_PIECE_BYTES) break;
      if (other !== undefined) names.push([name, statusOf(child, other)]);
    }
    return { status: statusOf(id, row), names, more: next < all.length };
  }

  #stampAt(seconds: number, at: number): number {
    if (at > momentOf(seconds) && at > this.#state.past.last) refuse(STD_ARGBAD);
    if (at < this.from(seconds)) refuse(STD_NOTFOUND);
    this.#asked = Math.max(this.#asked, at);
    return this.#state.past.stampAt(at);
  }

  /** Sorted once for the pages of a directory. */
  #names(id: number, at: number, stamp: number): readonly string[] {
    const now = at === EVER ? (this.#state.volume?.stamp ?? 0) : stamp;
    const key = `${id} ${at} ${now}`;
    if (this.#sorted.key !== key) {
      const names = at === EVER ? everNames(this.#state, id) : namesAt(this.#state, id, stamp);
      this.#sorted = { key, names };
    }
    return this.#sorted.names;
  }

  /** What could be found under a name, behind a moment. */
  versions(directory: number, name: string, after: number): Versions {
    const { venuses } = this.#state;
    const versions: Versions["versions"] = [];
    let bytes = 0;
    for (const { from: known, until, id, row } of versionsOf(this.#state, directory, name)) {
      const from = known || (row.since ?? Math.max(1, row.mtime[0] * 1000));
      if (from <= after) continue;
      bytes += statusBytesOf(row) + beside;
      if (versions.length >= VERSIONS_MAX || bytes > VICE_PIECE_BYTES) return { versions, more: true };
      const machine = venuses.get(row.by?.[0] ?? 0)?.machine ?? "";
      versions.push({ from, until, machine, id, status: statusOf(id, row) });
    }
    return { versions, more: false };
  }

  /** What has had its time, as far as one step takes it. */
  swept(seconds: number): Swept {
    const changes: Change[] = [];
    const contents: OldRow[] = [];
    let scanned = 0;
    for (const [key, row] of this.#state.old) {
      if (row.at + this.seconds > seconds) break; // in the order in which they were replaced
      if (scanned++ >= scannedMax || contents.length >= sweptMax) break;
      const object = this.#state.objects.get(row.id);
      const isNewest = object?.version === row.version;
      if (isNewest && object.gone !== undefined && row.at + goneSeconds > seconds) continue;
      changes.push(["old", key, null]);
      if (isNewest && object.gone === undefined) continue; // it came back
      if (isNewest) changes.push(["object", row.id, null]);
      contents.push(row);
    }
    changes.push(...this.#sweptRows(seconds));
    return { changes, contents };
  }

  #sweptRows(seconds: number): Change[] {
    const { past } = this.#state;
    const changes: Change[] = [];
    let [left, from] = [past.count, past.from];
    for (const [stamp, { at, objects, names }] of past.rows) {
      const isOver = at <= momentOf(seconds - this.seconds);
      if ((!isOver && left <= this.#changesMax) || changes.length >= sweptMax) break;
      changes.push(["past", stamp, null]);
      left -= objects.length + names.length;
      from = at;
    }
    return changes.length === 0 ? [] : [...changes, ["past", 0, { at: from }]];
  }
}
