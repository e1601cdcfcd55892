// The rows of a cache: the volume, objects and names as they are known here, the log, and files that
// are open for writing. Changed by steps alone (control/recoverable).
//
// - `status` is an object as it is here, own changes included. `content` is the version whose bytes the
//   cache has, 0: none; with `own` they are newer: this log entry's, which vice has not taken yet.
// - A directory that is `whole` has all its names here, as of status.version.
// - A pin is a name in a directory that is kept with all that is below it (kept.ts); its key is that of
//   the name's row.
// - A log entry that is `applied` was done here without vice; one that is not waits for its answer.

import type { FileRecord } from "../interface/file-records.js";
import type { FileStatus, FileTime } from "../interface/file-status.js";
import { NameRows, nameOfKey, putRow } from "../recoverable/rows.js";
import type { Change, Rows } from "../recoverable/tables.js";
import { Kept } from "./kept.js";

export interface CacheRow {
  /** Hex. */
  readonly uuid: string;
  /** Of the volume; "" before vice was reached for the first time. */
  readonly identity: string;
  readonly volume: string;
  /** Its number at vice; 0: not known. */
  readonly venus: number;
  /** Of the objects that it makes. */
  readonly counter: number;
  /** Of log entries. */
  readonly sequence: number;
  /** The machine's boot in which the cache was opened last, and how many there were (proof.ts). */
  readonly boot?: string;
  readonly boots?: number;
}

/** The row of a cache that is opened in a boot; boots are counted, as their names would fill each row. */
export const inBoot = (row: CacheRow, boot: string): CacheRow =>
  row.boot === boot ? row : { ...row, boot, boots: (row.boots ?? 0) + 1 };

export interface CachedObject {
  readonly status: FileStatus;
  readonly content: number;
  readonly own: number;
  readonly whole: boolean;
  /** In which boot the content was known to be what the status says. */
  readonly boot?: number;
}

/** `record.n` is 0 until it is offered. */
export interface LogRow {
  readonly record: FileRecord;
  readonly applied: boolean;
  /** Of the permit under which it was done (permit.ts); without: by nobody's leave. */
  readonly fence?: number;
}

/** The file as it was when it was last known not to be changed. */
export interface OpenRow {
  readonly size: number;
  readonly mtime: FileTime;
  /** A time that a program has set, and what the file system made of it. */
  readonly touched?: { readonly wanted: FileTime; readonly is: FileTime };
}

export interface PinRow {
  /** When it was pinned. */
  readonly time: FileTime;
}

export class CacheState implements Rows {
  cache: CacheRow | null = null;
  readonly objects = new Map<number, CachedObject>();
  readonly names = new NameRows();
  /** In order. */
  readonly log = new Map<number, LogRow>();
  /** Entries that wait for vice's answer, and bytes of all contents in the log. */
  unapplied = 0;
  logBytes = 0;
  readonly open = new Map<number, OpenRow>();
  readonly pins = new Map<string, PinRow>();
  readonly kept = new Kept(this.names);
  /** The applied log entries that name an object. */
  readonly entries = new Map<number, Set<number>>();

  apply(table: string, key: string | number, row: object | null): void {
    switch (table) {
      case "cache":
        this.cache = row as CacheRow | null;
        return;
      case "object":
        putRow(this.objects, Number(key), row as CachedObject | null);
        this.kept.touched(Number(key));
        return;
      case "name":
        this.#putName(String(key), row as { readonly id: number } | null);
        return;
      case "pin": {
        putRow(this.pins, String(key), row as PinRow | null);
        this.kept.pin(...nameOfKey(String(key)), row !== null);
        return;
      }
      case "log":
        this.#index(Number(key), this.log.get(Number(key)), false);
        putRow(this.log, Number(key), row as LogRow | null);
        this.#index(Number(key), row as LogRow | null, true);
        return;
      case "open":
        putRow(this.open, Number(key), row as OpenRow | null);
        return;
      default:
        throw new Error(`a cache has no table ${table}`);
    }
  }

  *all(): Generator<Change> {
    if (this.cache !== null) yield ["cache", 0, this.cache];
    for (const [id, row] of this.objects) yield ["object", id, row];
    yield* this.names.rows();
    for (const [sequence, row] of this.log) yield ["log", sequence, row];
    for (const [id, row] of this.open) yield ["open", id, row];
    for (const [key, row] of this.pins) yield ["pin", key, row];
  }

  #putName(key: string, row: { readonly id: number } | null): void {
    const [directory, name] = nameOfKey(key);
    const before = this.names.get(directory)?.get(name) ?? 0;
    this.names.put(key, row);
    this.kept.named(directory, name, before, row?.id ?? 0);
  }

  #index(sequence: number, row: LogRow | null | undefined, isThere: boolean): void {
    if (row === null || row === undefined) return;
    const by = isThere ? 1 : -1;
    if (row.record.op === "store") this.logBytes += by * row.record.size;
    if (!row.applied) {
      this.unapplied += by;
      return;
    }
    for (const id of idsOf(row.record)) {
      const own = this.entries.get(id) ?? new Set();
      if (isThere) this.entries.set(id, own.add(sequence));
      else if (own.delete(sequence) && own.size === 0) this.entries.delete(id);
    }
  }
}

/** The objects that a record names, each once. */
export function idsOf(record: FileRecord): readonly number[] {
  const ids = [record.id];
  if ("directory" in record) ids.push(record.directory);
  if (record.op === "rename") ids.push(record.to, record.over);
  return [...new Set(ids)].filter((id) => id !== 0);
}

export const nameChange = (directory: number, name: string, id: number): Change => [
  "name",
  `${directory}/${name}`,
  id === 0 ? null : { id },
];
