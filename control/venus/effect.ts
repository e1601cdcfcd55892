// What a record of one's own log does to the cache: the rows that are as the record says.
//
// - Pure. The same for a record that vice has taken and for one that it will hear of later; what vice says
//   of the objects comes on top.
// - Rows that are not in the cache are left out: vice knows them.

import type { FileRecord, RecordOf } from "../interface/file-records.js";
import { EMPTY_HASH, type FileStatus, type FileTime, withAttribute } from "../interface/file-status.js";
import type { Change } from "../recoverable/tables.js";
import { type CachedObject, type CacheState, nameChange } from "./state.js";

const S_IFMT = 0o170000;
export const isDirectory = ({ mode }: { readonly mode: number }): boolean => (mode & S_IFMT) === 0o040000;
export const isFile = ({ mode }: { readonly mode: number }): boolean => (mode & S_IFMT) === 0o100000;

/** The rows of a cache with changes that are not made yet. */
class Effect {
  readonly #objects = new Map<number, CachedObject | null>();
  readonly #names: Change[] = [];

  constructor(readonly state: CacheState) {}

  get(id: number): CachedObject | undefined {
    const own = this.#objects.get(id);
    return own === undefined ? this.state.objects.get(id) : (own ?? undefined);
  }

  put(id: number, row: CachedObject | null): void {
    this.#objects.set(id, row);
  }

  status(id: number, change: (status: FileStatus) => Partial<FileStatus>): void {
    const row = this.get(id);
    if (row !== undefined) this.put(id, { ...row, status: { ...row.status, ...change(row.status) } });
  }

  /** A directory has one name more or less. */
  directory(id: number, folders: number, time: FileTime): void {
    this.status(id, ({ links }) => ({ links: links + folders, mtime: time, ctime: time }));
  }

  name(directory: number, name: string, id: number): void {
    this.#names.push(nameChange(directory, name, id));
  }

  changes(): Change[] {
    return [...[...this.#objects].map(([id, row]): Change => ["object", id, row]), ...this.#names];
  }
}

/** Takes a name from an object; the last one takes the object, unless it is held. */
function lose(effect: Effect, id: number, time: FileTime, isHeld: boolean): void {
  const row = effect.get(id);
  if (row === undefined) return;
  const links = isDirectory(row.status) ? 0 : row.status.links - 1;
  if (links > 0 || isHeld) effect.status(id, () => ({ links, ctime: time }));
  else effect.put(id, null);
}

function rename(effect: Effect, record: RecordOf<"rename">, isHeld: (id: number) => boolean): void {
  const { id, directory, name, to, newName, over, exchange, time } = record;
  const folder = (object: number): number => {
    const row = effect.get(object);
    return row !== undefined && isDirectory(row.status) ? 1 : 0;
  };
  const [moved, other] = [folder(id), over === 0 ? 0 : folder(over)];
  const place = (object: number, parent: number): void =>
    effect.status(object, (status) => ({ ctime: time, ...(isDirectory(status) ? { parent } : {}) }));
  if (exchange) {
    effect.name(directory, name, over);
    effect.name(to, newName, id);
    effect.directory(directory, other - moved, time);
    effect.directory(to, moved - other, time);
    place(over, directory);
  } else {
    effect.name(directory, name, 0);
    effect.directory(directory, -moved, time);
    effect.directory(to, moved - other, time);
    if (over !== 0 && over !== id) lose(effect, over, time, isHeld(over));
    if (over === id) effect.status(id, ({ links }) => ({ links: links - 1 }));
    effect.name(to, newName, id);
  }
  place(id, to);
}

/**
 * The changes of a record.
 *
 * @param sequence of its log entry: contents of its own are called by it
 * @param isHeld whether an object is open, or known to the kernel
 */
export function effectOf(
  state: CacheState,
  record: FileRecord,
  sequence: number,
  isHeld: (id: number) => boolean,
): Change[] {
  const effect = new Effect(state);
  const { time, id } = record;
  switch (record.op) {
    case "make": {
      const { mode, uid, gid, directory, name, target, device } = record;
      const isFolder = isDirectory(record);
      const status: FileStatus = {
        ...{ id, mode, uid, gid, links: isFolder ? 2 : 1, size: target?.length ?? 0 },
        ...{ version: 0, changed: 0, mtime: time, ctime: time },
        ...(isFile(record) ? { hash: EMPTY_HASH } : {}),
        ...(target === undefined ? {} : { target }),
        ...(device === undefined ? {} : { device }),
        ...(isFolder ? { parent: directory } : {}),
      };
      effect.put(id, { status, content: 0, own: sequence, whole: isFolder });
      effect.name(directory, name, id);
      effect.directory(directory, isFolder ? 1 : 0, time);
      break;
    }
    case "link":
      effect.name(record.directory, record.name, id);
      effect.status(id, ({ links }) => ({ links: links + 1, ctime: time }));
      effect.directory(record.directory, 0, time);
      break;
    case "remove": {
      const row = effect.get(id);
      effect.name(record.directory, record.name, 0);
      effect.directory(record.directory, row !== undefined && isDirectory(row.status) ? -1 : 0, time);
      lose(effect, id, time, isHeld(id));
      break;
    }
    case "rename":
      rename(effect, record, isHeld);
      break;
    case "store": {
      const { size, hash, mtime } = record;
      effect.status(id, () => ({ size, hash, mtime, ctime: time }));
      const row = effect.get(id);
      if (row !== undefined) effect.put(id, { ...row, own: sequence });
      break;
    }
    case "setattr": {
      const { mode, uid, gid, mtime, atime } = record;
      effect.status(id, (status) => ({
        ...(mode === undefined ? {} : { mode: (status.mode & S_IFMT) | (mode & 0o7777) }),
        ...(uid === undefined ? {} : { uid }),
        ...(gid === undefined ? {} : { gid }),
        ...(mtime === undefined ? {} : { mtime }),
        ...(atime === undefined ? {} : { atime }),
        ctime: time,
      }));
      break;
    }
    case "setxattr":
      effect.status(id, ({ attributes }) => ({
        attributes: withAttribute(attributes, record.attribute, record.value),
        ctime: time,
      }));
      break;
  }
  return effect.changes();
}
