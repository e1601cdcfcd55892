// Records that change what objects are: contents and attributes.
//
// - A content is somebody else's when it is newer than what a record was made from and another log's;
//   equal ones are no conflict.
// - The volume's policy says which of two contents has the name; the other one is kept beside it, and
//   both are listed. Numbers are cases of docs/FILES.md.

import { errno } from "../../../drivers/file-system.js";
import type { RecordOf } from "../../interface/file-records.js";
import {
  ATTRIBUTES_BYTES_MAX,
  attributesBytes,
  EMPTY_HASH,
  type FileTime,
  ROOT_ID,
  withAttribute,
} from "../../interface/file-status.js";
import { Naming } from "./naming.js";
import { type Became, done, Lie, refused, same } from "./replaying.js";
import { isFileMode, type Kept, type ObjectRow } from "./state.js";

const attributeNames = ["mode", "uid", "gid", "mtime", "atime"] as const;
type AttributeName = (typeof attributeNames)[number];

const isLater = (one: FileTime, other: FileTime): boolean =>
  one[0] > other[0] || (one[0] === other[0] && one[1] > other[1]);

export class Storing extends Naming {
  // ---- contents and attributes -----------------------------------------------------------

  protected store(record: RecordOf<"store">): Became {
    const { base, baseHash, hash, checked } = record;
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
      return this.claim(id, record);
    }
    if (baseHash === hash) return same; // 20
    return this.contend(id, now, record);
  }

  /** Two contents of one file, neither made from the other. */
  protected contend(id: number, now: ObjectRow, record: RecordOf<"store">): Became {
    const ready = this.given.readied(record.n);
    const isReady = ready?.version === now.version;
    if (isReady && ready.what === "merged") {
      const { size, hash, name } = ready; // 6
      this.put(id, now, { ...record, size, hash }, name);
      return { became: "kept", why: "the volume's program has merged it" };
    }
    if (!this.wins(now, record) || !(isReady || now.size === 0)) return this.keepAside(now, record);
    const { machineOf, install } = this.given; // 4, 5
    const [venus, n] = now.by ?? [0, record.n];
    const [copy, kept] = this.copyOf(now, record, machineOf(venus), n);
    const { size, hash = EMPTY_HASH, mtime, by } = now;
    const version = this.draft.stamp();
    const content = size === 0 ? undefined : install(copy, version, ready?.name);
    this.draft.put(copy, {
      ...(this.draft.object(copy) ?? now),
      ...{ size, hash, mtime, version, changed: version, since: this.given.at },
      ...(content === undefined ? {} : { content }),
      ...(by === undefined ? {} : { by }),
    });
    this.put(id, now, record);
    this.note(record, "somebody else changed it too", kept);
    return done;
  }

  /** Whether a record's content has the name, and not what is there. */
  protected wins(now: ObjectRow, { mtime }: RecordOf<"store">): boolean {
    const { policy } = this.draft.volume;
    return policy === "client" || (policy === "newest" && isLater(mtime, now.mtime));
  }

  /** What was made under a name that another one had: the policy may give it that name (32). */
  protected claim(id: number, record: RecordOf<"store">): Became {
    const row = this.draft.object(id);
    if (row?.rival === undefined) return done;
    const [directory, name] = row.rival;
    const other = this.draft.name(directory, name);
    const there = this.draft.object(other);
    if (other === id || there === undefined || !isFileMode(there.mode) || !this.wins(there, record))
      return done;
    const [home, own] = row.home;
    if (this.draft.name(home, own) !== id) return done;
    const { time } = record;
    const [venus, n] = there.by ?? [0, record.n];
    const free = this.freeName(directory, name, n, this.given.machineOf(venus));
    const { rival: _, ...rest } = row;
    this.draft.put(id, rest);
    this.draft.leave(home, own, time, this.given.seconds);
    this.draft.leave(directory, name, time, this.given.seconds);
    this.draft.enter(directory, name, id, time);
    this.draft.enter(directory, free, other, time);
    const kept: Kept = { id: other, at: [directory, free], wanted: [directory, name] };
    this.note(record, "another object had the name", kept);
    return { became: "kept", name, id };
  }

  /** The record's content becomes a file of its own. */
  protected keepAside(now: ObjectRow, record: RecordOf<"store">): Became {
    const [copy, kept] = this.copyOf(now, record, this.given.machine, record.n); // 3, 18, 19
    this.put(copy, this.draft.object(copy) ?? now, record);
    this.note(record, "somebody else changed it too", kept);
    return { became: "kept", name: kept.at[1], id: copy };
  }

  /** An object like another one, beside it and still empty. */
  protected copyOf(
    now: ObjectRow,
    record: RecordOf<"store">,
    machine: string,
    n: number,
  ): readonly [id: number, kept: Kept] {
    const copy = this.draft.ownId();
    const [home, name] = now.home;
    const above = this.draft.object(home);
    const directory = above === undefined || above.gone !== undefined ? ROOT_ID : home;
    const free = this.freeName(directory, name, n, machine);
    const { by: _, set: __, rival: ___, content: ____, ...attributes } = now;
    const version = this.draft.stamp();
    this.draft.put(copy, { ...attributes, links: 0, size: 0, hash: EMPTY_HASH, version });
    this.draft.enter(directory, free, copy, record.time);
    return [copy, { id: copy, at: [directory, free], wanted: [directory, name] }];
  }

  protected put(
    id: number,
    row: ObjectRow,
    { size, hash, mtime, time, n }: RecordOf<"store">,
    from?: string,
  ): void {
    const version = this.draft.stamp();
    if (row.size > 0) this.given.outlived(id, row);
    const content = size === 0 ? undefined : this.given.install(id, version, from);
    const { content: _, ...rest } = row;
    this.draft.put(id, {
      ...{ ...rest, size, hash, mtime, ctime: time, version, changed: version, since: this.given.at },
      by: [this.given.venus, n],
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
