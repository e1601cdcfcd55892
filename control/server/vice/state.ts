// The rows of a volume: objects, names, clients, conflicts, and what they were. Changed by steps alone
// (control/recoverable).
//
// - An object that lost its last name stays as a row that says so (`gone`) for the volume's history time:
//   what comes back has to be known.
// - Directories count their names; a directory's names are a map of their own, in no order.
// - An alias says that an id stands for another object: two clients made the same thing.

import type { Outcome } from "../../interface/file-records.js";
import {
  attributesBytes,
  EMPTY_HASH,
  type FileAttributes,
  type FileStatus,
  type FileTime,
  ROOT_ID,
} from "../../interface/file-status.js";
import type { Policy, Semantics } from "../../interface/vice.js";
import { NameRows, putRow } from "../../recoverable/rows.js";
import type { Change, Rows } from "../../recoverable/tables.js";
import { type PastFrom, type PastRow, PastRows } from "./past.js";

export interface ObjectRow {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly size: number;
  readonly version: number;
  readonly changed: number;
  readonly mtime: FileTime;
  readonly ctime: FileTime;
  readonly hash?: string;
  readonly target?: string;
  readonly device?: number;
  /** Of a directory. */
  readonly parent?: number;
  readonly entries?: number;
  /** The last name that it was given: directory and name. */
  readonly home: readonly [directory: number, name: string];
  /** Whose its content is, and of which record: a store, or what made it. */
  readonly by?: readonly [venus: number, record: number];
  /** When each of its attributes was set by hand. */
  readonly set?: Readonly<Partial<Record<"mode" | "uid" | "gid" | "mtime" | "atime", FileTime>>>;
  readonly atime?: FileTime;
  /** Extended attributes, and when each was set or removed. */
  readonly attributes?: FileAttributes;
  readonly attributesSet?: Readonly<Record<string, FileTime>>;
  /** The name that it wanted and that another one had. */
  readonly rival?: readonly [directory: number, name: string];
  /** The content came as this file of `incoming`. */
  readonly content?: string;
  /** The moment at which its content came (past.ts). */
  readonly since?: number;
  /** Seconds since 1970 when it lost its last name. */
  readonly gone?: number;
}

export interface VolumeRow {
  readonly name: string;
  /** Hex; names it for good. */
  readonly identity: string;
  /** Hex: the generation of its capabilities. */
  readonly generation: string;
  readonly semantics: Semantics;
  /** Of conflicts; without it: both are kept. */
  readonly policy?: Policy;
  /** Bytes that its contents may take; without one: no bound. */
  readonly quota?: number;
  /** Seconds for which is kept what it was; without: an hour. */
  readonly history?: number;
  /** Rights that everybody on the network has; without: none. */
  readonly shared?: number;
  /** Its last permit (permits.ts), and the client that has it; 0: nobody. */
  readonly permit?: { readonly venus: number; readonly fence: number };
  readonly stamp: number;
  /** Of vice's own objects. */
  readonly counter: number;
  readonly venuses: number;
  readonly conflicts: number;
}

/** A client, as it outlives sessions. */
export interface VenusRow {
  readonly uuid: string;
  readonly machine: string;
  /** The last record that was received. */
  readonly last: number;
  /** What became of the last records, for one who asks again. */
  readonly outcomes: readonly Outcome[];
}

export interface ConflictRow {
  readonly time: FileTime;
  readonly venus: number;
  readonly record: object;
  readonly why: string;
  /** What was kept: it is over when this object has that name no more. */
  readonly kept?: Kept;
}

/** What was kept of a conflict: an object, the name that it got, and the one that it wanted. */
export interface Kept {
  readonly id: number;
  readonly at: readonly [directory: number, name: string];
  readonly wanted: readonly [directory: number, name: string];
}

/** A content that is not the newest any more. */
export interface OldRow {
  readonly id: number;
  readonly version: number;
  readonly size: number;
  /** Seconds since 1970 when it was replaced, or its object removed. */
  readonly at: number;
}

const S_IFMT = 0o170000;
export const isDirectoryMode = (mode: number): boolean => (mode & S_IFMT) === 0o040000;
export const isFileMode = (mode: number): boolean => (mode & S_IFMT) === 0o100000;
export const isLinkMode = (mode: number): boolean => (mode & S_IFMT) === 0o120000;

export class VolumeState implements Rows {
  volume: VolumeRow | null = null;
  readonly objects = new Map<number, ObjectRow>();
  readonly names = new NameRows();
  readonly venuses = new Map<number, VenusRow>();
  readonly byUuid = new Map<string, number>();
  readonly conflicts = new Map<number, ConflictRow>();
  /** Conflicts by the objects that were kept. */
  readonly ofKept = new Map<number, Set<number>>();
  readonly aliases = new Map<number, number>();
  readonly old = new Map<string, OldRow>();
  readonly past = new PastRows();
  /** Bytes of the newest contents of all objects that have a name. */
  bytes = 0;
  live = 0;

  apply(table: string, key: string | number, row: object | null): void {
    switch (table) {
      case "volume":
        this.volume = row as VolumeRow | null;
        return;
      case "object":
        this.#putObject(Number(key), row as ObjectRow | null);
        return;
      case "name":
        this.names.put(String(key), row as { readonly id: number } | null);
        return;
      case "venus":
        this.#putVenus(Number(key), row as VenusRow | null);
        return;
      case "conflict":
        this.#putConflict(Number(key), row as ConflictRow | null);
        return;
      case "alias":
        putRow(this.aliases, Number(key), (row as { readonly to: number } | null)?.to ?? null);
        return;
      case "old":
        this.old.delete(String(key)); // the map is in the order of their times
        putRow(this.old, String(key), row as OldRow | null);
        return;
      case "past":
        this.past.put(Number(key), row as PastRow | PastFrom | null);
        return;
      default:
        throw new Error(`a volume has no table ${table}`);
    }
  }

  *all(): Generator<Change> {
    if (this.volume !== null) yield ["volume", 0, this.volume];
    for (const [id, row] of this.objects) yield ["object", id, row];
    yield* this.names.rows();
    for (const [number, row] of this.venuses) yield ["venus", number, row];
    for (const [number, row] of this.conflicts) yield ["conflict", number, row];
    for (const [id, to] of this.aliases) yield ["alias", id, { to }];
    for (const [key, row] of this.old) yield ["old", key, row];
    yield* this.past.all();
  }

  #putObject(id: number, row: ObjectRow | null): void {
    const before = this.objects.get(id);
    if (before !== undefined && before.gone === undefined) {
      this.bytes -= before.size;
      this.live--;
    }
    putRow(this.objects, id, row);
    if (row !== null && row.gone === undefined) {
      this.bytes += row.size;
      this.live++;
    }
  }

  #putConflict(number: number, row: ConflictRow | null): void {
    const before = this.conflicts.get(number)?.kept;
    if (before !== undefined) {
      const all = this.ofKept.get(before.id);
      if (all?.delete(number) === true && all.size === 0) this.ofKept.delete(before.id);
    }
    putRow(this.conflicts, number, row);
    if (row?.kept === undefined) return;
    const all = this.ofKept.get(row.kept.id) ?? new Set();
    this.ofKept.set(row.kept.id, all.add(number));
  }

  #putVenus(number: number, row: VenusRow | null): void {
    putRow(this.venuses, number, row);
    if (row !== null) this.byUuid.set(row.uuid, number);
  }

  /** The id that counts for an id: an alias's object. */
  resolve(id: number): number {
    return this.aliases.get(id) ?? id;
  }
}

/** Names of one page: about as many as fit into an answer. */
export const ENTRIES_MAX = 500;
const statusBytes = 420;

/** What a status takes as JSON, at most. */
export const statusBytesOf = (row: ObjectRow | undefined): number =>
  statusBytes + 2 * (row?.target?.length ?? 0) + 6 * attributesBytes(row?.attributes);

/** What clients are told of an object. */
export function statusOf(id: number, row: ObjectRow): FileStatus {
  const { mode, uid, gid, links, size, version, changed, mtime, ctime, hash, target, device, parent } = row;
  const { atime, attributes } = row;
  return {
    ...{ id, mode, uid, gid, links, size, version, changed, mtime, ctime },
    ...(isFileMode(mode) ? { hash: hash ?? EMPTY_HASH } : {}),
    ...(atime === undefined ? {} : { atime }),
    ...(attributes === undefined ? {} : { attributes }),
    ...(target === undefined ? {} : { target }),
    ...(device === undefined ? {} : { device }),
    ...(parent === undefined ? {} : { parent }),
  };
}

/** The rows of a new volume. */
export function newVolume(
  facts: Pick<VolumeRow, "name" | "identity" | "generation" | "semantics" | "policy">,
  owner: number,
  time: FileTime,
): Change[] {
  const root: ObjectRow = {
    ...{
      mode: 0o040755,
      uid: owner,
      gid: 0,
      links: 2,
      size: 0,
      version: 1,
      changed: 1,
      mtime: time,
      ctime: time,
    },
    ...{ parent: ROOT_ID, entries: 0, home: [ROOT_ID, ""] as const },
  };
  return [
    ["volume", 0, { ...facts, stamp: 1, counter: ROOT_ID, venuses: 0, conflicts: 0 } satisfies VolumeRow],
    ["object", ROOT_ID, root],
    ["past", 0, { at: time[0] * 1000 } satisfies PastFrom],
  ];
}
