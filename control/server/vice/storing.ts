// Records that change what objects are: contents and attributes.
//
// - A content is somebody else's when it is newer than what a record was made from and another log's;
//   equal ones are no conflict.
// - What loses is kept: beside what won, or listed. Numbers are cases of docs/FILES.md.

import { errno } from "../../../drivers/file-system.js";
import type { RecordOf } from "../../interface/file-records.js";
import {
  ATTRIBUTES_BYTES_MAX,
  attributesBytes,
  EMPTY_HASH,
  type FileTime,
  withAttribute,
} from "../../interface/file-status.js";
import { Naming } from "./naming.js";
import { type Became, done, Lie, refused, same } from "./replaying.js";
import { isFileMode, type ObjectRow } from "./state.js";

const attributeNames = ["mode", "uid", "gid", "mtime", "atime"] as const;
type AttributeName = (typeof attributeNames)[number];

const isLater = (one: FileTime, other: FileTime): boolean =>
  one[0] > other[0] || (one[0] === other[0] && one[1] > other[1]);

export class Storing extends Naming {
  // ---- contents and attributes -----------------------------------------------------------

  protected store(record: RecordOf<"store">): Became {
    const { base, baseHash, hash, checked, n } = record;
    const id = this.draft.resolve(record.id);
    const row = this.draft.object(id);
    if (row === undefined) return this.unknown(record);
    if (!isFileMode(row.mode)) throw new Lie(`object ${id} is no file`);
    const there = row.hash ?? EMPTY_HASH;
    if (row.gone !== undefined)
      this.bringBack(id, record); // 21, 26, 29
    else if (there === hash) return this.merge(id, hash) ?? this.touch(id, record); // 2
    const now = this.draft.object(id) ?? row;
    const follows = !this.isOthers(row, base); // 1, 17
    if (follows || checked || there === baseHash) {
      const merged = this.merge(id, hash); // 31
      if (merged !== undefined) return merged;
      this.put(id, now, record); // 16
      return done;
    }
    if (baseHash === hash) return same; // 20
    const copy = this.draft.ownId(); // 3, 18, 19
    const [directory, name] = now.home;
    const free = this.freeName(directory, name, n);
    const { by: _, set: __, rival: ___, content: ____, ...attributes } = now;
    this.draft.put(copy, {
      ...attributes,
      links: 0,
      size: 0,
      hash: EMPTY_HASH,
      version: this.draft.stamp(),
    });
    this.draft.enter(directory, free, copy, record.time);
    this.put(copy, this.draft.object(copy) ?? now, record);
    this.note(record, "somebody else changed it too", free);
    return { became: "kept", name: free, id: copy };
  }

  protected put(id: number, row: ObjectRow, { size, hash, mtime, time, n }: RecordOf<"store">): void {
    const version = this.draft.stamp();
    if (row.size > 0) this.given.outlived(id, row.version);
    const content = size === 0 ? undefined : this.given.install(id, version);
    const { content: _, ...rest } = row;
    this.draft.put(id, {
      ...{ ...rest, size, hash, mtime, ctime: time, version, changed: version, by: [this.given.venus, n] },
      ...(content === undefined ? {} : { content }),
    });
  }

  /** The same content came again: only its times count, the later ones. */
  protected touch(id: number, { mtime, time }: RecordOf<"store">): Became {
    const row = this.draft.object(id);
    if (row !== undefined && isLater(mtime, row.mtime))
      this.draft.put(id, { ...row, mtime, ctime: time, changed: this.draft.stamp() });
    return same;
  }

  /** A copy whose content is now that of the object whose name it wanted: they are one (31). */
  protected merge(id: number, hash: string): Became | undefined {
    const row = this.draft.object(id);
    if (row?.rival === undefined) return undefined;
    const winner = this.draft.name(...row.rival);
    const other = this.draft.object(winner);
    if (winner === id || other === undefined || !isFileMode(other.mode)) return undefined;
    if ((other.hash ?? EMPTY_HASH) !== hash || row.links !== 1) return undefined;
    const [directory, name] = row.home;
    if (this.draft.name(directory, name) !== id) return undefined;
    this.draft.leave(directory, name, row.ctime, this.given.seconds);
    this.draft.alias(id, winner);
    return { became: "same", id: winner };
  }

  protected setattr(record: RecordOf<"setattr">): Became {
    const { mode, uid, gid, mtime, atime, time, checked, base } = record;
    const id = this.draft.resolve(record.id);
    const row = this.draft.object(id);
    if (row === undefined) return this.unknown(record);
    if (row.gone !== undefined) return checked ? refused(errno.ENOENT) : this.list(record, "it is gone"); // 22, 48
    const given = { mode, uid, gid, mtime, atime };
    const names = attributeNames.filter((name) => given[name] !== undefined);
    const isLate = (name: AttributeName): boolean =>
      !checked && row.changed > base && isLater(row.set?.[name] ?? time, time); // 9
    const fields = names.filter((name) => !isLate(name)); // 10
    const set = { ...row.set, ...Object.fromEntries(fields.map((name) => [name, time])) };
    const has = (name: AttributeName): boolean => fields.includes(name);
    if (fields.length > 0)
      this.draft.put(id, {
        ...row,
        ...(mode !== undefined && has("mode") ? { mode: (row.mode & 0o170000) | (mode & 0o7777) } : {}),
        ...(uid !== undefined && has("uid") ? { uid } : {}),
        ...(gid !== undefined && has("gid") ? { gid } : {}),
        ...(mtime !== undefined && has("mtime") ? { mtime } : {}),
        ...(atime !== undefined && has("atime") ? { atime } : {}),
        ...{ ctime: time, set, changed: this.draft.stamp() },
      });
    return fields.length === names.length ? done : this.list(record, "somebody set it later");
  }

  /** An extended attribute: each for itself, the later one counts, as with the others. */
  protected setxattr(record: RecordOf<"setxattr">): Became {
    const { attribute, value, time, checked, base } = record;
    const id = this.draft.resolve(record.id);
    const row = this.draft.object(id);
    if (row === undefined) return this.unknown(record);
    if (row.gone !== undefined) return checked ? refused(errno.ENOENT) : this.list(record, "it is gone");
    if (row.attributes?.[attribute] === value) return same;
    if (!checked && row.changed > base && isLater(row.attributesSet?.[attribute] ?? time, time))
      return this.list(record, "somebody set it later");
    const attributes = withAttribute(row.attributes, attribute, value);
    if (attributesBytes(attributes) > ATTRIBUTES_BYTES_MAX)
      return checked ? refused(errno.ENOSPC) : this.list(record, "there is no room for the attribute");
    const attributesSet = { ...row.attributesSet, [attribute]: time };
    this.draft.put(id, { ...row, attributes, attributesSet, ctime: time, changed: this.draft.stamp() });
    return done;
  }
}
