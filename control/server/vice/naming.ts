// Records that give, take and change names: made, linked, removed, renamed.
//
// - What a record believes of names is compared with what is so, by directory and name, one at a time:
//   independent changes in one directory merge.
// - A checked record that does not fit is refused with what a local file system would say. Numbers are
//   cases of docs/FILES.md.

import { errno } from "../../../drivers/file-system.js";
import type { RecordOf } from "../../interface/file-records.js";
import { type FileTime, makerOf, ROOT_ID } from "../../interface/file-status.js";
import { type Became, depthMax, done, Lie, Replaying, refused, same } from "./replaying.js";
import { isDirectoryMode, isFileMode, isLinkMode, type Kept, type ObjectRow } from "./state.js";

export class Naming extends Replaying {
  // ---- making ------------------------------------------------------------------------

  protected make(record: RecordOf<"make">): Became {
    const { id, name, mode, uid, gid, target, device, time, checked } = record;
    if (makerOf(id) !== this.given.venus) throw new Lie(`object ${id} is not of venus ${this.given.venus}`);
    if (this.draft.object(id) !== undefined || this.draft.resolve(id) !== id)
      throw new Lie(`object ${id} was made already`);
    const directory = this.directory(record.directory, record);
    if (typeof directory === "object") return directory;
    const other = this.draft.name(directory, name);
    if (other !== 0) {
      if (checked) return refused(errno.EEXIST);
      if (this.isSame(other, record)) {
        this.draft.alias(id, other); // 33, 36, 39
        return { became: "same", id: other };
      }
    }
    const isFolder = isDirectoryMode(mode);
    const row: ObjectRow = {
      ...{ mode, uid, gid, links: 0, size: target?.length ?? 0 },
      ...{ version: this.draft.stamp(), changed: 0, mtime: time, ctime: time, since: this.given.at },
      ...{ home: [directory, name] as const, by: [this.given.venus, record.n] as const },
      ...(isFolder ? { parent: directory, entries: 0 } : {}),
      ...(target === undefined ? {} : { target }),
      ...(device === undefined ? {} : { device }),
    };
    this.draft.put(id, other === 0 ? row : { ...row, rival: [directory, name] }); // 31, 32
    return this.enter(directory, name, id, record);
  }

  protected isSame(other: number, { mode, target, device = 0 }: RecordOf<"make">): boolean {
    const row = this.draft.object(other);
    if (row === undefined || (row.mode & 0o170000) !== (mode & 0o170000)) return false;
    if (isDirectoryMode(mode)) return true;
    if (isLinkMode(mode)) return row.target === target;
    return !isFileMode(mode) && (row.device ?? 0) === device;
  }

  protected link(record: RecordOf<"link">): Became {
    const { name, checked } = record;
    const id = this.draft.resolve(record.id);
    const row = this.draft.object(id);
    if (row === undefined) return this.unknown(record);
    if (isDirectoryMode(row.mode)) throw new Lie("a directory has one name");
    if (row.gone !== undefined)
      return checked ? refused(errno.ENOENT) : this.list(record, "what it links is gone");
    const directory = this.directory(record.directory, record);
    if (typeof directory === "object") return directory;
    const other = this.draft.name(directory, name);
    if (other === id && !checked) return same; // 41
    if (other !== 0 && checked) return refused(errno.EEXIST);
    return this.enter(directory, name, id, record); // 42
  }

  // ---- removing and renaming -----------------------------------------------------------

  protected remove(record: RecordOf<"remove">): Became {
    const { name, time, checked } = record;
    const directory = this.draft.resolve(record.directory);
    const id = this.draft.resolve(record.id);
    const row = this.draft.object(id);
    if (row === undefined || this.draft.object(directory) === undefined) return this.unknown(record);
    if (this.draft.name(directory, name) !== id) {
      if (checked) return refused(errno.ESTALE);
      return row.gone === undefined ? this.list(record, "it has another name now") : same; // 57; 23, 46
    }
    if ((row.entries ?? 0) > 0)
      return checked ? refused(errno.ENOTEMPTY) : this.list(record, "the directory is not empty"); // 47
    const isNewer = isFileMode(row.mode) && this.isOthers(row, record.base) && row.links === 1;
    if (isNewer && !checked) return this.list(record, "it was changed meanwhile, and stays"); // 24
    this.draft.leave(directory, name, time, this.given.seconds);
    return done;
  }

  protected rename(record: RecordOf<"rename">): Became {
    const { name, newName, time, checked, exchange } = record;
    const from = this.draft.resolve(record.directory);
    const id = this.draft.resolve(record.id);
    const over = this.draft.resolve(record.over);
    const row = this.draft.object(id);
    if (row === undefined || this.draft.object(from) === undefined) return this.unknown(record);
    const atNew = this.draft.name(this.draft.resolve(record.to), newName);
    if (this.draft.name(from, name) !== id) {
      if (checked) return refused(errno.ESTALE);
      if (row.gone !== undefined) return this.list(record, "what was renamed is gone"); // 59
      return atNew === id ? same : this.list(record, "it was renamed meanwhile"); // 54, 69; 55, 68
    }
    const to = this.directory(record.to, record);
    if (typeof to === "object") return to;
    if (isDirectoryMode(row.mode) && this.isBelow(to, id))
      return checked ? refused(errno.EINVAL) : this.list(record, "a directory would be below itself"); // 63
    if (exchange) return this.exchange(record, from, to, id, over);
    if (atNew === id) return from === to && name === newName ? done : this.dropName(from, name, time);
    if (atNew !== 0) {
      const why = this.replace(record, to, atNew, over, isDirectoryMode(row.mode));
      if (why !== undefined && checked) return refused(why);
    }
    this.draft.leave(from, name, time, this.given.seconds);
    return this.enter(to, newName, id, record); // 60, 72: a name beside it
  }

  /** Two names of one object: one of them goes. */
  protected dropName(directory: number, name: string, time: FileTime): Became {
    this.draft.leave(directory, name, time, this.given.seconds);
    return done;
  }

  /** Takes what has the new name out of the way; an errno when it stays. */
  protected replace(
    record: RecordOf<"rename">,
    to: number,
    target: number,
    over: number,
    isFolder: boolean,
  ): number | undefined {
    const { newName, time, checked, overBase } = record;
    if (target !== over) return errno.ESTALE; // 60
    const row = this.draft.object(target);
    if (row === undefined) return errno.ESTALE;
    if (isDirectoryMode(row.mode) !== isFolder) return isFolder ? errno.ENOTDIR : errno.EISDIR;
    if ((row.entries ?? 0) > 0) return errno.ENOTEMPTY; // 72
    this.draft.leave(to, newName, time, this.given.seconds); // 71
    if (!checked && isFileMode(row.mode) && this.isOthers(row, overBase) && row.links === 1) {
      const free = this.freeName(to, newName, this.draft.volume.conflicts + 1); // 61
      this.draft.enter(to, free, target, time);
      const kept: Kept = { id: target, at: [to, free], wanted: [to, newName] };
      this.note(record, "it was changed before it was replaced", kept);
    }
    return undefined;
  }

  protected exchange(record: RecordOf<"rename">, from: number, to: number, id: number, over: number): Became {
    const { name, newName, time, checked } = record;
    const other = this.draft.object(over);
    if (over === 0 || other === undefined || this.draft.name(to, newName) !== over)
      return checked ? refused(errno.ESTALE) : this.list(record, "the other one was renamed meanwhile"); // 68
    if (isDirectoryMode(other.mode) && this.isBelow(from, over))
      return checked ? refused(errno.EINVAL) : this.list(record, "a directory would be below itself");
    const { seconds } = this.given;
    this.draft.leave(from, name, time, seconds);
    this.draft.leave(to, newName, time, seconds);
    this.draft.enter(from, name, over, time);
    this.draft.enter(to, newName, id, time);
    return done;
  }

  /** Whether a directory is another one, or below it. */
  protected isBelow(directory: number, above: number): boolean {
    let here = directory;
    for (let depth = 0; depth < depthMax; depth++) {
      if (here === above) return true;
      if (here === ROOT_ID) return false;
      here = this.draft.object(here)?.parent ?? ROOT_ID;
    }
    return true;
  }
}
